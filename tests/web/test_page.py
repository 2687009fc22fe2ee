"""The web app's files: whole, from here only, with nothing inline, kept by browsers until they change."""

from __future__ import annotations

import gzip
import hashlib
import re

import pytest
from flask.testing import FlaskClient

from matinee.web.assets import FOLDER, Assets
from matinee.web.page import ADDRESSES

FIRST_LOAD_BYTES = 150_000


@pytest.fixture(scope="module")
def assets() -> Assets:
    return Assets()


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_address_of_the_app_is_the_same_page(client: FlaskClient, address: str) -> None:
    answer = client.get(address.replace("<path:movie_id>", "260"))
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    assert answer.text == client.get("/").text
    assert answer.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    ("accept", "address", "media_type"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "/for-yuo", "text/html"),
        ("text/html,*/*;q=0.8", "/api/v1/nothing", "application/problem+json"),
        ("text/html,*/*;q=0.8", "/static/0/app.js", "application/problem+json"),
        ("*/*", "/for-yuo", "application/problem+json"),
        ("application/json", "/for-yuo", "application/problem+json"),
        ("", "/for-yuo", "application/problem+json"),
    ],
)
def test_a_mistyped_address_is_a_page_to_a_browser_and_a_problem_to_a_program(
    client: FlaskClient, accept: str, address: str, media_type: str
) -> None:
    answer = client.get(address, headers={"Accept": accept})
    assert (answer.status_code, answer.mimetype) == (404, media_type)
    if media_type == "text/html":
        assert answer.text == client.get("/").text


def test_the_query_of_an_address_is_the_apps_own(client: FlaskClient) -> None:
    assert client.get("/for-you?genre_any=Comedy&popularity=-0.5").text == client.get("/").text


def test_the_page_and_all_it_names_are_served_here(client: FlaskClient) -> None:
    named = re.findall(r'(?:src|href)="([^"]+)"', client.get("/").text)
    assert len(named) > 5
    for path in named:
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert "immutable" in answer.headers["Cache-Control"]
    assert client.get("/favicon.ico").mimetype == "image/svg+xml"


def test_no_file_names_another_host(assets: Assets) -> None:
    for name, asset in assets.files.items():
        if not name.endswith(".woff2"):
            addresses = set(re.findall(rb"https?://[\w.]+", asset.content))
            assert addresses <= {b"http://www.w3.org", b"https://www.imdb.com", b"https://www.themoviedb.org"}, name


def test_nothing_is_inline(client: FlaskClient) -> None:
    page = client.get("/").text
    assert not re.findall(r"<script(?![^>]*\ssrc=)", page)
    assert "<style" not in page
    assert not re.search(r"\son\w+=|\sstyle=", page)
    assert "unsafe" not in client.get("/").headers["Content-Security-Policy"]


def test_what_a_page_consists_of_is_sent_without_the_pages_policies(client: FlaskClient) -> None:
    part = next(path for path in re.findall(r'"(/static/[^"]+\.css)"', client.get("/").text))
    assert client.get(part).headers["X-Content-Type-Options"] == "nosniff"
    assert "Content-Security-Policy" not in client.get(part).headers
    for path in ("/", "/api/v1/movies/1", "/api/v1/nothing.css", "/film/1"):
        assert "default-src 'none'" in client.get(path).headers["Content-Security-Policy"]


@pytest.mark.parametrize("unsafe", ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("])
def test_titles_can_only_become_text(assets: Assets, unsafe: str) -> None:
    own = {name: asset.content.decode() for name, asset in assets.files.items() if name.startswith("app/")}
    assert len(own) > 10
    assert not [name for name, script in own.items() if unsafe in script]


def test_all_files_of_a_first_load_are_small_together(assets: Assets) -> None:
    lazy = ("latin-ext", "app/pages/")
    first = [asset for name, asset in assets.files.items() if not any(part in name for part in lazy)]
    first += [assets.shell, assets.files["app/pages/rate.js"]]
    assert sum(len(asset.compressed or asset.content) for asset in first) < FIRST_LOAD_BYTES


def test_files_are_sent_compressed_to_who_takes_it(client: FlaskClient, assets: Assets) -> None:
    path = f"/static/{assets.digest}/app/main.js"
    plain, packed = client.get(path), client.get(path, headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data == (FOLDER / "app" / "main.js").read_bytes()
    again = client.get(path, headers={"Accept-Encoding": "gzip", "If-None-Match": packed.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize("path", ["app/none.js", "vendor/NOTICE", "index.html", "../page.py"])
def test_other_files_are_not_there(client: FlaskClient, assets: Assets, path: str) -> None:
    assert client.get(f"/static/{assets.digest}/{path}").status_code == 404


def test_a_file_of_another_version_is_not_there(client: FlaskClient) -> None:
    assert client.get("/static/0123456789ab/app/main.js").status_code == 404


def test_vendored_files_are_those_of_the_notice() -> None:
    vendor = FOLDER / "vendor"
    noted = dict(
        reversed(line.split()) for line in re.findall(r"^[0-9a-f]{64}  \S+$", (vendor / "NOTICE").read_text(), re.M)
    )
    found = {
        path.relative_to(vendor).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in vendor.rglob("*")
        if path.suffix in (".js", ".woff2")
    }
    assert found == noted

"""`matinee data`: list, show, and fetch from a server of our own."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import matinee
from matinee.cli import cli
from matinee.data import fetch as fetching
from matinee.data.fetch import fetch
from matinee.errors import DataError, DownloadError


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, str]]:
    """A folder, and the address at which it is published."""
    folder = tmp_path / "published"
    folder.mkdir()
    monkeypatch.setattr(fetching, "RETRIES", 0)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


def test_fetched_once_with_its_checksum(published: tuple[Path, str], small_zip: Path, tmp_path: Path) -> None:
    folder, url = published
    (folder / "ml-latest-small.zip").write_bytes(small_zip.read_bytes())
    path = fetch("ml-latest-small", tmp_path / "home" / "data", base_url=url)
    assert path.read_bytes() == small_zip.read_bytes()
    (folder / "ml-latest-small.zip").unlink()
    assert fetch("ml-latest-small", tmp_path / "home" / "data", base_url=url) == path
    assert matinee.load("ml-latest-small", home=tmp_path / "home").original is True
    listed = json.loads(run("data", "list", "--json", "--home", str(tmp_path / "home")).stdout)
    assert [release["name"] for release in listed["releases"] if release["here"]] == ["ml-latest-small"]
    again = run("data", "fetch", "ml-latest-small", "--json", "--home", str(tmp_path / "home"))
    assert json.loads(again.stdout) == {"release": "ml-latest-small", "path": str(path)}


def test_a_damaged_download_leaves_nothing(published: tuple[Path, str], small_zip: Path, tmp_path: Path) -> None:
    folder, url = published
    (folder / "ml-latest-small.zip").write_bytes(small_zip.read_bytes()[:-9])
    with pytest.raises(DownloadError, match="came damaged"):
        fetch("ml-latest-small", tmp_path / "data", base_url=url)
    assert list((tmp_path / "data").iterdir()) == []


def test_a_release_that_is_not_there_names_the_place_for_the_file(published: tuple[Path, str], tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=f"put it at {tmp_path / 'data' / 'ml-1m.zip'}"):
        fetch("ml-1m", tmp_path / "data", base_url=published[1])


def test_offline_gets_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "RETRIES", 0)
    monkeypatch.setattr(fetching.fetch, "__kwdefaults__", {"base_url": "http://127.0.0.1:9/", "progressbar": False})
    result = run("data", "fetch", "ml-1m", "--home", str(tmp_path))
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert f"put it at {tmp_path / 'data' / 'ml-1m.zip'}" in result.stderr


def test_an_unknown_release_lists_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no release 'ml-31m'.*ml-32m"):
        fetch("ml-31m", tmp_path)


def test_show_says_what_a_data_set_holds(small_zip: Path, tmp_path: Path) -> None:
    assert json.loads(run("data", "show", str(small_zip), "--json", "--home", str(tmp_path)).stdout) == {
        "release": "ml-latest-small", "original": True, "ratings": 100_836, "users": 610, "movies": 9_742,
        "rated_movies": 9_724, "tags": 3_683, "links": 9_742, "stars_min": 0.5, "stars_max": 5.0, "skipped_rows": 0,
        "duplicates": 0,
    }  # fmt: skip
    assert "yes, by its checksum" in run("data", "show", str(small_zip), "--home", str(tmp_path)).stdout


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("userId,movieId,rating\n1,1,6\n", "line 2"),
        ("userId,movieId,rating\n1,1,4\n1,2,five\n", "line 3"),
        ("userId,movieId,rating\n1,1,nan\n", "line 2"),
        ("userId,movieId,rating\n1,1,0\n", "line 2"),
        ("userId,movieId,rating\n", "no ratings"),
        ("", "empty"),
        ("a,b,c\n1,2,3\n", "columns a, b, c"),
    ],
)
def test_a_bad_file_gets_one_line_with_the_place(content: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "ratings.csv"
    file.write_text(content)
    result = run("data", "show", str(file))
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert says in result.stderr
    assert "unexpected" not in result.stderr


def test_bad_rows_are_skipped_and_counted_on_request(tmp_path: Path) -> None:
    file = tmp_path / "ratings.csv"
    file.write_text("userId,movieId,rating\n1,1,6\n1,2,4\n2,2,x\n2,1,3\n")
    summary = json.loads(run("data", "show", str(file), "--skip-bad-rows", "--json").stdout)
    assert (summary["ratings"], summary["skipped_rows"]) == (2, 2)

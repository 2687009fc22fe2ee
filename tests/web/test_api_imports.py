"""Personal histories over HTTP: taken over, decided about, undone, written back; hostile files are refused."""

from __future__ import annotations

import io
import json
import zipfile

import fakes
import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from matinee.store.ratings import RatingStore

IMPORTS = "/api/v1/users/ann/imports"
HEADER = "Date,Name,Year,Letterboxd URI,Rating\n"
FILE = HEADER + (
    "2020-01-01,Toy Story,1995,https://boxd.it/1,3\n2020-01-02,The Godfather,1972,https://boxd.it/2,5\n"
    "2020-01-03,Mrs Doubtfyre,1993,https://boxd.it/3,4\n2020-01-04,Nobody Filmed This,1994,https://boxd.it/4,4\n"
    "2020-01-05,Rare Film,2001,https://boxd.it/5,eleven\n"
)


def test_takes_a_file_over_and_says_what_it_could_not(client: FlaskClient, store: RatingStore) -> None:
    dry = client.post(f"{IMPORTS}?dry_run=true", data=FILE, content_type="text/csv")
    assert dry.status_code == 200, dry.json
    assert (dry.json["import_id"], dry.json["saved"], store.count()) == (None, 0, 0)
    done = client.post(f"{IMPORTS}?name=ratings.csv", data=FILE, content_type="text/csv").json
    assert store.ratings_of("ann") == {1: 3.0, 858: 5.0}
    assert (done["source"], done["lines"], done["ratings"], done["saved"]) == ("letterboxd", 5, 2, 2)
    assert done["counts"] == {"matched": 2, "ambiguous": 1, "unknown": 1, "not_a_movie": 0, "unreadable": 1}
    assert [(line["line"], line["status"]) for line in done["not_matched"]] == [
        (4, "ambiguous"), (5, "unknown"), (6, "unreadable"),
    ]  # fmt: skip
    assert done["not_matched"][0]["candidates"] == [{"movie_id": 500, "title": fakes.title(500)}]


def test_lines_are_decided_and_everything_is_undone(client: FlaskClient, store: RatingStore) -> None:
    store.add_many("ann", {1: 1.0, 260: 2.0})
    done = client.post(f"{IMPORTS}?name=r.csv", data=FILE).json
    assert store.ratings_of("ann") == {1: 1.0, 260: 2.0, 858: 5.0}  # the newer rating of film 1 stays
    path = f"{IMPORTS}/{done['import_id']}"
    choices = [{"file": "r.csv", "line": 4, "movie_id": 500}]
    resolved = client.post(f"{path}/resolve", json={"choices": choices})
    assert resolved.status_code == 200, resolved.json
    assert (resolved.json["saved"], resolved.json["open"]) == (1, 1)
    again = client.post(f"{path}/resolve", json={"choices": choices})
    assert (again.status_code, "line 4 of 'r.csv' is not open" in again.json["detail"]) == (422, True)
    bad = client.post(f"{path}/resolve", json={"choices": [{"file": "r.csv", "line": 5, "movie_id": 7}]})
    assert (bad.status_code, "not in the catalogue" in bad.json["detail"]) == (422, True)
    none = client.post(f"{path}/resolve", json={"choices": [{"file": "r.csv", "line": 5, "movie_id": None}]})
    assert (none.json["saved"], none.json["open"]) == (0, 0)
    assert client.delete(path).json == {"import_id": done["import_id"], "restored": 2}
    assert store.ratings_of("ann") == {1: 1.0, 260: 2.0}
    assert client.delete(path).status_code == 404
    assert client.delete("/api/v1/users/bob/imports/x").status_code == 404


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_an_export_comes_back_as_it_was(client: FlaskClient, store: RatingStore, kind: str) -> None:
    client.post(IMPORTS, data=FILE)
    answer = client.get(f"/api/v1/users/ann/export?format={kind}")
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"] == f'attachment; filename="matinee-ratings.{kind}"'
    before = store.latest_of("ann")
    client.delete("/api/v1/users/ann")
    assert client.post(IMPORTS, data=answer.data).json["saved"] == 2
    assert store.latest_of("ann") == before


def test_exports_for_letterboxd(client: FlaskClient, store: RatingStore) -> None:
    store.add_many("ann", {858: 4.5, 777: 3.0})
    lines = client.get("/api/v1/users/ann/export?format=letterboxd").text.splitlines()
    assert lines[0] == "tmdbID,imdbID,Title,Year,Rating10,WatchedDate,Rewatch,Review"
    assert len(lines) == 2  # the model does not know film 777, and Letterboxd not its number
    assert "The Godfather,1972,9" in lines[1]


def zipped(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return out.getvalue()


def test_the_whole_zip(client: FlaskClient, store: RatingStore) -> None:
    member = ("export/../../ratings.csv", FILE.encode())  # only its name counts; nothing is unpacked to a disk
    assert client.post(IMPORTS, data=zipped(member)).json["saved"] == 2
    assert store.ratings_of("ann") == {1: 3.0, 858: 5.0}


BOMB = zipped(("ratings.csv", HEADER.encode() + b"0" * (80 << 20)))
LIES = bytearray(zipped(("ratings.csv", FILE.encode())))
LIES[LIES.rfind(b"PK\x01\x02") + 24 : LIES.rfind(b"PK\x01\x02") + 28] = (5).to_bytes(4, "little")


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\0\0\0", b"movie,stars\n1,2\n", b"PK\x03\x04 not a zip", BOMB, bytes(LIES), b"[" * 100_000,
        b'{"ratings": 1}',
        zipped(("readme.txt", b"nothing")), zipped(("ratings.csv", b"a,b\n1,2\n")), zipped(("ratings.csv", BOMB)),
        HEADER.encode() + b'2020-01-01,"Toy Story,1995,x,3\n',
    ],
    # zips hold the time at which they were made: their bytes as names differ between the processes of a run
    ids=[
        "empty", "zeros", "another table", "half a zip", "a bomb", "a wrong size", "brackets", "no list",
        "a zip without ratings", "a zip of another table", "a bomb in a zip", "an open quote",
    ],
)  # fmt: skip
def test_files_that_are_none_keep_nothing(client: FlaskClient, store: RatingStore, content: bytes) -> None:
    answer = client.post(IMPORTS, data=content)
    assert (answer.status_code, answer.content_type) == (422, "application/problem+json")
    assert store.count() == 0


def test_large_files_have_a_limit_of_their_own(client: FlaskClient, app: APIFlask) -> None:
    padded = FILE + "\n" * app.config["MAX_CONTENT_LENGTH"]
    assert client.post(IMPORTS, data=padded).status_code == 200
    assert client.post(IMPORTS, data=b"x" * 16_000_001).status_code == 413


FILES = st.one_of(
    st.binary(max_size=300),
    st.text(max_size=200).map(lambda text: (HEADER + text).encode("utf-8", "surrogatepass")),
    st.lists(st.lists(st.text(max_size=12), min_size=5, max_size=5), max_size=5).map(
        lambda rows: (HEADER + "\n".join(",".join(row) for row in rows)).encode("utf-8", "surrogatepass")
    ),
    st.recursive(st.none() | st.text(max_size=8) | st.floats(), lambda inner: st.lists(inner, max_size=3)).map(
        lambda value: json.dumps({"ratings": value}).encode()
    ),
)
UNHEALTHY = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


def keeps_no_garbage(client: FlaskClient, store: RatingStore, content: bytes) -> None:
    answer = client.post(IMPORTS, data=content)
    assert answer.status_code in (200, 422)
    kept = store.ratings_of("ann")
    assert kept.keys() <= fakes.TITLES.keys()
    assert all(0.5 <= stars <= 5 for stars in kept.values())


@settings(max_examples=60, deadline=None, suppress_health_check=UNHEALTHY)
@given(FILES)
@example(HEADER.encode() + b"9999-99-99,Toy Story,1995,x,1e309\n")
def test_no_file_breaks_the_service_or_leaves_garbage(client: FlaskClient, store: RatingStore, content: bytes) -> None:
    keeps_no_garbage(client, store, content)


@pytest.mark.soak
@settings(max_examples=5000, deadline=None, suppress_health_check=UNHEALTHY)
@given(FILES | st.binary(max_size=300).map(lambda noise: zipped(("ratings.csv", HEADER.encode() + noise))))
def test_no_file_breaks_it_for_long(client: FlaskClient, store: RatingStore, content: bytes) -> None:
    keeps_no_garbage(client, store, content)

"""A person's own history at the terminal: imported, recommended from, exported."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner, Result

import matinee
from matinee.cli import cli
from matinee.store.ratings import RatingStore

HEADER = "Date,Name,Year,Letterboxd URI,Rating\n"
RATINGS = (
    f"{HEADER}2020-01-01,Toy Story,1995,https://boxd.it/1,3\n2020-01-02,The Godfather,1972,https://boxd.it/2,5\n"
    "2020-01-03,Pulp Fictoin,1994,https://boxd.it/3,4\n2020-01-04,Nobody Filmed This,1994,https://boxd.it/4,4\n"
    "2020-01-05,Fargo,1996,https://boxd.it/5,eleven\n"
)
GIVEN = {1: 3.0, 858: 5.0}


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The films of the sample that most people rated, as a MovieLens folder, one with a link."""
    folder, data = tmp_path_factory.mktemp("films"), matinee.load("sample")
    movies = data.movies.filter(pl.col("ratings_count") >= 100)
    rated = pl.DataFrame(
        {"userId": data.ratings.user_ids, "movieId": data.ratings.item_ids, "rating": data.ratings.stars}
    )
    genres = pl.col("genres").list.join("|").alias("genres")
    movies.select(pl.col("movie_id").alias("movieId"), "title", genres).write_csv(folder / "movies.csv")
    rated.filter(pl.col("movieId").is_in(movies["movie_id"].to_list())).with_columns(timestamp=0).write_csv(
        folder / "ratings.csv"
    )
    (folder / "links.csv").write_text("movieId,imdbId,tmdbId\n1,0114709,862\n")
    return folder


@pytest.fixture(scope="module")
def models(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("trained")
    asked(home, "train", films, "--test", "0", "--rank", "4", "--iterations", "1", "--no-picks")
    return home / "models"


@pytest.fixture
def home(models: Path, tmp_path: Path) -> Path:
    """A home of its own, with everybody's model."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "models").symlink_to(models, target_is_directory=True)
    return tmp_path / "home"


@pytest.fixture
def letterboxd(tmp_path: Path) -> Path:
    file = tmp_path / "ratings.csv"
    file.write_text(RATINGS)
    return file


def run(home: Path, *arguments: str | Path, stdin: str | None = None) -> Result:
    return CliRunner().invoke(cli, [*map(str, arguments), "--home", str(home)], input=stdin)


def printed(home: Path, *arguments: str | Path, stdin: str | None = None) -> str:
    result = run(home, *arguments, stdin=stdin)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def asked(home: Path, *arguments: str | Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(printed(home, *arguments, "--json"))
    return document


def refused(home: Path, *arguments: str | Path) -> str:
    result = run(home, *arguments)
    assert (result.exit_code, result.stdout) == (1, ""), result.output
    assert result.stderr.count("\n") == 1, result.stderr
    assert "unexpected" not in result.stderr
    return result.stderr


def stored(home: Path, user: str = "ann") -> dict[int | str, float]:
    store = RatingStore(f"sqlite:///{home / 'matinee.db'}")
    ratings = store.ratings_of(user)
    store.close()
    return ratings


def test_a_letterboxd_file_is_matched_stored_and_accounted_for_line_by_line(home: Path, letterboxd: Path) -> None:
    report = asked(home, "import", letterboxd, "--user", "ann")
    assert report["counts"] == {"matched": 2, "ambiguous": 1, "unknown": 1, "not_a_movie": 0, "unreadable": 1}
    assert (report["source"], report["lines"], report["ratings"], report["saved"]) == ("letterboxd", 5, 2, 2)
    typo, unknown, unreadable = report["not_matched"]
    assert (typo["line"], typo["status"]) == (4, "ambiguous")
    assert {"movie_id": 296, "title": "Pulp Fiction (1994)"} in typo["candidates"]
    assert (unknown["line"], unknown["title"], unknown["candidates"]) == (5, "Nobody Filmed This", [])
    assert (unreadable["line"], unreadable["status"]) == (6, "unreadable")
    assert "'eleven'" in unreadable["why"]
    assert stored(home) == GIVEN
    store = RatingStore(f"sqlite:///{home / 'matinee.db'}")
    assert [str(rating.rated_at.date()) for rating in store.latest_of("ann")] == ["2020-01-02", "2020-01-01"]
    store.close()


def test_the_report_as_text_names_what_did_not_match(home: Path, letterboxd: Path) -> None:
    text = printed(home, "import", letterboxd, "--user", "ann")
    assert text.startswith("letterboxd, 5 lines: 2 matched, 1 ambiguous, 1 unknown, 0 not a movie, 1 unreadable\n")
    assert "Pulp Fiction (1994) [296]" in text
    assert "not in the catalogue" in text
    assert text.endswith("\n2 ratings stored for ann\n")


def test_a_hostile_title_cannot_drive_the_terminal(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "ratings.csv"
    file.write_text(f'{HEADER}2020-01-04,"\x1b[2Jgone\nfilm",1994,u,4\n')
    text = printed(home, "import", file, "--user", "ann")
    assert "\x1b" not in text
    assert "[2Jgone film (1994)" in text


def test_a_whole_export_zip_keeps_ratings_and_leaves_the_watchlist_out(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "letterboxd-ann.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ratings.csv", RATINGS)
        archive.writestr("watchlist.csv", "Date,Name,Year,Letterboxd URI\n2020-01-01,Heat,1995,u\n")
    report = asked(home, "import", path, "--user", "ann")
    assert (report["counts"]["matched"], report["saved"]) == (3, 2)
    assert stored(home) == GIVEN


def test_a_dry_run_says_the_same_and_writes_nothing(home: Path, letterboxd: Path) -> None:
    before = sorted(home.rglob("*"))
    tried = asked(home, "import", letterboxd, "--user", "ann", "--dry-run")
    assert "2 ratings would be stored" in printed(home, "import", letterboxd, "--user", "ann", "--dry-run")
    assert sorted(home.rglob("*")) == before
    assert tried | {"dry_run": False, "saved": 2} == asked(home, "import", letterboxd, "--user", "ann")


def test_importing_again_replaces_but_not_what_was_rated_since(home: Path, letterboxd: Path) -> None:
    asked(home, "import", letterboxd, "--user", "ann")
    letterboxd.write_text(RATINGS.replace("boxd.it/1,3", "boxd.it/1,4.5"))
    assert asked(home, "import", letterboxd, "--user", "ann")["saved"] == 2
    assert stored(home) == {1: 4.5, 858: 5.0}
    store = RatingStore(f"sqlite:///{home / 'matinee.db'}")
    store.add_many("ann", {858: 2.0})
    store.close()
    assert "1 ratings stored for ann; 1 films have a newer one already" in printed(
        home, "import", letterboxd, "--user", "ann"
    )
    assert stored(home) == {1: 4.5, 858: 2.0}


@pytest.mark.parametrize("day", ["2999-01-01", "1899-01-01", "99999999999999", "never", ""])
def test_a_date_that_cannot_be_counts_as_now(home: Path, letterboxd: Path, day: str) -> None:
    letterboxd.write_text(f"{HEADER}{day},Toy Story,1995,u,3\n")
    assert asked(home, "import", letterboxd, "--user", "ann")["saved"] == 1
    letterboxd.write_text(f"{HEADER}{day},Toy Story,1995,u,4\n")
    asked(home, "import", letterboxd, "--user", "ann")
    assert stored(home) == {1: 4.0}


@pytest.mark.parametrize("format_name", ["csv", "json"])
def test_an_export_comes_back_as_it_was(home: Path, letterboxd: Path, tmp_path: Path, format_name: str) -> None:
    asked(home, "import", letterboxd, "--user", "ann")
    store = RatingStore(f"sqlite:///{home / 'matinee.db'}")
    store.add_many("ann", {296: 3.7, 50: 1.0})
    store.add_many("ann", {50: None})
    store.close()
    out = tmp_path / f"mine.{format_name}"
    assert printed(home, "export", "--user", "ann", "--format", format_name, "--out", out) == ""
    assert out.read_text() == printed(home, "export", "--user", "ann", "--format", format_name)
    report = asked(home, "import", out, "--user", "bob")
    assert (report["source"], report["saved"], report["not_matched"]) == ("matinee", 3, [])
    assert stored(home, "bob") == stored(home) == {**GIVEN, 296: 3.7}
    assert printed(home, "export", "--user", "bob", "--format", format_name) == out.read_text()
    assert sorted(tmp_path.glob(".*")) == []


def test_a_user_of_the_data_set_is_exported_with_what_they_rated_since(home: Path, tmp_path: Path) -> None:
    before = json.loads(printed(home, "export", "--user", "15", "--format", "json"))["ratings"]
    assert not (home / "matinee.db").exists()  # asking leaves nothing behind
    assert len(before) > 20
    assert {rating["rated_at"] for rating in before} == {""}
    changed = before[3]["movie_id"]
    store = RatingStore(f"sqlite:///{home / 'matinee.db'}")
    store.add_many("15", {changed: 5.0, 424242: 4.0})
    store.close()
    exported = json.loads(printed(home, "export", "--user", "15", "--format", "json"))["ratings"]
    after = {rating["movie_id"]: rating for rating in exported}
    assert len(after) == len(before) + 1
    assert next(iter(after)) in (changed, 424242)
    assert (after[changed]["stars"], after[424242]["title"]) == (5.0, "")
    written = run(home, "export", "--user", "15", "--format", "letterboxd")
    assert len(written.stdout.splitlines()) == 1 + len(before)
    assert "1 ratings were left out" in written.stderr


def test_lists_predictions_and_reasons_know_who_was_imported(home: Path, letterboxd: Path) -> None:
    asked(home, "import", letterboxd, "--user", "ann")
    rated = ["--rate", "1=3", "--rate", "858=5"]
    for command in (["recommend"], ["predict", "296"], ["explain", "296"]):
        assert asked(home, *command, "--user", "ann") == asked(home, *command, *rated)
    films = asked(home, "recommend", "--user", "ann", "--limit", "50")["recommendations"]
    assert not {1, 858} & {film["movie_id"] for film in films}


def test_a_user_of_the_data_set_keeps_their_ratings_under_the_imported_ones(home: Path, letterboxd: Path) -> None:
    before = asked(home, "recommend", "--user", "15")
    asked(home, "import", letterboxd, "--user", "15")
    rated = ["--rate", "1=3", "--rate", "858=5"]
    with_both = asked(home, "recommend", "--user", "15")
    assert with_both != before
    (home / "matinee.db").unlink()
    assert asked(home, "recommend", "--user", "15", *rated) == with_both


def test_matching_to_a_data_set_needs_no_model(films: Path, tmp_path: Path, letterboxd: Path) -> None:
    report = asked(tmp_path / "new", "import", letterboxd, "--user", "ann", "--data", films)
    assert report["saved"] == 2
    assert stored(tmp_path / "new") == GIVEN


def test_a_history_may_come_through_a_pipe(home: Path) -> None:
    assert "2 ratings stored" in printed(home, "import", "-", "--user", "ann", stdin=RATINGS)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no known export"),
        (b"movieId,rating\n1,3\n", "no known export"),
        (b"\x89PNG\x00\x00", "not a text file"),
        (b"PK\x03\x04 half a zip", "not a zip"),
        (b'{"ratings": ', "not well-formed JSON"),
    ],
)
def test_a_file_that_is_no_history_is_one_line(home: Path, tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "upload").write_bytes(content)
    assert says in refused(home, "import", tmp_path / "upload", "--user", "ann")
    assert not (home / "matinee.db").exists()


def test_other_mistakes_are_one_line(home: Path, letterboxd: Path, tmp_path: Path, monkeypatch) -> None:
    assert "No such file" in refused(home, "import", tmp_path / "missing.csv", "--user", "ann")
    assert "directory" in refused(home, "import", tmp_path, "--user", "ann")
    for name in ("", "x" * 65, "a\nb"):
        assert "1 to 64 visible characters" in refused(home, "import", letterboxd, "--user", name)
    assert "train one" in refused(tmp_path / "empty", "import", letterboxd, "--user", "ann")
    assert "nobody" in refused(home, "export", "--user", "nobody", "--format", "csv")
    assert "is a folder" in refused(home, "export", "--user", "15", "--format", "csv", "--out", tmp_path)
    assert "No such file" in refused(home, "export", "--user", "15", "--format", "csv", "--out", tmp_path / "no" / "f")
    asked(home, "import", letterboxd, "--user", "ann")
    assert "'nobody' is not known here" in refused(home, "recommend", "--user", "nobody")
    monkeypatch.setattr("matinee.data.personal.formats.MAX_BYTES", 100)
    assert "more than 100 bytes" in refused(home, "import", letterboxd, "--user", "ann")


def test_a_file_without_one_match_makes_nobody_known(home: Path, letterboxd: Path) -> None:
    letterboxd.write_text(f"{HEADER}2020-01-04,Nobody Filmed This,1994,u,4\n")
    assert "0 ratings stored for ann" in printed(home, "import", letterboxd, "--user", "ann")
    assert "'ann'" in refused(home, "recommend", "--user", "ann")

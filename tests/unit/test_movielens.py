"""`load`: every dialect of MovieLens in miniature and the two real sets."""

from __future__ import annotations

import zipfile
from pathlib import Path

import polars as pl
import pytest
from releases import CSV, ML_1M, ML_10M, ML_100K, WAYS, Put, put_folder, put_zip

import matinee
from matinee.data.dataset import MOVIE_COLUMNS, Dataset
from matinee.data.movies import name_and_year
from matinee.errors import DataError


def rows(data: Dataset) -> list[tuple[object, ...]]:
    assert data.ratings.timestamps is not None
    columns = data.ratings.user_ids, data.ratings.item_ids, data.ratings.stars, data.ratings.timestamps
    return list(zip(*(column.tolist() for column in columns), strict=True))


def movie(data: Dataset, movie_id: int) -> dict[str, object]:
    return data.movies.row(by_predicate=pl.col("movie_id") == movie_id, named=True)


@WAYS
def test_csv_releases(put: Put, tmp_path: Path) -> None:
    data = matinee.load(put(tmp_path, "ml-latest", CSV))
    assert rows(data) == [(1, 7, 0.5, 964982704), (1, 50, 4.5, 964982703), (9, 7, 3.0, 964982705)]
    assert tuple(data.movies.columns) == MOVIE_COLUMNS
    assert data.movies["movie_id"].to_list() == [7, 8, 50, 193609]
    assert movie(data, 7) == {
        "movie_id": 7, "title": "City of Lost Children, The (Cité des enfants perdus, La) (1995)",
        "name": "City of Lost Children, The (Cité des enfants perdus, La)", "year": 1995,
        "genres": ["Adventure", "Sci-Fi"], "imdb_id": "0112682", "tmdb_id": 902, "ratings_count": 2,
        "ratings_mean": 1.75,
    }  # fmt: skip
    assert movie(data, 50)["name"] == "11'09\"01 - September 11"
    assert (movie(data, 50)["imdb_id"], movie(data, 50)["tmdb_id"]) == ("0328802", None)
    assert movie(data, 193609)["name"] == "Death Note: Desu nôto"
    assert movie(data, 193609)["genres"] == []
    assert movie(data, 193609)["ratings_mean"] is None
    assert (movie(data, 8)["year"], movie(data, 8)["genres"], movie(data, 8)["imdb_id"]) == (None, ["Sci-Fi"], None)
    assert data.tags is not None
    assert data.tags["tag"].to_list() == ["funny", '"artsy", slow']
    assert data.links == 2


@WAYS
def test_ml_1m(put: Put, tmp_path: Path) -> None:
    data = matinee.load(put(tmp_path, "ml-1m", ML_1M))
    assert rows(data) == [(1, 661, 3, 978302109), (1, 1193, 5, 978300760), (2, 1193, 4, 978298413)]
    assert movie(data, 1210)["title"] == "Misérables, Les (1995)"
    assert movie(data, 661)["genres"] == ["Animation", "Children's", "Musical"]
    assert data.tags is None


@WAYS
def test_ml_10m(put: Put, tmp_path: Path) -> None:
    data = matinee.load(put(tmp_path, "ml-10M100K", ML_10M))
    assert rows(data) == [(1, 122, 5, 838985046), (1, 185, 4.5, 838983525)]
    assert movie(data, 185)["name"] == "Étranger: A::B"
    assert data.tags is not None
    assert data.tags.rows()[1] == (20, 1747, "a :: b", 1188263867)


@WAYS
def test_ml_100k(put: Put, tmp_path: Path) -> None:
    data = matinee.load(put(tmp_path, "ml-100k", ML_100K))
    assert rows(data) == [(22, 242, 1, 878887116), (186, 302, 3, 891717742), (196, 242, 3, 881250949)]
    assert movie(data, 302)["title"] == "Misérables, Les (1995)"
    assert movie(data, 302)["genres"] == ["Drama", "Musical"]
    assert (movie(data, 267)["title"], movie(data, 267)["genres"]) == ("unknown", [])
    assert (movie(data, 303)["name"], movie(data, 303)["year"]) == ("Land Before Time III", 1995)


@pytest.mark.parametrize(
    ("title", "name", "year"),
    [
        ("Toy Story (1995)", "Toy Story", 1995),
        ("Babylon 5", "Babylon 5", None),
        ("Fawlty Towers (1975-1979)", "Fawlty Towers", 1975),
        ("Big Bang Theory, The (2007-)", "Big Bang Theory, The", 2007),
        ("Show (2006– )", "Show", 2006),
        ("2001: A Space Odyssey (1968)", "2001: A Space Odyssey", 1968),
        ("(500) Days of Summer (2009)", "(500) Days of Summer", 2009),
        ("Class of 1984", "Class of 1984", None),
        ("(1995)", "(1995)", None),
        ("Film (3000)", "Film (3000)", None),
    ],
)
def test_names_and_years(title: str, name: str, year: int | None) -> None:
    assert name_and_year(title) == (name, year)


def test_the_official_small_set(small_zip: Path) -> None:
    data = matinee.load(small_zip)
    assert data.summary == {
        "release": "ml-latest-small", "original": True, "ratings": 100_836, "users": 610, "movies": 9_742,
        "rated_movies": 9_724, "tags": 3_683, "links": 9_742, "stars_min": 0.5, "stars_max": 5.0, "skipped_rows": 0,
        "duplicates": 0,
    }  # fmt: skip
    titles = set(data.movies["name"])
    assert {"Godfather: Part II, The", "11'09\"01 - September 11"} <= titles
    assert data.movies["year"].null_count() == 12


def test_the_sample_ships_with_its_notice() -> None:
    data = matinee.load("sample")
    assert (len(data.ratings), len(data.ratings.users), data.movies.height) == (100_004, 671, 9_066)
    assert data.original is None
    assert movie(data, 858)["title"] == "Godfather, The (1972)"
    for nameless in (108548, 108583, 143410, 151307, 162376):
        assert (movie(data, nameless)["title"], movie(data, nameless)["year"]) == (f"Movie {nameless}", None)
    notice = (Path(matinee.__file__).parent / "data" / "sample" / "NOTICE").read_text("utf-8")
    for words in (
        "GroupLens",
        "University of Minnesota",
        "same conditions",
        "commercial",
        "endorsement",
        "10.1145/2827872",
    ):
        assert words in notice


def test_a_copy_under_another_name_is_still_the_original(small_zip: Path, tmp_path: Path) -> None:
    copy = tmp_path / "movies-of-mine.zip"
    copy.write_bytes(small_zip.read_bytes())
    assert matinee.load(copy).name == "ml-latest-small"
    assert matinee.load(copy).original is True


def test_an_altered_release_is_said_to_be_altered(small_zip: Path, tmp_path: Path) -> None:
    folder = tmp_path / "ml-latest-small"
    with zipfile.ZipFile(small_zip) as archive:
        archive.extractall(tmp_path)
    assert matinee.load(folder).original is None  # nothing to take a checksum of, but all counts agree
    with (folder / "ratings.csv").open("ab") as file:
        file.write(b"0,1,4.0,1700000000\r\n")
    assert matinee.load(folder).original is False
    rezipped = tmp_path / "copy" / "ml-latest-small.zip"
    rezipped.parent.mkdir()
    with zipfile.ZipFile(rezipped, "w") as archive:
        for file in ("ratings.csv", "movies.csv", "tags.csv", "links.csv"):
            archive.write(folder / file, f"ml-latest-small/{file}")
    data = matinee.load(rezipped)
    assert (data.name, data.original, len(data.ratings)) == ("ml-latest-small", False, 100_837)


def test_an_altered_zip_of_the_same_size_or_another_name_inside(small_zip: Path, tmp_path: Path) -> None:
    """The comment at a zip's end changes the checksum and nothing else; the folder inside still says what it was."""
    altered = tmp_path / "downloaded.zip"
    altered.write_bytes(small_zip.read_bytes())
    with zipfile.ZipFile(altered, "a") as archive:
        archive.comment = b"x"
    data = matinee.load(altered)
    assert (data.name, data.original) == ("ml-latest-small", False)


def test_a_release_is_found_at_home(small_zip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="matinee data fetch ml-latest-small"):
        matinee.load("ml-latest-small", home=tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ml-latest-small.zip").write_bytes(small_zip.read_bytes())
    assert matinee.load("ml-latest-small", home=tmp_path).original is True
    monkeypatch.setenv("MATINEE_HOME", str(tmp_path))
    assert matinee.load("ml-latest-small").original is True


def test_a_changing_release_has_no_original(tmp_path: Path) -> None:
    data = matinee.load(put_zip(tmp_path, "ml-latest", CSV))
    assert (data.name, data.original) == ("ml-latest", None)


def test_a_movie_that_is_rated_but_not_listed_gets_a_row(tmp_path: Path) -> None:
    files = CSV | {"movies.csv": b"movieId,title,genres\n7,Seven (1995),Drama\n"}
    data = matinee.load(put_folder(tmp_path, "some", files))
    assert data.movies["title"].to_list() == ["Seven (1995)", "Movie 50"]
    assert data.name == "some"


def test_a_byte_order_mark_and_a_header_in_other_letters_are_fine(tmp_path: Path) -> None:
    ratings = b"\xef\xbb\xbfUserID,MovieID,Rating,Timestamp\n1,2,3,4\n"
    files = {"ratings.csv": ratings, "movies.csv": b"\xef\xbb\xbfmovieId,title,genres\n2,Two (2002),\n"}
    assert movie(matinee.load(put_folder(tmp_path, "x", files)), 2)["name"] == "Two"

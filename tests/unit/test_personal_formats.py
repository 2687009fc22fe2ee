"""Histories of every service are read into the same rows; damaged ones are refused or reported, never guessed."""

from __future__ import annotations

import io
import json
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matinee.data.personal import History, read_history
from matinee.data.personal.export import RatedMovie, export
from matinee.errors import DataError, ParameterError

LETTERBOXD = (
    'Date,Name,Year,Letterboxd URI,Rating\n2020-01-02,"Good, the Bad and the Ugly, The",1966,https://boxd.it/1,4.5\n'
)
DIARY = (
    "Date,Name,Year,Letterboxd URI,Rating,Rewatch,Tags,Watched Date\n"
    "2020-01-03,Alien,1979,https://boxd.it/2,,Yes,,2020-01-01\n"
    "2020-01-04,Heat,1995,https://boxd.it/3,3,,,2020-01-02\n"
)
IMDB = (
    "Const,Your Rating,Date Rated,Title,Original Title,URL,Title Type,IMDb Rating,Runtime (mins),Year,Genres,Num Votes,"
    "Release Date,Directors\n"
    'tt0211915,9,2019-05-01,Amélie,Le fabuleux destin d\'Amélie Poulain,https://x,Movie,8.3,122,2001,"Comedy, Romance",'
    "700000,2001-04-25,Jean-Pierre Jeunet\n"
    "tt0903747,10,2019-05-02,Breaking Bad,Breaking Bad,https://x,TV Series,9.5,49,2008,Crime,1,2008-01-20,\n"
)
TMDB = (
    "TMDb ID,IMDb ID,Type,Name,Release Date,Season Number,Episode Number,Rating,Your Rating,Date Rated\n"
    "348,tt0078748,movie,Alien,1979-05-25,,,8.1,9,2021-02-03T10:00:00Z\n"
)
TRAKT = (
    "rated_at,type,title,year,trakt_rating,trakt_id,imdb_id,tmdb_id,genres,rating\n"
    "2021-02-03T10:00:00.000Z,movie,Alien,1979,8.4,295,tt0078748,348,horror,7\n"
)
MOVIELENS = "movie_id,imdb_id,tmdb_id,rating,average_rating,title\n1214,0078748,348,4.5,4.0,Alien (1979)\n"
TRAKT_JSON = json.dumps(
    [
        {
            "rated_at": "2021-02-03T10:00:00.000Z",
            "rating": 7,
            "type": "movie",
            "movie": {"title": "Alien", "year": 1979, "ids": {"trakt": 295, "imdb": "tt0078748", "tmdb": 348}},
        },
        {"rating": 7, "type": "movie"},
    ]
)


def only(text: str, name: str = "ratings.csv") -> tuple[object, ...]:
    history = read_history(text.encode(), name)
    row = history.rows[0]
    return (history.source, row.title, row.year, row.stars, row.imdb_id, row.tmdb_id, row.movie_id, row.rated_at)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (LETTERBOXD, ("letterboxd", "Good, the Bad and the Ugly, The", 1966, 4.5, None, None, None, 1577923200)),
        (IMDB, ("imdb", "Amélie", 2001, 4.5, "0211915", None, None, 1556668800)),
        (TMDB, ("tmdb", "Alien", 1979, 4.5, "0078748", 348, None, 1612346400)),
        (TRAKT, ("trakt", "Alien", 1979, 3.5, "0078748", 348, None, 1612346400)),
        (MOVIELENS, ("movielens", "Alien", 1979, 4.5, "0078748", 348, 1214, None)),
        (TRAKT_JSON, ("trakt", "Alien", 1979, 3.5, "0078748", 348, None, 1612346400)),
    ],
)
def test_each_service_is_known_by_its_header(text: str, expected: tuple[object, ...]) -> None:
    assert only(text) == expected


def test_a_diary_entry_without_a_rating_was_watched_and_series_are_no_movies() -> None:
    alien, heat = read_history(DIARY.encode(), "diary.csv").rows
    assert (alien.kind, alien.stars, heat.kind, heat.stars) == ("watched", None, "rating", 3.0)
    assert [row.is_movie for row in read_history(IMDB.encode()).rows] == [True, False]


def test_a_whole_letterboxd_export_keeps_the_current_rating_of_a_film() -> None:
    rows = read_history(
        zipped(
            {
                "ratings.csv": "Date,Name,Year,Letterboxd URI,Rating\n2019-01-01,Heat,1995,u,4.5\n",
                "diary.csv": DIARY,
                "watchlist.csv": "Date,Name,Year,Letterboxd URI\n2020-01-01,Solaris,1972,u\n",
                "likes/films.csv": "Date,Name,Year,Letterboxd URI\n2020-01-01,Heat,1995,u\n",
                "deleted/ratings.csv": "Date,Name,Year,Letterboxd URI,Rating\n2019-01-01,Crash,1996,u,1\n",
                "profile.csv": "Date Joined,Username\n2019-01-01,me\n",
            }
        ),
        "letterboxd-me.zip",
    ).rows
    assert {(row.title, row.kind, row.stars) for row in rows} == {
        ("Heat", "rating", 4.5),
        ("Alien", "watched", None),
        ("Solaris", "watchlist", None),
    }


@pytest.mark.parametrize("rating", ["0", "5.5", "-1", "nan", "inf", "five", "1e9"])
def test_a_bad_rating_is_reported_with_its_line_and_the_rest_is_read(rating: str) -> None:
    text = f"{LETTERBOXD}2020-01-02,Heat,1995,u,{rating}\n2020-01-02,Alien,1979,u,5\n"
    good, bad, last = read_history(text.encode()).rows
    assert (good.problem, last.problem, bad.line, bad.stars) == ("", "", 3, None)
    assert rating in bad.problem
    assert "up to 5 is allowed" in bad.problem


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no known export"),
        (b"a,b,c\n1,2,3\n", "no known export"),
        (b"\x00\x01\x02", "not a text file"),
        (b"PK\x03\x04 half a zip", "not a zip that can be read"),
        (b'{"ratings": ', "not well-formed JSON"),
        (b'{"films": []}', "neither Trakt"),
        (LETTERBOXD.encode() + b'2020-01-01,"never closed', "not a well-formed csv"),
    ],
)
def test_what_is_no_history_is_refused_in_one_line(content: bytes, says: str) -> None:
    with pytest.raises(DataError, match=says) as refused:
        read_history(content, "upload")
    assert "\n" not in str(refused.value)


def test_a_zip_bomb_and_a_zip_without_a_history_are_refused() -> None:
    with pytest.raises(DataError, match="unpacks to more than"):
        read_history(zipped({"ratings.csv": "0" * (65 << 20)}), "bomb.zip")
    with pytest.raises(DataError, match=r"holds no ratings\.csv"):
        read_history(zipped({"../../etc/passwd": "x"}), "other.zip")


@given(st.binary(max_size=400) | st.text(max_size=400).map(str.encode))
def test_any_bytes_are_refused_or_read_never_more(noise: bytes) -> None:
    for start in (b"", LETTERBOXD.encode(), IMDB.encode(), b"PK", b"[", TRAKT_JSON[:-1].encode()):
        try:
            history = read_history(start + noise, "noise")
        except DataError:
            continue
        assert isinstance(history, History)
        for row in history.rows:
            assert row.problem or row.stars is None or 0 < row.stars <= 5


RATED = RatedMovie(1214, "Alien (1979)", "Alien", 1979, "0078748", 348, 4.5, 1612346400)


def test_our_own_exports_come_back_as_they_were() -> None:
    for format_name in ("csv", "json"):
        expected = ("matinee", "Alien", 1979, 4.5, "0078748", 348, 1214, 1612346400)
        assert only(export([RATED], format_name), f"mine.{format_name}") == expected


def test_the_letterboxd_export_has_the_columns_that_it_imports() -> None:
    header, line = export([RATED], "letterboxd").splitlines()
    assert header == "tmdbID,imdbID,Title,Year,Rating10,WatchedDate,Rewatch,Review"
    assert line == "348,tt0078748,Alien,1979,9,2021-02-03,,"


def test_an_unknown_export_format_names_those_there_are() -> None:
    with pytest.raises(ParameterError, match="csv, json, letterboxd"):
        export([RATED], "xml")


def zipped(members: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return out.getvalue()

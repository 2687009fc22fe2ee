"""A row of a history becomes the film that is meant, or an honest question."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

import matinee
from matinee.data.personal import History, HistoryRow, TitleIndex
from matinee.data.personal.titles import in_order, key

HARD = [line.split("|") for line in (Path(__file__).parent / "data/hard_titles.txt").read_text().splitlines()]


@pytest.fixture(scope="module")
def movies(small_zip: Path) -> pl.DataFrame:
    return matinee.load(small_zip).movies


@pytest.fixture(scope="module")
def index(movies: pl.DataFrame) -> TitleIndex:
    return TitleIndex(movies)


def row(title: str, year: int | None, **more: Any) -> HistoryRow:
    return HistoryRow("ratings.csv", 2, title, year, **more)


def test_hard_titles_are_matched_right_or_not_at_all(index: TitleIndex, movies: pl.DataFrame) -> None:
    titles = dict(movies.select("movie_id", "title").iter_rows())
    wrong = []
    for title, year, expected in HARD:
        match = index.match_row(row(title, int(year)))
        if titles.get(match.movie_id, "") != expected:
            wrong.append((title, year, titles.get(match.movie_id), expected))
    assert len(HARD) > 200
    assert wrong == []


def test_nearly_all_films_are_found_by_the_title_that_other_services_use(
    index: TitleIndex, movies: pl.DataFrame
) -> None:
    films = movies.filter(pl.col("year").is_not_null()).sort("ratings_count", descending=True).head(2000)
    matched = wrong = 0
    for movie_id, name, year in films.select("movie_id", "name", "year").iter_rows():
        match = index.match_row(row(in_order(name.split(" (")[0]), year))
        matched += match.movie_id == movie_id
        wrong += match.status == "matched" and match.movie_id != movie_id
    assert matched >= 0.97 * len(films)
    assert wrong == 0


def test_ids_win_over_titles_and_forbid_a_film_with_another_id(index: TitleIndex) -> None:
    alien = index.match_row(row("Whatever it is called", None, imdb_id="0078748"))
    assert (alien.movie_id, alien.how) == (1214, "by id")
    by_tmdb = index.match_row(row("?", 1900, tmdb_id=348))
    assert by_tmdb.movie_id == 1214
    namesake = index.match_row(row("Alien", 1979, imdb_id="9999999"))
    assert namesake.status in ("unknown", "ambiguous")
    assert all(film.movie_id != 1214 for film in namesake.candidates)


def test_two_films_of_one_title_and_year_are_a_question(index: TitleIndex) -> None:
    match = index.match_row(row("Emma", 1996))
    assert match.status == "ambiguous"
    assert {film.title for film in match.candidates} == {"Emma (1996)"}
    assert [film.ratings_count for film in match.candidates] == sorted(
        (film.ratings_count for film in match.candidates), reverse=True
    )


def test_a_typing_error_is_a_question_and_nonsense_is_unknown(index: TitleIndex) -> None:
    typo = index.match_row(row("The Shawshenk Redemption", 1994))
    assert (typo.status, typo.candidates[0].title) == ("ambiguous", "Shawshank Redemption, The (1994)")
    assert index.match_row(row("zzqx vvkpt", 1994)).status == "unknown"


def test_series_and_unreadable_rows_keep_their_status(index: TitleIndex) -> None:
    rows = [row("Breaking Bad", 2008, is_movie=False), row("Heat", 1995, problem="has the rating 'x'")]
    report = index.match(History("imdb", rows))
    assert [match.status for match in report.matches] == ["not_a_movie", "unreadable"]
    assert report.count("matched") == 0


def test_of_two_rows_for_one_film_the_newest_rating_counts(index: TitleIndex) -> None:
    rows = [row("Alien", 1979, stars=2.0, rated_at=20), row("Alien", 1979, stars=5.0, rated_at=10), row("Heat", 1995)]
    assert index.match(History("letterboxd", rows)).ratings == {1214: (2.0, 20)}


@pytest.mark.parametrize(
    ("title", "folded"),
    [
        ("Amélie", "amelie"),
        ("WALL·E", "wall e"),
        ("Ocean's 8", "oceans 8"),
        ("Tom & Jerry", "tom and jerry"),
        ("Æon", "aeon"),
    ],
)
def test_keys_fold_accents_and_punctuation(title: str, folded: str) -> None:
    assert key(title) == folded


@pytest.mark.parametrize(
    ("written", "ordered"),
    [
        ("Godfather, The", "The Godfather"),
        ("Avventura, L'", "L'Avventura"),
        ("Good, the Bad", "Good, the Bad"),
        ("Me, Myself", "Me, Myself"),
    ],
)
def test_a_moved_article_comes_back(written: str, ordered: str) -> None:
    assert in_order(written) == ordered


def test_an_index_is_renewed_for_the_same_films_and_made_anew_for_others(
    index: TitleIndex, movies: pl.DataFrame
) -> None:
    counts = pl.col("ratings_count")
    again = index.renewed(movies.with_columns(ratings_count=counts.max() - counts))
    renamed = index.renewed(movies.with_columns(name=pl.lit("Nothing Else")))
    assert vars(again)["_main"] is vars(index)["_main"]
    assert (
        vars(again)["_movies"]["ratings_count"].to_list()
        == (movies["ratings_count"].max() - movies["ratings_count"]).to_list()
    )
    assert vars(renamed)["_folded"] == ["nothing else"] * len(movies)

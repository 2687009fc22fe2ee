"""Finding films by id and by what people type."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import small_world
from hypothesis import given
from hypothesis import strategies as st

from matinee.errors import UnknownMovieError
from matinee.recommend.catalogue import Catalogue
from matinee.recommend.search import normalise

FILMS = {
    1: ("Toy Story (1995)", 247),
    3114: ("Toy Story 2 (1999)", 125),
    858: ("Godfather, The (1972)", 200),
    1221: ("Godfather: Part II, The (1974)", 135),
    2571: ("Matrix, The (1999)", 259),
    260: ("Star Wars: Episode IV - A New Hope (1977)", 291),
    5349: ("Spider-Man (2002)", 95),
    1411: ("Hamlet (1996)", 20),
    1941: ("Hamlet (1948)", 10),
    4973: ("Amelie (Fabuleux destin d'Amélie Poulain, Le) (2001)", 107),
    838: ("Emma (1996)", 30),
    26958: ("Emma (1996)", 2),
    117867: ("11'09\"01 - September 11 (2002)", 1),
    8: ("2001: A Space Odyssey (1968)", 90),
    9: ("Крылья (1966)", 3),
    10: ("M (1931)", 33),
}


def table(films: dict[int, tuple[str, int]]) -> pl.DataFrame:
    titles = [title for title, _ in films.values()]
    return pl.DataFrame(
        {
            "movie_id": list(films),
            "title": titles,
            "name": [title.rsplit(" (", 1)[0] for title in titles],
            "year": [int(title[-5:-1]) for title in titles],
            "genres": [["Drama"] for _ in titles],
            "imdb_id": pl.Series([None] * len(titles), dtype=pl.String),
            "tmdb_id": pl.Series([None] * len(titles), dtype=pl.Int64),
            "ratings_count": [count for _, count in films.values()],
            "ratings_mean": [3.0] * len(titles),
        }
    )


CATALOGUE = Catalogue(table(FILMS))


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("toy story", 1), ("TOY", 1), ("story 2", 3114), ("the godfather", 858), ("Godfather, The", 858),
        ("godfather part ii", 1221), ("matirx", 2571), ("godfahter", 858), ("star wars", 260), ("starwars", 260),
        ("wars hope", 260), ("spiderman", 5349), ("spider man", 5349), ("amelie", 4973), ("amélie poulain", 4973),
        ("11'09\"01 - September 11", 117867), ("hamlet", 1411), ("hamlet 1948", 1941), ("space odissey", 8),
        ("крылья", 9), ("m", 10), ("toy storry", 1),
    ],
)  # fmt: skip
def test_search_puts_what_was_meant_first(text: str, first: int) -> None:
    assert CATALOGUE.search(text)[0].movie_id == first


@pytest.mark.parametrize("text", ["", "  ", "!!!", "qqqqzzzz", "(", "\\"])
def test_search_finds_nothing_where_nothing_is_like_it(text: str) -> None:
    assert CATALOGUE.search(text) == []


@given(st.text(max_size=30))
def test_search_survives_anything(text: str) -> None:
    assert len(CATALOGUE.search(text, 3)) <= 3


@given(st.text(max_size=30))
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@given(st.sampled_from(sorted(FILMS)), st.sampled_from(["title", "name", "movie_id"]))
def test_everything_resolves_by_its_title_unless_it_is_ambiguous(movie_id: int, by: str) -> None:
    text = str(getattr(CATALOGUE.movie(movie_id), by))
    twice = {"Hamlet", "Emma", "Emma (1996)"}
    if text in twice:
        with pytest.raises(UnknownMovieError, match=rf"{movie_id}\]"):
            CATALOGUE.resolve(text)
    else:
        assert CATALOGUE.resolve(text).movie_id == movie_id


def test_a_wrong_title_gets_suggestions() -> None:
    with pytest.raises(UnknownMovieError, match=r"no movie 'Godfahter': did you mean Godfather, The \(1972\) \[858\];"):
        CATALOGUE.resolve("Godfahter")
    with pytest.raises(UnknownMovieError, match="no movie 'qqqqzzzz' among 16 films"):
        CATALOGUE.resolve("qqqqzzzz")
    with pytest.raises(UnknownMovieError, match="'Emma' names 2 films"):
        CATALOGUE.resolve("Emma")


@pytest.mark.parametrize("movie_id", [0, 2, -1, 10**30, True, None, "1", 1.5])
def test_an_unknown_id_is_refused(movie_id: object) -> None:
    with pytest.raises(UnknownMovieError, match="there is no movie"):
        CATALOGUE.movie(movie_id)  # type: ignore[arg-type]


def test_unknown_ids_among_known_ones_have_no_row() -> None:
    known, row = CATALOGUE.ids.ids[3].item(), 3
    assert CATALOGUE.known_rows([]).tolist() == []
    for strange in (-1, 10**30, True, None, "1", 1.5, [1], np.float64(1)):
        assert CATALOGUE.known_rows([known, strange, known]).tolist() == [row, -1, row]  # type: ignore[list-item]
    assert CATALOGUE.known_rows([np.int64(known), np.int32(known)]).tolist() == [row, row]  # type: ignore[list-item]


def test_ids_that_are_text() -> None:
    frame = table(FILMS).with_columns(pl.format("tt{}", "movie_id").alias("movie_id"))
    catalogue = Catalogue(frame)
    assert catalogue.resolve("tt858").title == "Godfather, The (1972)"
    assert catalogue.movie("tt1").movie_id == "tt1"
    with pytest.raises(UnknownMovieError):
        catalogue.movie(1)


def test_means_are_shown_without_the_noise_of_32_bits() -> None:
    means = [3.9000000953674316, None] + [2 / 3] * (len(FILMS) - 2)
    films = Catalogue(table(FILMS).with_columns(ratings_mean=pl.Series(means, dtype=pl.Float64)))
    shown = [films.movie(movie_id).ratings_mean for movie_id in list(FILMS)[:3]]
    assert shown == [3.9, None, 0.6667]


def test_what_filters_want() -> None:
    catalogue = small_world.recommender().catalogue
    assert catalogue.genres == small_world.GENRES
    assert catalogue.years[5] == 0
    assert catalogue.at([3])[0].genres == ("Comedy", "Drama")
    assert [bool(catalogue.has_genre[genre][3]) for genre in catalogue.genres] == [True, True, False, False]
    assert len(catalogue) == small_world.N_MOVIES
    assert 10 in catalogue
    assert 11 not in catalogue

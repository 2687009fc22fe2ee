"""Genres and years: read off the table of movies, and of use where a film has few ratings."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import matinee
from matinee import BayesianMF, Ratings
from matinee.data.ratings import Vocabulary
from matinee.errors import ParameterError
from matinee.models.bayesian.features import movie_features

MOVIES = pl.DataFrame(
    {
        "movie_id": [1, 2, 3, 4, 9],
        "genres": [["War"], ["Drama", "War"], [], None, ["Western"]],
        "year": [1999, None, 1999, 1950, 1900],
    }
)


def test_features_are_pairs_of_rated_films_and_what_they_have() -> None:
    genres, years = movie_features(MOVIES, Vocabulary([1, 2, 3, 4, 5]), genres=True, years=True)
    assert sorted(zip(genres.owners.tolist(), genres.members.tolist(), strict=True)) == [(0, 1), (1, 0), (1, 1)]
    assert genres.n_members == 2  # no Western: nobody rated one
    assert sorted(zip(years.owners.tolist(), years.members.tolist(), strict=True)) == [(0, 1), (2, 1), (3, 0)]
    assert years.n_members == 2


@pytest.mark.parametrize(
    ("asked", "kinds"), [((True, True), 2), ((True, False), 1), ((False, True), 1), ((False, False), 0)]
)
def test_only_what_is_asked_for(asked: tuple[bool, bool], kinds: int) -> None:
    assert len(movie_features(MOVIES, Vocabulary([1, 2, 3, 4]), genres=asked[0], years=asked[1])) == kinds


def test_what_a_table_lacks_says_nothing() -> None:
    items = Vocabulary([1, 2])
    assert movie_features(MOVIES.select("movie_id"), items, genres=True, years=True) == []
    assert movie_features(MOVIES, Vocabulary([77]), genres=True, years=True) == []
    with pytest.raises(ParameterError, match="movie_id must be among them"):
        movie_features(MOVIES.drop("movie_id"), items, genres=True, years=True)


def two_kinds(seed: int) -> tuple[Ratings, Ratings, pl.DataFrame]:
    """Films of a liked genre and of a disliked one; most are rated once or twice."""
    rng = np.random.default_rng(seed)
    users, items = rng.integers(0, 60, 1500), rng.integers(0, 400, 1500)
    _, first = np.unique(users * 400 + items, return_index=True)
    users, items = users[first], items[first]
    stars = np.clip(np.where(items % 2, 4.0, 2.0) + rng.normal(0, 0.6, len(items)), 0.5, 5)
    train, test = matinee.random_split(Ratings.from_arrays(users, items, stars), test=0.4, seed=seed)
    genres = [["Comedy"] if item % 2 else ["Horror"] for item in range(400)]
    return train, test, pl.DataFrame({"movie_id": np.arange(400), "genres": genres})


def test_genres_tell_about_films_with_few_ratings() -> None:
    train, test, movies = two_kinds(seed=0)
    small = BayesianMF(rank=2, iterations=60, burn_in=20, samples=10)
    known = np.isin(test.item_ids, train.items.ids)
    errors = []
    for model in (small.fit(train), small.fit(train, movies=movies), small.about(movies).fit(train)):
        errors.append(np.sqrt(np.mean((model.predict(test.user_ids, test.item_ids) - test.stars)[known] ** 2)))
    assert errors[1] < errors[0] - 0.05
    assert errors[1] == errors[2]


def test_films_are_not_listened_to_when_nobody_asks() -> None:
    train, test, movies = two_kinds(seed=1)
    small = BayesianMF(rank=2, iterations=12, burn_in=2, samples=5, genres=False, years=False)
    plain, told = small.fit(train), small.fit(train, movies=movies)
    assert np.array_equal(plain.predict(test.user_ids, test.item_ids), told.predict(test.user_ids, test.item_ids))

"""Films that nobody rated: what genres and years tell of them, exactly, and through everything that shows stars."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from test_bayesian_features import two_kinds

import matinee
from matinee import BayesianMF, Ratings
from matinee.data.ratings import Vocabulary
from matinee.models.artifact import Artifact, save
from matinee.models.bayesian import BayesianModel
from matinee.models.bayesian.calibration import open_variances
from matinee.models.bayesian.features import movie_features
from matinee.models.bayesian.sampler import Chain
from matinee.models.bayesian.side import Unrated
from matinee.recommend.recommender import Recommender

MOVIES = pl.DataFrame(
    {
        "movie_id": [9, 1, 2, 3, 4, 5, 6],
        "genres": [["War", "Drama", "Opera"], ["War"], ["Drama", "War"], ["Drama"], ["Opera"], [], ["War"]],
        "year": [1999, 1999, 1950, None, None, 1812, None],
    }
)
ITEMS = Vocabulary([1, 2, 3])  # nobody rated an opera, or anything from 1812
SMALL = BayesianMF(rank=2, iterations=40, burn_in=20, samples=10)


def test_unrated_films_are_told_by_what_rated_films_have() -> None:
    unrated = Unrated.of(MOVIES, ITEMS, genres=True, years=True)
    assert unrated.ids.tolist() == [6, 9]  # of the opera and of 1812 nothing is known
    genres, years = unrated.features
    assert sorted(zip(genres.owners.tolist(), genres.members.tolist(), strict=True)) == [(0, 1), (1, 0), (1, 1)]
    assert list(zip(years.owners.tolist(), years.members.tolist(), strict=True)) == [(1, 1)]  # after 1950
    assert not len(Unrated.of(None, ITEMS, genres=True, years=True).ids)
    assert not len(Unrated.of(MOVIES, ITEMS, genres=False, years=False).ids)


def test_their_means_are_sums_by_hand() -> None:
    ratings = Ratings.from_arrays([1, 1, 2, 2, 3], [1, 2, 2, 3, 1], [4, 3, 5, 1, 2])
    features = movie_features(MOVIES, ratings.items, genres=True, years=True)
    chain = Chain(ratings, rank=2, seed=1, sets=False, time=False, threads=1, features=features)
    for _ in range(5):
        chain.step()
    items, (genres, years) = chain.items, chain.items.features
    factors, biases = Unrated.of(MOVIES, ratings.items, genres=True, years=True).means(items)
    (drama, war), (of_1950, of_1999) = genres.rows.factors, years.rows.factors
    told = np.array([war + of_1999, (drama + war) / np.sqrt(2) + of_1950, drama])  # films 1, 2 and 3
    np.testing.assert_allclose(items.prior, items.rows.mean[:-1] + told, rtol=1e-3, atol=1e-5)
    beyond = np.array([0.4, 0.4, 0.2]) @ (items.rows.factors - told)  # films 1 and 2 have two ratings each
    np.testing.assert_allclose(factors[0], beyond + war, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(factors[1], beyond + (drama + war) / np.sqrt(2) + of_1999, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(items.featured()[0], told, rtol=1e-4, atol=1e-6)
    by_sets = open_variances(items, chain.users)[3]
    assert by_sets == pytest.approx(0, abs=1e-6), "there are no sets, so that features tell all that can be told"
    (drama_bias, war_bias), (bias_1950, bias_1999) = genres.rows.biases, years.rows.biases
    told_biases = np.array([war_bias + bias_1999, (drama_bias + war_bias) / np.sqrt(2) + bias_1950, drama_bias])
    beyond_bias = np.array([0.4, 0.4, 0.2]) @ (items.rows.biases - told_biases)
    assert biases[0] == pytest.approx(beyond_bias + war_bias, rel=1e-4)


@pytest.fixture(scope="module")
def learned() -> tuple[BayesianModel, Ratings, pl.DataFrame]:
    """A model of liked and disliked genres, and the ratings of films that were taken out of its training."""
    train, test, movies = two_kinds(seed=2)
    out = train.item_ids % 10 < 2
    taken = test.item_ids % 10 < 2
    return SMALL.fit(train.select(~out), movies=movies), test.select(taken), movies


def test_genres_tell_of_films_taken_out_and_intervals_are_wider(
    learned: tuple[BayesianModel, Ratings, pl.DataFrame],
) -> None:
    model, test, _ = learned
    told = matinee.rmse(model, test)
    none = model.new_items[:0], model.new_factors[:0], model.new_biases[:0]
    untold = dataclasses.replace(model, new_items=none[0], new_factors=none[1], new_biases=none[2])
    assert told < matinee.rmse(untold, test) - 0.2
    low, high = model.predict_interval(test.user_ids, test.item_ids)
    assert 0.8 < np.mean((low <= test.stars) & (test.stars <= high)) < 0.97
    rated = model.items.ids[np.argmax(model.item_counts)]
    assert model.deviations([1], [test.item_ids[0]])[0] > model.deviations([1], [rated])[0]


def test_everything_that_shows_stars_says_the_same(
    learned: tuple[BayesianModel, Ratings, pl.DataFrame], tmp_path: Path
) -> None:
    model, test, movies = learned
    artifact = Artifact.read(save(model, path=tmp_path / "m", movies=_catalogue(movies)), verify=True)
    recommender = Recommender.of(artifact)
    user, film = int(test.user_ids[0]), int(test.item_ids[0])
    ratings = recommender.ratings_of(user)
    shown = recommender.predict(ratings, film, user_id=user)
    assert not shown.known
    assert shown.stars == pytest.approx(model.predict(user, film), abs=1e-4)
    low, high = model.predict_interval([user], [film])
    assert (shown.stars_low, shown.stars_high) == pytest.approx((low[0], high[0]), abs=1e-4)
    only = [int(test.item_ids[place]) for place in (0, 1, 2, 3)]
    answer = recommender.recommend(ratings, only=only, user_id=user, rank_by="stars")
    stars = {one.movie_id: one.stars for one in answer.recommendations}
    assert stars[film] == pytest.approx(shown.stars, abs=1e-4)
    assert list(stars.values()) == sorted(stars.values(), reverse=True)
    newcomer = recommender.recommend(ratings, only=only, rank_by="stars", explain=True)
    for one in newcomer.recommendations:
        assert one.because is not None
        assert one.base is not None
        assert one.because_rest is not None
        parts = one.base + sum(part.contribution for part in one.because) + one.because_rest
        assert parts == pytest.approx(one.score, abs=1e-4)


def _catalogue(movies: pl.DataFrame) -> pl.DataFrame:
    return movies.select(
        "movie_id", pl.format("Film {}", "movie_id").alias("title"), pl.format("Film {}", "movie_id").alias("name"),
        pl.lit(None, pl.Int32).alias("year"), "genres", pl.lit(None, pl.String).alias("imdb_id"),
        pl.lit(None, pl.Int64).alias("tmdb_id"), pl.lit(0, pl.Int64).alias("ratings_count"),
        pl.lit(None, pl.Float64).alias("ratings_mean"),
    )  # fmt: skip

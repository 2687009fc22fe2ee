"""A small world to recommend in: 60 people, 80 rated films, 10 that nobody rated; learned once per test process."""

from __future__ import annotations

import dataclasses
from functools import cache

import numpy as np
import polars as pl

from matinee import ALS, ImplicitALS, Ratings
from matinee.data.stats import item_stats
from matinee.models.als import ALSModel
from matinee.models.implicit_als import ImplicitModel
from matinee.recommend.catalogue import Catalogue
from matinee.recommend.recommender import Recommender

N_USERS, N_RATED, N_MOVIES = 60, 80, 90
GENRES = ("Comedy", "Drama", "Horror", "Western")


@cache
def ratings() -> Ratings:
    rng = np.random.default_rng(3)
    taste, films = rng.normal(size=(N_USERS, 2)), rng.normal(size=(N_RATED, 2))
    liking = taste @ films.T
    watched = rng.random(liking.shape) < 0.15 + 0.3 / (1 + np.exp(-liking))
    watched[0, :] |= ~watched.any(axis=0)
    users, items = np.nonzero(watched)
    stars = np.clip(np.round(2 * (3.2 + liking[users, items] * 0.7)) / 2, 0.5, 5)
    times = rng.integers(1_400_000_000, 1_500_000_000, len(users))
    return Ratings.from_arrays(users + 1, 10 * (items + 1), stars, times)


@cache
def movies() -> pl.DataFrame:
    ids = [10 * (row + 1) for row in range(N_MOVIES)]
    counts = {int(i): int(n) for i, n in zip(ratings().items.ids, ratings().item_counts, strict=True)}
    years = [None if row % 17 == 5 else 1930 + row for row in range(N_MOVIES)]
    return pl.DataFrame(
        {
            "movie_id": ids,
            "title": [f"Film {row}" + (f" ({year})" if year else "") for row, year in enumerate(years)],
            "name": [f"Film {row}" for row in range(N_MOVIES)],
            "year": pl.Series(years, dtype=pl.Int32),
            "genres": [[g for n, g in enumerate(GENRES) if (row >> n) & 1] for row in range(N_MOVIES)],
            "imdb_id": pl.Series([None] * N_MOVIES, dtype=pl.String),
            "tmdb_id": pl.Series([None] * N_MOVIES, dtype=pl.Int64),
            "ratings_count": [counts.get(movie_id, 0) for movie_id in ids],
            "ratings_mean": pl.Series([None] * N_MOVIES, dtype=pl.Float64),
        },
        schema_overrides={"genres": pl.List(pl.String)},
    )


@cache
def stars() -> ALSModel:
    return ALS(rank=4, iterations=3).fit(ratings())


@cache
def picks() -> ImplicitModel:
    return ImplicitALS(rank=5, iterations=3).fit(ratings())


@cache
def recommender() -> Recommender:
    return Recommender(Catalogue(movies(), item_stats(ratings())), stars(), picks(), model_id="m1")


def replaced(model: ALSModel, **arrays: object) -> ALSModel:
    """Return the model with other arrays."""
    return dataclasses.replace(model, **arrays)  # type: ignore[arg-type]

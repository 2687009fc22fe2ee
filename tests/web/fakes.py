"""A model small enough to check by hand, and a source of models that tests can turn over."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from matinee.data.ratings import Ratings
from matinee.errors import ArtifactError
from matinee.models.als import ALS, ALSModel
from matinee.models.solver import solve_row
from matinee.recommend.catalogue import Catalogue
from matinee.recommend.recommender import Recommender

PARAMS = ALS(rank=2, regularization=0.05, damping=1.0, bias_damping=1.0)
MEAN = 3.5
HTML = '<img src=x onerror="alert(1)">, a "quoted" title'
TITLES = {
    1: ("Toy Story", 1995, 40),
    260: ("Star Wars: Episode IV - A New Hope", 1977, 38),
    500: ("Mrs. Doubtfire", 1993, 30),
    858: ("Godfather, The", 1972, 26),
    1200: (HTML, 1999, 25),
    2000: ("Rare Film", 2001, 24),
    3000: ("Nobody Saw It", 2010, 0),
}
RATED = [movie_id for movie_id, (_, _, count) in TITLES.items() if count]
FACTORS = np.array([[0.6, 0.1], [0.9, -0.2], [-0.4, 0.7], [0.5, 0.5], [0.2, -0.9], [0.8, 0.8]], np.float32)
BIASES = np.array([0.3, 0.5, -0.2, 0.6, -0.1, 0.4], np.float32)


def title(movie_id: int) -> str:
    name, year, _ = TITLES[movie_id]
    return f"{name} ({year})"


def movies() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "movie_id": list(TITLES),
            "title": [title(movie_id) for movie_id in TITLES],
            "name": [name for name, _, _ in TITLES.values()],
            "year": [year for _, year, _ in TITLES.values()],
            "genres": [["Comedy"] if movie_id in (1, 500) else ["Drama"] for movie_id in TITLES],
            "imdb_id": [None] * len(TITLES),
            "tmdb_id": [11 if movie_id == 260 else None for movie_id in TITLES],
            "ratings_count": [count for _, _, count in TITLES.values()],
            "ratings_mean": [3.0 if count else None for _, _, count in TITLES.values()],
        },
        schema_overrides={
            "year": pl.Int32, "imdb_id": pl.String, "tmdb_id": pl.Int64, "ratings_mean": pl.Float64
        },
    )  # fmt: skip


def stars_model() -> ALSModel:
    """User n of the data set rated every film that at least n people rated with 3 stars."""
    pairs = [(user, movie_id) for movie_id in RATED for user in range(1, TITLES[movie_id][2] + 1)]
    ratings = Ratings.from_arrays([user for user, _ in pairs], [movie_id for _, movie_id in pairs], [3.0] * len(pairs))
    n_users = len(ratings.users)
    return ALSModel(
        params=PARAMS, users=ratings.users, items=ratings.items, mean=MEAN, scale=ratings.scale, seen=ratings.by_user,
        user_factors=np.zeros((n_users, 2), np.float32), user_biases=np.zeros(n_users, np.float32),
        item_factors=FACTORS, item_biases=BIASES,
    )  # fmt: skip


def recommender(model_id: str = "tiny") -> Recommender:
    return Recommender(Catalogue(movies()), stars_model(), model_id=model_id)


def expected_scores(ratings: Mapping[int, float]) -> dict[int, float]:
    """What the model must say to someone with these ratings, by the readable reference and nothing else."""
    rows = [RATED.index(movie_id) for movie_id in ratings]
    targets = np.array(list(ratings.values())) - BIASES[rows] - MEAN
    weight = PARAMS.regularization * len(rows) + PARAMS.damping
    solution = solve_row(FACTORS[rows], targets, regularization=weight, bias_regularization=PARAMS.bias_damping)
    scores = FACTORS @ solution.factors + BIASES + MEAN + solution.bias
    return dict(zip(RATED, scores.tolist(), strict=True))


class FakeSource:
    """Models by name, one of them current; `broken` ones refuse to load."""

    def __init__(self, current: str | None = "tiny") -> None:
        self.wanted = current
        self.broken: set[str] = set()
        self.loaded: list[str] = []

    def current(self) -> str | None:
        return self.wanted

    def load(self, model_id: str) -> Recommender:
        self.loaded.append(model_id)
        if model_id in self.broken:
            raise ArtifactError(f"{model_id}/manifest.json is not JSON")
        return recommender(model_id)

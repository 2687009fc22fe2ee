"""Explicit ratings factored by alternating least squares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from matinee.data.ratings import Csr, Float32, Int32, Ratings
from matinee.errors import ParameterError
from matinee.models.factors import PersonSystem, RatingModel
from matinee.models.solver import solve_row


@dataclass(frozen=True)
class Progress:
    """One finished iteration: its number (from 1), how many there will be, and the training RMSE so far."""

    iteration: int
    iterations: int
    rmse: float


@dataclass(frozen=True, kw_only=True)
class ALS:
    """Alternating least squares with weighted-lambda regularization (Zhou et al. 2008, "Large-scale Parallel
    Collaborative Filtering for the Netflix Prize").

    Parameters
    ----------
    rank
        Length of the factors.
    regularization
        Weight of the squared factors, times the row's number of ratings, as Spark has it.
    iterations
        How often both sides are solved.
    seed
        Of the first factors.
    biases
        Solve a bias per user and per item around the mean; False is Spark's objective: no biases, no centring.
    """

    rank: int = 64
    regularization: float = 0.1
    iterations: int = 15
    seed: int = 5
    biases: bool = True

    def __post_init__(self) -> None:
        if self.rank < 1 or self.iterations < 1 or not self.regularization > 0:
            raise ParameterError(f"{self}: rank and iterations must be at least 1, regularization above 0")

    def fit(self, ratings: Ratings, *, progress: Callable[[Progress], None] | None = None) -> ALSModel:
        """Learn factors of all users and items of `ratings`.

        Raises
        ------
        ParameterError
            If a parameter is out of range.
        """
        rng = np.random.default_rng(self.seed)
        mean = ratings.mean if self.biases else 0.0
        y = (rng.normal(size=(len(ratings.items), self.rank)) / np.sqrt(self.rank)).astype(np.float32)
        item_biases = np.zeros(len(ratings.items), np.float32)
        x, user_biases = self._solve(ratings.by_user, y, item_biases, mean)
        for iteration in range(self.iterations):
            y, item_biases = self._solve(ratings.by_item, x, user_biases, mean)
            x, user_biases = self._solve(ratings.by_user, y, item_biases, mean)
            if progress:
                progress(Progress(iteration + 1, self.iterations, float("nan")))
        return ALSModel(
            users=ratings.users, items=ratings.items, user_factors=x, item_factors=y, user_biases=user_biases,
            item_biases=item_biases, mean=mean, seen=ratings.by_user, scale=ratings.scale, params=self,
        )  # fmt: skip

    def _solve(self, rows: Csr, factors: Float32, biases: Float32, mean: float) -> tuple[Float32, Float32]:
        out, out_biases = np.zeros((rows.n_rows, self.rank), np.float32), np.zeros(rows.n_rows, np.float32)
        for row in range(rows.n_rows):
            indices, stars = rows.row(row)
            out[row], out_biases[row] = self.solve_one(factors[indices], stars - biases[indices] - np.float32(mean))
        return out, out_biases

    def solve_one(self, factors: Float32, targets: Float32) -> tuple[Float32, float]:
        """Solve one row; `targets` are stars less everything fixed."""
        regularization = self.regularization * len(targets)
        solution = solve_row(
            factors, targets, regularization=regularization, bias_regularization=regularization if self.biases else None
        )
        return solution.factors.astype(np.float32), solution.bias


@dataclass(frozen=True, eq=False, kw_only=True)
class ALSModel(RatingModel):
    """What `ALS.fit` learned; `params` says how."""

    params: ALS

    def person_system(self, item_rows: Int32, stars: Float32, emphasis: Float32 | None = None) -> PersonSystem:
        """State one person's system: the training's user step."""
        weights = np.ones(len(stars), np.float32) if emphasis is None else emphasis
        regularization = self.params.regularization * float(weights.sum())
        return PersonSystem(
            factors=self.item_factors[item_rows], weights=weights,
            targets=weights * (stars - self.item_biases[item_rows] - np.float32(self.mean)),
            regularization=regularization, bias_regularization=regularization if self.params.biases else None,
        )  # fmt: skip

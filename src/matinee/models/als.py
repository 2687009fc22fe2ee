"""Explicit ratings factored by alternating least squares."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from matinee.data.ratings import Csr, Float32, Int32, Int64, Ratings, as_ids
from matinee.errors import ParameterError
from matinee.models.factors import Person, PersonSystem, RatingModel
from matinee.models.intervals import product_variances
from matinee.models.kernels import aligned_zeros, leverages, padded_rank, regrouped, solve_rows, warm
from matinee.models.outputs import NormalOutput, fitted_cuts, steps_of
from matinee.models.progress import COMPILING, Progress

__all__ = ["ALS", "ALSModel", "Progress"]

SHRINKAGE = 10.0
"""With how many errors at the mean the variance of every user and item begins."""
LEAST_SQUARE = 1e-6
"""Of an error, stars²: a perfect fit is no proof of certainty."""
LEAST_KEPT = 0.1
"""Of one less the leverage: a rating that nearly determines its row says little about errors."""


@dataclass(frozen=True, kw_only=True)
class ALS:
    """Alternating least squares with weighted-lambda regularization (Zhou et al. 2008, "Large-scale Parallel
    Collaborative Filtering for the Netflix Prize").

    Over all users u with factors x_u and bias b_u and all items i with y_i and c_i it minimises

        sum over ratings of (stars - mean - b_u - c_i - x_u.y_i)^2
        + sum_u (regularization * n_u + damping) |x_u|^2 + sum_i (regularization * n_i + damping) |y_i|^2
        + bias_damping * (sum_u b_u^2 + sum_i c_i^2)

    where n counts the row's ratings; docs/decisions/0001-regularization.md says why there are two terms. Every row is
    solved exactly, users last, so that folding in a user's own ratings gives that user's factors. The result depends on
    the seed and the ratings, not on the number of threads.

    Parameters
    ----------
    rank
        Length of the factors.
    regularization
        Weight of the squared factors, times the row's number of ratings, as Spark has it.
    damping
        Weight of the squared factors whatever the number of ratings: holds rows with few ratings back. It plays no
        part without biases, as Spark has none.
    bias_damping
        Weight of the squared biases: how many ratings at the mean a row is thought to have had before its first.
    iterations
        How often both sides are solved.
    seed
        Of the first factors.
    biases
        Solve a bias per user and per item around the mean; False is Spark's objective: no biases, no centring.
    threads
        None for all processors.

    Raises
    ------
    ParameterError
        If a parameter is out of range.
    """

    rank: int = 64
    regularization: float = 0.05
    damping: float = 5.0
    bias_damping: float = 3.0
    iterations: int = 15
    seed: int = 5
    biases: bool = True
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.rank < 1 or self.iterations < 1:
            raise ParameterError(f"rank={self.rank}, iterations={self.iterations}: both must be at least 1")
        if not 0 < self.regularization < math.inf:
            raise ParameterError(f"regularization={self.regularization}: give a number above 0")
        if not (0 <= self.damping < math.inf and 0 <= self.bias_damping < math.inf):
            raise ParameterError(f"damping={self.damping}, bias_damping={self.bias_damping}: neither may be negative")
        if self.seed < 0:
            raise ParameterError(f"seed={self.seed}: give a whole number of at least 0")
        if self.threads is not None and self.threads < 1:
            raise ParameterError(f"threads={self.threads}: give at least 1, or None for all processors")

    def fit(self, ratings: Ratings, *, progress: Callable[[Progress], None] | None = None) -> ALSModel:
        """Learn factors of all users and items of `ratings`.

        Parameters
        ----------
        ratings
            What to learn from.
        progress
            Called after every iteration, and once before the first if the kernels must be compiled.
        """
        tell = progress or (lambda _: None)
        warm(lambda: tell(Progress(0, self.iterations, math.nan, COMPILING)))
        mean = ratings.mean if self.biases else 0.0
        layout = Layout.of(ratings.by_user)
        users = _Side(aligned_zeros(len(layout.user_order), padded_rank(self.rank)), mean)
        items = _Side(aligned_zeros(len(layout.item_order), padded_rank(self.rank)), mean)
        users.factors[:, : self.rank] = self._first_factors(len(layout.user_order))[layout.user_order]
        for iteration in range(self.iterations):
            self._solve(layout.by_item, users, items)
            squares = self._solve(layout.by_user, items, users)
            tell(Progress(iteration + 1, self.iterations, math.sqrt(max(squares, 0.0) / len(ratings))))
        x, user_biases = users.in_order(layout.user_order, self.rank)
        y, item_biases = items.in_order(layout.item_order, self.rank)
        return ALSModel(
            users=ratings.users, items=ratings.items, user_factors=x, item_factors=y, user_biases=user_biases,
            item_biases=item_biases, mean=mean, seen=ratings.by_user, scale=ratings.scale, params=self,
        )  # fmt: skip

    def _first_factors(self, n: int) -> Float32:
        """Draw in the order of the vocabulary, which a renumbering of rows does not change."""
        rng = np.random.default_rng(self.seed)
        return rng.standard_normal((n, self.rank), np.float32) / np.float32(math.sqrt(self.rank))

    def row_regularization(self, counts: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return what is added to the diagonal of rows with so many ratings."""
        return self.regularization * np.asarray(counts, np.float64) + (self.damping if self.biases else 0.0)

    def _solve(self, rows: Csr, fixed: _Side, side: _Side) -> float:
        """Solve every row of `side`; return the sum of squared errors."""
        solved = solve_rows(
            rows.indptr, rows.indices, rows.values, fixed.factors, out=side.factors, threads=self.threads,
            regularization=self.row_regularization(rows.counts).astype(np.float32),
            offsets=fixed.biases + np.float32(fixed.mean) if self.biases else None,
            bias_regularization=self.bias_damping if self.biases else None,
        )  # fmt: skip
        if solved.biases is not None:
            side.biases = solved.biases
        return float(solved.losses.sum())


class _Side:
    """Factors, padded to whole vectors, and biases of users or of items, the most popular first."""

    def __init__(self, factors: Float32, mean: float) -> None:
        self.factors, self.mean = factors, mean
        self.biases = np.zeros(len(factors), np.float32)

    def in_order(self, order: Int64, rank: int) -> tuple[Float32, Float32]:
        """Return factors and biases in the order of the vocabulary."""
        factors, biases = np.empty((len(order), rank), np.float32), np.empty(len(order), np.float32)
        factors[order], biases[order] = self.factors[:, :rank], self.biases
        return factors, biases


@dataclass(frozen=True, eq=False)
class Layout:
    """Ratings with both sides renumbered by popularity: the factors needed most often share the nearest cache."""

    by_user: Csr
    by_item: Csr
    user_order: Int64  # old row of each new one
    item_order: Int64

    @classmethod
    def of(cls, by_user: Csr) -> Layout:
        user_order = np.argsort(-by_user.counts, kind="stable")
        item_order = np.argsort(-np.bincount(by_user.indices, minlength=by_user.n_columns), kind="stable")
        item_rank = np.empty(len(item_order), np.int32)
        item_rank[item_order] = np.arange(len(item_order), dtype=np.int32)
        by_item = regrouped(by_user, user_order, item_rank)
        every = np.arange(len(item_order))
        return cls(
            regrouped(by_item, every, np.arange(len(user_order), dtype=np.int32)), by_item, user_order, item_order
        )


def _nothing() -> Float32:
    return np.empty(0, np.float32)


@dataclass(frozen=True, eq=False, kw_only=True)
class ALSModel(RatingModel):
    """What `ALS.fit` learned; `params` says how.

    Attributes
    ----------
    variance, user_variances, item_variances
        Shapes ``(1,)``, ``(n_users,)`` and ``(n_items,)``: mean squared error of a prediction, stars², and how much
        more, or less, users and items err; empty before `calibrated`.
    steps, cuts
        See `matinee.models.outputs.NormalOutput`; empty before `calibrated`.
    """

    params: ALS
    variance: Float32 = field(default_factory=_nothing)
    user_variances: Float32 = field(default_factory=_nothing)
    item_variances: Float32 = field(default_factory=_nothing)
    steps: Float32 = field(default_factory=_nothing)
    cuts: Float32 = field(default_factory=_nothing)

    @property
    def knows_intervals(self) -> bool:
        """Whether the model was `calibrated`."""
        return bool(len(self.variance))

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Name the arrays that a model folder keeps."""
        own = {name: getattr(self, name) for name in ("variance", "user_variances", "item_variances", "steps", "cuts")}
        return super().arrays() | (own if self.knows_intervals else {})

    @cached_property
    def output(self) -> NormalOutput:
        """What turns scores into stars; folders from before there were steps have them in their ratings."""
        known = len(self.steps) or not self.knows_intervals
        return NormalOutput.of(self.scale, self.steps if known else steps_of(self.seen.values), self.cuts)

    def calibrated(self, rmse: float) -> ALSModel:
        """Return the model with intervals.

        How far off the training ratings would be if each had been left out is told by their leverages in both sides'
        systems; as the other factors have seen them too, that is still too little, so it is scaled to `rmse`. Costs
        about as much as some iterations.

        Parameters
        ----------
        rmse
            Root mean squared error, in stars, that the same parameters had on held-out ratings.

        Raises
        ------
        ParameterError
            If `rmse` is not above 0, or the model has no biases.
        """
        if not 0 < rmse < math.inf or not self.params.biases:
            raise ParameterError(f"rmse={rmse}, biases={self.params.biases}: give a number above 0, and biases")
        users = np.repeat(np.arange(len(self.users), dtype=np.int32), self.seen.counts)
        errors, items, stars = self._left_out_errors(users), self.seen.indices, self.seen.values
        squares = np.maximum(errors**2, LEAST_SQUARE)
        scale = rmse**2 / squares.mean()
        mean, user_ratios, item_ratios = product_variances(
            scale * squares, users, items, len(self.users), len(self.items), SHRINKAGE
        )
        steps, deviations = steps_of(stars), np.sqrt(mean * user_ratios[users] * item_ratios[items])
        cuts = fitted_cuts(steps, stars, stars - math.sqrt(scale) * errors, deviations)
        return replace(
            self, variance=np.full(1, mean, np.float32), user_variances=user_ratios, item_variances=item_ratios,
            steps=steps.astype(np.float32), cuts=cuts.astype(np.float32),
        )  # fmt: skip

    def _left_out_errors(self, users: Int32) -> npt.NDArray[np.float64]:
        """Return errors of the training ratings as if each had been left out of both its rows' solves."""
        seen, items = self.seen, self.seen.indices
        order = np.argsort(items, kind="stable")
        by_item = np.concatenate([[0], np.cumsum(self.item_counts)]).astype(np.int64)
        rows = (seen.indptr, items, self.item_factors), (by_item, users[order], self.user_factors)
        of_user, of_item = (self._leverages(*side) for side in rows)
        kept = 1.0 - of_user
        kept[order] *= 1.0 - of_item
        fitted = self._products(users, items) + self.user_biases[users] + self.item_biases[items]
        errors = seen.values.astype(np.float64) - self.mean - fitted
        return np.asarray(errors / np.maximum(kept, LEAST_KEPT), np.float64)

    def _leverages(self, indptr: Int64, indices: Int32, fixed: Float32) -> Float32:
        width = padded_rank(self.rank)
        factors = aligned_zeros(len(fixed), width)
        factors[:, : self.rank] = fixed
        counts = np.diff(indptr)
        ridge = self.params.row_regularization(counts).astype(np.float32)
        return leverages(indptr, indices, factors, ridge, self.params.bias_damping, self.params.threads)

    def variability(self, person: Person) -> float | None:
        """Say how variable a person's stars are, None unless `calibrated`: training's own users as training found them,
        others as their own left-out errors say.
        """
        if not self.knows_intervals:
            return None
        if person.row is not None:
            return float(self.user_variances[person.row])
        errors = self._whole_system(person).left_out_errors() ** 2
        errors /= self.variance * self.item_variances[person.item_rows]
        return (SHRINKAGE + float(errors.sum())) / (SHRINKAGE + len(errors))

    def spread(self, person: Person, item_rows: npt.NDArray[np.integer]) -> Float32 | None:
        """Return standard deviations of one person's stars, shape ``(n,)``, None unless `calibrated`."""
        own = self.variability(person) if person.variability is None else person.variability
        if own is None:
            return None
        variances = self.variance * self.item_variances[item_rows] * own
        if person.row is None and len(person.item_rows) < SHRINKAGE:
            variances = variances + self.variance * self._whole_system(person).leverages(self.item_factors[item_rows])
        return np.asarray(np.sqrt(variances), np.float32)

    def _whole_system(self, person: Person) -> PersonSystem:
        """Return their system with every rating in full: a group's average person has none, ratings may have faded."""
        system = person.system
        if system is None or (system.weights != 1).any():
            return self.person_system(person.item_rows, person.stars)
        return system

    def deviations(self, user_ids: npt.ArrayLike, item_ids: npt.ArrayLike) -> Float32:
        """Return the standard deviation of each pair's error in stars, shape ``(n,)``; wider for the unknown."""
        if not self.knows_intervals:
            raise ParameterError("this model knows no intervals: calibrated(rmse) returns one that does")
        users, items = self.users.rows(as_ids(user_ids)), self.items.rows(as_ids(item_ids))
        user = np.where(users >= 0, self.user_variances[users], 1 + 1 / max(self.params.bias_damping, 1.0))
        item = np.where(items >= 0, self.item_variances[items], self.item_variances.max())
        return np.asarray(np.sqrt(self.variance * user * item), np.float32)

    def predict_interval(
        self, user_ids: npt.ArrayLike, item_ids: npt.ArrayLike, level: float = 0.9
    ) -> tuple[Float32, Float32]:
        """Return the stars between which a rating lies with probability `level`, shapes ``(n,)``, clipped.

        Raises
        ------
        ParameterError
            If `level` is not between 0 and 1, or the model was not `calibrated`.
        """
        centre = np.atleast_1d(self.predict(user_ids, item_ids))
        low, high = self.output.interval(centre, self.deviations(user_ids, item_ids), level)
        return low.astype(np.float32), high.astype(np.float32)

    def log_likelihood(self, ratings: Ratings) -> npt.NDArray[np.float64]:
        """Return the logarithm of the probability of each rating, shape ``(n,)``; see `predict_interval`."""
        centre = np.atleast_1d(self.predict(ratings.user_ids, ratings.item_ids))
        deviations = self.deviations(ratings.user_ids, ratings.item_ids)
        return self.output.log_likelihood(centre, deviations, ratings.stars)

    @cached_property
    def fallback(self) -> tuple[float, Float32]:
        """Mean and item biases for pairs of which one side is unknown; without biases, read off the training ratings:
        an empty product would predict the lowest number of stars there is.
        """
        if self.params.biases or not self.seen.nnz:
            return self.mean, self.item_biases
        sums, counts = self.seen.column_sums, self.item_counts
        mean = float(sums.sum() / self.seen.nnz)
        return mean, ((sums - counts * mean) / (counts + self.params.bias_damping)).astype(np.float32)

    def person_system(self, item_rows: Int32, stars: Float32, emphasis: Float32 | None = None) -> PersonSystem:
        """State one person's system: the training's user step."""
        weights = np.ones(len(stars), np.float32) if emphasis is None else emphasis
        return PersonSystem(
            factors=self.item_factors.take(item_rows, axis=0), weights=weights,
            targets=weights * (stars - self.item_biases.take(item_rows) - np.float32(self.mean)),
            regularization=float(self.params.row_regularization(weights.sum())),
            bias_regularization=self.params.bias_damping if self.params.biases else None,
        )  # fmt: skip

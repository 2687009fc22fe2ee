"""Implicit feedback factored by alternating least squares: the model that orders lists.

It answers "what should I watch?", not "how many stars would I give it?": what people chose to watch and liked pulls,
everything that they did not watch pushes back a little.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from matinee.data.ratings import Csr, Float32, Int32, Int64, Ratings
from matinee.errors import ParameterError
from matinee.models.factors import FactorModel, PersonSystem

Float64 = npt.NDArray[np.float64]
GRAM_BLOCK = 4096
"""Factor rows whose outer products are summed before the sums are added up, in this order."""


@dataclass(frozen=True)
class ImplicitProgress:
    """One finished iteration: its number (from 1), how many there will be, and the training objective so far."""

    iteration: int
    iterations: int
    loss: float


@dataclass(frozen=True, kw_only=True)
class ImplicitALS:
    """Weighted matrix factorization of likes (Hu, Koren, Volinsky 2008) with a weight for what was not watched and
    regularization by frequency (Rendle, Krichene, Zhang, Koren 2021, "Revisiting the Performance of iALS on Item
    Recommendation Benchmarks").

    With ``objective="ials"`` this is minimised over all users' factors x and items' factors y:

        sum over liked pairs of w (x.y - 1)^2  +  alpha0 * sum over all pairs of (x.y)^2
        + regularization * (sum_u (n_u + alpha0 * n_items)^nu |x_u|^2 + sum_i (n_i + alpha0 * n_users)^nu |y_i|^2)

    where w = max(stars - neutral, 0) and n counts the pairs with w > 0. ``objective="spark"`` is the one of Spark's
    ``implicitPrefs``, in which `alpha0`, `nu` and `neutral` have no part.

    Parameters
    ----------
    rank
        Length of the factors.
    regularization
        Weight of the squared factors.
    alpha0
        Weight of a pair that nobody liked, against 1 for one star above `neutral`.
    nu
        How much more frequent rows are regularized: 0 not at all, 1 in proportion.
    neutral
        Ratings of so many stars or fewer say nothing; None for the middle of the scale, rounded down to half a star.
    iterations
        How often both sides are solved.
    seed
        Of the first factors.
    objective
        "ials" or "spark".
    alpha
        Spark's confidence per star; only with ``objective="spark"``.

    Raises
    ------
    ParameterError
        If a parameter is out of range.
    """

    rank: int = 128
    regularization: float = 0.01
    alpha0: float = 0.3
    nu: float = 1.0
    neutral: float | None = None
    iterations: int = 10
    seed: int = 5
    objective: Literal["ials", "spark"] = "ials"
    alpha: float = 1.0

    def __post_init__(self) -> None:
        if self.rank < 1 or self.iterations < 1 or not self.regularization > 0:
            raise ParameterError(f"{self}: rank and iterations must be at least 1, regularization above 0")
        if not (self.alpha0 > 0 and self.alpha > 0 and 0 <= self.nu <= 1):
            raise ParameterError(f"{self}: alpha0 and alpha must be above 0, nu between 0 and 1")
        if self.objective not in ("ials", "spark"):
            raise ParameterError(f"objective={self.objective!r}: 'ials' and 'spark' are allowed")

    def fit(self, ratings: Ratings, *, progress: Callable[[ImplicitProgress], None] | None = None) -> ImplicitModel:
        """Learn factors of all users and items of `ratings`; users are solved last, so that fold-in agrees."""
        users, items = (self._side(rows, ratings.scale) for rows in (ratings.by_user, ratings.by_item))
        rng = np.random.default_rng(self.seed)
        y = rng.normal(scale=0.1 / np.sqrt(self.rank), size=(len(ratings.items), self.rank)).astype(np.float32)
        x = self._solve(users, y)
        for iteration in range(self.iterations):
            y = self._solve(items, x)
            x = self._solve(users, y)
            if progress:
                progress(ImplicitProgress(iteration + 1, self.iterations, loss(users, items, x, y)))
        return ImplicitModel(
            users=ratings.users, items=ratings.items, user_factors=x, item_factors=y,
            user_biases=np.zeros(len(x), np.float32), item_biases=np.zeros(len(y), np.float32), mean=0.0,
            seen=ratings.by_user, scale=ratings.scale, params=self,
        )  # fmt: skip

    def weights(self, stars: Float32, scale: tuple[float, float]) -> tuple[Float32, Float32]:
        """Turn stars into the weights w and targets t of the solver's equation; w = 0 marks a pair left out."""
        if self.objective == "spark":
            w = np.abs(np.float32(self.alpha) * stars)
            return w, np.where(stars > 0, 1 + w, 0).astype(np.float32)
        neutral = np.floor(scale[0] + scale[1]) / 2 if self.neutral is None else self.neutral
        w = np.maximum(stars - np.float32(neutral), 0)
        return w, w

    @property
    def gram_weight(self) -> float:
        """Weight of every pair, liked or not."""
        return self.alpha0 if self.objective == "ials" else 1.0

    def row_regularization(self, liked: npt.NDArray[np.int64] | float, others: int) -> Float64:
        """Return what is added to the diagonal for rows with so many liked pairs, `others` being the other side."""
        counts = np.asarray(liked, np.float64)
        if self.objective == "spark":
            return self.regularization * counts
        return np.asarray(self.regularization * (counts + self.alpha0 * others) ** self.nu)

    def _side(self, rows: Csr, scale: tuple[float, float]) -> Side:
        weights, targets = self.weights(rows.values, scale)
        keep = weights > 0
        indptr = np.concatenate([[0], np.cumsum(keep)])[rows.indptr].astype(np.int64)
        regularization = self.row_regularization(np.diff(indptr), rows.n_columns)
        return Side(indptr, rows.indices[keep], weights[keep], targets[keep], regularization)

    def _solve(self, side: Side, factors: Float32) -> Float32:
        """Solve every row exactly, in the basis in which what all rows share is diagonal.

        Whitened by that diagonal, a row with k entries z has A = I + Z^T Z, so that the smaller of a rank x rank and
        a k x k system is enough.
        """
        values, basis = np.linalg.eigh(gramian(factors))
        shared = np.float32(self.gram_weight) * np.maximum(values, 0)
        rotated = factors @ basis
        roots = np.sqrt(side.weights)
        out = np.zeros((len(side.indptr) - 1, self.rank), np.float32)
        for row in np.flatnonzero(np.diff(side.indptr)):
            span = slice(side.indptr[row], side.indptr[row + 1])
            scale = 1 / np.sqrt(shared + np.float32(side.regularization[row]))
            z = rotated[side.indices[span]] * roots[span, None] * scale
            t = side.targets[span] / roots[span]
            if len(z) < self.rank:
                out[row] = z.T @ np.linalg.solve(z @ z.T + np.eye(len(z), dtype=np.float32), t) * scale
            else:
                out[row] = np.linalg.solve(z.T @ z + np.eye(self.rank, dtype=np.float32), z.T @ t) * scale
        return out @ basis.T


class Side(NamedTuple):
    """One side's systems: the liked pairs compressed by row, with the numbers that the solver's equation wants."""

    indptr: Int64  # (n_rows + 1,)
    indices: Int32  # (nnz,), rows of the other side
    weights: Float32  # (nnz,)
    targets: Float32  # (nnz,)
    regularization: Float64  # (n_rows,)


def loss(users: Side, items: Side, x: Float32, y: Float32) -> float:
    """Return the training objective, up to a constant, at factors of which `x` was solved last.

    At its minimum a row's share of the objective is a constant less x.b, so one pass over the liked pairs is enough.
    """
    user_rows = np.repeat(np.arange(len(x)), np.diff(users.indptr))
    xb = 0.0
    for start in range(0, len(user_rows), 1 << 20):
        span = slice(start, start + (1 << 20))
        xb += float(users.targets[span] @ np.einsum("ij,ij->i", x[user_rows[span]], y[users.indices[span]]))
    norms = np.einsum("ij,ij->i", y, y, dtype=np.float64)
    return float(users.targets.sum(dtype=np.float64) - xb + items.regularization @ norms)


@dataclass(frozen=True, eq=False, kw_only=True)
class ImplicitModel(FactorModel):
    """What `ImplicitALS.fit` learned; `params` says how."""

    params: ImplicitALS

    @cached_property
    def gram(self) -> Float32:
        """What every person's system shares, shape ``(rank, rank)``."""
        return np.float32(self.params.gram_weight) * gramian(self.item_factors)

    def person_system(self, item_rows: Int32, stars: Float32, emphasis: Float32 | None = None) -> PersonSystem:
        """State one person's system: the training's user step; ratings that say nothing have no weight in it."""
        w, t = self.params.weights(stars, self.scale)
        counts = np.ones(len(stars), np.float32) if emphasis is None else emphasis
        liked = float(counts[w > 0].sum())
        return PersonSystem(
            factors=self.item_factors[item_rows], weights=counts * w, targets=counts * t, gram=self.gram,
            regularization=float(self.params.row_regularization(liked, len(self.items))),
        )  # fmt: skip


def gramian(factors: Float32) -> Float32:
    """Sum the outer products of all rows, shape ``(rank, rank)``, in fixed blocks and a fixed order."""
    total = np.zeros((factors.shape[1],) * 2, np.float64)
    for start in range(0, len(factors), GRAM_BLOCK):
        block = factors[start : start + GRAM_BLOCK]
        total += block.T @ block
    return total.astype(np.float32)

"""Implicit feedback factored by alternating least squares: the model that orders lists.

It answers "what should I watch?", not "how many stars would I give it?": what a person liked pulls, everything that
they did not like pushes back a little.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from matinee.data.ratings import Csr, Float32, Int32, Ratings
from matinee.errors import ParameterError
from matinee.models.als import Layout
from matinee.models.factors import FactorModel, PersonSystem
from matinee.models.kernels import aligned_zeros, warm
from matinee.models.likes import Side, first_factors, liked_part, noise_level, own_basis, turned
from matinee.models.progress import COMPILING

Float64 = npt.NDArray[np.float64]

GRAM_ROWS = 4096
CG_STEPS = 2
CG_FROM = 2**31
"""Likes times rank² from which "auto" takes conjugate gradients: exact iterations cost a fraction of a second below."""


@dataclass(frozen=True)
class ImplicitProgress:
    """One finished iteration, or (iteration 0) a message about what keeps the fit busy before the first.

    Attributes
    ----------
    iteration
        From 1; 0 before the first.
    iterations
        How many there will be.
    loss
        Training objective so far; NaN before the first iteration.
    message
        What is going on, empty for an ordinary iteration.
    """

    iteration: int
    iterations: int
    loss: float
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class ImplicitALS:
    """Weighted matrix factorization of likes (Hu, Koren, Volinsky 2008) with regularization by frequency (Rendle,
    Krichene, Zhang, Koren 2021, "Revisiting the Performance of iALS on Item Recommendation Benchmarks", section 3).

    Over all users u with factors x_u and all items i with y_i it minimises, with ``objective="ials"``,

        sum over likes of w (x_u.y_i - 1)^2  +  sum over all pairs of a_u (x_u.y_i)^2
        + regularization * (sum_u m_u^nu |x_u|^2 + sum_i m_i^nu |y_i|^2)

    A rating is a like if it is above `neutral`; its weight w rises from 0 there to 1 at the top of the scale, lower
    ratings say nothing. a_u is ``alpha0 * (n_u / typical_likes) ** activity`` for somebody with n_u likes: who has
    seen much has also passed over much. m is the total weight of a row, ``sum w + sum a``.

    ``objective="spark"`` is the one of Spark's ``implicitPrefs``: every rating is a like of confidence
    ``1 + alpha * stars``, every other pair a dislike of confidence 1, and the weight of a row's squared factors is
    `regularization` times its number of ratings (to the power of `nu`, which Spark lacks).

    Users are solved last and exactly, so that folding in a user's own ratings gives that user's factors. The result
    depends on the seed and the ratings, not on the number of threads.

    Parameters
    ----------
    rank
        Length of the factors.
    regularization
        Weight of the squared factors; None for `shrinkage` times the noise level of the ratings
        (`matinee.models.likes.noise_level`), or Spark's 0.1.
    shrinkage
        What `regularization` is made of where it is None.
    alpha0
        Weight of a pair that is no like, for somebody with a typical number of likes; a five-star rating weighs 1.
    activity
        How much more such a pair weighs for somebody with more likes: 0 not at all, 1 in proportion.
    nu
        How much more rows of more weight are regularized: 0 not at all, 1 in proportion.
    neutral
        Ratings of so many stars or fewer say nothing; None for half of the highest (2.5 of 5).
    typical_likes
        What a person's number of likes is compared with; None for the mean of the ratings.
    iterations
        How often both sides are solved.
    seed
        Of the first factors.
    objective
        "ials" or "spark".
    alpha
        Confidence per star of Spark's objective.
    solver
        How rows are solved before the last time: "exact", by a few steps of conjugate gradients from the factors of
        the iteration before ("cg", `matinee.models.kernels.conjugate`), or "auto", which steps where there are so
        many likes and so high a rank that this is faster by more than it leaves to the next iteration.
    threads
        None for all processors.

    Raises
    ------
    ParameterError
        If a parameter is out of range.
    """

    rank: int = 128
    regularization: float | None = None
    shrinkage: float = 0.36
    alpha0: float = 0.16
    activity: float = 0.75
    nu: float = 1.0
    neutral: float | None = None
    typical_likes: float | None = None
    iterations: int = 10
    seed: int = 5
    objective: Literal["ials", "spark"] = "ials"
    alpha: float = 1.0
    solver: Literal["auto", "exact", "cg"] = "auto"
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.rank < 1 or self.iterations < 1:
            raise ParameterError(f"rank={self.rank}, iterations={self.iterations}: both must be at least 1")
        for name in ("regularization", "shrinkage", "alpha0", "typical_likes", "alpha"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ParameterError(f"{name}={value}: give a number above 0")
        for name in ("activity", "nu"):
            if not 0 <= getattr(self, name) <= 1:
                raise ParameterError(f"{name}={getattr(self, name)}: give a number from 0 to 1")
        if self.objective not in ("ials", "spark"):
            raise ParameterError(f"objective={self.objective!r}: 'ials' and 'spark' are allowed")
        if self.solver not in ("auto", "exact", "cg"):
            raise ParameterError(f"solver={self.solver!r}: 'auto', 'exact' and 'cg' are allowed")
        if self.threads is not None and self.threads < 1:
            raise ParameterError(f"threads={self.threads}: give at least 1, or None for all processors")

    def fit(self, ratings: Ratings, *, progress: Callable[[ImplicitProgress], None] | None = None) -> ImplicitModel:
        """Learn factors of all users and items of `ratings`.

        Parameters
        ----------
        ratings
            What to learn from.
        progress
            Called after every iteration, and once before the first if the kernels must be compiled.

        Returns
        -------
        ImplicitModel
            Its `params` hold what was None here. Users and items without a like have zeros as factors.

        Raises
        ------
        ParameterError
            If `neutral` is not below the top of the scale.
        """
        tell = progress or (lambda _: None)
        warm(lambda: tell(ImplicitProgress(0, self.iterations, math.nan, COMPILING)))
        likes = liked_part(ratings.by_user, self.weights(ratings.by_user.values, ratings.scale)[0] > 0)
        params, layout = self._resolved(likes, ratings.scale), Layout.of(likes)
        with threadpool_limits(1, user_api="blas"):  # its threads would change the last bits
            x, y = params._alternate(layout, ratings.scale, tell)
        user_factors, item_factors = (np.empty((len(side), self.rank), np.float32) for side in (x, y))
        user_factors[layout.user_order], item_factors[layout.item_order] = x[:, : self.rank], y[:, : self.rank]
        return ImplicitModel(
            users=ratings.users, items=ratings.items, user_factors=user_factors, item_factors=item_factors,
            user_biases=np.zeros(len(x), np.float32), item_biases=np.zeros(len(y), np.float32), mean=0.0,
            seen=ratings.by_user, scale=ratings.scale, params=params,
        )  # fmt: skip

    def weights(self, stars: Float32, scale: tuple[float, float]) -> tuple[Float32, Float32]:
        """Turn stars into the weights w and targets t of the solver's equation; w = 0 marks a rating that says nothing.

        Raises
        ------
        ParameterError
            If `neutral` is not below the top of the scale.
        """
        if self.objective == "spark":
            w = np.float32(self.alpha) * np.asarray(stars, np.float32)
            return w, np.float32(1) + w
        neutral = scale[1] / 2 if self.neutral is None else self.neutral
        if not neutral < scale[1]:
            raise ParameterError(f"neutral={neutral:g}: give fewer stars than the highest rating, {scale[1]:g}")
        w = np.maximum((np.asarray(stars, np.float32) - np.float32(neutral)) / np.float32(scale[1] - neutral), 0)
        return w, w

    def pair_weights(self, likes: npt.ArrayLike) -> Float64:
        """Return what every pair weighs for people with so many likes, `typical_likes` being known."""
        counts = np.maximum(np.asarray(likes, np.float64), 1)
        if self.objective == "spark":
            return np.ones_like(counts)
        return np.asarray(self.alpha0 * (counts / (self.typical_likes or 1.0)) ** self.activity)

    def row_regularization(self, likes: npt.ArrayLike, mass: npt.ArrayLike) -> Float64:
        """Return what is added to the diagonal for rows with so many likes and so much weight."""
        weight = np.asarray(likes if self.objective == "spark" else mass, np.float64) ** self.nu
        return np.asarray((1.0 if self.regularization is None else self.regularization) * weight)

    def _resolved(self, likes: Csr, scale: tuple[float, float]) -> ImplicitALS:
        """Replace what is None by what the likes say."""
        if self.objective == "spark" or not likes.nnz:
            return self if self.regularization else replace(self, regularization=0.1)
        known = self if self.typical_likes else replace(self, typical_likes=likes.nnz / likes.n_rows)
        if known.regularization is not None:
            return known
        user_rows, w = likes.row_of_entry(), known.weights(likes.values, scale)[0].astype(np.float64)
        a = known.pair_weights(likes.counts)
        user_mass = np.bincount(user_rows, w, likes.n_rows) + a * likes.n_columns
        item_mass = np.bincount(likes.indices, w, likes.n_columns) + a.sum()
        level = noise_level(w, user_rows, likes.indices, user_mass**self.nu, item_mass**self.nu)
        return replace(known, regularization=self.shrinkage * level)

    def _alternate(
        self, layout: Layout, scale: tuple[float, float], tell: Callable[[ImplicitProgress], None]
    ) -> tuple[Float32, Float32]:
        """Solve both sides in turn; factors padded, in the layout's order, in one basis."""
        a = self.pair_weights(layout.by_user.counts)
        users = self._side(layout.by_user, scale, a, a * layout.by_user.n_columns)
        ones = np.ones(layout.by_item.n_rows)
        items = self._side(layout.by_item, scale, ones, ones * a.sum())
        constant = -float(np.sum(users.targets / users.roots, dtype=np.float64)) if self.objective == "spark" else 0.0
        steps = self.solver == "cg" or (self.solver == "auto" and layout.by_user.nnz * self.rank**2 >= CG_FROM)
        # random items first: on a million synthetic likes, random users did worse in ten iterations than this in two
        y = first_factors(layout.item_order, self.rank, self.seed)
        x, y, _ = self._solve(users, items, y, aligned_zeros(len(a), y.shape[1]) if steps else None)
        for iteration in range(self.iterations):
            y, x, _ = self._solve(items, users, x, y if steps else None)
            last = iteration + 1 == self.iterations
            x, y, shares = self._solve(users, items, y, x if steps and not last else None)
            norms = np.einsum("ij,ij->i", y, y, dtype=np.float64)
            loss = float(shares.sum() + constant + items.regularization @ norms)
            tell(ImplicitProgress(iteration + 1, self.iterations, loss))
        return x, y

    def _solve(
        self, side: Side, fixed: Side, factors: Float32, start: Float32 | None
    ) -> tuple[Float32, Float32, Float64]:
        """Solve one side, exactly or by steps from `start`, which is in the basis of the factors that are fixed.

        Returns its factors, the fixed ones in the same basis, and the rows' losses.
        """
        turn, shared = own_basis(factors, fixed.gram_weights, self.rank, self.threads)
        goal = turned(factors, turn, self.threads)
        if start is None:
            solved, shares = side.solve(goal, shared, self.threads)
        else:
            solved, shares = side.approach(goal, shared, turned(start, turn, self.threads), CG_STEPS, self.threads)
        return solved, goal, shares

    def _side(self, rows: Csr, scale: tuple[float, float], pair_weights: Float64, mass: Float64) -> Side:
        w, t = self.weights(rows.values, scale)
        roots = np.sqrt(w)
        targets = roots if t is w else np.asarray(t / roots, np.float32)
        total = np.bincount(rows.row_of_entry(), w, rows.n_rows) + mass
        ridge = np.maximum(self.row_regularization(rows.counts, total), np.finfo(np.float32).tiny)
        return Side(
            rows.indptr, rows.indices, roots, targets, pair_weights.astype(np.float32), ridge.astype(np.float32)
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class ImplicitModel(FactorModel):
    """What `ImplicitALS.fit` learned; `params` says how, with what was None replaced by what the ratings said."""

    params: ImplicitALS

    @cached_property
    def gram(self) -> Float64:
        """Sum of the outer products of all items' factors, shape ``(rank, rank)``; without a compiled kernel."""
        rank = self.item_factors.shape[1]
        total = np.zeros((rank, rank))
        for first in range(0, len(self.item_factors), GRAM_ROWS):
            block = np.asarray(self.item_factors[first : first + GRAM_ROWS], np.float64)
            total += block.T @ block
        return total

    def person_system(self, item_rows: Int32, stars: Float32, emphasis: Float32 | None = None) -> PersonSystem:
        """State one person's system: the training's user step; ratings that say nothing have no weight in it."""
        w, t = self.params.weights(stars, self.scale)
        likes = float(np.count_nonzero(w))
        if emphasis is not None:
            likes, w, t = float(emphasis[w > 0].sum()), emphasis * w, emphasis * t
        pair_weight = float(self.params.pair_weights(likes))
        mass = float(w.sum()) + pair_weight * len(self.items)
        return PersonSystem(
            factors=self.item_factors.take(item_rows, axis=0), weights=w, targets=t, gram=pair_weight * self.gram,
            regularization=float(self.params.row_regularization(likes, mass)),
        )  # fmt: skip

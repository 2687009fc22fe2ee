"""The Markov chain: a sweep draws users, items, what sets add to them, and all variances, given the rest; some, days.

    stars = mean + b_u + c_i + d_t + p_u.q_i + p_u.e_t + q_i.e_t + noise,     noise ~ N(0, 1 / (alpha tau_u))
    (p_u, b_u) ~ N(prior mean + sum over the films j that u rated of y_j / sqrt(n_u), diagonal precision)

and likewise for items with the people who rated them, and with their genres and years where those are known (as in
Macau, Simm et al. 2015, but drawn like the members of sets); days t have no sets. All precisions and prior means are
drawn too (Salakhutdinov and Mnih 2008; the terms are those of Rendle, Zhang, Koren 2019, section 4). People differ in
how much chance there is in their stars: tau_u ~ Gamma, after Lakshminarayanan, Bouchard, Archambeau 2011, "Robust
Bayesian Matrix Factorisation". Rows of one side are independent given the others and drawn in parallel; the members of
sets are not, and are drawn one by one against cached remainders of their owners.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from matinee.data.ratings import Float32, Int32, Int64, Ratings
from matinee.models.bayesian.features import Feature
from matinee.models.bayesian.probit import Latent
from matinee.models.kernels import aligned_zeros, gibbs, padded_rank
from matinee.models.parallel import equal_blocks, run_blocks

if TYPE_CHECKING:
    from scipy.sparse import csc_array

Float64 = npt.NDArray[np.float64]

NOISE_SHAPE = 10.0
"""How strongly people are thought to resemble each other in noise: the degrees of freedom of tau_u's prior."""
PRIOR_ROWS = 4.0
"""What is believed of a variance beforehand counts as if so many rows had been seen (or ratings, of the noise)."""
FACTOR_SHARE, MEMBER_FACTOR_SHARE = 0.1, 0.03
"""Beforehand, a side's factors and those of members of sets have this variance, where 1 on two sides would explain all
of the stars' variance. Hundreds of ratings cannot tell factors from noise, so that this decides; thousands can.
Sides also begin there. Near zero no side learns anything from another that says nothing, and a chain that begins there
stays for hundreds of sweeps (80,000 ratings, no sets or days: an error of .922 in place of .894); one that begins at 1
takes as long to come down where ratings are few.
"""
BIAS_SHARE, MEMBER_BIAS_SHARE, NOISE_SHARE = 0.1, 0.01, 0.7
"""The same of biases and noise, as shares of the stars' variance."""
LEAST_VARIANCE = 1e-4
"""Of stars, squared: where everybody gave the same."""
DAY_S = 86_400
BLOCKS = 32
"""Of rows, drawn by one call each: a call takes 10 microseconds to begin."""
SET_COLUMNS = 32
"""Of factors that sets' members are drawn in at once."""
DAYS_EVERY = 6
"""Days are drawn in one sweep out of so many: a scan may visit a block as seldom as it likes, in a fixed order. Days
cost as much as users or items and change little; drawn oftener they made no prediction better, sets did.
"""


@dataclass(eq=False)
class Rows:
    """Factors and biases of one side (or of its sets' members), and the normal distribution that they come from.

    Arrays of precisions and means hold the factors, padded to `width`, and the bias behind them.
    """

    factors: Float32  # (n, width)
    biases: Float32  # (n,)
    rank: int
    beforehand: Float32  # (rank + 1,): variances of factors and bias expected beforehand
    mean: Float32 = field(init=False)
    precision: Float32 = field(init=False)

    def __post_init__(self) -> None:
        self.mean = np.zeros(self.factors.shape[1] + 1, np.float32)
        self.precision = np.full(self.factors.shape[1] + 1, 10, np.float32)

    @classmethod
    def zeros(cls, n: int, rank: int, variance: float = 1.0, *, members: bool = False) -> Rows:
        """Begin at zero, with what is expected of sides, or of members of sets, where stars vary by `variance`."""
        factors, bias = (MEMBER_FACTOR_SHARE, MEMBER_BIAS_SHARE) if members else (FACTOR_SHARE, BIAS_SHARE)
        beforehand = np.append(np.full(rank, factors * np.sqrt(variance / rank)), bias * variance).astype(np.float32)
        return cls(aligned_zeros(n, padded_rank(rank)), np.zeros(n, np.float32), rank, beforehand)

    def draw_hyper(
        self, rng: np.random.Generator, prior: Float32 | None = None, prior_bias: Float32 | None = None
    ) -> None:
        """Draw mean and precision given the rows; `prior` where sets move each row's own prior mean from the mean."""
        n, width = len(self.biases), self.factors.shape[1]
        parts, old = np.append(np.arange(self.rank), width), self.mean.astype(np.float64)
        sums, squares = np.zeros(width + 1), np.zeros(width + 1)
        gibbs.moments(
            self.factors.reshape(-1), self.biases, (self.mean[:-1] if prior is None else prior).reshape(-1),
            self.mean[-1:] if prior_bias is None else prior_bias, 0 if prior is None else width, width, sums, squares,
        )  # fmt: skip
        noise = rng.standard_normal(len(parts)) / np.sqrt(self.precision[parts] * (n + 1))
        self.mean[parts] = ((sums + n * old) / (n + 1))[parts] + noise
        shift = old - self.mean
        squares += shift * (2 * sums + n * shift) + self.mean.astype(np.float64) ** 2
        squares = PRIOR_ROWS * self.beforehand + squares[parts]
        self.precision[parts] = rng.gamma((n + 1 + PRIOR_ROWS) / 2, 2 / squares)


@dataclass(eq=False)
class Sets:
    """What each member adds to the prior means of the rows that hold it: raters or genres to films, films to raters."""

    indptr: Int64  # by member
    owners: Int32
    weight: Float32  # (n_owners,): 1 / sqrt(members)
    rows: Rows
    stage: int  # of the counter
    squared: Float32 = field(init=False)  # by member: sum of its owners' squared weights
    share: Float32 = field(init=False)  # by member: mean of the weights that all owners give it

    def __post_init__(self) -> None:
        members = np.repeat(np.arange(len(self.indptr) - 1), np.diff(self.indptr))
        weights = self.weight[self.owners]
        self.squared = np.bincount(members, weights**2, len(self.indptr) - 1).astype(np.float32)
        self.share = (np.bincount(members, weights, len(self.indptr) - 1) / len(self.weight)).astype(np.float32)

    @cached_property
    def _weights(self) -> csc_array:
        """Weights of the members in each owner, shape ``(n_owners, n_members)``."""
        from scipy.sparse import csc_array  # here: processes that only answer import this module too

        return csc_array((self.weight[self.owners], self.owners, self.indptr), (len(self.weight), len(self.indptr) - 1))

    def told(self) -> tuple[Float32, Float32]:
        """Return what members add to each owner's prior mean: factors and bias."""
        return self._weights @ self.rows.factors, self._weights @ self.rows.biases


@dataclass(eq=False)
class Side:
    """Users, items or days: their rows, their entries, and the two other sides that explain the same stars."""

    rows: Rows
    indptr: Int64
    left: Int32
    right: Int32  # -1 where there are no days
    targets: Float32
    order: Int64 | None  # of the entries among those by user; None for the users themselves
    sets: list[Sets] = field(default_factory=list)  # raters of films, films of raters: moves prior means
    features: list[Sets] = field(default_factory=list)  # moves them too
    prior: Float32 = field(init=False)  # (n, width): prior means, sets included
    prior_bias: Float32 = field(init=False)

    def __post_init__(self) -> None:
        self.prior, self.prior_bias = np.zeros_like(self.rows.factors), np.zeros_like(self.rows.biases)
        self.remainder = aligned_zeros(*self.rows.factors.shape)
        self.squares = np.zeros(len(self.prior_bias))  # of a row's errors, times their precision
        self.blocks = equal_blocks(np.diff(self.indptr) + self.rows.factors.shape[1] // 3 + 16, BLOCKS)

    def usual(self) -> tuple[Float32, float]:
        """Return the prior mean of a row of which only the usual properties are known: factors and bias.

        Raters and rated films are not properties: somebody new has none.
        """
        factors, bias = self.rows.mean[:-1].copy(), float(self.rows.mean[-1])
        for sets in self.features:
            factors += sets.share @ sets.rows.factors
            bias += float(sets.share @ sets.rows.biases)
        return factors, bias

    def featured(self) -> tuple[Float32, Float32]:
        """Return what features add to each row's prior mean: factors and bias."""
        factors, biases = np.zeros_like(self.rows.factors), np.zeros_like(self.rows.biases)
        for sets in self.features:
            of_factors, of_biases = sets.told()
            factors += of_factors
            biases += of_biases
        return factors, biases

    def draw_prior(self, rng: np.random.Generator) -> None:
        """Draw the prior's mean and precision, and let the rows' own prior means follow."""
        before = self.rows.mean.copy()
        self.rows.draw_hyper(rng, self.prior, self.prior_bias)
        self.prior += self.rows.mean[:-1] - before[:-1]
        self.prior_bias += self.rows.mean[-1] - before[-1]


class Chain:
    """The state of the sampler over one set of ratings.

    Parameters
    ----------
    ratings
        The training ratings; sets are made of them and of nothing else.
    rank, seed, threads
        As in `BayesianMF`.
    sets, time
        Whether these terms are there.
    features
        Of the items, at most two kinds.
    probit
        Whether stars are steps of latent ones, see `Latent`.
    """

    def __init__(
        self,
        ratings: Ratings,
        *,
        rank: int,
        seed: int,
        sets: bool,
        time: bool,
        threads: int | None,
        features: Sequence[Feature] = (),
        probit: bool = False,
    ) -> None:
        self.rank, self.threads, self.sweep = rank, threads, 0
        self.seed, self.variance = seed, max(float(np.var(ratings.stars, dtype=np.float64)), LEAST_VARIANCE)
        self.key = np.uint64(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0] | np.uint64(1))
        by_user, by_item = ratings.by_user, ratings.by_item
        users, items = ratings.user_rows, ratings.item_rows
        when = None if ratings.timestamps is None or not time else ratings.timestamps // DAY_S
        self.days = np.empty(0, np.int64) if when is None else np.unique(when)
        day = np.full(len(users), -1, np.int32) if when is None else np.searchsorted(self.days, when).astype(np.int32)
        stars = ratings.stars - np.float32(ratings.mean)
        self.order = np.lexsort((day, users))  # a day's factors are at hand then for all that a person rated on it
        users, items, day, stars = users[self.order], items[self.order], day[self.order], stars[self.order]
        order = np.lexsort((users, items))
        self.given = stars
        self.latent = Latent(stars, ratings.mean) if probit else None
        self.users = Side(self._first(len(ratings.users), 1), by_user.indptr, items, day, stars.copy(), None)
        self.items = Side(
            self._first(len(ratings.items), 2), by_item.indptr, users[order], day[order], stars[order], order
        )
        if sets:
            self.users.sets = [self._sets(by_item.indptr, self.items.left, by_user.counts, 4)]
            self.items.sets = [self._sets(by_user.indptr, items, by_item.counts, 5)]
        for stage, feature in enumerate(features, start=6):
            self.items.features.append(self._feature_sets(feature, stage))
        by_day = np.argsort(day, kind="stable")
        counts = np.bincount(day, minlength=len(self.days)) if when is not None else np.empty(0, np.int64)
        self.day_side = Side(
            self._first(max(len(self.days), 1), 3), np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            users[by_day], items[by_day], stars[by_day], by_day,
        )  # fmt: skip
        if when is None:
            self.day_side.rows.factors[:] = 0
        self.owner = users
        self.alpha = 1 / (NOISE_SHARE * self.variance)
        self.tau = np.ones(len(ratings.users))

    def _first(self, n: int, side: int) -> Rows:
        rows = Rows.zeros(n, self.rank, self.variance)
        rng = np.random.default_rng([self.seed, side])
        rows.factors[:, : self.rank] = rng.standard_normal((n, self.rank), np.float32) * np.sqrt(rows.beforehand[:-1])
        return rows

    def _sets(self, indptr: Int64, owners: Int32, counts: Int64, stage: int) -> Sets:
        weight = (1 / np.sqrt(np.maximum(counts, 1))).astype(np.float32)
        rows = Rows.zeros(len(indptr) - 1, self.rank, self.variance, members=True)
        return Sets(indptr, owners, weight, rows, stage)

    def _feature_sets(self, feature: Feature, stage: int) -> Sets:
        by_member = np.argsort(feature.members, kind="stable")
        sizes = np.bincount(feature.members, minlength=feature.n_members)
        counts = np.bincount(feature.owners, minlength=len(self.items.rows.biases))
        indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        return self._sets(indptr, feature.owners[by_member], counts, stage)

    def step(self) -> float:
        """Sweep once over everything, days only now and then; return the training error."""
        rng = np.random.Generator(np.random.Philox(key=[self.seed, self.sweep]))
        if self.latent:
            self.latent.step(self, rng)
        for number, side in self.sides():
            side.draw_prior(rng)
            self.draw(side, number)
        squares = self._draw_noise(rng)
        self._draw_sets(rng)
        self.sweep += 1
        return float(np.sqrt(squares / len(self.owner)))

    def sides(self) -> list[tuple[int, Side]]:
        """Return the sides of this sweep, and their numbers, in the order of drawing: users last, see `_draw_noise`."""
        days = [(2, self.day_side)] if len(self.days) and self.sweep % DAYS_EVERY == 0 else []
        return [(1, self.items), *days, (0, self.users)]

    def others(self, side: Side) -> tuple[Rows, Rows]:
        """Return what `left` and `right` of a side's entries point into."""
        if side is self.users:
            return self.items.rows, self.day_side.rows
        return self.users.rows, (self.day_side if side is self.items else self.items).rows

    def _counter(self, stage: int) -> np.uint64:
        return np.uint64((self.sweep * 8 + stage + 1) << 44)

    def roots(self) -> Float32:
        """Root of the precision of each user's ratings."""
        return np.sqrt(self.alpha * self.tau).astype(np.float32)

    def entries(self, side: Side, *, dated: bool = True) -> gibbs.Entries:
        """Return a side's entries with what the other sides say of them, without days where not `dated`."""
        left, right = self.others(side)
        who = side.left[:0] if side is self.users else side.left
        return gibbs.Entries(
            side.left, side.right, side.targets, who, self.roots(), dated and len(self.days) > 0,
            left.factors.reshape(-1), left.biases, right.factors.reshape(-1), right.biases,
        )  # fmt: skip

    def draw(self, side: Side, number: int, *, means: Rows | None = None, dated: bool = True) -> None:
        """Draw a side's rows given the others in place, or write their conditional means into `means`.

        Not `dated`, the rows have to explain what days would have explained.
        """
        entries, goal, noise = self.entries(side, dated=dated), means or side.rows, float(means is None)

        def work(first: int, last: int) -> None:
            gibbs.sample_block(
                first, last, side.indptr, entries, self.rank, goal.factors.shape[1], side.prior.reshape(-1),
                side.prior_bias, side.rows.precision, noise, self._counter(number), self.key,
                goal.factors.reshape(-1), goal.biases, side.squares,
            )  # fmt: skip

        run_blocks(work, side.blocks, self.threads)

    def _draw_sets(self, rng: np.random.Generator) -> None:
        """Draw what members add to prior means: the two sides, and blocks of their columns, beside each other."""
        tasks, sides = [], [side for side in (self.users, self.items) if side.sets or side.features]
        for side in sides:
            for sets in side.sets + side.features:
                sets.rows.draw_hyper(rng)
            np.subtract(side.rows.factors, side.prior, out=side.remainder)
            side.prior_bias = side.rows.biases - side.prior_bias  # for now the remainders
            tasks += [(side, column) for column in range(0, self.rank, SET_COLUMNS)]
        run_blocks(lambda n, _: self._draw_columns(*tasks[n]), [(n, n + 1) for n in range(len(tasks))], self.threads)
        for side in sides:
            np.subtract(side.rows.factors, side.remainder, out=side.prior)
            side.prior_bias = side.rows.biases - side.prior_bias

    def _draw_columns(self, side: Side, column: int) -> None:
        width = side.prior.shape[1]
        biases = side.prior_bias if column == 0 else np.zeros_like(side.prior_bias)  # the first call's count
        for sets in side.sets + side.features:
            gibbs.sample_sets(
                column, min(SET_COLUMNS, width - column), sets.indptr, sets.owners, sets.weight, sets.squared,
                side.remainder.reshape(-1), biases, self.rank, width, side.rows.precision,
                sets.rows.precision, sets.rows.mean, self._counter(sets.stage), self.key,
                sets.rows.factors.reshape(-1), sets.rows.biases if column == 0 else np.zeros_like(sets.rows.biases),
            )  # fmt: skip

    def _draw_noise(self, rng: np.random.Generator) -> float:
        """Draw the noise's precisions; return the sum of squared errors, which the users' systems left behind."""
        squares, counts = self.users.squares / (self.alpha * self.tau), np.diff(self.users.indptr)
        if self.latent and self.latent.fixes_noise:
            return float(squares.sum())
        before = PRIOR_ROWS * NOISE_SHARE * self.variance
        self.alpha = rng.gamma((len(self.owner) + PRIOR_ROWS) / 2, 2 / (float(self.tau @ squares) + before))
        self.tau = rng.gamma((NOISE_SHAPE + counts) / 2, 2 / (NOISE_SHAPE + self.alpha * squares))
        return float(squares.sum())

    def errors(self) -> Float32:
        """Return by how much the stars given exceed what the present state says of them, shape ``(nnz,)``."""
        errors = np.zeros(len(self.owner), np.float32)
        self.add_errors(errors, np.zeros_like(errors))
        return errors

    def add_errors(self, sums: Float32, squared: Float32) -> None:
        """Add every rating's error to `sums` and its square to `squared`, shapes ``(nnz,)``."""
        side, rows, entries = self.users, self.users.rows, self.entries(self.users)

        def work(first: int, last: int) -> None:
            gibbs.add_errors(
                first, last, side.indptr, entries, self.given, rows.factors.reshape(-1), rows.biases,
                rows.factors.shape[1], sums, squared,
            )  # fmt: skip

        run_blocks(work, side.blocks, self.threads)

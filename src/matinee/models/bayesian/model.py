"""What the sampler learned, as a factor model: kept samples side by side."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from matinee.data.ratings import Float32, Ids, Int32, Int64, Ratings, Vocabulary, as_ids
from matinee.errors import ParameterError
from matinee.models.bayesian.calibration import uncertainties
from matinee.models.bayesian.params import BayesianMF
from matinee.models.bayesian.sampler import DAY_S
from matinee.models.bayesian.system import Float64, SampledSystem, Samples
from matinee.models.factors import RatingModel
from matinee.models.outputs import Floats, NormalOutput, ProbitOutput, steps_of
from matinee.models.person import Person

RATIO_PAIRS = 200_000
CHUNK = 512
"""Pairs scored at a time: vectors of 32 samples of rank 16 take 1 MiB a side then, and stay in the cache."""
SETTLING = 3
"""How often latent stars of somebody folded in are expected anew: steps are narrow beside the noise."""


def _nothing() -> Float32:
    return np.empty(0, np.float32)


@dataclass(frozen=True, eq=False, kw_only=True)
class BayesianModel(RatingModel):
    """What `BayesianMF.fit` learned: S samples of rank k, served as one factor model of rank S * k.

    A score is the mean of the samples' scores: factors rotate between samples, so that their own means are worth
    nothing. Factors have their means taken out, into biases and `mean`, so that an unknown user or item gets exactly
    what the samples expect of one.

    Attributes
    ----------
    item_sample_biases
        Shape ``(n_items, S)``: the item's bias in each sample, what the samples' own means differ by included.
    item_shifts
        Shape ``(n_items, S * (k + 1))``: what having rated the item adds to a person's factors and bias, before it is
        divided by the root of the number of ratings; zeros without sets.
    item_means
        Shape ``(S, k)``: means of the items' factors.
    precisions
        Shape ``(S, k + 1)``: of the factors and the bias of a person.
    alphas
        Shape ``(S,)``: precision of one rating.
    days, day_factors, day_biases
        Shapes ``(n_days,)`` int64 (days since 1970), ``(n_days, S * k)``, ``(n_days,)``: used where the time of a
        rating is given.
    dated_user_factors, dated_user_biases
        Shapes ``(n_users, S * k)`` and ``(n_users,)``: the users beside what days explain; `user_factors` explain all
        of it, as is right where no day is given. Without rows if the model knows no days.
    user_variances, item_variances
        Shapes ``(n_users,)`` and ``(n_items,)``: how much more, or less, than on average a prediction errs.
    expected
        Shape ``(2, 5)``: what `uncertainties` of users and items are read off.
    variance
        Shape ``(2,)``: ratio of squared errors to what is expected, with the day given and without.
    new_items, new_factors, new_biases
        Shapes ``(n,)``, ``(n, S * k)`` and ``(n,)``: films that nobody rated, as genres and years tell them.
    steps, cuts
        Shapes ``(k,)`` and ``(k - 1,)``: see `matinee.models.outputs.NormalOutput`.
    """

    takes_timestamps: ClassVar[bool] = True
    """Evaluation gives the times of held-out ratings to models that have a use for them."""

    params: BayesianMF
    item_sample_biases: Float32
    item_shifts: Float32
    item_means: Float32
    precisions: Float32
    alphas: Float32
    days: Int64
    day_factors: Float32
    day_biases: Float32
    dated_user_factors: Float32
    dated_user_biases: Float32
    user_variances: Float32
    item_variances: Float32
    variance: Float32
    expected: Float32
    new_items: Ids
    new_factors: Float32
    new_biases: Float32
    steps: Float32 = field(default_factory=_nothing)
    cuts: Float32 = field(default_factory=_nothing)

    @cached_property
    def output(self) -> NormalOutput:
        """What turns scores, and how sure they are, into stars."""
        if self.params.output == "probit":
            return ProbitOutput.of(self.scale, self.steps, self.cuts)
        return NormalOutput.of(self.scale, self.steps if len(self.cuts) else steps_of(self.seen.values), self.cuts)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Name the arrays that a model folder keeps."""
        own = (
            "item_sample_biases", "item_shifts", "item_means", "precisions", "alphas", "days", "day_factors",
            "day_biases", "dated_user_factors", "dated_user_biases", "user_variances", "item_variances",
            "variance", "expected", "new_items", "new_factors", "new_biases", "steps", "cuts",
        )  # fmt: skip
        return super().arrays() | {name: getattr(self, name) for name in own}

    def person_system(self, item_rows: Int32, stars: Float32, emphasis: Float32 | None = None) -> SampledSystem:
        """State one person's systems: the training's user step in every sample."""
        n_samples, rank = self.item_means.shape
        weights = np.ones(len(stars), np.float32) if emphasis is None else emphasis
        factors, n = self.item_factors[item_rows], len(item_rows)
        rows = factors.reshape(n, n_samples, rank).transpose(1, 0, 2) * np.sqrt(n_samples, dtype=np.float32)
        regressors = np.concatenate([rows + self.item_means[:, None], np.ones((n_samples, n, 1))], axis=2)
        shifts = self.item_shifts[item_rows].reshape(n, n_samples, rank + 1).transpose(1, 0, 2)
        base = self._base(item_rows)
        left = stars - base
        samples = Samples(
            regressors=regressors.astype(np.float64), targets=left.astype(np.float64),
            shifts=shifts.astype(np.float64) / np.sqrt(max(n, 1)), precision=self.precisions.astype(np.float64),
            alpha=self.alphas.astype(np.float64), item_mean=self.item_means.astype(np.float64),
        )  # fmt: skip
        system = SampledSystem(
            factors=factors, weights=weights, targets=left.mean(axis=0), regularization=0.0, samples=samples
        )
        if isinstance(self.output, ProbitOutput) and n:
            deviation = 1 / np.sqrt(samples.alpha[:, None])
            for _ in range(SETTLING):
                latent = self.output.expected_latent(base + system.fitted, deviation, stars)
                system = system.aimed_at(latent - base)
        return system

    def _base(self, item_rows: Int32) -> Float32:
        """Return what samples say of items before a person counts, shape ``(S, n)``."""
        return np.asarray(self.item_sample_biases[item_rows].T + np.float32(self.mean), np.float32)

    def predict(
        self, user_ids: npt.ArrayLike, item_ids: npt.ArrayLike, timestamps: npt.ArrayLike | None = None
    ) -> Float32 | float:
        """Predict stars, clipped to the scale, never NaN; see `RatingModel.predict`.

        Parameters
        ----------
        user_ids, item_ids
            Two scalars, or two arrays of equal length.
        timestamps
            When the rating is given, seconds since 1970, as many as pairs; None for no day in particular. A day on
            which nobody of the training set rated says nothing.

        Raises
        ------
        ParameterError
            If the lengths differ.
        """
        stars = self.output.expectation(*self.latent(user_ids, item_ids, timestamps))
        return float(stars[0]) if np.ndim(user_ids) == 0 and np.ndim(item_ids) == 0 else stars.astype(np.float32)

    def latent(
        self, user_ids: npt.ArrayLike, item_ids: npt.ArrayLike, timestamps: npt.ArrayLike | None = None
    ) -> tuple[Float32, Float32]:
        """Return the score of each pair and its error's standard deviation, shapes ``(n,)``: what `output` takes.

        Raises
        ------
        ParameterError
            If the lengths differ.
        """
        users, items = as_ids(user_ids, "user ids"), as_ids(item_ids, "item ids")
        if len(users) != len(items):
            raise ParameterError(f"{len(users)} users and {len(items)} items arrived; give equally many, pair by pair")
        rows = self.users.rows(users), self._item_rows(items), self._days(timestamps, len(users))
        scores = self._scores(*rows)
        if not self.output.latent:  # an interval around what lies beyond the scale would be too narrow
            scores = np.clip(scores, *self.scale)
        return scores, self._deviations(*rows)

    @cached_property
    def _new(self) -> Vocabulary:
        return Vocabulary(self.new_items)

    def _item_rows(self, item_ids: Ids) -> Int32:
        """Look items up; rows from ``len(items)`` on are those of `new_items`."""
        rows, new = self.items.rows(item_ids), self._new.rows(item_ids)
        return np.where((rows < 0) & (new >= 0), len(self.items) + new, rows).astype(np.int32)

    @property
    def described(self) -> tuple[Vocabulary, Float32, Float32]:
        """Return films that nobody rated, with factors and biases that genres and years let expect."""
        return self._new, self.new_factors, self.new_biases

    def _days(self, timestamps: npt.ArrayLike | None, n: int) -> Int32:
        if timestamps is None or not len(self.days):
            return np.full(n, -1, np.int32)
        times = np.atleast_1d(np.asarray(timestamps, np.int64)) // DAY_S
        if len(times) != n:
            raise ParameterError(f"{len(times)} timestamps arrived for {n} pairs; give one for each pair, or none")
        rows = np.minimum(np.searchsorted(self.days, times), len(self.days) - 1)
        return np.where(self.days[rows] == times, rows, -1).astype(np.int32)

    def _scores(self, user_rows: Int32, item_rows: Int32, days: Int32) -> Float32:
        """Score pairs of rows (see `_item_rows`), -1 standing for an unknown user, item or day; a chunk at a time,
        since vectors are long.
        """
        scores = np.empty(len(user_rows), np.float32)
        dated = days >= 0
        if dated.any() and not dated.all():
            for which in (dated, ~dated):
                scores[which] = self._scores(user_rows[which], item_rows[which], days[which])
            return scores
        users, user_biases = self.user_factors, self.user_biases
        if dated.any():
            users, user_biases = self.dated_user_factors, self.dated_user_biases
        for start in range(0, len(scores), CHUNK):
            part = slice(start, start + CHUNK)
            u, i, t = user_rows[part], item_rows[part], days[part]
            rated, new = np.where(i < len(self.items), i, -1), np.where(i < len(self.items), -1, i - len(self.items))
            of_items = _picked(self.item_factors, rated)
            of_items[new >= 0] = self.new_factors[new[new >= 0]]
            x = _picked(users, u), of_items, _picked(self.day_factors, t)
            biases = _picked(user_biases, u) + _picked(self.item_biases, rated) + _picked(self.day_biases, t)
            biases += _picked(self.new_biases, new)
            scores[part] = biases + np.einsum("ij,ij->i", x[0], x[1]) + np.float32(self.mean)
            if dated.any():
                scores[part] += np.einsum("ij,ij->i", x[0] + x[1], x[2])
        return scores

    def predict_rows(self, user_rows: Int32, item_rows: Int32) -> Float32:
        """Predict stars of pairs of rows, -1 standing for an unknown user or item."""
        rows = user_rows, item_rows, np.full(len(user_rows), -1, np.int32)
        return np.asarray(self.output.expectation(self._scores(*rows), self._deviations(*rows)), np.float32)

    def expected_stars(self, person: Person, item_rows: npt.NDArray[np.integer], scores: Floats) -> Float64:
        """Return the stars to expect where a person's scores of items are these, shape ``(n,)``; see `spread`."""
        spread = self.spread(person, item_rows) if self.output.latent else None
        return np.asarray(self.output.expectation(scores, spread), np.float64)

    def deviations(
        self, user_ids: npt.ArrayLike, item_ids: npt.ArrayLike, timestamps: npt.ArrayLike | None = None
    ) -> Float32:
        """Return the standard deviation of each pair's error in stars, shape ``(n,)``; wider for the unknown."""
        users, items = self.users.rows(as_ids(user_ids)), self._item_rows(as_ids(item_ids))
        return self._deviations(users, items, self._days(timestamps, len(users)))

    def _deviations(self, users: Int32, items: Int32, days: Int32) -> Float32:
        ratio = self.variance[np.where(days >= 0, 0, 1)]
        ratio = ratio * np.where(users >= 0, self.user_variances[users], 1) * self._item_ratios[items]
        open_ = self._user_open[users] + self._item_open[items]  # the last for -1
        return np.asarray(np.sqrt(ratio * (self.expected[0, 0] + open_)), np.float32)

    @cached_property
    def _user_open(self) -> Float64:
        """What is open about users, and about somebody unknown, shape ``(n_users + 1,)``, stars²."""
        return self._open(0, np.append(self.seen.counts, 0))

    @cached_property
    def _item_open(self) -> Float64:
        """The same of items, then of `new_items`, whose features have told theirs, but not who rates them, then of
        unknown ones.
        """
        open_ = self._open(1, np.append(self.item_counts, np.zeros(len(self._new) + 1, np.int64)))
        open_[len(self.items) : -1] -= self.expected[1, 3] - self.expected[1, 4]
        return open_

    @cached_property
    def _item_ratios(self) -> Float32:
        return np.append(self.item_variances, np.ones(len(self._new) + 1, np.float32))

    def _open(self, side: int, counts: Int64) -> Float64:
        return uncertainties(self.expected[side].astype(np.float64), counts, self.item_means.shape[1])

    def undated_ratio(self, ratings: Ratings) -> float:
        """Return how much larger squared errors are when no day is given, on at most `RATIO_PAIRS` of the ratings that
        the model was learned from.
        """
        if ratings.timestamps is None or not len(self.days):
            return 1.0
        pairs = slice(None, None, -(-len(ratings) // RATIO_PAIRS))
        users, items, stars = ratings.user_rows[pairs], ratings.item_rows[pairs], ratings.stars[pairs]
        days = self._days(ratings.timestamps[pairs], len(users))
        deviations = self._deviations(users, items, days)
        dated, undated = (
            self.output.squares(self._scores(users, items, day), deviations, stars).mean()
            for day in (days, np.full_like(days, -1))
        )
        return float(undated / dated)

    def predict_interval(
        self,
        user_ids: npt.ArrayLike,
        item_ids: npt.ArrayLike,
        level: float = 0.9,
        timestamps: npt.ArrayLike | None = None,
    ) -> tuple[Float32, Float32]:
        """Return the stars between which a rating lies with probability `level`, shapes ``(n,)``, clipped.

        Raises
        ------
        ParameterError
            If `level` is not between 0 and 1, or the lengths differ.
        """
        low, high = self.output.interval(*self.latent(user_ids, item_ids, timestamps), level)
        return low.astype(np.float32), high.astype(np.float32)

    def probability(
        self,
        user_ids: npt.ArrayLike,
        item_ids: npt.ArrayLike,
        stars: float = 4.0,
        timestamps: npt.ArrayLike | None = None,
    ) -> Float32:
        """Return the probability of at least so many stars, shape ``(n,)``."""
        return self.output.at_least(*self.latent(user_ids, item_ids, timestamps), stars)

    def distribution(
        self, user_ids: npt.ArrayLike, item_ids: npt.ArrayLike, timestamps: npt.ArrayLike | None = None
    ) -> Float64:
        """Return the probability of each of `steps`, shape ``(n, k)``."""
        return self.output.distribution(*self.latent(user_ids, item_ids, timestamps))

    def log_likelihood(self, ratings: Ratings) -> Float64:
        """Return the logarithm of the probability of each rating, shape ``(n,)``; days count where they are known."""
        scored = self.latent(ratings.user_ids, ratings.item_ids, ratings.timestamps)
        return self.output.log_likelihood(*scored, ratings.stars)

    def variability(self, person: Person) -> float:
        """Say how variable a person's stars are: training's own users as training found them, others as their own
        left-out errors say.
        """
        if person.row is not None:  # their films have seen their ratings, so that these errors would be too small
            return float(self.user_variances[person.row])
        rated, n = person.item_rows, len(person.item_rows)
        open_ = self.expected[0, 0] + self._item_open[rated] + self._open(0, np.array([max(n - 1, 0)]))
        deviations = np.sqrt(self.variance[1] * self.item_variances[rated] * open_)
        squares = self.output.squares(self.left_out_scores(person), deviations, person.stars) / deviations**2
        return (self.params.shrinkage + float(squares.sum())) / (self.params.shrinkage + n)

    def left_out_scores(self, person: Person) -> Float64:
        """Return the scores of what a person rated as if each rating had not been used, shape ``(k,)``."""
        system = person.system
        if not isinstance(system, SampledSystem):  # a group's average person
            system = self.person_system(person.item_rows, person.stars)
        return np.asarray(self._base(person.item_rows).mean(axis=0) + system.targets - system.left_out_errors())

    def spread(self, person: Person, item_rows: npt.NDArray[np.integer]) -> Float32:
        """Return one person's standard deviations, shape ``(n,)``, wide for somebody of whom little is known and for
        films that nobody rated: rows from ``len(items)`` on are those of `described`, -1 is any other.
        """
        own = self.variability(person) if person.variability is None else person.variability
        if person.row is not None:
            open_ = self._user_open[person.row]
        else:
            [open_] = self._open(0, np.array([len(person.item_rows)]))
        before = self.expected[0, 0] + self._item_open[item_rows]
        ratio = self.variance[1] * self._item_ratios[item_rows]
        return np.asarray(np.sqrt(own * ratio * (before + open_)), np.float32)


def _picked(rows: Float32, places: Int32) -> Float32:
    """Return rows by place, zeros where it is -1."""
    if not len(rows):
        return np.zeros((len(places), *rows.shape[1:]), np.float32)
    picked = np.asarray(rows[places])
    picked[places < 0] = 0
    return picked

"""Is the new model worse? Measured before anything is published, on a fixed hold-out and on what was rated since.

The fixed hold-out is a tenth of the data set's pairs, chosen by a hash of their ids: the same in every training, so
that numbers of different trainings can be compared. A candidate is what the same recipe learns from everything else.
The model that serves has learned the hold-out, so that it is not measured there itself; what stands against the
candidate is the best that a training with the same hold-out reached, at first the recipe on the data set alone.
Carrying the best along means that many small steps down cannot add up.

On live ratings that came after the model that serves, both models are measured directly, a person being placed by the
rest of their ratings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from matinee.data.ratings import Bools, Ratings
from matinee.data.splits import hashed_below
from matinee.evaluation.choice import Choice, Fitter, prefer
from matinee.evaluation.metrics import LIKED, star_metrics
from matinee.evaluation.ranking import rank_everything
from matinee.models.factors import FactorModel, RatingModel
from matinee.retraining.union import Union
from matinee.training import RANKED_USERS, Report, measure_intervals, sample_users, staged

HOLD_OUT, HOLD_OUT_SEED = 0.1, 11
RECENT, RECENT_SEED = 0.2, 12
"""Part of the recent live ratings that the candidate does not learn."""
FEWEST_RECENT, MOST_RECENT = 100, 5_000
"""With fewer held-out recent ratings nothing can be said; more take time and say nothing new."""
Squares = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Check:
    """One comparison; `worse_by` is a part of `current`, and 0.02 is two percent."""

    what: str
    candidate: float
    current: float
    worse_by: float
    allowed: float

    @property
    def passed(self) -> bool:
        """Whether the candidate is not worse by more than is allowed."""
        return self.worse_by <= self.allowed


@dataclass(frozen=True)
class Verdict:
    """What the gate says.

    Attributes
    ----------
    stars
        How the candidate's stars were learned: the recipe, or something simpler that errs less beyond noise.
    checks
        All comparisons; the candidate passes if all pass.
    numbers
        What the candidate reached on the fixed hold-out: ``rmse`` in stars and, with a ranking model, ``ndcg@10``.
    reference
        The best numbers on the fixed hold-out so far, with a fingerprint of it: kept in the manifest for the next gate.
    intervals
        How good the candidate's intervals are there; see `matinee.training.measure_intervals`.
    """

    stars: Choice
    checks: tuple[Check, ...]
    numbers: Mapping[str, float]
    reference: Mapping[str, Any]
    intervals: Mapping[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether the candidate may serve."""
        return all(check.passed for check in self.checks)

    @property
    def report(self) -> dict[str, Any]:
        """The comparisons as JSON can hold them."""
        return {"checks": [asdict(check) | {"passed": check.passed} for check in self.checks]}


@dataclass(frozen=True, eq=False)
class Gate:
    """Compares a recipe's next model with the one that serves.

    Parameters
    ----------
    stars, picks
        The recipe: how stars are learned, which gives way to something simpler as `matinee.evaluation.choice.prefer`
        says, and what has `fit`, or None.
    margin
        How much worse, as a part, a number may be.
    report
        Called with a `matinee.training.Step` after every iteration.
    """

    stars: Choice
    picks: Any
    margin: float
    report: Report | None = None

    def judge(
        self, union: Union, current: RatingModel | None, recent_since: int, reference: Mapping[str, Any]
    ) -> Verdict:
        """Measure and compare.

        Parameters
        ----------
        union
            Everything there is to learn from.
        current
            The rating model that serves; None if none does.
        recent_since
            Seconds since 1970: live ratings from then on are new to `current`.
        reference
            `Verdict.reference` of the training before; empty if there was none.
        """
        held, recent = fixed_hold_out(union), recent_hold_out(union, recent_since)
        known, test = union.ratings.select(~held & ~recent), union.ratings.select(held)
        preferred = prefer(self.stars, known, test, progress=staged("stars, measuring", self.report))
        candidate = preferred.model
        numbers = self._numbers("picks, measuring", candidate, union.ratings, held, recent)
        stated = str(test.fingerprint)
        best = dict(reference)
        if best.get("hold_out") != stated:
            best = {"hold_out": stated} | self._of_base_alone(preferred.choice.learner, union, held)
        checks = list(_against(best, numbers, self.margin))
        if current is not None and int(recent.sum()) >= FEWEST_RECENT:
            checks.append(self._on_recent(candidate, current, union.ratings, ~held & ~recent, recent))
        better = best | {name: _better(name, best, numbers) for name in numbers}
        intervals = measure_intervals(candidate, test, numbers["rmse"], HOLD_OUT_SEED)
        return Verdict(preferred.choice, tuple(checks), numbers, better, intervals)

    def _of_base_alone(self, learner: Fitter, union: Union, held: Bools) -> dict[str, float]:
        """Measure the recipe on the data set's ratings, without those that people took back or changed."""
        alone = union.ratings.select(~held & ~union.live_pairs)
        stars = learner.fit(alone, progress=staged("stars, the data set alone", self.report))
        return self._numbers("picks, the data set alone", stars, union.ratings, held, union.live_pairs)

    def _numbers(
        self, stage: str, stars: RatingModel, ratings: Ratings, held: Bools, left_out: Bools
    ) -> dict[str, float]:
        test, train = ratings.select(held), ratings.select(~held & ~left_out)
        numbers = {"rmse": float(star_metrics(stars, test)["rmse"] or 0.0)}
        if self.picks is not None and bool((test.stars >= LIKED).any()):
            picks = self.picks.fit(train, progress=staged(stage, self.report))
            lists = rank_everything(picks, sample_users(test, RANKED_USERS, HOLD_OUT_SEED), train)
            numbers |= {"ndcg@10": float(lists.means["ndcg@10"])} if len(lists.user_ids) else {}
        return numbers

    def _on_recent(
        self, candidate: RatingModel, current: RatingModel, ratings: Ratings, known: Bools, recent: Bools
    ) -> Check:
        """Compare squared errors pair by pair; what is within two standard errors of chance is not held against it."""
        theirs, ours = (recent_squares(model, ratings, known, recent) for model in (current, candidate))
        noise = 2 * float(np.std(ours - theirs)) / np.sqrt(len(ours))
        new, old = float(ours.mean()), float(theirs.mean())
        worse = np.sqrt(max(new - noise, 0.0)) / max(np.sqrt(old), 1e-9) - 1
        return Check("rmse on recent ratings", float(np.sqrt(new)), float(np.sqrt(old)), float(worse), self.margin)


def fixed_hold_out(union: Union) -> Bools:
    """Return which pairs of the data set are always held out, shape ``(len(union.ratings),)``."""
    ratings, n_users = union.ratings, len(union.base.users)
    ours = (ratings.user_rows < n_users) & ~union.live_pairs
    held = np.zeros(len(ratings), np.bool_)
    user_ids = union.base.users.ids[ratings.user_rows[ours]]
    held[ours] = hashed_below(user_ids, ratings.item_ids[ours], HOLD_OUT, HOLD_OUT_SEED)
    return held


def recent_hold_out(union: Union, since: int) -> Bools:
    """Return which recent live ratings the candidate does not learn, shape ``(len(union.ratings),)``."""
    ratings = union.ratings
    recent = np.zeros(len(ratings), np.bool_)
    if ratings.timestamps is None:
        return recent
    fresh = np.flatnonzero(union.live_pairs & (ratings.timestamps >= since))
    chosen = fresh[
        hashed_below(ratings.user_rows[fresh].astype(np.int64), ratings.item_ids[fresh], RECENT, RECENT_SEED)
    ]
    recent[chosen[np.argsort(ratings.timestamps[chosen], kind="stable")][-MOST_RECENT:]] = True
    return recent


def recent_squares(model: RatingModel, ratings: Ratings, known: Bools, recent: Bools) -> Squares:
    """Return squared errors of held-out recent ratings, stars², everybody being placed by what is known of them."""
    errors = [stars - predicted for stars, predicted in _placed(model, ratings, known, recent)]
    return np.asarray(np.concatenate(errors) ** 2, np.float64)


def _placed(
    model: FactorModel, ratings: Ratings, known: Bools, recent: Bools
) -> Iterator[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
    by_user = ratings.by_user
    for row in np.unique(ratings.user_rows[recent]).tolist():
        span = slice(by_user.indptr[row], by_user.indptr[row + 1])
        ids, stars = ratings.items.ids[by_user.indices[span]], by_user.values[span]
        rest, asked = known[span], recent[span]
        person = model.fold_in(dict(zip(ids[rest].tolist(), stars[rest].tolist(), strict=True)))
        predicted = np.atleast_1d(np.asarray(person.predict(ids[asked]), np.float64))
        yield stars[asked].astype(np.float64), predicted


def _against(best: Mapping[str, Any], numbers: Mapping[str, float], margin: float) -> Iterator[Check]:
    for name, number in numbers.items():
        if before := float(best.get(name, 0.0)):
            worse = number / before - 1 if name == "rmse" else 1 - number / before
            yield Check(f"{name} on the fixed hold-out", number, before, worse, margin)


def _better(name: str, best: Mapping[str, Any], numbers: Mapping[str, float]) -> float:
    choose = min if name == "rmse" else max
    return float(choose(best.get(name, numbers[name]), numbers[name]))

"""Choosing parameters: fit every combination, measure it on a validation part, test the best one once.

The test part is looked at once, by the combination that the validation part chose.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from matinee.data.ratings import Ratings
from matinee.errors import ParameterError
from matinee.evaluation.comparing import Difference, Score, difference, list_score, standard_error, star_score
from matinee.evaluation.metrics import LIKED, cold_counts
from matinee.evaluation.proposals import Params, Proposals
from matinee.evaluation.rankers import Popularity
from matinee.models.als import ALS
from matinee.models.bias import damped_bias
from matinee.models.implicit_als import ImplicitALS

FIRST_STOP = 2
"""Iterations at which early stopping looks first; then at twice as many, and so on."""


class Estimator(Protocol):
    """What is fitted, on an engine's own kind of ratings."""

    def fit(self, ratings: Any, /, *, progress: Callable[[Any], None] | None = None) -> Any:
        """Learn a model."""


@dataclass(frozen=True)
class Task:
    """What is tuned, by which metric, beside which baseline."""

    name: str
    metric: str
    larger_is_better: bool
    make: Callable[..., Estimator]
    baseline_name: str
    baseline: Estimator
    score: Callable[[Any, Any, Any], Score]
    """Model, held-out part, what was seen before."""
    join: Callable[[Any, Any], Any]
    """Puts two parts together."""
    cold: Callable[[Any, Any], dict[str, int]] = cold_counts
    engine: str = "local"

    def better(self, a: float, b: float) -> bool:
        """Tell whether `a` is the better value of the metric."""
        return a > b if self.larger_is_better else a < b


def stars_task() -> Task:
    """Tune `ALS` by the RMSE of predicted stars."""

    def score(model: Any, part: Ratings, seen: Ratings) -> Score:
        return star_score(model, part)

    return Task("stars", "rmse", False, ALS, "damped bias", damped_bias(), score, joined)


def ranking_task(*, k: int = 10, relevant_from: float = LIKED) -> Task:
    """Tune `ImplicitALS` by the NDCG@k of lists among all unseen items."""

    def score(model: Any, part: Ratings, seen: Ratings) -> Score:
        return list_score(model, part, seen, k=k, relevant_from=relevant_from)

    return Task("ranking", f"ndcg@{k}", True, ImplicitALS, "popularity", Popularity(), score, joined)


@dataclass(frozen=True, eq=False)
class Parts:
    """One split, of an engine's own kind of ratings: `validation` is None where the test part alone is held out."""

    train: Any
    validation: Any | None
    test: Any


@dataclass
class Trial:
    """One combination of parameters, measured.

    Attributes
    ----------
    params
        What was tried; `iterations` is what early stopping chose, if it did.
    scores
        One per split.
    fit_seconds
        All splits together.
    curve
        Validation mean by number of iterations, where early stopping looked.
    """

    params: Params
    scores: list[Score] = field(default_factory=list)
    fit_seconds: float = 0.0
    curve: dict[int, float] = field(default_factory=dict)

    @property
    def mean(self) -> float:
        """Mean of the metric over the splits."""
        return float(np.mean([score.value for score in self.scores]))

    @property
    def standard_error(self) -> float | None:
        """Of the mean, over the splits; None for a single one."""
        return standard_error([score.value for score in self.scores])


@dataclass(frozen=True, eq=False)
class Tuning:
    """What trying the combinations gave.

    Attributes
    ----------
    trials
        In the order in which they were tried; empty where there is no validation part.
    best
        The combination with the best validation mean; of equal ones the first.
    differences
        By how much `best` beats each of `trials`.
    chosen
        The model's defaults if they were tried and `best` is within noise of them, else `best`. Of many
        combinations that hardly differ the best on the validation part is the luckiest, on a part that is thinner
        than what comes after.
    test
        `chosen` on the test parts, fitted on the training parts.
    baseline, baseline_test
        The baseline on the same validation and test parts.
    cold
        Cold pairs in the first held-out part that decided, and its size.
    """

    task: Task
    trials: list[Trial]
    best: Trial
    differences: list[Difference]
    chosen: Trial
    test: Trial
    baseline: Trial | None
    baseline_test: Trial
    cold: dict[str, int]


def tune(
    task: Task,
    splits: Sequence[Parts],
    proposals: Proposals,
    *,
    early_stopping: bool = False,
    report: Callable[[Trial], None] | None = None,
    progress: Callable[[Any], None] | None = None,
) -> Tuning:
    """Try combinations of parameters.

    Parameters
    ----------
    task
        `stars_task()` or `ranking_task()`.
    splits
        One or more; every combination is fitted on each training part.
    proposals
        `grid(...)` or `search(...)`.
    early_stopping
        Take a combination's `iterations` as the most that are allowed: fit 2, 4, 8, ... iterations until the
        validation mean gets no better.
    report
        Called with every finished trial.
    progress
        Passed to every fit.

    Raises
    ------
    ParameterError
        If several combinations are to be compared without a validation part, or a parameter is not allowed.
    """
    runner = _Runner(task, splits, progress)
    if splits[0].validation is None:
        return runner.only_test(proposals)
    trials: list[Trial] = []
    params = next(proposals)
    while True:
        trials.append(runner.stopped_early(params) if early_stopping else runner.trial(params))
        if report:
            report(trials[-1])
        try:
            params = proposals.send(trials[-1].mean)
        except StopIteration:
            break
    sign = -1 if task.larger_is_better else 1
    best = min(trials, key=lambda trial: sign * trial.mean)
    share = len(splits[0].validation) / len(splits[0].train)
    differences = [
        difference(best.scores, trial.scores, larger_is_better=task.larger_is_better, share=share) for trial in trials
    ]
    usual = _usual(task, trials, free={"seed", "iterations"} if early_stopping else {"seed"})
    chosen = next((t for t, gap in zip(trials, differences, strict=True) if t in usual and gap.within_noise), best)
    baseline, baseline_test = runner.baseline(test=False), runner.baseline(test=True)
    cold = task.cold(splits[0].train, splits[0].validation) | {"pairs": len(splits[0].validation)}
    test = runner.trial(chosen.params, test=True)
    return Tuning(task, trials, best, differences, chosen, test, baseline, baseline_test, cold)


def _usual(task: Task, trials: list[Trial], free: set[str]) -> list[Trial]:
    """Return the trials of the model's defaults, whatever their parameters of the names in `free`."""
    defaults = task.make()

    def is_default(params: Params) -> bool:
        return all(getattr(defaults, name, None) == value for name, value in params.items() if name not in free)

    return [trial for trial in trials if is_default(trial.params)]


@dataclass(frozen=True)
class _Runner:
    task: Task
    splits: Sequence[Parts]
    progress: Callable[[Any], None] | None

    def trial(self, params: Params, *, test: bool = False) -> Trial:
        """Fit and measure one combination on every split."""
        return self._measured(self.task.make(**params), params, test=test)

    def _measured(self, estimator: Estimator, params: Params, *, test: bool) -> Trial:
        trial = Trial(params)
        for parts in self.splits:
            start = time.perf_counter()
            model = estimator.fit(parts.train, progress=self.progress)
            trial.fit_seconds += time.perf_counter() - start
            trial.scores.append(self._score(model, parts, test=test))
        return trial

    def _score(self, model: Any, parts: Parts, *, test: bool) -> Score:
        if parts.validation is None:
            return self.task.score(model, parts.test, parts.train)
        if not test:
            return self.task.score(model, parts.validation, parts.train)
        return self.task.score(model, parts.test, self.task.join(parts.train, parts.validation))

    def baseline(self, *, test: bool) -> Trial:
        """Fit and measure the baseline."""
        return self._measured(self.task.baseline, {}, test=test)

    def stopped_early(self, params: Params) -> Trial:
        """Double the iterations until that helps no more; the time of all the fits counts."""
        best: Trial | None = None
        curve: dict[int, float] = {}
        seconds = 0.0
        for iterations in doublings(params["iterations"]):
            trial = self.trial(params | {"iterations": iterations})
            curve[iterations] = trial.mean
            seconds += trial.fit_seconds
            if best is not None and not self.task.better(trial.mean, best.mean):
                break
            best = trial
        assert best is not None  # there is at least one number of iterations
        best.curve, best.fit_seconds = curve, seconds
        return best

    def only_test(self, proposals: Iterable[Params]) -> Tuning:
        """Without a validation part there is nothing to choose by, so only one combination is taken."""
        combinations = list(proposals)
        if len(combinations) > 1:
            raise ParameterError(
                f"{len(combinations)} combinations need a validation part to choose by: split in three, as in 6:2:2, "
                "or give one value per parameter"
            )
        best, parts = self.trial(combinations[0], test=True), self.splits[0]
        cold = self.task.cold(parts.train, parts.test) | {"pairs": len(parts.test)}
        return Tuning(self.task, [], best, [], best, best, None, self.baseline(test=True), cold)


def doublings(most: int) -> list[int]:
    """Return 2, 4, 8, ... up to `most`, which is the last."""
    steps = [FIRST_STOP]
    while steps[-1] * 2 < most:
        steps.append(steps[-1] * 2)
    return [step for step in steps if step < most] + [most]


def joined(a: Ratings, b: Ratings) -> Ratings:
    """Put the ratings of two parts together."""
    users, items = np.concatenate([a.user_ids, b.user_ids]), np.concatenate([a.item_ids, b.item_ids])
    return Ratings.from_arrays(users, items, np.concatenate([a.stars, b.stars]), scale=a.scale)

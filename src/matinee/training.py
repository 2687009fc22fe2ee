"""From a data set to a promoted model: measure on a hold-out, refit on everything, save, promote.

Nothing is written until both models are fitted on everything, and the registry publishes a folder in one step: whoever
interrupts training, or runs out of disk, keeps the model that was current before.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from matinee.data.dataset import Dataset
from matinee.data.ratings import Bools, Ratings
from matinee.data.splits import random_split
from matinee.errors import DataError
from matinee.evaluation.calibration import IntervalModel, interval_metrics
from matinee.evaluation.choice import Choice, choose, informed, prefer
from matinee.evaluation.metrics import LIKED, cold_counts
from matinee.evaluation.ranking import rank_everything
from matinee.models.als import ALS, ALSModel
from matinee.models.bayesian.params import BayesianMF
from matinee.models.factors import RatingModel
from matinee.models.implicit_als import ImplicitALS
from matinee.registry import Registry

RANKED_USERS = 10_000
"""Lists are measured for at most so many people, drawn by the split's seed: more changes nothing but the waiting."""
INTERVAL_PAIRS = 100_000
"""Intervals are measured on at most so many held-out ratings, drawn likewise."""


@dataclass(frozen=True)
class Step:
    """How far training is: the stage in words, the iteration that ended, and a note on it (the training RMSE, say)."""

    stage: str
    iteration: int
    iterations: int
    note: str = ""

    @classmethod
    def of(cls, stage: str, done: Any) -> Step:
        """Say what a model's `fit` reported to its `progress`."""
        rmse = getattr(done, "rmse", np.nan)
        note = getattr(done, "message", "") or ("" if np.isnan(rmse) else f"training RMSE {rmse:.4f}")
        return cls(stage, done.iteration, done.iterations, note)


@dataclass(frozen=True)
class Trained:
    """What training left: the promoted model's id, its measurements, and how long it took."""

    model_id: str
    metrics: dict[str, Any]
    seconds: float


class History:
    """What a fit said of itself, iteration by iteration: kept in the manifest, for the curve of a training.

    Attributes
    ----------
    values
        After each iteration, the training error in stars of a rating model, the loss of a ranking model.
    """

    def __init__(self, then: Callable[[Any], None] | None = None) -> None:
        self._then = then
        self.values: list[float] = []

    def __call__(self, done: Any) -> None:
        """Take an iteration down and pass it on."""
        value = getattr(done, "loss", getattr(done, "rmse", np.nan))
        if not np.isnan(value):
            self.values.append(round(float(value), 6))
        if self._then:
            self._then(done)


Report = Callable[[Step], None]


def train(
    dataset: Dataset,
    registry: Registry,
    *,
    stars: Choice | ALS | BayesianMF | None = None,
    picks: ImplicitALS | None = None,
    test: float = 0.2,
    seed: int = 0,
    report: Report | None = None,
) -> Trained:
    """Measure, refit on everything, save and promote.

    Parameters
    ----------
    dataset
        What to learn from.
    registry
        Where the model goes; it becomes the current one.
    stars
        How to learn the rating model: what `matinee.evaluation.choice.choose` chose, which gives way to a simpler one
        where that errs less beyond noise, or a learner, which does not; None for what is chosen without a wish.
    picks
        How to learn the ranking model; None to do without (lists are then ranked by stars).
    test
        Part of the ratings held out for measuring, between 0 and 1; 0 skips measuring.
    seed
        Of the split.
    report
        Called with a `Step` after every iteration.

    Raises
    ------
    ParameterError
        If a parameter is out of range.
    DataError
        If the data set is too small to be split.
    ArtifactError
        If the model folder cannot be written; the old model then stays current.
    """
    registry.check_writable()
    start = time.perf_counter()
    stars = stars or choose("fast", dataset.ratings)
    choice = stars if isinstance(stars, Choice) else Choice(informed(stars, dataset.movies))
    metrics: dict[str, Any] = {}
    with threadpool_limits(1, user_api="blas"):  # we run threads of our own: BLAS's would spin and wait beside them
        if test:
            choice, metrics = measure(dataset.ratings, choice, picks, test=test, seed=seed, report=report)
        errors, losses = (History(staged(f"{part}, on everything", report)) for part in ("stars", "picks"))
        rating_model = with_intervals(
            choice.learner.fit(dataset.ratings, progress=errors), metrics["stars"]["rmse"] if test else 0.0
        )
        ranking_model = picks.fit(dataset.ratings, progress=losses) if picks else None
    metrics |= choice.facts
    history = {"stars": errors.values, **({"picks": losses.values} if picks else {})}
    model_id = registry.publish(
        rating_model, ranking_model, movies=dataset.movies, ratings=dataset.ratings,
        metrics=metrics | {"history": history}, data=dataset.label,
    )  # fmt: skip
    return Trained(model_id, metrics, time.perf_counter() - start)


def measure(
    ratings: Ratings,
    choice: Choice,
    picks: ImplicitALS | None,
    *,
    test: float,
    seed: int,
    report: Report | None = None,
) -> tuple[Choice, dict[str, Any]]:
    """Fit on one part of the ratings and measure on the rest, beside what is simpler.

    Lists are measured only where somebody liked something that was held out.

    Returns
    -------
    (choice, metrics)
        What is to be learned from everything, and what was measured of it.
    """
    check_split(ratings, test)
    train_part, held_out = random_split(ratings, test=test, seed=seed)
    preferred = prefer(choice, train_part, held_out, progress=staged("stars, measuring", report))
    measured: dict[str, Any] = {
        "protocol": {"split": "random", "test": test, "seed": seed, "held_out": len(held_out)},
        **cold_counts(train_part, held_out),
        "stars": preferred.metrics,
        "baselines": preferred.baselines,
    }
    measured |= measure_intervals(preferred.model, held_out, preferred.metrics["rmse"], seed)
    if picks and bool((held_out.stars >= LIKED).any()):
        ranking_model = picks.fit(train_part, progress=staged("picks, measuring", report))
        some = sample_users(held_out, RANKED_USERS, seed)
        measured["protocol"]["ranked_users"] = len(some.users)
        lists = rank_everything(ranking_model, some, train_part)
        if len(lists.user_ids):  # else nobody liked anything that was held out
            measured["picks"] = lists.means
    return preferred.choice, measured


def with_intervals(model: RatingModel, rmse: float) -> RatingModel:
    """Let an ALS model know its intervals, scaled to an error on held-out ratings; 0 for unknown leaves it."""
    if rmse and isinstance(model, ALSModel) and model.params.biases:
        return model.calibrated(rmse)
    return model


def measure_intervals(model: RatingModel, held_out: Ratings, rmse: float, seed: int) -> dict[str, Any]:
    """Measure a model's intervals where it has some, as ``intervals``; those of ALS are scaled to `rmse` before."""
    known = with_intervals(model, rmse)
    if not isinstance(known, IntervalModel) or not getattr(known, "knows_intervals", True):
        return {}
    many = len(held_out) > INTERVAL_PAIRS
    some = held_out.select(_draw(len(held_out), INTERVAL_PAIRS, seed)) if many else held_out
    return {"intervals": interval_metrics(known, some)}


def check_split(ratings: Ratings, test: float) -> None:
    """Refuse, before anything is fitted, a hold-out that leaves nothing to learn from.

    Raises
    ------
    DataError
        If the data set is too small, or `test` is no part of it.
    """
    if test and (not 0 < test < 1 or len(ratings) < 2):
        raise DataError(f"{len(ratings)} ratings cannot be split with test={test}: give a part between 0 and 1, or 0")


def sample_users(ratings: Ratings, most: int, seed: int) -> Ratings:
    """Return the ratings of at most so many users, drawn by the seed."""
    users = len(ratings.users)
    return ratings if users <= most else ratings.select(_draw(users, most, seed)[ratings.user_rows])


def _draw(n: int, most: int, seed: int) -> Bools:
    chosen = np.zeros(n, np.bool_)
    chosen[np.random.default_rng(seed).choice(n, most, replace=False)] = True
    return chosen


def staged(stage: str, report: Report | None) -> Callable[[Any], None] | None:
    """Return a `progress` for a model's `fit` that names the stage."""
    return None if report is None else lambda done: report(Step.of(stage, done))

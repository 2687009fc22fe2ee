"""From a data set to a promoted model: measure on a hold-out, refit on everything, save, promote.

Nothing is written until both models are fitted on everything, and the registry publishes a folder in one step: whoever
interrupts training, or runs out of disk, keeps the model that was current before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from matinee.data.dataset import Dataset
from matinee.data.ratings import Bools, Ratings
from matinee.data.splits import random_split
from matinee.errors import DataError, ParameterError
from matinee.evaluation.calibration import IntervalModel, interval_metrics
from matinee.evaluation.metrics import LIKED, cold_counts, star_metrics
from matinee.evaluation.ranking import rank_everything
from matinee.models.als import ALS, ALSModel
from matinee.models.bayesian.params import BayesianMF, InformedBayesianMF
from matinee.models.bias import damped_bias
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
StarLearner = ALS | BayesianMF
QUALITIES = ("fast", "best")


def learner(quality: str, params: Mapping[str, Any]) -> tuple[StarLearner, str]:
    """Choose how the rating model is learned: "fast" by `ALS`, "best" by `BayesianMF`.

    Returns
    -------
    (learner, why)
        The second for people: which, why, and what the other would cost or gain.

    Raises
    ------
    ParameterError
        If a parameter is out of range, or `quality` neither.
    """
    if quality == "fast":
        why = "quality is fast; best (BayesianMF) errs less, but trains much longer and takes more memory"
        return ALS(**params), f"stars by ALS: {why}"
    if quality == "best":
        why = "quality is best: the lowest error, at a much longer training and more memory than fast (ALS)"
        return BayesianMF(**params), f"stars by BayesianMF: {why}"
    raise ParameterError(f"quality={quality!r}: {' and '.join(QUALITIES)} are allowed")


def train(
    dataset: Dataset,
    registry: Registry,
    *,
    stars: StarLearner | None = None,
    picks: ImplicitALS | None = None,
    why: str | None = None,
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
        How to learn the rating model; None for the defaults.
    picks
        How to learn the ranking model; None to do without (lists are then ranked by stars).
    why
        Why the rating model is learned this way: kept in the manifest, as ``metrics.choice``.
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
    informed = stars.about(dataset.movies) if isinstance(stars, BayesianMF) else stars or ALS()
    with threadpool_limits(1, user_api="blas"):  # we run threads of our own: BLAS's would spin and wait beside them
        metrics = measure(dataset.ratings, informed, picks, test=test, seed=seed, report=report) if test else {}
        metrics |= {"choice": why} if why else {}
        errors, losses = (History(staged(f"{part}, on everything", report)) for part in ("stars", "picks"))
        rating_model = with_intervals(
            informed.fit(dataset.ratings, progress=errors), metrics["stars"]["rmse"] if test else 0.0
        )
        ranking_model = picks.fit(dataset.ratings, progress=losses) if picks else None
    history = {"stars": errors.values, **({"picks": losses.values} if picks else {})}
    model_id = registry.publish(
        rating_model, ranking_model, movies=dataset.movies, ratings=dataset.ratings,
        metrics=metrics | {"history": history}, data=dataset.label,
    )  # fmt: skip
    return Trained(model_id, metrics, time.perf_counter() - start)


def measure(
    ratings: Ratings,
    stars: StarLearner | InformedBayesianMF,
    picks: ImplicitALS | None,
    *,
    test: float,
    seed: int,
    report: Report | None = None,
) -> dict[str, Any]:
    """Fit on one part of the ratings and measure on the rest, beside the damped-bias baseline.

    Lists are measured only where somebody liked something that was held out.
    """
    check_split(ratings, test)
    train_part, held_out = random_split(ratings, test=test, seed=seed)
    rating_model = stars.fit(train_part, progress=staged("stars, measuring", report))
    measured: dict[str, Any] = {
        "protocol": {"split": "random", "test": test, "seed": seed, "held_out": len(held_out)},
        **cold_counts(train_part, held_out),
        "stars": star_metrics(rating_model, held_out),
        "baselines": {"damped bias": star_metrics(damped_bias().fit(train_part), held_out)},
    }
    measured |= measure_intervals(rating_model, held_out, measured["stars"]["rmse"], seed)
    if picks and bool((held_out.stars >= LIKED).any()):
        ranking_model = picks.fit(train_part, progress=staged("picks, measuring", report))
        some = sample_users(held_out, RANKED_USERS, seed)
        measured["protocol"]["ranked_users"] = len(some.users)
        lists = rank_everything(ranking_model, some, train_part)
        if len(lists.user_ids):  # else nobody liked anything that was held out
            measured["picks"] = lists.means
    return measured


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

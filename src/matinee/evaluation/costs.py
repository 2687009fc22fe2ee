"""What fitting a rating model would take: memory computed from sizes, time from a few iterations on a part."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from matinee.data.ratings import Ratings
from matinee.models.als import ALS
from matinee.models.bayesian.params import BayesianMF
from matinee.models.bias import DampedBias
from matinee.models.kernels import padded_rank, warm

if TYPE_CHECKING:
    import polars as pl

StarLearner = ALS | BayesianMF | DampedBias
TIMED_RATINGS = 200_000
"""Iterations are timed on about so many ratings: whole people, drawn by a fixed seed."""
TIMED_SWEEPS = 5
"""Of `BayesianMF`; the first, which is slower, does not count, and of four in a row one draws days."""
DAY_S = 86_400


def bytes_of(learner: StarLearner, ratings: Ratings) -> int:
    """Return about how much memory a fit takes beside the ratings."""
    users, items, n = len(ratings.users), len(ratings.items), len(ratings)
    if isinstance(learner, BayesianMF):
        stack, days, probit = 4 * learner.samples * learner.rank, 0, learner.output == "probit"
        if learner.time and ratings.timestamps is not None:
            days = min(n, int(np.ptp(ratings.timestamps)) // DAY_S + 1)
        collected = stack * ((2 if days else 1) * users + 2 * items + days) + 12 * learner.samples * items
        chain, calibrating = (80 * n, 130 * n) if probit else (60 * n, 70 * n)
        return collected + chain + max(collected, calibrating)  # samples are laid side by side when errors are known
    rank = padded_rank(learner.rank) if isinstance(learner, ALS) else 0
    return 4 * (2 * rank + 8) * (users + items) + 24 * n


def seconds_of(learner: StarLearner, ratings: Ratings, movies: pl.DataFrame | None = None) -> float:
    """Return about how long a fit takes on this machine.

    A row (a person, a film) costs as much as some ratings: so blocks of work are cut, and so time is scaled.
    """
    warm(lambda: None)
    part, moments = _some_people(ratings), []
    begin = time.perf_counter()
    _fit_briefly(learner, part, movies, lambda: moments.append(time.perf_counter()))
    took, n = time.perf_counter() - begin, len(moments)
    each = (moments[-1] - moments[0]) / (n - 1) if n > 1 else 0.0
    whole = max(took - n * each, 0.0) + getattr(learner, "iterations", 0) * each
    return whole * _work(learner, ratings) / _work(learner, part) * _times_learned(learner, ratings)


def _some_people(ratings: Ratings) -> Ratings:
    if len(ratings) <= TIMED_RATINGS:
        return ratings
    people = np.random.default_rng(0).permutation(len(ratings.users))
    few = people * (len(ratings) / len(people)) < TIMED_RATINGS
    return ratings.select(few[ratings.user_rows])


def _fit_briefly(learner: StarLearner, part: Ratings, movies: pl.DataFrame | None, tick: Callable[[], None]) -> None:
    from matinee.models.bayesian.fit import sampled

    def told(done: Any) -> None:
        if done.iteration:
            tick()

    if isinstance(learner, BayesianMF):
        sampled(replace(learner, iterations=TIMED_SWEEPS, burn_in=0, samples=1), part, movies, told)
    elif isinstance(learner, ALS):
        replace(learner, iterations=2).fit(part, progress=told)
    else:
        learner.fit(part)


def _work(learner: StarLearner, ratings: Ratings) -> int:
    width = padded_rank(getattr(learner, "rank", 1))
    return 2 * len(ratings) + (len(ratings.users) + len(ratings.items)) * (width // 3 + 16)


def _times_learned(learner: StarLearner, ratings: Ratings) -> float:
    from matinee.models.bayesian.fit import FOLDS, HELD_OUT_BELOW

    return FOLDS if isinstance(learner, BayesianMF) and len(ratings) < HELD_OUT_BELOW else 1.0

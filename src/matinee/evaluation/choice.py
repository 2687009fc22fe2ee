"""Which rating model to learn: the best that memory and time allow, unless held-out ratings speak for a simpler one.

What a model would take is estimated before anything is fitted. Whether it is worth that is seen where training measures
it anyway: what is simpler is fitted on the same part and measured on the same held-out ratings, and takes its place
only where it errs less by more than two standard errors of the difference, and by so much that it shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from matinee.data.ratings import Ratings
from matinee.errors import ParameterError
from matinee.evaluation.comparing import Difference, difference, star_score
from matinee.evaluation.costs import StarLearner, bytes_of, seconds_of
from matinee.models.als import ALS
from matinee.models.bayesian.params import BayesianMF, InformedBayesianMF
from matinee.models.bias import DampedBias
from matinee.models.factors import RatingModel
from matinee.models.parallel import free_bytes

if TYPE_CHECKING:
    import polars as pl

QUALITIES = ("fast", "best")
LEAST_GAIN = 0.002
"""Stars of RMSE for which a simpler model takes the place of the one asked for. Where ratings are many, less can be
beyond noise, but another seed of the same model differs by a quarter of it, and the simplest knows no intervals.
"""
BLURBS = {
    "fast": "quality is fast; best (BayesianMF) errs less, but trains much longer and takes more memory",
    "best": "quality is best: the lowest error, at a much longer training and more memory than fast (ALS)",
}
Fitter = StarLearner | InformedBayesianMF


@dataclass(frozen=True)
class Choice:
    """How the rating model is learned, and why.

    Attributes
    ----------
    learner
        What learns it.
    why
        Which and why, for people.
    quality, time_budget
        What was asked for, so that the next training can choose again; no quality where the learner is the caller's
        own, parameters and all: nothing takes its place then.
    """

    learner: Fitter
    why: str = ""
    quality: str | None = None
    time_budget: float | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """What a manifest keeps."""
        asked = {"quality": self.quality, "time_budget": self.time_budget} if self.quality else {}
        return asked | ({"choice": self.why} if self.why else {})


def learner(quality: str, params: Mapping[str, Any]) -> ALS | BayesianMF:
    """Return what a quality asks for: "fast" `ALS`, "best" `BayesianMF`.

    Raises
    ------
    ParameterError
        If a parameter is out of range, or `quality` neither.
    """
    if quality not in QUALITIES:
        raise ParameterError(f"quality={quality!r}: {' and '.join(QUALITIES)} are allowed")
    return BayesianMF(**params) if quality == "best" else ALS(**params)


def choose(
    quality: str,
    ratings: Ratings,
    *,
    params: Mapping[str, Any] | None = None,
    movies: pl.DataFrame | None = None,
    time_budget: float | None = None,
    test: float = 0.2,
    free: int | None = None,
    seconds: Callable[[StarLearner, Ratings, pl.DataFrame | None], float] = seconds_of,
) -> Choice:
    """Choose the rating model: what the quality asks for, or the next simpler one that memory and time allow.

    Parameters
    ----------
    quality
        "fast" (`ALS`) or "best" (`BayesianMF`).
    ratings
        What is to be learned from.
    params
        Of the model that the quality asks for; given some beside a seed, nothing that is measured takes its place.
    movies
        What is known of the films.
    time_budget
        Seconds that all fits of the rating model may take together; None for any number, and nothing is timed then.
    test
        Part of the ratings held out for measuring, which takes a second fit; 0 for none.
    free
        Bytes of memory; None for what is free on this machine.
    seconds
        Says how long one fit takes.

    Raises
    ------
    ParameterError
        If a parameter is out of range, or `quality` neither.
    """
    if time_budget is not None and not time_budget > 0:
        raise ParameterError(f"time_budget={time_budget:g}: give a number of seconds above 0")
    params, room, fits = params or {}, free_bytes() if free is None else free, 2 - test if test else 1.0
    asked = learner(quality, params)
    *dear, taken = asked, *simpler(asked)
    refused, note = [], ""
    for one in dear:
        if (needed := bytes_of(one, ratings)) > room:
            refused.append(f"{spoken(one)} would take about {_size(needed)} of memory, {_size(room)} are free")
            continue
        took = 0.0 if time_budget is None else fits * seconds(one, ratings, movies)
        if time_budget is None or took <= time_budget:
            taken, note = one, "" if time_budget is None else f"; about {took:.2g} of {time_budget:g} s"
            break
        refused.append(f"{spoken(one)} would take about {took:.2g} s, {time_budget:g} s are allowed")
    why = f"quality is {quality}, but {'; '.join(refused)}" if refused else BLURBS[quality]
    own = taken is asked and bool(params.keys() - {"seed"})
    said = f"stars by {spoken(taken)}: {why}{note}"
    return Choice(informed(taken, movies), said, None if own else quality, time_budget)


def simpler(learner: Fitter) -> list[StarLearner]:
    """Return what takes less and as a rule errs more, the best first."""
    plain = learner.learner if isinstance(learner, InformedBayesianMF) else learner
    als = [ALS(seed=plain.seed, threads=plain.threads)] if isinstance(plain, BayesianMF) else []
    return [] if isinstance(plain, DampedBias) else [*als, DampedBias()]


def informed(learner: Fitter, movies: pl.DataFrame | None) -> Fitter:
    """Let a learner know the movies, if it has a use for them."""
    return learner.about(movies) if isinstance(learner, BayesianMF) and movies is not None else learner


def name_of(learner: object) -> str:
    """Name a learner as tables do."""
    kind = type(learner.learner if isinstance(learner, InformedBayesianMF) else learner).__name__
    return "damped bias" if kind == "DampedBias" else kind


def spoken(learner: object) -> str:
    """Name a learner in a sentence."""
    return name_of(learner).replace("bias", "biases")


def _size(n: int) -> str:
    return f"{n / 1e9:.1f} GB" if n > 1e8 else f"{n / 1e6:.0f} MB"


@dataclass(frozen=True, eq=False)
class Preferred:
    """What held-out ratings speak for.

    Attributes
    ----------
    choice, model
        What is to be learned from everything, and what it learned from the training part.
    metrics, baselines
        What `star_metrics` measures of it and, by name, of the others; of what is simpler than what was chosen before
        also ``behind``, by how much its RMSE is above (if negative, below), with ``behind_standard_error``.
    """

    choice: Choice
    model: RatingModel
    metrics: dict[str, Any]
    baselines: dict[str, dict[str, Any]]


def prefer(
    choice: Choice, train: Ratings, held_out: Ratings, *, progress: Callable[[Any], None] | None = None
) -> Preferred:
    """Fit what was chosen and what is simpler; keep it unless a simpler one errs less beyond noise.

    A learner that is the caller's own stays whatever is measured; beside it only damped biases are fitted.

    Parameters
    ----------
    choice
        What was chosen.
    train, held_out
        What to learn from, and what to measure on.
    progress
        Passed to the fit of what was chosen; the others take little beside it.
    """
    asked, free = choice.learner, choice.quality is not None
    learners = [asked, *(simpler(asked) if free else simpler(asked)[-1:])]
    models = [one.fit(train, progress=progress if one is asked else None) for one in learners]
    scores = [star_score(model, held_out) for model in models]
    share = len(held_out) / len(train)
    gaps = [difference(scores[:1], [score], larger_is_better=False, share=share) for score in scores]
    better = [n for n, gap in enumerate(gaps) if free and gap.value < -LEAST_GAIN and not gap.within_noise]
    best = min(better, key=lambda n: gaps[n].value, default=0)
    others = {name_of(learners[n]): scores[n].metrics | _behind(n, gaps[n]) for n in range(len(learners)) if n != best}
    if best:
        choice = replace(choice, learner=learners[best], why=_why_not(asked, learners[best], gaps[best]))
    return Preferred(choice, models[best], scores[best].metrics, others)


def _behind(n: int, gap: Difference) -> dict[str, float]:
    return {"behind": gap.value, "behind_standard_error": gap.standard_error} if n else {}


def _why_not(asked: Fitter, better: Fitter, gap: Difference) -> str:
    more = f"errs {-gap.value:.4f} stars more on held-out ratings, with a standard error of {gap.standard_error:.4f}"
    return f"stars by {spoken(better)}: {spoken(asked)} {more}"

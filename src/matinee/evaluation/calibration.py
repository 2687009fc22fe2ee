"""Whether a rating model's intervals mean what they say."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from matinee.data.ratings import Float32, Ratings
from matinee.evaluation.metrics import Float64, StarModel, predictions, root_mean_square, times
from matinee.models.outputs import NormalOutput, fitted_cuts

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
"""Of the reliability plot."""
LEVEL = 0.9
"""Of the table by width."""
GROUPS = 10
LEAST_DEVIATION = 1e-3


@runtime_checkable
class IntervalModel(StarModel, Protocol):
    """A rating model that says how sure it is."""

    def predict_interval(
        self, user_ids: npt.ArrayLike, item_ids: npt.ArrayLike, /, level: float = 0.9
    ) -> tuple[Float32, Float32]:
        """Return the lowest and highest stars that a rating takes with probability `level`, shapes ``(n,)``."""


@runtime_checkable
class StepModel(Protocol):
    """A rating model that knows the probability of each step of stars."""

    @property
    def output(self) -> NormalOutput:
        """What turns scores into stars."""

    def log_likelihood(self, ratings: Ratings, /) -> Float64:
        """Return the logarithm of the probability of each rating, shape ``(n,)``."""


def interval_metrics(model: IntervalModel, test: Ratings) -> dict[str, Any]:
    """Measure the intervals of a rating model on held-out ratings.

    A rating is covered if low <= stars <= high. The negative log-likelihood is that of a normal distribution around the
    prediction, per rating in nats: its standard deviation is read off the 50 % interval (the side further from the
    prediction, since the other may be cut at the end of the scale, over 0.674). The baseline has one standard
    deviation for all, the root mean squared error of this very test set: the best that a constant can do. Models that
    know the probability of each step of stars (`StepModel`) also have that measured, beside a constant deviation whose
    cut points are the best for this very test set.

    Returns
    -------
    dict
        ``coverage``: level → share covered, for `LEVELS`; ``by_width``: for each tenth of the pairs by increasing width
        of the 90 % interval, its mean ``width``, ``coverage`` and ``rmse``; ``nll`` and ``nll_constant``, of a
        `StepModel` also ``nll_steps`` and ``nll_steps_constant``. Where scores are those of latent stars, the former
        two are the latter: there is no normal distribution of stars.
    """
    predicted, stars = predictions(model, test), test.stars
    users, items = test.user_ids, test.item_ids
    when = times(model, test)
    coverage = {}
    for level in LEVELS:
        low, high = model.predict_interval(users, items, level=level, **when)
        coverage[f"{level:g}"] = float(np.mean((low <= stars) & (stars <= high)))
    low, high = model.predict_interval(users, items, level=LEVEL, **when)
    inside, width = (low <= stars) & (stars <= high), np.asarray(high - low, np.float64)
    tenths = np.array_split(np.argsort(width, kind="stable"), min(GROUPS, len(width)))
    errors = predicted - stars
    return {
        "coverage": coverage,
        "by_width": [
            {
                "width": float(width[tenth].mean()),
                "coverage": float(inside[tenth].mean()),
                "rmse": root_mean_square(errors[tenth]),
            }
            for tenth in tenths
        ],
        **likelihoods(model, test, predicted),
    }


def likelihoods(model: IntervalModel, test: Ratings, predicted: Float64) -> dict[str, float]:
    """Return the negative log-likelihoods that `interval_metrics` names."""
    errors = predicted - test.stars
    constant = np.full(len(errors), root_mean_square(errors))
    of_steps, latent = {}, False
    if isinstance(model, StepModel) and len(model.output.steps):
        steps, latent = model.output.steps, model.output.latent
        deviation = np.maximum(constant, LEAST_DEVIATION)
        cuts = fitted_cuts(steps, test.stars, predicted, deviation)
        of_constant = NormalOutput.of(test.scale, steps, cuts).log_likelihood(predicted, deviation, test.stars)
        likelihood = float(np.mean(model.log_likelihood(test)))
        of_steps = {"nll_steps": -likelihood, "nll_steps_constant": -float(of_constant.mean())}
    if latent:
        return {"nll": of_steps["nll_steps"], "nll_constant": of_steps["nll_steps_constant"], **of_steps}
    normal = {
        "nll": normal_nll(errors, deviations(model, test, predicted)),
        "nll_constant": normal_nll(errors, constant),
    }
    return normal | of_steps


def deviations(model: IntervalModel, test: Ratings, predicted: Float64) -> Float64:
    """Read standard deviations off the 50 % intervals, shape ``(len(test),)``."""
    low, high = model.predict_interval(test.user_ids, test.item_ids, level=0.5, **times(model, test))
    return np.asarray(np.maximum(high - predicted, predicted - low) / ndtri(0.75), np.float64)


def normal_nll(errors: Float64, sigma: Float64) -> float:
    """Return the mean of -log N(error; 0, sigma^2), in nats."""
    sigma = np.maximum(sigma, LEAST_DEVIATION)
    return float(np.mean(0.5 * np.log(2 * np.pi * sigma**2) + errors**2 / (2 * sigma**2)))

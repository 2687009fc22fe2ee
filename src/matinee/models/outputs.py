"""From a score and its standard deviation to stars: what to expect, between what, and with which probability.

Whoever shows, measures or calibrates stars asks the model's output. A `NormalOutput` takes the score for the stars
expected, with a normal error; the steps that stars come in are where that normal is cut. A `ProbitOutput` is an ordered
probit: the score is that of latent stars, whose normal is cut into steps, and everything else is read off those.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from matinee.data.ratings import Float32
from matinee.errors import ParameterError
from matinee.models.truncated import mass, moments

Floats = npt.NDArray[np.floating]
Float64 = npt.NDArray[np.float64]

LOOKED_AT = 100_000
MOST_STEPS = 100
LEAST_PROBABILITY = 1e-12
FITTED_ON = 50_000
"""Ratings that cut points are fitted to, at most."""


def steps_of(stars: Float32) -> Float64:
    """Return the different numbers of stars, read off about `LOOKED_AT` ratings; none where they are one, or so many
    (over `MOST_STEPS`) that they are no steps.
    """
    values = np.unique(stars[:: max(len(stars) // LOOKED_AT, 1)]).astype(np.float64)
    return values if 1 < len(values) <= MOST_STEPS else np.empty(0)


def midpoints(steps: Float64) -> Float64:
    """Return the numbers halfway between steps, shape ``(len(steps) - 1,)``."""
    return (steps[1:] + steps[:-1]) / 2


@dataclass(frozen=True, eq=False)
class NormalOutput:
    """Stars are the score, give or take a normal error, cut at the ends of the scale.

    Attributes
    ----------
    scale
        Lowest and highest number of stars.
    steps
        Shape ``(k,)``, increasing: what ratings are; empty where they come in no steps.
    cuts
        Shape ``(k - 1,)``: between which numbers each step is given.
    """

    latent: ClassVar[bool] = False
    """Whether scores are of latent stars, so that the stars expected depend on the deviation too."""

    scale: tuple[float, float]
    steps: Float64
    cuts: Float64

    @classmethod
    def of(cls, scale: tuple[float, float], steps: npt.ArrayLike = (), cuts: npt.ArrayLike = ()) -> Self:
        """Build one from what model folders keep; without cut points those halfway between steps."""
        of_steps, of_cuts = np.asarray(steps, np.float64), np.asarray(cuts, np.float64)
        return cls(scale, of_steps, of_cuts if len(of_cuts) else midpoints(of_steps))

    def expectation(self, centre: Floats, deviation: Floats | None) -> Floats:
        """Return the stars expected, shape ``(n,)``."""
        return np.clip(centre, *self.scale)

    def squares(self, centre: Floats, deviation: Floats, stars: Floats) -> Float64:
        """Return squared errors of scores given the stars, shape ``(n,)``; of latent stars, those to be expected."""
        return np.square(stars - centre, dtype=np.float64)

    def interval(self, centre: Floats, deviation: Floats, level: float) -> tuple[Float64, Float64]:
        """Return low and high ends of the central interval, shapes ``(n,)``, clipped to the scale.

        Raises
        ------
        ParameterError
            If `level` is not between 0 and 1.
        """
        if not 0 < level < 1:
            raise ParameterError(f"level={level}: give a probability between 0 and 1, 0.9 say")
        reach = ndtri(0.5 + level / 2) * deviation
        low, high = (np.clip(self.shown(end), *self.scale) for end in (centre - reach, centre + reach))
        return np.asarray(low, np.float64), np.asarray(high, np.float64)

    def shown(self, latent: Floats) -> Floats:
        """Return stars of the scores' own scale as the stars that people give, shape ``(n,)``."""
        return latent

    def at_least(self, centre: Floats, deviation: Floats, stars: float) -> Float32:
        """Return the probability of so many stars or more, shape ``(n,)``."""
        if not len(self.steps):
            return np.asarray(ndtr((centre - stars) / deviation), np.float32)
        step = int(np.searchsorted(self.steps, stars))
        if step in (0, len(self.steps)):
            return np.full(np.shape(centre), step == 0, np.float32)
        return np.asarray(ndtr((centre - self.cuts[step - 1]) / deviation), np.float32)

    def distribution(self, centre: Floats, deviation: Floats) -> Float64:
        """Return the probability of each step, shape ``(n, k)``; rows sum to 1."""
        low, high = self._bounds(np.arange(len(self.steps)), centre[:, None], deviation[:, None])
        return mass(low, high)

    def log_likelihood(self, centre: Floats, deviation: Floats, stars: Floats) -> Float64:
        """Return the logarithm of the probability of the stars given, shape ``(n,)``, each taken for its nearest step.

        Never below that of `LEAST_PROBABILITY`.
        """
        low, high = self._bounds(self.places(stars), centre, deviation)
        return np.asarray(np.log(np.maximum(mass(low, high), LEAST_PROBABILITY)), np.float64)

    def places(self, stars: Floats) -> npt.NDArray[np.int64]:
        """Return the place of the nearest step, shape ``(n,)``."""
        return np.searchsorted(midpoints(self.steps), stars)

    def _bounds(self, places: npt.NDArray[np.int64], centre: Floats, deviation: Floats) -> tuple[Float64, Float64]:
        edges = np.concatenate([[-np.inf], self.cuts, [np.inf]])
        return (edges[places] - centre) / deviation, (edges[places + 1] - centre) / deviation


class ProbitOutput(NormalOutput):
    """An ordered probit (McKelvey, Zavoina 1975): latent stars are normal around the score, and cut into steps."""

    latent: ClassVar[bool] = True

    def expectation(self, centre: Floats, deviation: Floats | None) -> Floats:
        """Return the stars expected, shape ``(n,)``."""
        if deviation is None:
            raise ParameterError("deviation=None: an ordered probit needs to know how sure a score is")
        mean = np.full(np.shape(centre), self.steps[0])
        for cut, rise in zip(self.cuts, np.diff(self.steps), strict=True):
            mean += rise * ndtr((centre - cut) / deviation)
        return mean

    def squares(self, centre: Floats, deviation: Floats, stars: Floats) -> Float64:
        """Return squared errors of scores to be expected given the stars, shape ``(n,)``."""
        mean, variance = moments(*self._bounds(self.places(stars), centre, deviation))
        return np.asarray((variance + mean**2) * np.square(deviation), np.float64)

    def shown(self, latent: Floats) -> Floats:
        """Return latent stars as the stars that people give: cut points become the numbers halfway between steps.

        So that an interval holds half of a step that its end cuts in half, on average what it promises; intervals of
        whole steps would hold more.
        """
        stars = midpoints(self.steps)
        beyond = np.minimum(latent - self.cuts[0], 0) + np.maximum(latent - self.cuts[-1], 0)
        return np.asarray(np.interp(latent, self.cuts, stars) + beyond, np.float64)

    def expected_latent(self, centre: Floats, deviation: Floats, stars: Floats) -> Float64:
        """Return what to expect of latent stars given the stars, shape of `centre`, whose last axis is the ratings'."""
        mean, _ = moments(*self._bounds(self.places(stars), centre, deviation))
        return np.asarray(centre + deviation * mean, np.float64)


def fitted_cuts(steps: Float64, stars: Floats, centre: Floats, deviation: Floats) -> Float64:
    """Return cut points with which so many stars or more are as often promised as they come, shape ``(k - 1,)``.

    Parameters
    ----------
    steps
        Shape ``(k,)``.
    stars, centre, deviation
        Shapes ``(n,)``: ratings, and what was predicted of them without them.
    """
    from scipy.optimize import brentq

    if not len(steps):
        return np.empty(0)
    some = slice(None, None, -(-len(stars) // FITTED_ON))
    places, centre, deviation = np.searchsorted(midpoints(steps), stars[some]), centre[some], deviation[some]
    far = float(np.abs(centre).max() + np.abs(steps).max() + 10 * deviation.max())

    def excess(cut: float, step: int) -> float:
        wanted = np.clip(np.count_nonzero(places >= step), 0.5, len(places) - 0.5)
        return float(ndtr((centre - cut) / deviation).sum() - wanted)

    return np.array([brentq(excess, -far, far, args=(step,), xtol=1e-4) for step in range(1, len(steps))])

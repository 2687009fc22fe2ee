"""Ordered probit: stars are steps of latent stars, which the chain draws, and the cut points between them.

Latent stars are what `sampler` says stars are; a rating is the k-th step where they lie between cut points k - 1 and k
(Albert and Chib 1993, "Bayesian Analysis of Binary and Polychotomous Response Data"). The outermost cut points stay
where a normal of the stars' mean and variance has as many stars beyond, which fixes origin and unit of the latent
scale. The inner ones are drawn with the latent stars integrated out, since between the latent stars nearest there is
hardly any room to move (Cowles 1996); the proposal is a Newton step, from the likelihood's gradient and curvature.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import ndtri

from matinee.data.ratings import Float32
from matinee.errors import ParameterError
from matinee.models.outputs import MOST_STEPS, Float64
from matinee.models.parallel import run_blocks
from matinee.models.truncated import density, draw, mass, moments

if TYPE_CHECKING:
    from matinee.models.bayesian.sampler import Chain

CUTS_EVERY = 4
"""Cut points are drawn in one sweep out of so many: they take as long as two draws of all latent stars."""
CHUNK = 1 << 14
"""Ratings drawn at a time, from a counter of their own each."""
REACH = 30.0
"""Cut points so many standard deviations off a score count as that far: densities beyond are zeros in float64."""
STAGE = 1 << 20
"""What the counters of latent stars begin at, behind those of all else that a sweep draws."""


class Slope(NamedTuple):
    """Log-likelihood of cut points, and its derivatives by the inner ones: gradient and minus the curvature."""

    value: float
    gradient: Float64
    curvature: Float64


class Latent:
    """The latent stars of a chain's ratings, and the cut points between their steps.

    Parameters
    ----------
    stars
        Shape ``(n,)``: of the ratings by user, less `mean`.
    mean
        What was taken off the stars.

    Raises
    ------
    ParameterError
        If the stars come in no steps, or in one only.
    """

    def __init__(self, stars: Float32, mean: float) -> None:
        steps, self.places, counts = np.unique(stars, return_inverse=True, return_counts=True)
        if not 1 < len(steps) <= MOST_STEPS:
            raise ParameterError(
                f"output='probit': ratings of {len(steps)} different numbers arrived; an ordered probit wants steps, 2 "
                f"to {MOST_STEPS}: use output='normal'"
            )
        self.mean, self.n_steps = mean, len(steps)
        spread = np.std(stars, dtype=np.float64)
        self.cuts = np.asarray(ndtri(np.cumsum(counts)[:-1] / len(stars)) * spread, np.float64)  # less the mean, too
        self.accepted = self.proposed = 0

    @property
    def fixes_noise(self) -> bool:
        """Whether one cut point is all there is, which tells nothing of the latent scale's unit."""
        return len(self.cuts) < 2

    def step(self, chain: Chain, rng: np.random.Generator) -> None:
        """Draw the cut points now and then, and all latent stars, which become what the chain explains."""
        scores, roots = chain.given - chain.errors(), chain.roots()[chain.owner]
        if len(self.cuts) > 2 and chain.sweep % CUTS_EVERY == 0:
            self.draw_cuts(scores, roots, rng, chain.threads)
        edges, targets = self.edges(self.cuts), chain.users.targets

        def work(number: int, _: int) -> None:
            part = slice(number * CHUNK, (number + 1) * CHUNK)
            place, score, root = self.places[part], scores[part].astype(np.float64), roots[part].astype(np.float64)
            counter = np.random.Philox(key=[chain.seed, chain.sweep], counter=[0, 0, 0, STAGE + number])
            uniform = np.random.Generator(counter).random(len(place))
            low, high = (edges[place] - score) * root, (edges[place + 1] - score) * root
            targets[part] = score + draw(low, high, uniform) / root

        run_blocks(work, [(n, n + 1) for n in range(-(-len(targets) // CHUNK))], chain.threads)
        for number, side in chain.sides():
            if number:  # of those drawn in this sweep, all but users are in another order
                side.targets[:] = targets[side.order]

    def pull(self, scores: Float64, deviations: Float64, cuts: Float64) -> tuple[Float64, Float64]:
        """Return slope and minus the curvature of each rating's log-likelihood at its score, shapes ``(n,)``."""
        edges = self.edges(cuts)
        low, high = ((edges[self.places + end] - scores) / deviations for end in (0, 1))
        mean, variance = moments(low, high)
        return mean / deviations, (1 - variance) / deviations**2

    @staticmethod
    def edges(cuts: Float64) -> Float64:
        """Return between what the steps lie, shape ``(len(cuts) + 2,)``."""
        return np.concatenate([[-np.inf], cuts, [np.inf]])

    def draw_cuts(self, scores: Float32, roots: Float32, rng: np.random.Generator, threads: int | None) -> None:
        """Draw the inner cut points given scores and the roots of the ratings' precisions: one Metropolis step."""
        here = self.slope(self.cuts, scores, roots, threads)
        proposal = self.cuts.copy()
        proposal[1:-1], there_density = self._proposed(self.cuts[1:-1], here, rng)
        chance = float(rng.random())
        self.proposed += 1
        if np.any(np.diff(proposal) <= 0):
            return
        there = self.slope(proposal, scores, roots, threads)
        back_density = _log_normal(self.cuts[1:-1], *_newton(proposal[1:-1], there))
        if np.log(chance) < there.value - here.value + back_density - there_density:
            self.cuts = proposal
            self.accepted += 1

    @staticmethod
    def _proposed(cuts: Float64, slope: Slope, rng: np.random.Generator) -> tuple[Float64, float]:
        middle, curvature = _newton(cuts, slope)
        new = middle + np.linalg.solve(np.linalg.cholesky(curvature).T, rng.standard_normal(len(cuts)))
        return new, _log_normal(new, middle, curvature)

    def slope(self, cuts: Float64, scores: Float32, roots: Float32, threads: int | None) -> Slope:
        """Return the log-likelihood of cut points, latent stars integrated out, and how it changes with inner ones."""
        edges, k, n = self.edges(cuts), self.n_steps, len(scores)
        numbers = -(-n // CHUNK)
        sums = np.zeros((numbers, 6, k))  # of value, of first derivatives by a step's ends, of second ones

        def work(number: int, _: int) -> None:
            part = slice(number * CHUNK, (number + 1) * CHUNK)
            place, score, root = self.places[part], scores[part].astype(np.float64), roots[part].astype(np.float64)
            low, high = (np.clip((edges[place + end] - score) * root, -REACH, REACH) for end in (0, 1))
            inside = np.maximum(mass(low, high), np.finfo(np.float64).tiny)
            below, above = root * density(low) / inside, root * density(high) / inside
            terms = (
                np.log(inside), -below, above, below**2 - below * low * root, above**2 + above * high * root,
                -below * above,
            )  # fmt: skip
            for row, term in enumerate(terms):
                sums[number, row] = np.bincount(place, term, k)

        run_blocks(work, [(number, number + 1) for number in range(numbers)], threads)
        value, first_low, first_high, low, high, both = sums.sum(axis=0)
        gradient, curvature = first_high[:-1] + first_low[1:], np.diag(high[:-1] + low[1:])
        inner = np.arange(k - 2)
        curvature[inner, inner + 1] = curvature[inner + 1, inner] = both[1:-1]
        return Slope(float(value.sum()), gradient[1:-1], curvature[1:-1, 1:-1])


def _newton(cuts: Float64, slope: Slope) -> tuple[Float64, Float64]:
    """Return mean and precision of the proposal: the normal that has the likelihood's slope and curvature."""
    return cuts + np.linalg.solve(slope.curvature, slope.gradient), slope.curvature


def _log_normal(x: Float64, middle: Float64, precision: Float64) -> float:
    off = x - middle
    return float(0.5 * np.linalg.slogdet(precision)[1] - 0.5 * off @ precision @ off)

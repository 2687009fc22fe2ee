"""How far off a sampled model's predictions are: what its samples say of their errors, and what its parts leave open.

The variance of a prediction's error is that of the noise, plus what is still open about the person and the film. Both
shrink with the number of ratings, as those of a bias and of factors would that are learned one rating at a time.
"""

from __future__ import annotations

import numpy as np

from matinee.data.ratings import Float32, Int64, Ratings
from matinee.models.bayesian.sampler import Chain, Float64, Side
from matinee.models.outputs import NormalOutput, ProbitOutput, steps_of

LEAST_KEPT = 0.1
"""Of a rating's error when it is left out: leverages near 1 are mostly chance."""


class LeftOut:
    """Errors of training ratings as if each had been left out, and what to expect of them.

    Near its posterior the model is as good as linear, where leaving a rating out divides its error by 1 less its
    leverage, the share of its noise's variance by which samples disagree about it. (Samples weighted by one over the
    rating's likelihood, Gelfand, Dey, Chang 1992, would need no such approximation, but a rating that decides alone
    where its film lies gives all the weight to one sample: with few ratings errors came out far too small.) Of latent
    stars the same holds where slope and curvature of the rating's log-likelihood take the place of those of a normal.
    """

    def __init__(self, chain: Chain) -> None:
        self.chain, self.n = chain, 0
        self.sums, self.squared = np.zeros(len(chain.owner), np.float32), np.zeros(len(chain.owner), np.float32)
        self.noise = np.zeros(len(chain.tau))
        self.open = np.zeros((2, 4))  # of users and items, see `open_variances`
        self.cuts = np.zeros(0 if chain.latent is None else len(chain.latent.cuts))

    def add(self) -> None:
        """Count the chain's present state."""
        chain = self.chain
        chain.add_errors(self.sums, self.squared)
        self.noise += 1 / (chain.alpha * chain.tau)
        self.open += [open_variances(chain.users, chain.items), open_variances(chain.items, chain.users)]
        if chain.latent is not None:
            self.cuts += chain.latent.cuts
        self.n += 1

    def errors(self) -> Float64:
        """Return the errors, shape ``(nnz,)``: by how much given stars exceed scores that have not seen them."""
        errors = np.empty(len(self.sums))
        errors[self.chain.order] = self._errors()
        return errors

    def _errors(self) -> Float64:
        means = self.sums.astype(np.float64) / self.n
        noise = (self.noise / self.n)[self.chain.owner]
        open_ = self.squared / self.n - means**2
        if self.chain.latent is None:
            return np.asarray(means / np.maximum(1 - open_ / noise, LEAST_KEPT), np.float64)
        slope, curvature = self.chain.latent.pull(self.chain.given - means, np.sqrt(noise), self.cuts / self.n)
        return np.asarray(means + open_ * slope / np.maximum(1 - open_ * curvature, LEAST_KEPT), np.float64)

    def output(self, ratings: Ratings) -> NormalOutput:
        """Return the output with the cut points that the samples have, or halfway between steps."""
        if self.chain.latent is None:
            return NormalOutput.of(ratings.scale, steps_of(ratings.stars))
        latent = self.chain.latent
        return ProbitOutput.of(ratings.scale, np.unique(ratings.stars), self.cuts / self.n + latent.mean)

    def expected(self) -> Float64:
        """Return the variances of noise, of an unknown row's bias, of its factors' part, of what sets and features
        would have told of it, and of what sets alone would have, for users and items: shape ``(2, 5)``, stars².
        """
        noise = np.full(2, np.mean(self.noise[self.chain.owner]) / self.n)
        return np.column_stack([noise, self.open / self.n])


def open_variances(side: Side, other: Side) -> tuple[float, float, float, float]:
    """Return what is open about a row of `side` before its ratings: its bias, its factors' part of the score of
    the average rating, what its sets and features would tell, and what its sets would where features are known, stars².
    """
    rank, rows = side.rows.rank, side.rows
    weights = np.diff(other.indptr) / max(other.indptr[-1], 1)
    sizes = weights @ np.square(other.rows.factors[:, :rank])
    factors, bias = side.usual()

    def spread(factors: Float32, biases: Float32) -> float:
        return float(sizes @ np.einsum("ij,ij->j", factors, factors)[:rank] / len(factors) + np.mean(np.square(biases)))

    told = spread(side.prior - factors, side.prior_bias - np.float32(bias))
    featured, featured_bias = side.featured()
    by_sets = (
        spread(side.prior - rows.mean[:-1] - featured, side.prior_bias - rows.mean[-1] - featured_bias)
        if side.features
        else told
    )
    return float(1 / rows.precision[-1]), float(sizes @ (1 / rows.precision[:rank])), told, by_sets


def uncertainties(expected: Float64, counts: Int64, rank: int) -> Float64:
    """Return what is open about rows with so many ratings, shape ``(n,)``, stars².

    Parameters
    ----------
    expected
        Shape ``(5,)``: a side's of `LeftOut.expected`.
    counts
        Shape ``(n,)``; 0 stands for a row of which nothing is known.
    rank
        Among how many factors ratings are shared.
    """
    noise, bias, factors, told = expected[:4]
    open_ = bias / (1 + counts * bias / noise) + factors / (1 + counts * factors / (rank * noise))
    return np.asarray(open_ + np.where(counts == 0, told, 0.0), np.float64)

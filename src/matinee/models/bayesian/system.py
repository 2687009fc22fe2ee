"""One person in every kept sample at once: as many small systems as there are samples."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from matinee.data.ratings import Float32
from matinee.models.person import PersonSystem

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Samples:
    """What the samples say about n items, S samples of rank k; a bias is the last of k + 1 numbers.

    Attributes
    ----------
    regressors
        Shape ``(S, n, k + 1)``: the items' factors and a 1.
    targets
        Shape ``(S, n)``: stars less all but the person's part.
    shifts
        Shape ``(S, n, k + 1)``: what having rated the item adds to the person's prior mean.
    precision
        Shape ``(S, k + 1)``: of a person's prior.
    alpha
        Shape ``(S,)``: precision of one rating.
    item_mean
        Shape ``(S, k)``: the mean of all items' factors, which served factors leave out.
    """

    regressors: Float64
    targets: Float64
    shifts: Float64
    precision: Float64
    alpha: Float64
    item_mean: Float64


@dataclass(frozen=True, eq=False, kw_only=True)
class SampledSystem(PersonSystem):
    """The equation of `PersonSystem`, once for every sample; served vectors are the samples' laid side by side.

    In each sample, A = alpha Q^T W Q + precision, and the person is shift + A^-1 alpha Q^T W (targets - Q shift): the
    training's own user step, without noise. Parts of a score are exact here too: a rating counts through its stars and
    through the mere fact that the film was rated.
    """

    samples: Samples

    @property
    def says_nothing(self) -> bool:
        """True where there is no rating."""
        return not len(self.targets)

    @cached_property
    def _shift(self) -> Float64:
        return np.asarray(self.samples.shifts.sum(axis=1), np.float64)  # (S, k + 1)

    @cached_property
    def _residuals(self) -> Float64:
        return np.asarray(
            self.samples.targets - np.einsum("snk,sk->sn", self.samples.regressors, self._shift), np.float64
        )

    @cached_property
    def _weighted(self) -> Float64:
        weights = np.asarray(self.weights, np.float64)
        return self.samples.regressors * (self.samples.alpha[:, None] * weights)[:, :, None]

    @cached_property
    def covariance(self) -> Float64:
        """A^-1 of every sample, shape ``(S, k + 1, k + 1)``."""
        a = self._weighted.transpose(0, 2, 1) @ self.samples.regressors
        diagonal = np.arange(a.shape[1])
        a[:, diagonal, diagonal] += self.samples.precision
        return np.asarray(np.linalg.inv(a), np.float64)

    @cached_property
    def _solution(self) -> Float64:
        pull = np.einsum("snk,sn->sk", self._weighted, self._residuals)
        return np.asarray(self._shift + np.einsum("skl,sl->sk", self.covariance, pull), np.float64)

    @property
    def fitted(self) -> Float64:
        """What each sample says of the person's part of their own ratings, shape ``(S, n)``."""
        return np.asarray(np.einsum("snk,sk->sn", self.samples.regressors, self._solution), np.float64)

    def aimed_at(self, targets: Float64) -> SampledSystem:
        """Return the system of the same items with other targets, shape ``(S, n)``; the inverses are kept."""
        aimed = replace(self, targets=targets.mean(axis=0), samples=replace(self.samples, targets=targets))
        vars(aimed)["covariance"] = self.covariance
        return aimed

    def solve(self) -> tuple[Float32, float]:
        """Return the stacked factors, shape ``(S * k,)``, and the mean bias; zeros where there is no rating."""
        x, n = self._solution, len(self._solution)
        bias = x[:, -1] + np.einsum("sk,sk->s", x[:, :-1], self.samples.item_mean)
        return (x[:, :-1] / np.sqrt(n)).reshape(-1).astype(np.float32), float(bias.mean())

    def regressors_of(self, item_factors: npt.NDArray[np.floating]) -> Float64:
        """Unstack served item factors, shape ``(n, S * k)``, into regressors, shape ``(S, n, k + 1)``."""
        n_samples, rank = self.samples.item_mean.shape
        stacked = np.asarray(item_factors, np.float64).reshape(len(item_factors), n_samples, rank)
        rows = stacked.transpose(1, 0, 2) * np.sqrt(n_samples) + self.samples.item_mean[:, None]
        return np.concatenate([rows, np.ones((*rows.shape[:2], 1))], axis=2)

    def contributions(self, item_factors: npt.NDArray[np.floating]) -> Float64:
        """Return what each rating adds to the score of each of n items, shape ``(n, k)``."""
        total = np.zeros((len(item_factors), len(self.targets)))
        for sample, h in enumerate(self.regressors_of(item_factors)):
            reach = h @ self.covariance[sample] @ self._weighted[sample].T
            total += reach * self._residuals[sample] + h @ self.samples.shifts[sample].T
        return np.asarray(total / len(self.samples.alpha), np.float64)

    def left_out_errors(self) -> Float64:
        """Return each rating's error as if it had not been used, shape ``(k,)``: error / (1 - leverage)."""
        q = self.samples.regressors
        errors = (self.samples.targets - self.fitted).mean(axis=0)
        leverage = np.einsum("snk,skl,snl->n", self._weighted, self.covariance, q, optimize=True) / len(q)
        return np.asarray(errors / np.maximum(1 - leverage, 0.1))

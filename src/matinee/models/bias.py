"""Damped biases: the baseline that every rating model has to beat."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from matinee.data.ratings import Float32, Int32, Ratings
from matinee.errors import ParameterError
from matinee.models.factors import PersonSystem, RatingModel


@dataclass(frozen=True, kw_only=True)
class DampedBias:
    """Predict the mean plus a bias of the item plus a bias of the user, each a damped mean of what is left (Koren
    2010, "Factor in the Neighbors", section 2.1).

        b_i = sum over raters of (stars - mean - b_u) / (n_i + damping),   then b_u likewise

    Items and users take turns `sweeps` times.

    Parameters
    ----------
    damping
        How many ratings at zero every item and every user has beside its own.
    sweeps
        How often both sides are averaged.

    Raises
    ------
    ParameterError
        If `damping` is negative or there is no sweep.
    """

    damping: float = 5
    sweeps: int = 10

    def __post_init__(self) -> None:
        if not self.damping >= 0 or self.sweeps < 1:
            raise ParameterError(f"{self}: damping must be at least 0 and sweeps at least 1")

    def fit(self, ratings: Ratings, *, progress: Callable[[Any], None] | None = None) -> DampedBiasModel:
        """Learn the biases; too quick to report progress."""
        users, items = ratings.user_rows, ratings.item_rows
        residuals = ratings.stars.astype(np.float64) - ratings.mean
        item_weights = 1 / (ratings.item_counts + self.damping)
        user_weights = 1 / (ratings.by_user.counts + self.damping)
        user_biases = np.zeros(len(ratings.users))
        for _ in range(self.sweeps):
            item_biases = np.bincount(items, residuals - user_biases[users]) * item_weights
            user_biases = np.bincount(users, residuals - item_biases[items]) * user_weights
        return DampedBiasModel(
            users=ratings.users, items=ratings.items, user_factors=np.zeros((len(ratings.users), 0), np.float32),
            item_factors=np.zeros((len(ratings.items), 0), np.float32), user_biases=user_biases.astype(np.float32),
            item_biases=item_biases.astype(np.float32), mean=ratings.mean, seen=ratings.by_user, scale=ratings.scale,
            params=self,
        )  # fmt: skip


damped_bias = DampedBias


@dataclass(frozen=True, eq=False, kw_only=True)
class DampedBiasModel(RatingModel):
    """What `DampedBias.fit` learned: biases around a mean, and factors of length 0."""

    params: DampedBias

    def person_system(self, item_rows: Int32, stars: Float32, emphasis: Float32 | None = None) -> PersonSystem:
        """State one person's system, of which only the bias is left: the training's user step."""
        weights = np.ones(len(stars), np.float32) if emphasis is None else emphasis
        return PersonSystem(
            factors=self.item_factors[item_rows], weights=weights, regularization=0,
            targets=weights * (stars - self.item_biases[item_rows] - np.float32(self.mean)),
            bias_regularization=self.params.damping,
        )  # fmt: skip

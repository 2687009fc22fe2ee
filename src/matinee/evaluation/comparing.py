"""Whether one model is better than another, or only luckier.

A model that won by less than two standard errors may lose on the next split. The tutorial picks a rank by differences
of that size; here every difference comes with its standard error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from matinee.data.ratings import Ratings
from matinee.evaluation.metrics import LIKED, Float64, StarModel, predictions, root_mean_square, star_metrics
from matinee.evaluation.ranking import Ranker, rank_everything


@dataclass(frozen=True, eq=False)
class Score:
    """One model measured on one held-out part.

    Attributes
    ----------
    value
        The metric that decides: sum(sums) / sum(weights), or its square root.
    sums, weights
        Shape ``(people,)``: what each person adds to it.
    root
        Whether the square root is taken.
    metrics
        Everything that was measured.
    """

    value: float
    sums: Float64
    weights: Float64
    root: bool
    metrics: dict[str, Any]


def star_score(model: StarModel, held_out: Ratings) -> Score:
    """Measure a rating model; its RMSE decides."""
    squares = np.square(predictions(model, held_out) - held_out.stars)
    sums = np.bincount(held_out.user_rows, weights=squares).astype(np.float64)
    weights = held_out.by_user.counts.astype(np.float64)
    return Score(root_mean_square(np.sqrt(squares)), sums, weights, True, star_metrics(model, held_out))


def list_score(ranker: Ranker, held_out: Ratings, seen: Ratings, *, k: int = 10, relevant_from: float = LIKED) -> Score:
    """Measure a ranking model; its NDCG@k decides."""
    lists = rank_everything(ranker, held_out, seen, k=k, relevant_from=relevant_from)
    gains = lists.per_user[f"ndcg@{k}"]
    return Score(float(gains.mean()), gains, np.ones(len(gains)), False, lists.means)


def standard_error(values: Sequence[float]) -> float | None:
    """Return sd / sqrt(n), None for fewer than two values."""
    return float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None


class Difference(NamedTuple):
    """By how much one model beats another (negative: loses), and the standard error of that."""

    value: float
    standard_error: float

    @property
    def within_noise(self) -> bool:
        """Less than two standard errors."""
        return abs(self.value) <= 2 * self.standard_error


def difference(a: Sequence[Score], b: Sequence[Score], *, larger_is_better: bool, share: float) -> Difference:
    """Compare two models on the same held-out parts, part by part.

    With several parts the standard error is over parts, corrected for training parts that overlap: variance times
    (1 / n + share) (Nadeau and Bengio 2003, "Inference for the Generalization Error"). With a single part it is over
    people, who are the independent draws, not their ratings.

    Parameters
    ----------
    a, b
        The two models' scores, part by part.
    share
        Size of the held-out part over that of the training part.
    """
    sign = 1 if larger_is_better else -1
    gaps = [sign * (mine.value - other.value) + 0.0 for mine, other in zip(a, b, strict=True)]
    if len(gaps) > 1:
        return Difference(float(np.mean(gaps)), float(np.std(gaps, ddof=1) * np.sqrt(1 / len(gaps) + share)))
    return Difference(gaps[0], _error_over_people(a[0], b[0]))


def _error_over_people(a: Score, b: Score) -> float:
    total = a.weights.sum()
    gap = a.sums - b.sums
    of_mean = float(np.sqrt(np.square(gap - gap.sum() / total * a.weights).sum()) / total)
    if not a.root:
        return of_mean
    return of_mean / (a.value + b.value) if of_mean else 0.0  # sqrt(p) - sqrt(q) = (p - q) / (sqrt(p) + sqrt(q))

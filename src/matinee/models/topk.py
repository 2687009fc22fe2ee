"""The best of many scores, ties always broken the same way, whatever made the scores.

Scores of all films come from float32 matrix products, whose last bits depend on how many users are scored together.
So they only choose a short list, wide enough for the rounding; its order comes from `exact_scores`, one float64 sum in
a fixed order, and ties go to the lower row. A list made alone and one made among thousands are then the same.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from matinee.data.ratings import Bools, Float32, Int64

Float64 = npt.NDArray[np.float64]


def shortlist(scores: Float32, k: int, allowed: Bools | None = None, slack: float = 0.0) -> Int64:
    """Return the positions, increasing, of everything that may be among the `k` highest allowed scores.

    Parameters
    ----------
    scores
        Shape ``(n,)``.
    k
        How many are wanted.
    allowed
        Shape ``(n,)``; None allows all.
    slack
        How far a score may be from the truth: all within twice of it below the k-th are kept.
    """
    candidates = np.arange(len(scores)) if allowed is None else np.flatnonzero(allowed)
    if k <= 0:
        return np.empty(0, np.int64)
    if k < len(candidates):
        values = scores[candidates]
        threshold = np.partition(values, len(values) - k)[len(values) - k]
        candidates = candidates[values >= threshold - 2 * slack]
    return candidates.astype(np.int64)


def best_first(rows: Int64, scores: npt.NDArray[np.floating]) -> Int64:
    """Return the places of `rows` (shape ``(n,)``) by falling score, ties by row."""
    return np.lexsort((rows, -scores)).astype(np.int64)


def top_k(scores: Float32, k: int, allowed: Bools | None = None) -> Int64:
    """Return the positions of the `k` highest allowed scores, shape ``(n,)``, best first, ties by position."""
    rows = shortlist(scores, k, allowed)
    return rows[best_first(rows, scores[rows])][:k]


def exact_scores(item_factors: Float32, factors: Float32) -> Float64:
    """Multiply items with one person: sums in float64, one factor after the other.

    Parameters
    ----------
    item_factors
        Shape ``(n, rank)``.
    factors
        Shape ``(rank,)``.

    Returns
    -------
    Float64
        Shape ``(n,)``, the same bits whatever `n`, the number of threads, or the machine's vector width.
    """
    if not len(factors):
        return np.zeros(len(item_factors))
    products = np.multiply(item_factors, factors, dtype=np.float64)
    return np.add.accumulate(products, axis=1)[:, -1]

"""The k best of many scores, ties always broken the same way."""

from __future__ import annotations

import numpy as np

from matinee.data.ratings import Bools, Float32, Int64


def top_k(scores: Float32, k: int, allowed: Bools | None = None) -> Int64:
    """Return the positions of the `k` highest allowed scores, best first, ties by position.

    Parameters
    ----------
    scores
        Shape ``(n,)``.
    k
        How many at most.
    allowed
        Shape ``(n,)``; None allows all.
    """
    candidates = np.arange(len(scores)) if allowed is None else np.flatnonzero(allowed)
    values = scores[candidates]
    if k < len(candidates):
        threshold = np.partition(values, len(values) - k)[len(values) - k] if k else np.inf
        keep = values >= threshold
        candidates, values = candidates[keep], values[keep]
    order = np.lexsort((candidates, -values))[:k]
    return candidates[order].astype(np.int64)

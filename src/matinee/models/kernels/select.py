"""Choosing the best of blocks of scores while they are still in the cache.

Scores come block by block from a matrix product and are looked at once. Of every 64, a branch-free count says whether
any reaches what the person's n-th best has so far; only then are they looked at one by one. What is kept is settled by
`exact_scores` of `matinee.models.topk`, the same additions in the same order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

import matinee.models.kernels.caching  # noqa: F401  numba looks for a folder when kernels are defined

STRIDE = 64
_OPTIONS = {"nogil": True, "cache": True}


@njit(**_OPTIONS)
def _is_in(rows: Any, start: int, stop: int, wanted: int) -> bool:
    """Search increasing rows[start:stop]."""
    while start < stop:
        middle = (start + stop) // 2
        if rows[middle] < wanted:
            start = middle + 1
        elif rows[middle] > wanted:
            stop = middle
        else:
            return True
    return False


@njit(**_OPTIONS)
def _replace_least(heap: Any, value: float) -> None:
    """Put a value in the place of the least one of a heap whose root is the least."""
    n, place = len(heap), 0
    while True:
        child = 2 * place + 1
        if child + 1 < n and heap[child + 1] < heap[child]:
            child += 1
        if child >= n or heap[child] >= value:
            break
        heap[place] = heap[child]
        place = child
    heap[place] = value


@njit(**_OPTIONS)
def _keep(values: Any, places: Any, count: int, least: float) -> int:
    """Drop what is below the least value that still matters; return how many are left."""
    kept = 0
    for place in range(count):
        if values[place] >= least:
            values[kept], places[kept] = values[place], places[place]
            kept += 1
    return kept


@njit(**_OPTIONS)
def sift(
    scores: Any, first: int, width: int, biases: Any, items: Any, seen_indptr: Any, seen: Any, slack: Any,
    heaps: Any, counts: Any, values: Any, places: Any,
) -> None:  # fmt: skip
    """Look at one block of scores and keep what may be among each person's n best.

    Parameters
    ----------
    scores
        Flat, `width` per person, a multiple of `STRIDE`: the products of the candidates from `first` on.
    biases, items
        By candidate: what is added to the product, -inf for padding, and the item's row.
    seen_indptr, seen
        By person: item rows to leave out, increasing.
    slack
        By person: how far a product may be from the exact score.
    heaps
        By person: the n best values so far, the least one first; -inf at the beginning.
    counts, values, places
        By person: the candidates kept so far, at most ``values.shape[1]``; a count of -1 says that too many were as
        good as equal.
    """
    room = values.shape[1]
    for person in range(len(counts)):
        heap, allowance, count = heaps[person], np.float32(2) * slack[person], counts[person]
        if count < 0:
            continue
        bar = heap[0] - allowance
        row = np.uint64(person) * np.uint64(width)
        for stride in range(np.uint64(width // STRIDE)):
            start = stride * np.uint64(STRIDE)
            hits = np.int32(0)
            for j in range(np.uint64(STRIDE)):
                value = scores[row + start + j] + biases[np.uint64(first) + start + j]
                hits += np.int32(value >= bar)
            if not hits:
                continue
            for j in range(np.uint64(STRIDE)):
                place = np.uint64(first) + start + j
                value = scores[row + start + j] + biases[place]
                if not value >= bar or value == -np.inf:
                    continue
                if _is_in(seen, seen_indptr[person], seen_indptr[person + 1], items[place]):
                    continue
                values[person, count], places[person, count] = value, place
                count += 1
                if value > heap[0]:
                    _replace_least(heap, value)
                    bar = heap[0] - allowance
                if count == room:
                    count = _keep(values[person], places[person], count, bar)
                    if count == room:
                        count = -1
                        break
            if count < 0:
                break
        counts[person] = count


@njit(**_OPTIONS)
def settle(
    factors: Any, constants: Any, item_factors: Any, item_biases: Any, items: Any, slack: Any, heaps: Any, counts: Any,
    values: Any, places: Any, best: Any, best_scores: Any,
) -> None:  # fmt: skip
    """Order what `sift` kept by exact score, ties by item row: `best` (item rows, -1 behind the last) and scores."""
    n = best.shape[1]
    for person in range(len(counts)):
        least = heaps[person, 0] - np.float32(2) * slack[person]
        kept = _keep(values[person], places[person], counts[person], least)
        length = 0
        for candidate in range(kept):
            item = items[places[person, candidate]]
            total = 0.0
            for k in range(factors.shape[1]):
                total += np.float64(item_factors[item, k]) * np.float64(factors[person, k])
            total = total + np.float64(item_biases[item]) + constants[person]
            place = length
            while place > 0 and (
                best_scores[person, place - 1] < total
                or (best_scores[person, place - 1] == total and best[person, place - 1] > item)
            ):
                place -= 1
            if place == n:
                continue
            length = min(length + 1, n)
            for behind in range(length - 1, place, -1):
                best[person, behind] = best[person, behind - 1]
                best_scores[person, behind] = best_scores[person, behind - 1]
            best[person, place], best_scores[person, place] = item, total

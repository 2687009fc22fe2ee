"""How good lists are: every unseen item is ranked for every person, never a sample of them.

The candidates of a person are the items of the training set that they have not rated there. Relevant are the held-out
ratings of `relevant_from` stars or more; held-out items with fewer stars stay among the candidates, as items that
nobody should be shown. A relevant item that the ranker cannot list (the training set lacks it, or its score is -inf)
counts as missed everywhere. People without a relevant item are left out and counted.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from matinee.data.ratings import Float32, Ids, Int64, Ratings, Vocabulary
from matinee.errors import DataError, ParameterError
from matinee.evaluation.metrics import LIKED, refuse_leaks
from matinee.models.topk import top_k

Float64 = npt.NDArray[np.float64]
BLOCK_BYTES = 16 << 20
"""Most that the scores of one block of people may take; there are about three such arrays per thread."""


class Ranker(Protocol):
    """What is asked of a ranker; every `FactorModel` has it."""

    @property
    def items(self) -> Vocabulary:
        """The columns of `scores`."""

    def scores(self, user_ids: npt.ArrayLike, /) -> Float32:
        """Score every item for several people, shape ``(len(user_ids), n_items)``; -inf is never listed."""


@dataclass(frozen=True, eq=False)
class Lists:
    """What a ranker did for the people who have something relevant held out.

    Attributes
    ----------
    user_ids
        Shape ``(n,)``: the people measured.
    per_user
        Each metric of single lists, shape ``(n,)``; what they mean stands at `list_metrics`.
    top
        Shape ``(n, k)`` int64: item rows, best first, -1 where a list is shorter.
    skipped_users
        People of the test set without a relevant item.
    """

    user_ids: Ids
    per_user: dict[str, Float64]
    top: Int64
    skipped_users: int

    @property
    def means(self) -> dict[str, float]:
        """Mean of each metric over the people."""
        with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # of nobody the mean is NaN
            return {name: float(np.nanmean(values)) for name, values in self.per_user.items()}


class Found(NamedTuple):
    """Where a block of people's relevant items came, entry by entry, and their lists."""

    ranks: Int64  # from 1, ties by item row; 0 for an item that is not listed
    above: Float64  # candidates that score higher, and half of those that score the same
    top: Int64  # (people, k)


def rank_everything(
    ranker: Ranker, test: Ratings, seen: Ratings, *, k: int = 10, relevant_from: float = LIKED
) -> Lists:
    """Rank all unseen items for everyone who has a relevant item in the test set.

    Memory is bounded by blocks of people; the result does not depend on the number of threads.

    Parameters
    ----------
    ranker
        Scores items; its `items` are the catalogue.
    test
        Held-out ratings.
    seen
        What each person has rated before: never a candidate.
    k
        Length of the lists.
    relevant_from
        Least stars of a relevant held-out rating.

    Raises
    ------
    ParameterError
        If `k` is below 1.
    DataError
        If nobody has a relevant item, a test pair is among the seen, or a score is NaN.
    """
    if k < 1:
        raise ParameterError(f"k={k}: a list has at least one place")
    refuse_leaks(seen, test)
    targets = Targets.of(ranker.items, test, relevant_from)
    size = max(1, min(1024, BLOCK_BYTES // (4 * len(ranker.items))))
    blocks = [slice(start, start + size) for start in range(0, len(targets.user_ids), size)]
    found = list(_in_order(ranker, targets, seen, blocks, k))
    ranks = np.concatenate([block.ranks for block in found])
    above = np.concatenate([block.above for block in found])
    candidates = len(ranker.items) - _seen_counts(ranker.items, seen, targets.user_ids)
    return Lists(
        targets.user_ids,
        list_metrics(targets, ranks, above, candidates, k),
        np.concatenate([block.top for block in found]),
        len(test.users) - len(targets.user_ids),
    )


@dataclass(frozen=True, eq=False)
class Targets:
    """The relevant items: entry by entry, by person.

    Attributes
    ----------
    user_ids
        Shape ``(n,)``: the people who have any.
    indptr
        Shape ``(n + 1,)``: person p has the entries ``indptr[p]:indptr[p + 1]``.
    item_rows
        Shape ``(entries,)``: rows in the ranker's items, -1 for an item that it lacks.
    """

    user_ids: Ids
    indptr: Int64
    item_rows: Int64

    @classmethod
    def of(cls, items: Vocabulary, test: Ratings, relevant_from: float) -> Targets:
        """Pick the relevant ratings of a test set."""
        relevant = test.stars >= relevant_from
        if not relevant.any():
            raise DataError(f"no held-out rating has {relevant_from:g} stars or more, so no list can be measured")
        counts = np.bincount(test.user_rows[relevant], minlength=len(test.users))
        rows = items.rows(test.items.ids)[test.item_rows[relevant]].astype(np.int64)
        return cls(test.users.ids[counts > 0], np.append(0, np.cumsum(counts[counts > 0])).astype(np.int64), rows)

    @property
    def counts(self) -> Int64:
        """Relevant items of each person, shape ``(n,)``, those that the ranker lacks included."""
        return np.diff(self.indptr)

    @property
    def people(self) -> Int64:
        """The person of every entry, shape ``(entries,)``."""
        return np.repeat(np.arange(len(self.user_ids)), self.counts)


def _in_order(ranker: Ranker, targets: Targets, seen: Ratings, blocks: list[slice], k: int) -> Iterator[Found]:
    columns = ranker.items.rows(seen.items.ids)  # the column of each of the seen items
    pool = ThreadPoolExecutor(min(len(blocks), os.cpu_count() or 1))
    try:
        yield from pool.map(lambda block: _rank_block(ranker, targets, seen, columns, block, k), blocks)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)  # so that Ctrl-C need not wait for every block


def _rank_block(
    ranker: Ranker, targets: Targets, seen: Ratings, columns: npt.NDArray[np.int32], block: slice, k: int
) -> Found:
    user_ids = targets.user_ids[block]
    scores = np.array(ranker.scores(user_ids), np.float32)  # a copy: seen items are struck out below
    if np.isnan(scores.min()):
        raise DataError("the ranker scored an item NaN; numbers and -inf (never listed) are allowed")
    for person, row in enumerate(seen.users.rows(user_ids)):
        if row >= 0:
            known = columns[seen.by_user.row(row)[0]]
            scores[person, known[known >= 0]] = -np.inf
    ascending = np.sort(scores, axis=1)
    starts = targets.indptr[block.start : block.start + len(user_ids) + 1]
    ranks, above = np.zeros(starts[-1] - starts[0], np.int64), np.zeros(starts[-1] - starts[0])
    top = np.full((len(user_ids), k), -1, np.int64)
    for person in range(len(user_ids)):
        span = slice(starts[person] - starts[0], starts[person + 1] - starts[0])
        rows = targets.item_rows[starts[person] : starts[person + 1]]
        ranks[span], above[span] = _ranks(scores[person], ascending[person], rows)
        best = top_k(scores[person], k)
        best = best[scores[person, best] > -np.inf]
        top[person, : len(best)] = best
    return Found(ranks, above, top)


def _ranks(scores: Float32, ascending: Float32, rows: Int64) -> tuple[Int64, Float64]:
    """Rank the items of `rows` among all scores: (ranks, candidates above), zeros where an item is not listed."""
    values = np.where(rows >= 0, scores[rows], -np.inf).astype(np.float32)
    first, last = np.searchsorted(ascending, values, "left"), np.searchsorted(ascending, values, "right")
    higher, equal = len(scores) - last, last - first
    ties_before = np.zeros(len(rows), np.int64)
    for tied in np.flatnonzero((equal > 1) & (values > -np.inf)):
        ties_before[tied] = np.count_nonzero(scores[: rows[tied]] == values[tied])
    listed = values > -np.inf
    ranks = np.where(listed, higher + ties_before + 1, 0)
    return ranks, np.where(listed, higher + (equal - 1) / 2, 0.0)


def _seen_counts(items: Vocabulary, seen: Ratings, user_ids: Ids) -> Int64:
    """Count the candidates that each person has already rated, shape ``(len(user_ids),)``."""
    known = items.rows(seen.items.ids)[seen.item_rows] >= 0
    counts = np.bincount(seen.user_rows[known], minlength=len(seen.users))
    rows = seen.users.rows(user_ids)
    return np.where(rows >= 0, counts[rows], 0).astype(np.int64)


def list_metrics(targets: Targets, ranks: Int64, above: Float64, candidates: Int64, k: int) -> dict[str, Float64]:
    """Turn the ranks of relevant items into metrics of each person's list, shapes ``(n,)``.

    With R relevant items of a person, cold ones included, and the ranks r (from 1) of those listed:

    - ``ndcg@k``: DCG / IDCG, DCG = sum of 1 / log2(r + 1) over r <= k, IDCG the same for ranks 1 to min(k, R)
      (binary gain; Järvelin and Kekäläinen 2002).
    - ``recall@k``: relevant items within the first k, divided by R (not by min(k, R)).
    - ``precision@k``: relevant items within the first k, divided by k, however short the list.
    - ``hit_rate@k``: 1 if a relevant item is within the first k.
    - ``map``: mean over the R relevant items of the precision at their rank, over the whole ranking, 0 for an item
      that is not listed (trec_eval's ``map``).
    - ``mrr``: 1 / the least rank, over the whole ranking; 0 if nothing relevant is listed (``recip_rank``).
    - ``auc``: chance that a relevant item ranks above a candidate that is not relevant, ties counting half, an item
      that is not listed losing against everything; NaN for a person without any other candidate.
    """
    people, relevant = targets.people, targets.counts
    n = len(relevant)
    within = (ranks >= 1) & (ranks <= k)
    hits = np.bincount(people[within], minlength=n)
    dcg = np.bincount(people[within], weights=1 / np.log2(ranks[within] + 1), minlength=n)
    ideal = np.cumsum(1 / np.log2(np.arange(2, k + 2)))[np.minimum(relevant, k) - 1]
    order = np.lexsort((ranks, people))
    order = order[ranks[order] > 0]
    listed = np.bincount(people[order], minlength=n)
    place = np.arange(len(order)) - np.repeat(np.cumsum(listed) - listed, listed) + 1
    precisions = np.bincount(people[order], weights=place / ranks[order], minlength=n)
    reciprocal = np.zeros(n)
    np.maximum.at(reciprocal, people[order], 1 / ranks[order])
    return {
        f"ndcg@{k}": dcg / ideal,
        f"recall@{k}": hits / relevant,
        f"precision@{k}": hits / k,
        f"hit_rate@{k}": (hits > 0).astype(np.float64),
        "map": precisions / relevant,
        "mrr": reciprocal,
        "auc": _auc(targets, ranks, above, candidates, listed),
    }


def _auc(targets: Targets, ranks: Int64, above: Float64, candidates: Int64, listed: Int64) -> Float64:
    people, n = targets.people, len(targets.user_ids)
    within = np.bincount(people[targets.item_rows >= 0], minlength=n)  # relevant candidates, listed or not
    losses = np.bincount(people, weights=above, minlength=n)
    below = listed * (candidates - 1) - losses  # candidates under the listed ones, relevant ones among them
    relevant_below = listed * (listed - 1) / 2 + listed * (within - listed)
    others = candidates - within
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(others > 0, (below - relevant_below) / (targets.counts * others), np.nan))

"""Lists for many users of the training set at once, without ever holding users x items scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from matinee.data.ratings import Bools, Float32, Int32, Int64
from matinee.errors import ParameterError
from matinee.models.factors import FactorModel, RatingModel
from matinee.models.parallel import run_blocks
from matinee.models.topk import Float64

if TYPE_CHECKING:
    import polars as pl

PEOPLE = 256
"""People scored together: with fewer, copying the films' factors for the product costs more than it should."""
CANDIDATES = 1024
"""Films scored together: a block of scores is 1 MiB and stays in the second cache until it has been looked at."""


class Lists(NamedTuple):
    """The best items of several people."""

    item_rows: Int32  # (people, n), best first, -1 behind the last
    scores: Float64  # (people, n), NaN behind the last


class _Candidates(NamedTuple):
    """The items that may be listed, in columns for the matrix product; padded to whole strides."""

    factors: Float32  # (rank, n_padded)
    biases: Float32  # (n_padded,), -inf in the padding
    rows: Int32  # (n_padded,)


def top_lists(
    model: FactorModel,
    user_rows: npt.NDArray[np.integer],
    n: int = 10,
    *,
    allowed: Bools | None = None,
    include_seen: bool = False,
    threads: int | None = None,
) -> Lists:
    """List the best items of many users; every list is the one that `FactorModel.recommend` gives, to the last bit.

    Parameters
    ----------
    model
        Any factor model.
    user_rows
        Shape ``(people,)``.
    n
        Length of the lists.
    allowed
        Shape ``(n_items,)``: what may be listed; None for everything.
    include_seen
        Keep the items that a user rated.
    threads
        None for all processors; the lists do not depend on it.

    Raises
    ------
    ParameterError
        If `n` is below 1.
    """
    if n < 1:
        raise ParameterError(f"n={n}: a list has at least one place")
    lists = Lists(np.full((len(user_rows), n), -1, np.int32), np.full((len(user_rows), n), np.nan))
    candidates = _candidates(model, allowed)
    slack = _slack(model, user_rows)

    def work(first: int, last: int) -> None:
        rows = user_rows[first:last]
        part = Lists(lists.item_rows[first:last], lists.scores[first:last])
        for person in _list_block(model, rows, slack[first:last], candidates, include_seen, part):
            items, scores = model.person(model.users.ids[rows[person]].item()).best(
                n, allowed, include_seen=include_seen
            )  # fmt: skip
            part.item_rows[person, : len(items)], part.scores[person, : len(items)] = items, scores

    with threadpool_limits(1, user_api="blas"):
        blocks = [(start, min(start + PEOPLE, len(user_rows))) for start in range(0, len(user_rows), PEOPLE)]
        run_blocks(work, blocks, threads)
    return lists


def lists_table(
    ranker: FactorModel,
    stars: RatingModel,
    user_rows: npt.NDArray[np.integer],
    n: int = 10,
    *,
    allowed: Bools | None = None,
    include_seen: bool = False,
    threads: int | None = None,
) -> pl.DataFrame:
    """Lay the lists of `top_lists` out as a table, with the stars that another model of the same users predicts.

    Returns
    -------
    DataFrame
        ``user_id``, ``rank`` (from 1), ``movie_id``, ``score`` and ``stars``, by user and rank.
    """
    import polars as pl

    lists = top_lists(ranker, user_rows, n, allowed=allowed, include_seen=include_seen, threads=threads)
    there = lists.item_rows >= 0
    people, items = np.broadcast_to(user_rows[:, None], there.shape)[there], lists.item_rows[there]
    movie_ids = ranker.items.ids[items]
    return pl.DataFrame(
        {
            "user_id": ranker.users.ids[people],
            "rank": np.broadcast_to(np.arange(1, n + 1, dtype=np.int32), there.shape)[there],
            "movie_id": movie_ids,
            "score": lists.scores[there],
            "stars": stars.predict_rows(people.astype(np.int32), stars.items.rows(movie_ids)),
        }
    )


def _candidates(model: FactorModel, allowed: Bools | None) -> _Candidates:
    from matinee.models.kernels.select import STRIDE

    chosen = np.arange(len(model.items)) if allowed is None else np.flatnonzero(allowed)
    padded = -(-len(chosen) // STRIDE) * STRIDE
    factors = np.zeros((model.rank, padded), np.float32)
    factors[:, : len(chosen)] = model.item_factors[chosen].T
    biases = np.full(padded, -np.inf, np.float32)
    biases[: len(chosen)] = model.item_biases[chosen]
    rows = np.full(padded, -1, np.int32)
    rows[: len(chosen)] = chosen
    return _Candidates(factors, biases, rows)


def _slack(model: FactorModel, user_rows: npt.NDArray[np.integer]) -> Float32:
    norms = np.linalg.norm(model.user_factors[user_rows], axis=1).astype(np.float64)
    constants = model.user_biases[user_rows].astype(np.float64) + model.mean
    return np.asarray(model.rounding(norms, constants), np.float32)


def _list_block(
    model: FactorModel,
    user_rows: npt.NDArray[np.integer],
    slack: Float32,
    candidates: _Candidates,
    include_seen: bool,
    lists: Lists,
) -> Int64:
    """Fill the lists of one block of people; return those of whom too many candidates are as good as equal."""
    from matinee.models.kernels.select import settle, sift

    people, n = lists.item_rows.shape
    factors = np.ascontiguousarray(model.user_factors[user_rows])
    indptr, seen = _seen(model, user_rows, include_seen)
    room = max(4 * n, n + 118)
    heaps, counts = np.full((people, n), -np.inf, np.float32), np.zeros(people, np.int64)
    values, places = np.empty((people, room), np.float32), np.empty((people, room), np.int32)
    buffer = np.empty(people * CANDIDATES, np.float32)
    for first in range(0, len(candidates.rows), CANDIDATES):
        block = candidates.factors[:, first : first + CANDIDATES]
        width = block.shape[1]
        scores = buffer[: people * width]
        np.matmul(factors, block, out=scores.reshape(people, width))
        sift(scores, first, width, candidates.biases, candidates.rows, indptr, seen, slack,
             heaps, counts, values, places)  # fmt: skip
    crowded = np.flatnonzero(counts < 0)
    constants = model.user_biases[user_rows].astype(np.float64) + model.mean
    settle(factors, constants, model.item_factors, model.item_biases, candidates.rows, slack, heaps,
           np.maximum(counts, 0), values, places, lists.item_rows, lists.scores)  # fmt: skip
    return crowded


def _seen(model: FactorModel, user_rows: npt.NDArray[np.integer], include_seen: bool) -> tuple[Int64, Int32]:
    if include_seen:
        return np.zeros(len(user_rows) + 1, np.int64), np.empty(0, np.int32)
    parts = [model.seen.row(int(row))[0] for row in user_rows]
    return np.cumsum([0, *map(len, parts)]), np.concatenate([np.empty(0, np.int32), *parts])

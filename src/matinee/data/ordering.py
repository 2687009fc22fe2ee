"""Sorting and counting millions of small integers: in linear time, in pieces whose temporaries stay in the cache."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Bools: TypeAlias = "npt.NDArray[np.bool_]"
Int32: TypeAlias = "npt.NDArray[np.int32]"
Int64: TypeAlias = "npt.NDArray[np.int64]"


def slices(n: int, step: int = 1 << 20) -> Iterator[slice]:
    """Cut ``range(n)`` into pieces whose temporaries stay in the cache."""
    return (slice(start, min(start + step, n)) for start in range(0, n, step))


def looked_up(table: Int32, ids: npt.NDArray[Any]) -> Int32:
    """Take ``table[id]`` for every id, -1 where it lies outside of the table."""
    rows = np.empty(len(ids), np.int32)
    for part in slices(len(ids)):
        wanted = ids[part]
        if len(wanted) and wanted.min() >= 0 and wanted.max() < len(table):
            rows[part] = table[wanted]
        else:
            inside = (wanted >= 0) & (wanted < len(table))
            rows[part] = np.where(inside, table[np.where(inside, wanted, 0)], -1)
    return rows


def is_sorted(user_rows: Int32, item_rows: Int32) -> bool:
    """Say whether pairs increase strictly, by user, then item."""
    for part in slices(len(user_rows) - 1):
        after = slice(part.start + 1, part.stop + 1)
        users, next_users, items, next_items = user_rows[part], user_rows[after], item_rows[part], item_rows[after]
        if not bool(((next_users > users) | ((next_users == users) & (next_items > items))).all()):
            return False
    return True


def counting_order(keys: Int32, n_keys: int) -> Int32:
    """Return the stable order that sorts small keys, by counting: SciPy's transposition of one entry per row."""
    from scipy.sparse import csr_matrix

    n = len(keys)
    entries = csr_matrix((np.ones(n, np.int8), keys, np.arange(n + 1, dtype=np.int32)), shape=(n, n_keys), copy=False)
    return np.asarray(entries.tocsc().indices, np.int32)


def same_as_next(user_rows: Int32, item_rows: Int32) -> Bools:
    """Mark sorted pairs that are followed by the same pair."""
    return np.append((user_rows[1:] == user_rows[:-1]) & (item_rows[1:] == item_rows[:-1]), False)


def newest_last(order: Int32, again: Bools, times: Int64 | None) -> Int32:
    """Within each run of equal pairs, move the newest to the end, the later one on a tie."""
    if times is None:
        return order
    in_run = again | np.append(False, again[:-1])
    entries = order[in_run]
    run = np.cumsum(~np.append(False, again[:-1])[in_run])
    order[in_run] = entries[np.lexsort((times[entries], run))]
    return order


def counted(rows: Int32, n: int) -> Int64:
    """Count every row, without widening all of them at once."""
    counts = np.zeros(n, np.int64)
    for part in slices(len(rows)):
        counts += np.bincount(rows[part], minlength=n)
    return counts

"""Solve many rows at once: what `ALS`, `ImplicitALS` and fold-in call."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from matinee.data.ratings import Csr, Float32, Int32, Int64
from matinee.errors import ParameterError
from matinee.models.parallel import equal_blocks, run_blocks

Float64 = npt.NDArray[np.float64]

GRAMIAN_ROWS = 4096
_NONE = np.empty(0, np.float32)
_lock = threading.Lock()
_compiled: list[dict[str, Any]] = []


class Solved(NamedTuple):
    """What `solve_rows` gives."""

    factors: Float32  # (n_rows, width)
    biases: Float32 | None  # (n_rows,); None where none were asked for
    losses: Float64  # (n_rows,): sum_j w_j (t_j / w_j - y_j x - bias)² + x gram x, at the solution


def padded_rank(rank: int) -> int:
    """Return the rank rounded up to whole vectors: factors of this width (zeros behind) are solved fastest."""
    return (rank + 15) // 16 * 16


def aligned_zeros(*shape: int) -> Float32:
    """Return float32 zeros that begin at a cache line: a vector that straddles two lines costs twice."""
    size = int(np.prod(shape))
    raw = np.zeros(size + 16, np.float32)
    start = -(raw.ctypes.data // 4) % 16
    return raw[start : start + size].reshape(shape)


def solve_rows(
    indptr: Int64,
    indices: Int32,
    targets: Float32,
    factors: Float32,
    *,
    regularization: float | Float32,
    weights: Float32 | None = None,
    offsets: Float32 | None = None,
    gram: Float32 | None = None,
    bias_regularization: float | Float32 | None = None,
    out: Float32 | None = None,
    threads: int | None = None,
) -> Solved:
    """Solve ``A x = b`` exactly for every row: ``A = gram + sum_j w_j y_j y_j^T + reg I``, ``b = sum_j t_j y_j``.

    The sums run over the row's entries; y_j are rows of `factors`. The bits of the result do not depend on `threads`.
    An unknown that the equations leave open (regularization near zero) becomes zero, never NaN.

    Parameters
    ----------
    indptr, indices
        Shapes ``(n_rows + 1,)`` int64 and ``(nnz,)`` int32: compressed rows; indices are rows of `factors`.
    targets
        Shape ``(nnz,)``: t_j, already multiplied by the weight where there is one.
    factors
        Shape ``(n_columns, width)``. Any width; a multiple of 16 from `aligned_zeros` is fastest.
    regularization
        Added to A's diagonal: one number, or shape ``(n_rows,)``, already scaled by the row's count if need be.
    weights
        Shape ``(nnz,)``: w_j of any sign; None for ones.
    offsets
        Shape ``(n_columns,)``: subtracted from the targets by column (the other side's biases and the mean).
    gram
        Shape ``(width, width)``: what every row shares; None for zeros. See `gramian`.
    bias_regularization
        None for no biases; else the weight of bias² in the objective, one number or shape ``(n_rows,)``.
    out
        Where the factors go, shape ``(n_rows, width)`` float32, C-contiguous; None allocates.
    threads
        None for all processors. One row is solved without another thread.

    Returns
    -------
    Solved
        Rows without entries get zeros (also where there is a gram: without targets zero is their solution).
    """
    n_rows, width = len(indptr) - 1, int(factors.shape[1])
    f = padded_rank(width)
    solved = out if out is not None and f == width else aligned_zeros(n_rows, f)
    biases = None if bias_regularization is None else np.zeros(n_rows, np.float32)
    losses = np.zeros(n_rows, np.float64)
    arguments = (
        np.ascontiguousarray(indptr, np.int64), np.ascontiguousarray(indices, np.int32), _flat(targets),
        _flat(weights), _flat(offsets), _flat(_padded(factors, f)), f,
        _NONE if gram is None else _flat(np.pad(gram, (0, f - width))), _per_row(regularization, n_rows),
        _NONE if bias_regularization is None else _per_row(bias_regularization, n_rows),
    )  # fmt: skip
    kernel = warm()["solve_block"]
    results = (solved.reshape(-1), _NONE if biases is None else biases, losses)

    def work(first: int, last: int) -> None:
        kernel(first, last, *arguments, aligned_zeros(_scratch_floats(f)), *results)

    # a row costs its outer products and one factorization
    run_blocks(work, equal_blocks(np.diff(indptr) + f // 3 + 16), threads)
    if out is None:
        out = solved[:, :width]
    elif out is not solved:
        out[:] = solved[:, :width]
    return Solved(out, biases, losses)


def gramian(factors: Float32, *, threads: int | None = None) -> Float32:
    """Return ``Y^T Y``, shape ``(width, width)`` float32: fixed blocks, summed in float64 in a fixed order.

    Parameters
    ----------
    factors
        Y, shape ``(n, width)`` float32.
    threads
        None for all processors.
    """
    n, width = factors.shape
    f = padded_rank(width)
    starts = range(0, n, GRAMIAN_ROWS)
    parts = aligned_zeros(len(starts), f * f)
    kernel, flat = warm()["gram_block"], _flat(_padded(factors, f))

    def work(first: int, last: int) -> None:
        kernel(flat, first * GRAMIAN_ROWS, min(GRAMIAN_ROWS, n - first * GRAMIAN_ROWS), f, parts[first])

    run_blocks(work, [(block, block + 1) for block in range(len(starts))], threads)
    upper = np.triu(parts.sum(axis=0, dtype=np.float64).reshape(f, f)[:width, :width])
    return np.asarray(upper + np.triu(upper, 1).T, np.float32)


def regrouped(rows: Csr, order: Int64, column_rank: Int32) -> Csr:
    """Transpose compressed rows, taking the rows in `order` and renumbering the columns by `column_rank`.

    Parameters
    ----------
    rows
        What to transpose.
    order
        Shape ``(n_rows,)``: the old row of each new one.
    column_rank
        Shape ``(n_columns,)`` int32: the new number of each column.
    """
    counts = np.zeros(rows.n_columns + 1, np.int64)
    counts[1 + column_rank.astype(np.int64)] = np.bincount(rows.indices, minlength=rows.n_columns)
    indptr = np.cumsum(counts)
    indices, values = np.empty(rows.nnz, np.int32), np.empty(rows.nnz, np.float32)
    warm()["regroup"](rows.indptr, rows.indices, rows.values, order, column_rank, indptr[:-1].copy(), indices, values)
    return Csr(indptr, indices, values, rows.n_rows)


def leverages(
    indptr: Int64, indices: Int32, factors: Float32, ridge: Float32, bias_ridge: float, threads: int | None = None
) -> Float32:
    """Return how much each entry holds its own prediction, between 0 and 1, shape ``(nnz,)``.

    Parameters
    ----------
    indptr, indices
        Compressed rows.
    factors
        Shape ``(n_columns, width)`` from `aligned_zeros`, `width` from `padded_rank`.
    ridge
        Shape ``(n_rows,)``: added to the diagonal.
    bias_ridge
        Added to the number of entries, for the bias.
    threads
        None for all processors.
    """
    from matinee.models.kernels.leverage import leverage_block

    out, width = np.empty(len(indices), np.float32), factors.shape[1]
    flat, wide_indptr = factors.reshape(-1), np.asarray(indptr, np.int64)

    def work(first: int, last: int) -> None:
        leverage_block(first, last, wide_indptr, indices, flat, width, ridge, float(bias_ridge), out)

    run_blocks(work, equal_blocks(np.diff(wide_indptr) + 4), threads)
    return out


def warm(notify: Callable[[], None] | None = None) -> dict[str, Any]:
    """Return the compiled kernels by name; the first call of a process loads or compiles them.

    Parameters
    ----------
    notify
        Called once, from this thread, if that takes longer than loading from the cache does.
    """
    if not _compiled:
        loading = threading.Thread(target=_load, name="matinee-compile", daemon=True)
        loading.start()
        if notify is not None:
            loading.join(timeout=2)
            if loading.is_alive():
                notify()
        loading.join()
        if not _compiled:
            _load()  # raises here what the thread met
    return _compiled[0]


def _load() -> None:
    with _lock:
        if not _compiled:
            from matinee.models.kernels import conjugate, rows, whitened

            _compiled.append(rows.compiled() | whitened.compiled() | conjugate.compiled())


def _scratch_floats(f: int) -> int:
    from matinee.models.kernels.rows import scratch_floats

    return scratch_floats(f)


def _padded(factors: Float32, f: int) -> Float32:
    """Return factors f wide, zeros behind."""
    if factors.shape[1] == f:
        return factors
    wide = aligned_zeros(len(factors), f)
    wide[:, : factors.shape[1]] = factors
    return wide


def _flat(array: Float32 | None) -> Float32:
    """Return plain contiguous float32 memory: a memory map would be another type to compile for."""
    return _NONE if array is None else np.ascontiguousarray(np.asarray(array), np.float32).reshape(-1)


def _per_row(value: float | Float32, n_rows: int) -> Float32:
    rows = np.full(n_rows, value, np.float32) if np.ndim(value) == 0 else _flat(np.asarray(value))
    if len(rows) != n_rows:
        raise ParameterError(f"{len(rows)} regularizations arrived for {n_rows} rows; give one number or one a row")
    return rows

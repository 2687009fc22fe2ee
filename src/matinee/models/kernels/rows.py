"""The row solve of `models.solver`, fast: compiled, serial, and free of the interpreter's lock.

Flat row-major arrays throughout. A is the upper triangle only; what lies below its diagonal is never read. Indices are
unsigned where loops must vectorise: numba wraps negative ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types

from matinee.models.kernels.tile import (
    BLOCK,
    TILE_COLUMNS,
    TILE_ROWS,
    add_tile,
    copy_row,
    prefetch_row,
    sum_tile,
    wide_sum_tile,
)
from matinee.models.kernels.triangle import OPTIONS, cholesky, leading, solve_factored

GATHER_FLOATS = 8192
"""Floats of gathered factors held at a time: 32 KiB stay in the first cache beside the tile's other operands."""
GATHER_ROWS = 256
AHEAD = 16
"""Entries between asking for a row of factors and copying it."""


@njit(**OPTIONS)
def add_gram(H: Any, G: Any, start: int, k: int, f: int, A: Any, ld: int) -> None:
    """A (f x f, upper, rows `ld` apart) += H^T G for k rows of length f that begin at `start`."""
    for i in range(0, f, TILE_ROWS):
        for j in range(i // TILE_COLUMNS * TILE_COLUMNS, f, TILE_COLUMNS):
            add_tile(H, start + i, f, G, start + j, f, k, A, i * ld + j, ld)


@njit(**OPTIONS)
def start_system(gram: Any, ridge: float, f: int, ld: int, A: Any, b: Any) -> None:
    """A = gram (or zeros) + ridge * I, upper triangle; b = 0."""
    F, L = np.uint64(f), np.uint64(ld)
    for i in range(F):
        block = i // np.uint64(BLOCK) * np.uint64(BLOCK)
        if len(gram):
            for j in range(block, F):
                A[i * L + j] = gram[i * F + j]
        else:
            for j in range(block, F):
                A[i * L + j] = np.float32(0)
        A[i * L + i] += ridge
    for j in range(np.uint64(2) * F):
        b[j] = np.float32(0)


@njit(**OPTIONS)
def add_sums(T: Any, G: Any, k: int, f: int, b: Any) -> None:
    """b[:f] += t^T G and b[f:] += w^T G for k rows; T holds (t, w) per row."""
    for j in range(0, f - BLOCK, 2 * BLOCK):
        wide_sum_tile(T, 0, 2, G, j, f, k, b, j, f)
    if f // BLOCK % 2:
        sum_tile(T, 0, 2, G, f - BLOCK, f, k, b, f - BLOCK, f)


@njit(**OPTIONS)
def gather(
    indices: Any, targets: Any, weights: Any, offsets: Any, factors: Any, first: int, k: int, f: int,
    G: Any, H: Any, T: Any,
) -> float:  # fmt: skip
    """Copy the factors of k entries side by side into G, w times them into H, (t, w) into T; return sum t² / w."""
    squares = 0.0
    F = np.uint64(f)
    weighted, shifted = len(weights) > 0, len(offsets) > 0
    for n in range(k):
        entry = np.uint64(first + n)
        column = np.uint64(indices[entry])
        target = targets[entry]
        if shifted:
            target -= offsets[column]
        goal = np.uint64(n) * F
        if n + AHEAD < k:
            coming = np.uint64(indices[entry + np.uint64(AHEAD)])
            prefetch_row(factors, coming * F, f)
            if shifted:
                prefetch_row(offsets, coming, BLOCK)
        copy_row(factors, column * F, G, goal, f)
        weight = np.float32(1)
        if weighted:
            weight = weights[entry]
            for j in range(F):
                H[goal + j] = weight * G[goal + j]
            if weight != 0:
                squares += np.float64(target) * target / weight
        else:
            squares += np.float64(target) * target
        T[np.uint64(2 * n)], T[np.uint64(2 * n + 1)] = target, weight
    return squares


@njit(cache=True, **OPTIONS)
def solve_block(
    first: int, last: int, indptr: Any, indices: Any, targets: Any, weights: Any, offsets: Any, factors: Any,
    f: int, gram: Any, regularization: Any, bias_regularization: Any, scratch: Any, out: Any, out_biases: Any,
    losses: Any,
) -> None:  # fmt: skip
    """Solve the rows from `first` up to `last`; the arguments are those of `kernels.solve_rows`, flat."""
    chunk = min(GATHER_ROWS, max(BLOCK, GATHER_FLOATS // f))
    ld = leading(f)
    A, rest = scratch[: f * ld], scratch[f * ld :]
    b, G, rest = rest[: 2 * f], rest[2 * f : (2 + chunk) * f], rest[(2 + chunk) * f :]
    T, H = rest[: 2 * chunk], G
    if len(weights):
        H = rest[2 * chunk : 2 * chunk + chunk * f]
    biased = len(bias_regularization) > 0
    for row in range(first, last):
        begin, end = indptr[row], indptr[row + 1]
        if begin == end:
            for j in range(f):
                out[row * f + j] = np.float32(0)
            losses[row] = 0
            if biased:
                out_biases[row] = 0
            continue
        ridge = regularization[row]
        start_system(gram, ridge, f, ld, A, b)
        loss = 0.0
        target_sum, weight_sum = np.float64(0), np.float64(0)
        for start in range(begin, end, chunk):
            k = min(chunk, end - start)
            loss += gather(indices, targets, weights, offsets, factors, start, k, f, G, H, T)
            add_gram(H, G, 0, k, f, A, ld)
            add_sums(T, G, k, f, b)
            if biased:
                for n in range(k):
                    target_sum += T[2 * n]
                    weight_sum += T[2 * n + 1]
        if biased:
            weight_sum += bias_regularization[row]
            if weight_sum <= 0:  # weights of zero and no damping: nothing is known about the bias
                weight_sum = np.float64(np.inf)
            eliminate_bias(A, b, f, ld, np.float32(1 / weight_sum), np.float32(target_sum))
        X = G[:f]
        for j in range(f):
            X[j] = b[j]
        cholesky(A, f, ld)
        solve_factored(A, X, f, ld)
        bias: Any = 0.0
        if biased:
            bias = target_sum
            for j in range(f):
                bias -= np.float64(b[f + j]) * X[j]
            bias /= weight_sum
            out_biases[row] = bias
            loss -= bias * (target_sum + bias_regularization[row] * bias)
            for j in range(f):
                # what eliminating the bias took from b
                b[j] += b[f + j] * np.float32(target_sum / weight_sum)
        for j in range(f):
            loss -= np.float64(X[j]) * (b[j] + ridge * X[j])
        losses[row] = loss
        for j in range(f):
            out[row * f + j] = X[j]


@njit(**OPTIONS)
def eliminate_bias(A: Any, b: Any, f: int, ld: int, inverse: float, target_sum: float) -> None:
    """Take the bias out of the bordered system: A -= s s^T / total, b -= s * (sum t / total), s = b[f:]."""
    F, L = np.uint64(f), np.uint64(ld)
    for i in range(F):
        scaled = b[F + i] * inverse
        b[i] -= scaled * target_sum
        for j in range(i // np.uint64(BLOCK) * np.uint64(BLOCK), F):
            A[i * L + j] -= scaled * b[F + j]


@njit(cache=True, **OPTIONS)
def regroup(
    indptr: Any, indices: Any, values: Any, order: Any, column_rank: Any, next_free: Any, out_indices: Any,
    out_values: Any,
) -> None:  # fmt: skip
    """Transpose compressed rows, rows taken in `order` and columns renumbered by `column_rank`; linear time.

    `next_free` holds where each new row begins, and is used up.
    """
    for row in range(len(order)):
        old = order[row]
        for entry in range(indptr[old], indptr[old + 1]):
            goal = column_rank[indices[entry]]
            place = next_free[goal]
            out_indices[place] = row
            out_values[place] = values[entry]
            next_free[goal] = place + 1


@njit(cache=True, **OPTIONS)
def gram_block(Y: Any, first: int, k: int, f: int, A: Any) -> None:
    """A (f x f, upper) += Y^T Y over k rows from row `first` on, in chunks that stay in the first cache."""
    chunk = max(BLOCK, GATHER_FLOATS // f)
    for start in range(first, first + k, chunk):
        add_gram(Y, Y, start * f, min(chunk, first + k - start), f, A, f)


def scratch_floats(f: int) -> int:
    """Return how many floats of scratch `solve_block` needs at padded rank f."""
    chunk = min(GATHER_ROWS, max(BLOCK, GATHER_FLOATS // f))
    return f * int(leading.py_func(f)) + 2 * f + 2 * chunk * f + 2 * chunk


def compiled() -> dict[str, Any]:
    """Compile the entry points, or load them from numba's cache: one fixed signature each, no other ever after."""

    def array(kind: Any, *, readonly: bool = True) -> Any:
        return types.Array(kind, 1, "C", readonly=readonly)

    i4, i8, f4, f8 = types.int32, types.int64, types.float32, types.float64
    out4 = array(f4, readonly=False)
    solve = (
        i8, i8, array(i8), array(i4), array(f4), array(f4), array(f4), array(f4), i8, array(f4), array(f4), array(f4),
        out4, out4, out4, array(f8, readonly=False),
    )  # fmt: skip
    regroup_types = (
        array(i8), array(i4), array(f4), array(i8), array(i4), array(i8, readonly=False), array(i4, readonly=False),
        out4,
    )  # fmt: skip
    wanted = {
        "solve_block": (solve_block, solve), "gram_block": (gram_block, (array(f4), i8, i8, i8, out4)),
        "regroup": (regroup, regroup_types),
    }  # fmt: skip
    for kernel, signature in wanted.values():
        kernel.compile(signature)
        kernel.disable_compile()
    return {name: kernel for name, (kernel, _) in wanted.items()}

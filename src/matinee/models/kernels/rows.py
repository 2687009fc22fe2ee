"""The row solve of `models.solver`, fast: compiled, serial, and free of the interpreter's lock.

Flat row-major arrays throughout. A is the upper triangle only; what lies below its diagonal is never read. Indices are
unsigned where loops must vectorise: numba wraps negative ones.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit, types

from matinee.models.kernels.tile import BLOCK, TILE_COLUMNS, TILE_ROWS, add_tile, subtract_tile, sum_tile

# Sums may be reordered and fused; NaN and infinity keep their meaning.
_FAST = {"reassoc", "contract", "nsz", "arcp"}
_options: dict[str, Any] = {"nogil": True, "fastmath": _FAST, "boundscheck": False, "error_model": "numpy"}

GATHER_FLOATS = 4096
"""Floats of gathered factors held at a time: 16 KiB stay in the first cache beside the tile's other operands."""
GATHER_ROWS = 256
TINY_PIVOT = np.float32(1e-6)


@njit(**_options)
def add_gram(H: Any, G: Any, start: int, k: int, f: int, A: Any) -> None:
    """A (f x f, upper) += H^T G for k rows of length f that begin at `start`."""
    for i in range(0, f, TILE_ROWS):
        for j in range(i // TILE_COLUMNS * TILE_COLUMNS, f, TILE_COLUMNS):
            add_tile(H, start + i, f, G, start + j, f, k, A, i * f + j, f)


@njit(**_options)
def cholesky(A: Any, f: int) -> None:
    """Overwrite A (f x f, upper) with U, U^T U = A, whose diagonal holds 1 / U_rr.

    An unknown whose pivot has vanished beside its own diagonal is tied to the others: it is set to zero (1 / U_rr = 0).
    """
    F = np.uint64(f)
    limit = np.empty(BLOCK, np.float32)
    for first in range(0, f, BLOCK):
        u = np.uint64(first)
        for r in range(BLOCK):
            limit[r] = TINY_PIVOT * A[(first + r) * f + first + r]
        for i in range(first, first + BLOCK, TILE_ROWS):
            for j in range(first, f, TILE_COLUMNS):
                subtract_tile(A, i, f, A, j, f, first, A, i * f + j, f)
        for r in range(BLOCK):
            row = (u + np.uint64(r)) * F
            pivot = A[row + u + np.uint64(r)]
            d = np.float32(1) / np.float32(math.sqrt(pivot)) if pivot > limit[r] else np.float32(0)
            for j in range(u, F):
                A[row + j] *= d
            A[row + u + np.uint64(r)] = d
            for q in range(r + 1, BLOCK):
                other = (u + np.uint64(q)) * F
                a = A[row + u + np.uint64(q)]
                for j in range(u, F):
                    A[other + j] -= a * A[row + j]


@njit(**_options)
def solve_factored(U: Any, b: Any, f: int) -> None:
    """Overwrite b with the solution of U^T U x = b, U as `cholesky` left it."""
    F, one = np.uint64(f), np.uint64(1)
    for k in range(np.uint64(0), F):
        t = b[k] * U[k * F + k]
        b[k] = t
        for j in range(k + one, F):
            b[j] -= t * U[k * F + j]
    for back in range(np.uint64(0), F):
        k = F - one - back
        s = np.float32(0)
        for j in range(k + one, F):
            s += U[k * F + j] * b[j]
        b[k] = (b[k] - s) * U[k * F + k]


@njit(**_options)
def gather(
    indices: Any, targets: Any, weights: Any, offsets: Any, factors: Any, width: int, first: int, k: int, f: int,
    G: Any, H: Any, T: Any,
) -> float:  # fmt: skip
    """Copy the factors of k entries side by side into G, w times them into H, (t, w) into T; return sum t² / w."""
    squares = 0.0
    W, F = np.uint64(width), np.uint64(f)
    weighted, shifted = len(weights) > 0, len(offsets) > 0
    for n in range(k):
        entry = np.uint64(first + n)
        column = np.uint64(indices[entry])
        target = targets[entry]
        if shifted:
            target -= offsets[column]
        source, goal = column * W, np.uint64(n) * F
        for j in range(W):
            G[goal + j] = factors[source + j]
        weight = np.float32(1)
        if weighted:
            weight = weights[entry]
            for j in range(W):
                H[goal + j] = weight * G[goal + j]
        T[np.uint64(2 * n)], T[np.uint64(2 * n + 1)] = target, weight
        if weight != 0:
            squares += np.float64(target) * target / weight
    return squares


@njit(cache=True, **_options)
def solve_block(
    first: int, last: int, indptr: Any, indices: Any, targets: Any, weights: Any, offsets: Any, factors: Any,
    width: int, gram: Any, regularization: Any, bias_regularization: Any, scratch: Any, out: Any, out_biases: Any,
    losses: Any,
) -> None:  # fmt: skip
    """Solve the rows from `first` up to `last`; the arguments are those of `kernels.solve_rows`, flat."""
    f = (width + BLOCK - 1) // BLOCK * BLOCK
    chunk = min(GATHER_ROWS, max(BLOCK, GATHER_FLOATS // f))
    A, rest = scratch[: f * f], scratch[f * f :]
    b, G, rest = rest[: 2 * f], rest[2 * f : (2 + chunk) * f], rest[(2 + chunk) * f :]
    T, H = rest[: 2 * chunk], G
    if len(weights):
        H = rest[2 * chunk : 2 * chunk + chunk * f]
    biased = len(bias_regularization) > 0
    for row in range(first, last):
        begin, end = indptr[row], indptr[row + 1]
        if begin == end:
            out[row * width : (row + 1) * width] = 0
            losses[row] = 0
            if biased:
                out_biases[row] = 0
            continue
        if len(gram):
            A[:] = gram
        else:
            A[:] = 0
        b[:] = 0
        ridge = regularization[row]
        for i in range(f):
            A[i * f + i] += ridge
        loss = 0.0
        target_sum, weight_sum = np.float64(0), np.float64(0)
        for start in range(begin, end, chunk):
            k = min(chunk, end - start)
            loss += gather(indices, targets, weights, offsets, factors, width, start, k, f, G, H, T)
            add_gram(H, G, 0, k, f, A)
            for j in range(0, f, BLOCK):
                sum_tile(T, 0, 2, G, j, f, k, b, j, f)
            if biased:
                for n in range(k):
                    target_sum += T[2 * n]
                    weight_sum += T[2 * n + 1]
        if biased:
            weight_sum += bias_regularization[row]
            eliminate_bias(A, b, f, np.float32(1 / weight_sum), np.float32(target_sum))
        X = G[:f]
        X[:] = b[:f]
        cholesky(A, f)
        solve_factored(A, X, f)
        bias = 0.0
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
        out[row * width : (row + 1) * width] = X[:width]


@njit(**_options)
def eliminate_bias(A: Any, b: Any, f: int, inverse: float, target_sum: float) -> None:
    """Take the bias out of the bordered system: A -= s s^T / total, b -= s * (sum t / total), s = b[f:]."""
    F = np.uint64(f)
    for i in range(F):
        scaled = b[F + i] * inverse
        b[i] -= scaled * target_sum
        for j in range(i // np.uint64(BLOCK) * np.uint64(BLOCK), F):
            A[i * F + j] -= scaled * b[F + j]


@njit(cache=True, **_options)
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


@njit(cache=True, **_options)
def gram_block(Y: Any, first: int, k: int, f: int, A: Any) -> None:
    """A (f x f, upper) += Y^T Y over k rows from row `first` on, in chunks that stay in the first cache."""
    chunk = max(BLOCK, GATHER_FLOATS // f)
    for start in range(first, first + k, chunk):
        add_gram(Y, Y, start * f, min(chunk, first + k - start), f, A)


def scratch_floats(f: int) -> int:
    """Return how many floats of scratch `solve_block` needs at padded rank f."""
    chunk = min(GATHER_ROWS, max(BLOCK, GATHER_FLOATS // f))
    return f * f + 2 * f + 2 * chunk * f + 2 * chunk


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
        array(i8), array(i4), array(f4), array(i8), array(i4), array(i8, readonly=False), array(i4, readonly=False), out4,
    )  # fmt: skip
    wanted = {
        "solve_block": (solve_block, solve), "gram_block": (gram_block, (array(f4), i8, i8, i8, out4)),
        "regroup": (regroup, regroup_types),
    }  # fmt: skip
    for kernel, signature in wanted.values():
        kernel.compile(signature)
        kernel.disable_compile()
    return {name: kernel for name, (kernel, _) in wanted.items()}

"""The row solve of implicit feedback, fast, where all rows share one Gramian.

In the basis of the Gramian's eigenvectors what all rows share is diagonal, D = gram + reg * I. Whitened by it,
z_j = sqrt(w_j) D^(-1/2) y_j, a row's matrix is I + Z^T Z, and a row of k < rank entries can be solved from the k x k
matrix I + Z Z^T instead: x = D^(-1/2) Z^T (I + Z Z^T)^(-1) t / sqrt(w). Most people and most films are such rows.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from matinee.models.kernels.rows import GATHER_FLOATS, GATHER_ROWS, add_gram
from matinee.models.kernels.tile import BLOCK, WIDTH, Emitter, add_row_tile
from matinee.models.kernels.triangle import OPTIONS, cholesky, leading, solve_factored


@intrinsic
def transpose_block(_context: Any, a: Any, a_start: Any, lda: Any, c: Any, c_start: Any, ldc: Any) -> Any:
    """Write the transpose of the WIDTH x WIDTH block at `a_start` to `c_start`."""
    i64 = types.int64

    def code(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        emit = Emitter(builder)
        source, goal = (emit.begin(context, signature.args[n], args[n], args[n + 1]) for n in (0, 3))
        rows = [emit.load(emit.ahead(source, builder.mul(args[2], emit.int(r)))) for r in range(WIDTH)]
        half = 1
        while half < WIDTH:  # swap the off-diagonal quarters of ever larger blocks
            low = [lane if not lane & half else WIDTH + lane - half for lane in range(WIDTH)]
            high = [lane + half if not lane & half else WIDTH + lane for lane in range(WIDTH)]
            for r in range(WIDTH):
                if not r & half:
                    above, below = rows[r], rows[r + half]
                    rows[r], rows[r + half] = emit.shuffle(above, below, low), emit.shuffle(above, below, high)
            half *= 2
        for r, row in enumerate(rows):
            emit.store(row, emit.ahead(goal, builder.mul(args[5], emit.int(r))))
        return context.get_dummy_value()

    return types.void(a, i64, i64, c, i64, i64), code


@njit(**OPTIONS)
def gather(
    indices: Any, roots: Any, targets: Any, factors: Any, scale: Any, first: int, k: int, f: int, Z: Any, t: Any,
) -> float:  # fmt: skip
    """Write the whitened factors of k entries to Z (k x f) and their targets to t; return sum t²."""
    F = np.uint64(f)
    squares = 0.0
    for n in range(k):
        entry, goal = np.uint64(first + n), np.uint64(n) * F
        source, root = np.uint64(indices[entry]) * F, roots[entry]
        for j in range(F):
            Z[goal + j] = factors[source + j] * (root * scale[j])
        t[n] = targets[entry]
        squares += np.float64(targets[entry]) * targets[entry]
    return squares


@njit(**OPTIONS)
def start_identity(f: int, ld: int, A: Any) -> None:
    """A = I, upper triangle, diagonal blocks whole."""
    F, L = np.uint64(f), np.uint64(ld)
    for i in range(F):
        for j in range(i // np.uint64(BLOCK) * np.uint64(BLOCK), F):
            A[i * L + j] = np.float32(0)
        A[i * L + i] = np.float32(1)


@njit(**OPTIONS)
def weighted_sum(c: Any, Z: Any, k: int, f: int, x: Any) -> None:
    """Add Z^T c over k rows to x."""
    for j in range(0, f, BLOCK):
        add_row_tile(c, 0, 1, Z, j, f, k, x, j, f)


@njit(**OPTIONS)
def solve_short(k: int, f: int, Z: Any, t: Any, A: Any, R: Any, c: Any, x: Any) -> float:
    """Set x = Z^T (I + Z Z^T)^-1 t for k < f; return t . (I + Z Z^T)^-1 t, the row's share of the objective."""
    padded = (k + BLOCK - 1) // BLOCK * BLOCK
    ld = leading(padded)
    for n in range(k * f, padded * f):
        Z[n] = np.float32(0)
    for n in range(0, padded, WIDTH):
        for j in range(0, f, WIDTH):
            transpose_block(Z, n * f + j, f, R, j * padded + n, padded)
    start_identity(padded, ld, A)
    add_gram(R, R, 0, f, padded, A, ld)
    for n in range(padded):
        c[n] = t[n] if n < k else np.float32(0)
    cholesky(A, padded, ld)
    solve_factored(A, c, padded, ld)
    product = 0.0
    for n in range(k):
        product += np.float64(t[n]) * c[n]
    weighted_sum(c, Z, k, f, x)
    return product


@njit(**OPTIONS)
def solve_long(
    indices: Any, roots: Any, targets: Any, factors: Any, scale: Any, begin: int, end: int, f: int, Z: Any, t: Any,
    A: Any, c: Any, x: Any,
) -> float:  # fmt: skip
    """Set x = (I + Z^T Z)^-1 Z^T t over the entries from `begin` to `end`; return the row's share of the objective."""
    ld, chunk = leading(f), chunk_rows(f)
    start_identity(f, ld, A)
    share = 0.0
    for start in range(begin, end, chunk):
        n = min(chunk, end - start)
        share += gather(indices, roots, targets, factors, scale, start, n, f, Z, t)
        add_gram(Z, Z, 0, n, f, A, ld)
        weighted_sum(t, Z, n, f, x)
    for j in range(f):
        c[j] = x[j]
    cholesky(A, f, ld)
    solve_factored(A, x, f, ld)
    for j in range(f):
        share -= np.float64(c[j]) * x[j]
    return share


@njit(cache=True, **OPTIONS)
def solve_whitened(
    first: int, last: int, indptr: Any, indices: Any, roots: Any, targets: Any, factors: Any, shared: Any,
    gram_weights: Any, regularization: Any, scratch: Any, out: Any, shares: Any,
) -> None:  # fmt: skip
    """Solve the rows from `first` up to `last`; the arguments are those of `likes.Side.solve`, flat."""
    f = len(shared)
    F, chunk = np.uint64(f), chunk_rows(f)
    square, rows = f * leading(f), max(f, chunk)
    A, R, rest = scratch[:square], scratch[square : square + f * f], scratch[square + f * f :]
    Z, rest = rest[: rows * f], rest[rows * f :]
    scale, x, c, t = rest[:f], rest[f : 2 * f], rest[2 * f : 3 * f], rest[3 * f : 3 * f + rows]
    for row in range(first, last):
        begin, end = indptr[row], indptr[row + 1]
        for j in range(F):
            scale[j] = np.float32(1) / np.float32(math.sqrt(gram_weights[row] * shared[j] + regularization[row]))
            x[j] = np.float32(0)
        if end - begin >= f:
            shares[row] = solve_long(indices, roots, targets, factors, scale, begin, end, f, Z, t, A, c, x)
        elif end > begin:
            gather(indices, roots, targets, factors, scale, begin, end - begin, f, Z, t)
            shares[row] = solve_short(end - begin, f, Z, t, A, R, c, x)
        goal = np.uint64(row) * F
        for j in range(F):
            out[goal + j] = x[j] * scale[j]


@njit(**OPTIONS)
def chunk_rows(f: int) -> int:
    """Gathered rows held at a time where there are many."""
    return min(GATHER_ROWS, max(BLOCK, GATHER_FLOATS // f))


def scratch_floats(f: int) -> int:
    """Return how many floats of scratch `solve_whitened` needs at rank f, a multiple of `BLOCK`."""
    rows = max(f, int(chunk_rows.py_func(f)))
    return f * int(leading.py_func(f)) + f * f + rows * f + 3 * f + rows


def compiled() -> dict[str, Any]:
    """Compile the entry point, or load it from numba's cache."""

    def array(kind: Any, *, readonly: bool = True) -> Any:
        return types.Array(kind, 1, "C", readonly=readonly)

    f4, i8 = array(types.float32), types.int64
    out4, out8 = array(types.float32, readonly=False), array(types.float64, readonly=False)
    solve_whitened.compile((i8, i8, array(i8), array(types.int32), f4, f4, f4, f4, f4, f4, out4, out4, out8))
    solve_whitened.disable_compile()
    return {"solve_whitened": solve_whitened}

"""Conjugate gradients for the systems of `kernels.whitened`: a row's matrix is never formed.

Every step passes over the row's entries once: a product with each entry's factors and a sum of them, where the exact
solve costs the square of their length. Whitened by what all rows share, the systems are near the identity, more so
than those that Takács, Pilászy and Tikk (2011, "Applications of the conjugate gradient method for implicit feedback
collaborative filtering") step through, so that few steps from the last iteration's factors are enough.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit, types

from matinee.models.kernels.scaled import add_scaled, product
from matinee.models.kernels.tile import prefetch_row
from matinee.models.kernels.triangle import OPTIONS

AHEAD = 8
"""Entries between asking for a row of factors and using it."""
SOLVED = 1e-20
"""Squared length of a residual that is not worth a step."""


@njit(**OPTIONS)
def errors(
    indices: Any, roots: Any, targets: Any, share: Any, factors: Any, begin: int, end: int, f: int, x: Any, out: Any
) -> float:  # fmt: skip
    """Set ``out = sum_j sqrt(w_j) e_j y_j``, ``e_j = share * target_j - sqrt(w_j) x.y_j``; return ``sum_j e_j²``."""
    F, last = np.uint64(f), np.uint64(end)
    squares = 0.0
    for j in range(F):
        out[j] = np.float32(0)
    for n in range(np.uint64(begin), last):
        coming = n + np.uint64(AHEAD)
        if coming < last:
            prefetch_row(factors, np.uint64(indices[coming]) * F, f)
        place, root = np.uint64(indices[n]) * F, roots[n]
        error = share * targets[n] - root * product(x, 0, factors, place, F)
        squares += np.float64(error) * error
        add_scaled(factors, place, root * error, out, 0, F)
    return squares


@njit(cache=True, **OPTIONS)
def step_whitened(
    first: int, last: int, indptr: Any, indices: Any, roots: Any, targets: Any, factors: Any, shared: Any,
    gram_weights: Any, regularization: Any, steps: int, out: Any, shares: Any,
) -> None:  # fmt: skip
    """Improve the rows from `first` up to `last` of `out`; the arguments are those of `likes.Side.approach`, flat."""
    f = len(shared)
    F, one, zero = np.uint64(f), np.float32(1), np.float32(0)
    scratch = np.empty(6 * f, np.float32)
    scale, x, v = scratch[:f], scratch[f : 2 * f], scratch[2 * f : 3 * f]
    r, p, s = scratch[3 * f : 4 * f], scratch[4 * f : 5 * f], scratch[5 * f :]
    for row in range(first, last):
        begin, end, goal = indptr[row], indptr[row + 1], np.uint64(row) * F
        if begin == end:
            for j in range(F):
                out[goal + j] = zero
            continue
        length = 0.0
        for j in range(F):
            scale[j] = one / np.float32(math.sqrt(gram_weights[row] * shared[j] + regularization[row]))
            x[j] = out[goal + j]
            v[j] = x[j] / scale[j]
            length += np.float64(v[j]) * v[j]
        least = length + errors(indices, roots, targets, one, factors, begin, end, f, x, s)
        left = 0.0
        for j in range(F):
            r[j] = s[j] * scale[j] - v[j]
            p[j] = r[j]
            left += np.float64(r[j]) * r[j]
        for _ in range(steps):
            if left <= SOLVED:
                break
            curvature = 0.0
            for j in range(F):
                x[j] = p[j] * scale[j]
                curvature += np.float64(p[j]) * p[j]
            curvature += errors(indices, roots, targets, zero, factors, begin, end, f, x, s)
            size, before = np.float32(left / curvature), left
            least -= left * left / curvature
            left = 0.0
            for j in range(F):
                v[j] += size * p[j]
                r[j] -= size * (p[j] - s[j] * scale[j])
                left += np.float64(r[j]) * r[j]
            for j in range(F):
                p[j] = r[j] + np.float32(left / before) * p[j]
        for j in range(F):
            out[goal + j] = v[j] * scale[j]
        shares[row] = least


def compiled() -> dict[str, Any]:
    """Compile the entry point, or load it from numba's cache."""

    def array(kind: Any, *, readonly: bool = True) -> Any:
        return types.Array(kind, 1, "C", readonly=readonly)

    f4, i8 = array(types.float32), types.int64
    out4, out8 = array(types.float32, readonly=False), array(types.float64, readonly=False)
    step_whitened.compile((i8, i8, array(i8), array(types.int32), f4, f4, f4, f4, f4, f4, i8, out4, out8))
    step_whitened.disable_compile()
    return {"step_whitened": step_whitened}

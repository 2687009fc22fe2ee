"""How much each rating holds its own prediction: leverages of the row solve's systems."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from matinee.models.kernels.rows import add_gram, add_sums, eliminate_bias, start_system
from matinee.models.kernels.triangle import OPTIONS, cholesky, leading, solve_forward

CHUNK = 128
"""Factors held at a time."""
_NO_GRAM = np.empty(0, np.float32)


@njit(cache=True, **OPTIONS)
def leverage_block(
    first: int, last: int, indptr: Any, indices: Any, factors: Any, f: int, ridge: Any, bias_ridge: float, out: Any
) -> None:
    """Write v A^-1 v of every entry of the rows `first` to `last`, v being its factors and a 1 for the bias.

    A = sum of v v^T over the row's entries + ridge on the factors' diagonal + bias_ridge on the bias's.
    """
    ld, F = leading(f), np.uint64(f)
    M, b, v = np.empty(f * ld, np.float32), np.empty(2 * f, np.float32), np.empty(2 * f, np.float32)
    G, T = np.empty(CHUNK * f, np.float32), np.ones(2 * CHUNK, np.float32)
    for row in range(first, last):
        start_system(_NO_GRAM, ridge[row], f, ld, M, b)
        for start in range(indptr[row], indptr[row + 1], CHUNK):
            k = min(CHUNK, indptr[row + 1] - start)
            for n in range(k):
                source, goal = np.uint64(indices[start + n]) * F, np.uint64(n) * F
                for j in range(F):
                    G[goal + j] = factors[source + j]
            add_gram(G, G, 0, k, f, M, ld)
            add_sums(T, G, k, f, b)
        inverse = np.float32(1 / (indptr[row + 1] - indptr[row] + bias_ridge))
        eliminate_bias(M, b, f, ld, inverse, np.float32(0))
        cholesky(M, f, ld)
        for entry in range(indptr[row], indptr[row + 1]):
            source, total = np.uint64(indices[entry]) * F, np.float64(inverse)
            for j in range(F):
                v[j] = factors[source + j] - b[F + j] * inverse
            solve_forward(M, v, f, ld)
            for j in range(F):
                total += np.float64(v[j]) * v[j]
            out[entry] = total

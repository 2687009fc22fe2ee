"""One Gibbs step for many rows: the row solve's own Gram matrix and Cholesky factor, plus noise of the right shape.

Random numbers come from a counter (Widynski 2020, "Squares: A Fast Counter-Based RNG", arXiv:2004.06278): each row's
numbers depend on the seed, the sweep, the side and the row, so nothing depends on who computes it when.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from matinee.models.kernels.rows import add_gram, add_sums, eliminate_bias, start_system
from matinee.models.kernels.triangle import OPTIONS, cholesky, leading, solve_backward, solve_forward

CHUNK = 128
"""Regressors held at a time."""
_NO_GRAM = np.empty(0, np.float32)


@njit(**OPTIONS)
def squares(counter: Any, key: Any) -> Any:
    """Return 64 random bits for a counter (Widynski 2020, section 6)."""
    half = np.uint64(32)
    x = counter * key
    y, z = x, x + key
    x = x * x + y
    x = (x >> half) | (x << half)
    x = x * x + z
    x = (x >> half) | (x << half)
    x = x * x + y
    x = (x >> half) | (x << half)
    x = x * x + z
    last = x
    x = (x >> half) | (x << half)
    return last ^ ((x * x + y) >> half)


@njit(**OPTIONS)
def normals(counter: Any, key: Any, n: int, out: Any) -> None:
    """Fill out[:n], and one more if n is odd, with standard normals (Box and Muller 1958)."""
    for j in range(0, n, 2):
        bits = squares(counter + np.uint64(j), key)
        radius = math.sqrt(-2 * math.log((np.float64(bits >> np.uint64(32)) + 0.5) * 2.0**-32))
        angle = 2 * math.pi * 2.0**-32 * np.float64(bits & np.uint64(0xFFFFFFFF))
        out[j], out[j + 1] = radius * math.cos(angle), radius * math.sin(angle)


@njit(**OPTIONS)
def regressors(
    entry: int, k: int, left: Any, right: Any, targets: Any, weights: Any, A: Any, a_bias: Any, B: Any, b_bias: Any,
    f: int, G: Any, H: Any, T: Any,
) -> float:  # fmt: skip
    """Write k regressors A + B into G, w times them into H, (w t, w) into T; return sum w t."""
    F, total = np.uint64(f), 0.0
    for n in range(k):
        e = np.uint64(entry + n)
        a, goal, w = np.uint64(left[e]) * F, np.uint64(n) * F, weights[e]
        t = targets[e] - a_bias[np.uint64(left[e])]
        if right[e] >= 0:
            b, both = np.uint64(right[e]) * F, np.float32(0)
            for j in range(F):
                both += A[a + j] * B[b + j]
                G[goal + j] = A[a + j] + B[b + j]
            t -= both + b_bias[np.uint64(right[e])]
        else:
            for j in range(F):
                G[goal + j] = A[a + j]
        for j in range(F):
            H[goal + j] = w * G[goal + j]
        T[np.uint64(2 * n)], T[np.uint64(2 * n + 1)] = w * t, w
        total += w * t
    return total


@njit(cache=True, **OPTIONS)
def sample_block(
    first: int, last: int, indptr: Any, left: Any, right: Any, targets: Any, weights: Any, A: Any, a_bias: Any, B: Any,
    b_bias: Any, rank: int, f: int, prior: Any, prior_bias: Any, precision: Any, noise: float, counter: Any, key: Any,
    out: Any, out_bias: Any,
) -> None:  # fmt: skip
    """Draw rows `first` to `last` given everything else; `noise` 1 draws, 0 gives the conditional means.

    An entry's target is explained by the row's factors times (A + B) and its bias, beside what A and B explain alone.
    `precision` holds the prior's precision of each factor and, behind them, of the bias.
    """
    ld = leading(f)
    M, b, z = np.empty(f * ld, np.float32), np.empty(2 * f, np.float32), np.empty(f + 2, np.float64)
    G, H = np.empty(CHUNK * f, np.float32), np.empty(CHUNK * f, np.float32)
    T = np.empty(2 * CHUNK, np.float32)
    for row in range(first, last):
        start_system(_NO_GRAM, np.float32(0), f, ld, M, b)
        target_sum, total = np.float64(precision[f]) * prior_bias[row], np.float64(precision[f])
        for start in range(indptr[row], indptr[row + 1], CHUNK):
            k = min(CHUNK, indptr[row + 1] - start)
            target_sum += regressors(start, k, left, right, targets, weights, A, a_bias, B, b_bias, f, G, H, T)
            for n in range(k):
                total += T[2 * n + 1]
            add_gram(H, G, 0, k, f, M, ld)
            add_sums(T, G, k, f, b)
        for j in range(f):
            M[j * ld + j] += precision[j]
            b[j] += precision[j] * prior[row * f + j]
        eliminate_bias(M, b, f, ld, np.float32(1 / total), np.float32(target_sum))
        cholesky(M, f, ld)
        normals(counter + np.uint64(row) * np.uint64(f + 2), key, rank + 1, z)
        solve_forward(M, b, f, ld)
        for j in range(rank):
            b[j] += np.float32(noise * z[j])
        solve_backward(M, b, f, ld)
        explained = 0.0
        for j in range(f):
            explained += np.float64(b[f + j]) * b[j]
            out[row * f + j] = b[j]
        out_bias[row] = (target_sum - explained) / total + noise * z[rank] / math.sqrt(total)


@njit(cache=True, **OPTIONS)
def sample_sets(
    indptr: Any, owners: Any, owner_weight: Any, R: Any, r_bias: Any, rank: int, f: int, precision: Any, own: Any,
    own_mean: Any, counter: Any, key: Any, Y: Any, y_bias: Any,
) -> None:  # fmt: skip
    """Draw what each member adds to the prior means of its owners, member by member, and keep the remainders R.

    R is what the owners' rows exceed their prior means by: the cached sums that let one member's draw cost only its
    own entries. Factors are independent of each other here, since the prior's precision is diagonal.
    """
    F = np.uint64(f)
    total, change, z = np.empty(f, np.float32), np.zeros(f, np.float32), np.empty(f + 2, np.float64)
    for member in range(len(indptr) - 1):
        total[:] = 0
        bias, squared = 0.0, 0.0
        for e in range(indptr[member], indptr[member + 1]):
            owner = np.uint64(owners[e])
            w = owner_weight[owner]
            squared += w * w
            bias += w * r_bias[owner]
            for j in range(F):
                total[j] += w * R[owner * F + j]
        normals(counter + np.uint64(member) * np.uint64(f + 2), key, rank + 1, z)
        for j in range(rank):
            p, old = precision[j] * squared + own[j], Y[member * f + j]
            mean = (precision[j] * (total[j] + squared * old) + own[j] * own_mean[j]) / p
            Y[member * f + j] = mean + z[j] / math.sqrt(p)
            change[j] = Y[member * f + j] - old
        p, old = precision[f] * squared + own[f], y_bias[member]
        y_bias[member] = (precision[f] * (bias + squared * old) + own[f] * own_mean[f]) / p + z[rank] / math.sqrt(p)
        bias_change = y_bias[member] - old
        for e in range(indptr[member], indptr[member + 1]):
            owner = np.uint64(owners[e])
            w = owner_weight[owner]
            r_bias[owner] -= w * bias_change
            for j in range(F):
                R[owner * F + j] -= w * change[j]


@njit(cache=True, **OPTIONS)
def errors_block(
    first: int, last: int, indptr: Any, left: Any, right: Any, targets: Any, A: Any, a_bias: Any, B: Any, b_bias: Any,
    X: Any, x_bias: Any, f: int, out: Any,
) -> None:  # fmt: skip
    """Write each entry's target less all that the factors and biases explain."""
    F = np.uint64(f)
    for row in range(first, last):
        x = np.uint64(row) * F
        for e in range(indptr[row], indptr[row + 1]):
            a, t = np.uint64(left[e]) * F, targets[e] - a_bias[left[e]] - x_bias[row]
            product = np.float32(0)
            if right[e] >= 0:
                b = np.uint64(right[e]) * F
                t -= b_bias[right[e]]
                for j in range(F):
                    product += X[x + j] * (A[a + j] + B[b + j]) + A[a + j] * B[b + j]
            else:
                for j in range(F):
                    product += X[x + j] * A[a + j]
            out[e] = t - product

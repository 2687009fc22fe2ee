"""One Gibbs step for many rows: the row solve's own Gram matrix and Cholesky factor, plus noise of the right shape.

Random numbers come from a counter (Widynski 2020, "Squares: A Fast Counter-Based RNG", arXiv:2004.06278): each row's
numbers depend on the seed, the sweep, the side and the row, so nothing depends on who computes it when.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from matinee.models.kernels.rows import (
    GATHER_FLOATS,
    GATHER_ROWS,
    add_gram,
    add_sums,
    eliminate_bias,
    start_system,
)
from matinee.models.kernels.scaled import (
    gather_sum,
    product,
    products,
    scale_block,
    scale_row,
    scale_sum,
    scale_sum_block,
    scale_sum_two_blocks,
    scale_two_blocks,
    scatter_subtract,
    wide_gather_sum,
    wide_scatter_subtract,
)
from matinee.models.kernels.tile import BLOCK, prefetch_row
from matinee.models.kernels.triangle import OPTIONS, cholesky, leading, solve_backward, solve_forward

AHEAD = 8
"""Entries between asking for rows of factors and reading them: it saves most where others use the machine's caches."""
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
def minus_log(u: Any) -> Any:
    """Return -log of a positive float32, relative error below 1e-6: the series of atanh about the nearest power."""
    bits = np.float32(u).view(np.int32)
    power = (bits - np.int32(0x3F3504F3)) >> np.int32(23)  # the bits of the root of 1/2
    m = np.int32(bits - np.int32(power << np.int32(23))).view(np.float32)
    s = (m - np.float32(1)) / (m + np.float32(1))
    q = s * s
    series = np.float32(1 / 5) + q * (np.float32(1 / 7) + q * np.float32(1 / 9))
    series = np.float32(1) + q * (np.float32(1 / 3) + q * series)
    return -(np.float32(2) * s * series + np.float32(math.log(2)) * np.float32(power))


@njit(**OPTIONS)
def normals(counter: Any, key: Any, pairs: int, out: Any) -> None:
    """Fill out[: 2 * pairs] with standard normals (Box and Muller 1958), a counter for every pair.

    The angle is drawn within an eighth of a turn either way, then swapped and mirrored by three more bits. Series in
    place of the library's functions let the compiler do many pairs at once.
    """
    n, low, eighth = np.uint64(pairs), np.uint64(32), np.float32(math.pi / 4 * 2.0**-23)
    for j in range(n):
        bits = squares(counter + j, key)
        u = np.float32(np.int32(np.uint32(bits) >> np.uint32(8))) + np.float32(0.5)
        radius = np.sqrt(np.float32(2) * minus_log(u * np.float32(2.0**-24)))
        turn = np.int32(np.uint32(bits >> low) >> np.uint32(8)) - np.int32(1 << 23)
        x = (np.float32(turn) + np.float32(0.5)) * eighth
        w = x * x
        sine = np.float32(1 / 6) - w * (np.float32(1 / 120) - w * np.float32(1 / 5040))
        sine = x * (np.float32(1) - w * sine)
        cosine = np.float32(1 / 24) - w * (np.float32(1 / 720) - w * np.float32(1 / 40320))
        cosine = np.float32(1) - w * (np.float32(1 / 2) - w * cosine)
        first = cosine if bits & np.uint64(1) else sine
        second = sine if bits & np.uint64(1) else cosine
        out[j] = radius * (-first if bits & np.uint64(2) else first)
        out[n + j] = radius * (-second if bits & np.uint64(4) else second)


class Entries(NamedTuple):
    """A side's entries, and what else explains their targets: A and B where `joined`, only A where not."""

    left: Any  # (n,): rows of A
    right: Any  # (n,): rows of B
    targets: Any
    who: Any  # (n,): the entries' users, or empty where rows are users
    root: Any  # (n_users,): of the precision of a user's ratings
    joined: bool
    A: Any  # factors, flat
    a_bias: Any
    B: Any
    b_bias: Any


@njit(forceinline=True, **OPTIONS)
def regressors(entries: Any, entry: int, k: int, own: float, f: int, G: Any, T: Any) -> None:
    """Write k regressors, A or A + B, into G and (target, 1) into T, all times the root of their users' precision: that
    of `who`, or `own` where `who` is empty.
    """
    left, right, targets, who, root, joined, A, a_bias, B, b_bias = entries
    F, scale = np.uint64(f), np.float32(own)
    for n in range(k):
        e = np.uint64(entry + n)
        a, goal = np.uint64(left[e]), np.uint64(n) * F
        if len(who):
            scale = root[np.uint64(who[e])]
        t = targets[e] - a_bias[a]
        if n + AHEAD < k:
            prefetch_row(A, np.uint64(left[e + np.uint64(AHEAD)]) * F, f)
        if joined:
            b = np.uint64(right[e])
            if n + AHEAD < k:
                prefetch_row(B, np.uint64(right[e + np.uint64(AHEAD)]) * F, f)
            t -= b_bias[b]
            if np.uint64(BLOCK) == F:
                t -= scale_sum_block(A, a * F, B, b * F, scale, G, goal)
            elif np.uint64(2 * BLOCK) == F:
                t -= scale_sum_two_blocks(A, a * F, B, b * F, scale, G, goal)
            else:
                t -= scale_sum(A, a * F, B, b * F, scale, G, goal, F)
        elif np.uint64(BLOCK) == F:
            scale_block(A, a * F, scale, G, goal)
        elif np.uint64(2 * BLOCK) == F:
            scale_two_blocks(A, a * F, scale, G, goal)
        else:
            scale_row(A, a * F, scale, G, goal, F)
        T[np.uint64(2 * n)], T[np.uint64(2 * n + 1)] = scale * t, scale


@njit(forceinline=True, **OPTIONS)
def add_entries(
    entries: Any, begin: int, end: int, own: float, f: int, G: Any, T: Any, M: Any, ld: int, b: Any
) -> tuple[float, float, float]:
    """Add a row's entries to its system; return the sums of targets, of precisions and of squared targets."""
    target_sum, total, squares = np.float64(0), np.float64(0), np.float64(0)
    chunk = len(T) // 2
    for start in range(begin, end, chunk):
        k = min(chunk, end - start)
        regressors(entries, start, k, own, f, G, T)
        sums = np.float32(0), np.float32(0), np.float32(0)  # of a chunk: in float32 these are whole vectors
        for n in range(np.uint64(k)):
            t, w = T[np.uint64(2) * n], T[np.uint64(2) * n + np.uint64(1)]
            sums = sums[0] + t * w, sums[1] + w * w, sums[2] + t * t
        target_sum += sums[0]
        total += sums[1]
        squares += sums[2]
        add_gram(G, G, 0, k, f, M, ld)
        add_sums(T, G, k, f, b)
    return target_sum, total, squares


@njit(cache=True, **OPTIONS)
def sample_block(
    first: int, last: int, indptr: Any, entries: Any, rank: int, f: int, prior: Any, prior_bias: Any, precision: Any,
    noise: float, counter: Any, key: Any, out: Any, out_bias: Any, left_over: Any,
) -> None:  # fmt: skip
    """Draw rows `first` to `last` given everything else; `noise` 1 draws, 0 gives the conditional means.

    An entry's target is explained by the row's factors times A, or A + B if `joined`, and its bias, beside what A and
    B explain alone. `precision` holds the prior's precision of each factor and, behind them, of the bias. `left_over`
    gets the rows' sums of squared errors times precision: what the solved system leaves of the targets, plus the noise
    put in, less the prior's part.
    """
    ld, chunk, pairs = leading(f), min(GATHER_ROWS, max(BLOCK, GATHER_FLOATS // f)), f // 2 + BLOCK // 2
    M, b, z = np.empty(f * ld, np.float32), np.empty(2 * f, np.float32), np.empty(2 * pairs, np.float32)
    G, T = np.empty(chunk * f, np.float32), np.empty(2 * chunk, np.float32)
    for row in range(first, last):
        start_system(_NO_GRAM, np.float32(0), f, ld, M, b)
        own = entries.root[row] if len(entries.who) == 0 else entries.root[0]
        found = add_entries(entries, indptr[row], indptr[row + 1], own, f, G, T, M, ld, b)
        middle, tight = np.float64(prior_bias[row]), np.float64(precision[f])
        target_sum, total, over = found[0] + tight * middle, found[1] + tight, found[2] + tight * middle * middle
        for j in range(f):
            middle = prior[row * f + j]
            M[j * ld + j] += precision[j]
            b[j] += precision[j] * middle
            over += precision[j] * middle * middle
        eliminate_bias(M, b, f, ld, np.float32(1 / total), np.float32(target_sum))
        cholesky(M, f, ld)
        normals(counter + np.uint64(row) * np.uint64(f), key, pairs, z)
        solve_forward(M, b, f, ld)
        over -= target_sum * target_sum / total
        for j in range(rank):
            y, shake = b[j], np.float32(noise) * z[j]
            over += np.float64(shake) * shake - np.float64(y) * y
            b[j] = y + shake
        solve_backward(M, b, f, ld)
        explained = 0.0
        for j in range(f):
            off = b[j] - prior[row * f + j]
            over -= np.float64(precision[j]) * off * off
            explained += np.float64(b[f + j]) * b[j]
            out[row * f + j] = b[j]
        shake = noise * z[2 * pairs - 1]
        bias = (target_sum - explained) / total + shake / math.sqrt(total)
        out_bias[row] = bias
        left_over[row] = max(over + shake * shake - tight * (bias - prior_bias[row]) ** 2, 0.0)


@njit(cache=True, **OPTIONS)
def sample_sets(
    column: int, width: int, indptr: Any, owners: Any, weight: Any, squared: Any, R: Any, r_bias: Any,
    rank: int, f: int, precision: Any, own: Any, own_mean: Any, counter: Any, key: Any, Y: Any, y_bias: Any,
) -> None:  # fmt: skip
    """Draw what each member adds to the prior means of its owners, member by member, and keep the remainders R.

    R is what the owners' rows exceed their prior means by: the cached sums that let one member's draw cost only its
    own entries. Factors are independent of each other here, since the prior's precision is diagonal: a call draws
    `width` columns (a block of 16 or two) from `column` on, and biases in the same passes; calls for different columns
    need different biases, of which those of one count.
    """
    pairs, total = width // 2 + BLOCK // 2, np.empty(width + BLOCK, np.float32)
    z, change = np.empty(2 * pairs, np.float32), np.zeros(width + BLOCK, np.float32)
    for member in range(len(indptr) - 1):
        first, k, s = indptr[member], indptr[member + 1] - indptr[member], squared[member]
        if width == BLOCK:
            gather_sum(R, r_bias, column, f, owners, first, weight, k, total)
        else:
            wide_gather_sum(R, r_bias, column, f, owners, first, weight, k, total)
        normals(counter + np.uint64(member) * np.uint64(f) + np.uint64(column), key, pairs, z)
        for n in range(min(width, rank - column)):
            j, place = column + n, member * f + column + n
            new = drawn(total[n], Y[place], precision[j], s, own[j], own_mean[j], z[n])
            change[n], Y[place] = new - Y[place], new
        new = drawn(total[width], y_bias[member], precision[f], s, own[f], own_mean[f], z[2 * pairs - 1])
        change[width], y_bias[member] = new - y_bias[member], new
        if width == BLOCK:
            scatter_subtract(R, r_bias, column, f, owners, first, weight, k, change)
        else:
            wide_scatter_subtract(R, r_bias, column, f, owners, first, weight, k, change)


@njit(**OPTIONS)
def drawn(total: Any, old: Any, precision: Any, squared: Any, own: Any, own_mean: Any, z: Any) -> Any:
    """Draw one number of a member, given the sum of its owners' weighted remainders, which hold its old one."""
    p = precision * squared + own
    return np.float32((precision * (total + squared * old) + own * own_mean) / p + z / np.sqrt(p))


@njit(cache=True, **OPTIONS)
def add_errors(
    first: int, last: int, indptr: Any, entries: Any, given: Any, X: Any, x_bias: Any, f: int, sums: Any, squared: Any
) -> None:
    """Add each entry's error, what was given less all that factors and biases explain, to `sums`, and its square."""
    left, right, _, _, _, joined, A, a_bias, B, b_bias = entries
    F = np.uint64(f)
    for row in range(first, last):
        x = np.uint64(row) * F
        end = np.uint64(indptr[row + 1])
        for e in range(np.uint64(indptr[row]), end):
            a = np.uint64(left[e])
            if e + np.uint64(AHEAD) < end:
                prefetch_row(A, np.uint64(left[e + np.uint64(AHEAD)]) * F, f)
                if joined:
                    prefetch_row(B, np.uint64(right[e + np.uint64(AHEAD)]) * F, f)
            error = given[e] - a_bias[a] - x_bias[row]
            if joined:
                b = np.uint64(right[e])
                error -= b_bias[b] + products(X, x, A, a * F, B, b * F, F)
            else:
                error -= product(X, x, A, a * F, F)
            sums[e] += error
            squared[e] += error * error


@njit(cache=True, **OPTIONS)
def moments(X: Any, x_bias: Any, prior: Any, prior_bias: Any, step: int, f: int, sums: Any, squared: Any) -> None:
    """Sum rows of (X, bias) less their prior means, and their squares; `step` 0 where all rows share one mean."""
    for row in range(len(x_bias)):
        for j in range(f):
            off = np.float64(X[row * f + j] - prior[row * step + j])
            sums[j] += off
            squared[j] += off * off
        off = np.float64(x_bias[row] - prior_bias[row if step else 0])
        sums[f] += off
        squared[f] += off * off

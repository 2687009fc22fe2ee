"""What `ImplicitALS` alternates over: who liked what, the weights of it, and the solve of all rows of a side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from matinee.data.ratings import Csr, Float32, Int32, Int64
from matinee.models.kernels import aligned_zeros, gramian, padded_rank, warm
from matinee.models.parallel import equal_blocks, run_blocks

Float64 = npt.NDArray[np.float64]
TURN_ROWS = 4096
"""Rows turned into another basis together."""


@dataclass(frozen=True, eq=False)
class Side:
    """The systems of all users, or of all items.

    Row r solves ``A x = b``:
    ``A = gram_weights[r] * gram + sum_j w_j y_j y_j^T + regularization[r] * I``, ``b = sum_j t_j y_j``.

    Attributes
    ----------
    indptr, indices
        Shapes ``(n_rows + 1,)`` and ``(nnz,)``: the entries of each row; indices are rows of the other side.
    roots, targets
        Shapes ``(nnz,)``: sqrt(w_j), w_j > 0, and t_j / sqrt(w_j).
    gram_weights, regularization
        Shapes ``(n_rows,)``, above 0.
    """

    indptr: Int64
    indices: Int32
    roots: Float32
    targets: Float32
    gram_weights: Float32
    regularization: Float32

    def solve(self, factors: Float32, shared: Float32, threads: int | None = None) -> tuple[Float32, Float64]:
        """Solve every row exactly, in a basis in which the Gramian is diagonal (see `own_basis`).

        Parameters
        ----------
        factors
            Shape ``(n_columns, width)``, width a multiple of 16: y_j.
        shared
            Shape ``(width,)``: the Gramian's diagonal, above 0.
        threads
            None for all processors; the result does not depend on it.

        Returns
        -------
        (x, shares)
            Shapes ``(n_rows, width)`` and ``(n_rows,)``: each row's least sum_j (sqrt(w_j) x.y_j - t_j / sqrt(w_j))²
            plus what the Gramian and the regularization add. Zeros for rows without entries.
        """
        from matinee.models.kernels.whitened import scratch_floats

        n_rows, width = len(self.indptr) - 1, factors.shape[1]
        out, shares = aligned_zeros(n_rows, width), np.zeros(n_rows, np.float64)
        kernel, flat, flat_out = warm()["solve_whitened"], factors.reshape(-1), out.reshape(-1)

        def work(first: int, last: int) -> None:
            kernel(
                first, last, self.indptr, self.indices, self.roots, self.targets, flat, shared, self.gram_weights,
                self.regularization, aligned_zeros(scratch_floats(width)), flat_out, shares,
            )  # fmt: skip

        counts = np.diff(self.indptr)
        run_blocks(work, equal_blocks(counts + np.minimum(counts, width) // 3 + 16), threads)
        return out, shares

    def approach(
        self, factors: Float32, shared: Float32, start: Float32, steps: int, threads: int | None = None
    ) -> tuple[Float32, Float64]:
        """Improve every row by a few steps of conjugate gradients, for ranks where `solve` takes long.

        Parameters
        ----------
        factors, shared, threads
            As for `solve`.
        start
            Shape ``(n_rows, width)``: where each row begins, in the same basis; it is overwritten.
        steps
            How many steps; from zeros, as many as a row has entries solve it.

        Returns
        -------
        (x, shares)
            As from `solve`, at the x that was reached.
        """
        shares = np.zeros(len(start), np.float64)
        kernel, flat, flat_out = warm()["step_whitened"], factors.reshape(-1), start.reshape(-1)

        def work(first: int, last: int) -> None:
            kernel(
                first, last, self.indptr, self.indices, self.roots, self.targets, flat, shared, self.gram_weights,
                self.regularization, steps, flat_out, shares,
            )  # fmt: skip

        run_blocks(work, equal_blocks(np.diff(self.indptr) + 16), threads)
        return start, shares


def noise_level(weights: Float64, user_rows: Int32, item_rows: Int32, user_mass: Float64, item_mass: Float64) -> float:
    """Return how large the strongest direction of the likes would be if who liked what were chance.

    The likes, scaled by ``1 / sqrt(user_mass * item_mass)``, form a matrix whose singular values regularization is set
    against. Of a matrix of independent entries with variances v_ui the largest one is about
    ``max_u sqrt(sum_i v_ui) + max_i sqrt(sum_u v_ui)`` (Bandeira and van Handel 2016); in place of the maxima, means
    over the entries are taken, which a single row cannot sway.

    Parameters
    ----------
    weights
        Shape ``(nnz,)``: w of each like.
    user_rows, item_rows
        Shape ``(nnz,)``: whose and what.
    user_mass, item_mass
        Shapes ``(n_users,)`` and ``(n_items,)``: total weight of each row, unwatched films included.
    """
    variances = weights**2 / (user_mass[user_rows] * item_mass[item_rows])
    total = 0.0
    for rows, n_rows in ((user_rows, len(user_mass)), (item_rows, len(item_mass))):
        sums = np.bincount(rows, variances, n_rows)
        total += float(np.sqrt(np.sum(sums**2) / np.sum(sums)))
    return total


def own_basis(factors: Float32, row_weights: Float32, rank: int, threads: int | None = None) -> tuple[Float32, Float32]:
    """Find the basis in which the Gramian of factors is diagonal, the largest first.

    Parameters
    ----------
    factors
        Shape ``(n, width)``, zeros behind `rank`.
    row_weights
        Shape ``(n,)``: weight of each row in the Gramian.
    rank
        True length of the factors.
    threads
        None for all processors; the result does not depend on it as long as BLAS is held to one thread.

    Returns
    -------
    (turn, shared)
        Shapes ``(rank, rank)``, for `turned`, and ``(width,)``: the Gramian's diagonal, ones behind `rank`.
    """
    even = bool(np.all(row_weights == row_weights[0]))
    weighted = factors if even else factors * np.sqrt(row_weights)[:, None]
    gram = gramian(weighted, threads=threads)[:rank, :rank].astype(np.float64)
    values, basis = np.linalg.eigh(gram * (float(row_weights[0]) if even else 1.0))
    shared = np.ones(factors.shape[1], np.float32)
    shared[:rank] = np.maximum(values[::-1], 0)
    return np.ascontiguousarray(basis[:, ::-1], np.float32), shared


def turned(factors: Float32, turn: Float32, threads: int | None = None) -> Float32:
    """Return factors, shape ``(n, width)``, in another basis; the result does not depend on `threads`."""
    rank, n, out = len(turn), len(factors), aligned_zeros(*factors.shape)

    def work(first: int, last: int) -> None:
        out[first:last, :rank] = factors[first:last, :rank] @ turn

    run_blocks(work, [(first, min(first + TURN_ROWS, n)) for first in range(0, n, TURN_ROWS)], threads)
    return out


def first_factors(order: Int64, rank: int, seed: int) -> Float32:
    """Draw factors in the order of the vocabulary, which a renumbering of rows does not change; padded."""
    drawn = np.random.default_rng(seed).standard_normal((len(order), rank), np.float32)
    out = aligned_zeros(len(order), padded_rank(rank))
    out[:, :rank] = drawn[order] * np.float32(0.1 / np.sqrt(rank))
    return out


def liked_part(rows: Csr, liked: npt.NDArray[Any]) -> Csr:
    """Return the entries where `liked` (shape ``(nnz,)``) is true; rows keep their numbers."""
    ends = np.concatenate([[0], np.cumsum(liked, dtype=np.int64)])[rows.indptr]
    return Csr(ends, rows.indices[liked], rows.values[liked], rows.n_columns)

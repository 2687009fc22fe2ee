"""The row solve of implicit feedback against NumPy: every kind of row, every width, one answer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matinee.models.kernels import aligned_zeros, padded_rank
from matinee.models.likes import Side, own_basis, turned
from matinee.models.solver import solve_row

N_COLUMNS = 90


def side(counts: list[int], seed: int = 0) -> Side:
    """Rows with so many entries, weights and targets of their own."""
    rng = np.random.default_rng(seed)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    nnz, n = int(indptr[-1]), len(counts)
    indices = rng.integers(0, N_COLUMNS, nnz).astype(np.int32)
    roots, targets = (rng.uniform(0.3, 1.7, nnz).astype(np.float32) for _ in range(2))
    gram_weights, regularization = (rng.uniform(0.1, 2, n).astype(np.float32) for _ in range(2))
    return Side(indptr, indices, roots, targets, gram_weights, regularization)


def fixed(rank: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Factors of the other side and what all rows share, both padded."""
    rng = np.random.default_rng(seed)
    factors, shared = aligned_zeros(N_COLUMNS, padded_rank(rank)), np.ones(padded_rank(rank), np.float32)
    factors[:, :rank] = rng.normal(size=(N_COLUMNS, rank))
    shared[:rank] = rng.uniform(0, 5, rank)
    return factors, shared


def assert_agrees(side: Side, factors: np.ndarray, shared: np.ndarray) -> None:
    """Compare factors and shares of the objective with the readable solver, row by row."""
    x, shares = side.solve(factors, shared)
    for row in range(len(side.indptr) - 1):
        span = slice(side.indptr[row], side.indptr[row + 1])
        y, root = factors[side.indices[span]].astype(float), side.roots[span].astype(float)
        t, weight, ridge = side.targets[span].astype(float), float(side.gram_weights[row]), side.regularization[row]
        gram = weight * np.diag(shared.astype(float))
        expected = solve_row(y, root * t, weights=root**2, regularization=float(ridge), gram=gram).factors
        np.testing.assert_allclose(x[row], expected, rtol=1e-3, atol=2e-4)
        share = ((root * (y @ expected) - t) ** 2).sum() + expected @ (gram + ridge * np.eye(len(gram))) @ expected
        assert shares[row] == pytest.approx(share, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("rank", [1, 5, 16, 17, 32, 64, 65, 128, 160])
def test_rows_shorter_and_longer_than_the_rank_agree_with_the_reference(rank: int) -> None:
    around = [padded_rank(rank) + step for step in (-1, 0, 1)]
    assert_agrees(side([0, 1, 2, *around, 0, 15, 16, 17, 300, 900]), *fixed(rank))


@settings(max_examples=40)
@given(rank=st.integers(1, 70), counts=st.lists(st.integers(0, 150), min_size=1, max_size=6), seed=st.integers(0, 99))
def test_any_small_problem_agrees(rank: int, counts: list[int], seed: int) -> None:
    assert_agrees(side(counts, seed), *fixed(rank, seed))


def test_one_entry_known_answer() -> None:
    """3 x² + (2x - 1)² is least at x = 2/7, where it is 3/7: the Gramian adds 2.5, the regularization 0.5."""
    factors, shared = fixed(1)
    factors[:, 0], shared[0] = 2, 5
    half, one = np.array([0.5], np.float32), np.ones(1, np.float32)
    x, shares = Side(np.array([0, 1]), np.zeros(1, np.int32), one, one, half, half).solve(factors, shared)
    assert x[0, 0] == pytest.approx(2 / 7)
    assert not x[0, 1:].any()
    assert shares[0] == pytest.approx(3 / 7)


def test_rows_without_entries_are_zeros() -> None:
    x, shares = side([0, 0, 3]).solve(*fixed(20))
    assert not x[:2].any()
    assert not shares[:2].any()
    assert x[2].any()


def test_directions_that_nobody_shares_give_no_nan() -> None:
    factors, shared = fixed(40)
    factors[:] = factors[:, :1]
    shared[:40] = 0
    tiny = side([3, 60, 200])
    hardly = Side(*(getattr(tiny, name) for name in ("indptr", "indices", "roots", "targets", "gram_weights")),
                  np.full(3, 1e-7, np.float32))  # fmt: skip
    x, shares = hardly.solve(factors, shared)
    assert np.isfinite(x).all()
    assert np.isfinite(shares).all()


def test_threads_do_not_change_a_bit() -> None:
    rows = side(np.random.default_rng(3).integers(0, 90, 400).tolist())
    runs = [rows.solve(*fixed(64), threads) for threads in (1, 2, 5)]
    for run in runs[1:]:
        np.testing.assert_array_equal(runs[0][0], run[0])
        np.testing.assert_array_equal(runs[0][1], run[1])


@pytest.mark.parametrize("even", [True, False])
def test_in_its_own_basis_the_gramian_is_diagonal_and_products_stay(even: bool) -> None:
    rng = np.random.default_rng(0)
    factors, rank = aligned_zeros(5000, 32), 20
    factors[:, :rank] = rng.normal(size=(5000, rank)) * np.linspace(0.1, 3, rank)
    weights = np.full(5000, 0.3, np.float32) if even else rng.uniform(0.1, 2, 5000).astype(np.float32)
    turn, shared = own_basis(factors, weights, rank)
    goal = turned(factors, turn)
    gram = (goal * weights[:, None]).T.astype(float) @ goal
    np.testing.assert_allclose(gram[:rank, :rank], np.diag(shared[:rank]), atol=1e-3 * shared.max())
    assert (np.diff(shared[:rank]) <= 0).all()
    assert not goal[:, rank:].any()
    np.testing.assert_allclose(goal[:50] @ goal[:50].T, factors[:50] @ factors[:50].T, atol=1e-3)

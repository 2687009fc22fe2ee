"""Conjugate gradients for implicit feedback against NumPy and against the exact solve."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_whitened import fixed, side

from matinee import ImplicitALS, Ratings
from matinee.data.synthetic import synthetic
from matinee.errors import ParameterError
from matinee.models import implicit_als
from matinee.models.kernels import aligned_zeros, padded_rank
from matinee.models.likes import Side


def reference(rows: Side, row: int, factors: np.ndarray, shared: np.ndarray, x: np.ndarray, steps: int) -> np.ndarray:
    """Steps of textbook conjugate gradients on one row's whitened system, in float64."""
    span = slice(rows.indptr[row], rows.indptr[row + 1])
    scale = (float(rows.gram_weights[row]) * shared.astype(float) + float(rows.regularization[row])) ** -0.5
    z = rows.roots[span, None].astype(float) * factors[rows.indices[span]] * scale
    matrix, v = np.eye(len(scale)) + z.T @ z, x / scale
    r = z.T @ rows.targets[span].astype(float) - matrix @ v
    p = r
    for _ in range(steps):
        if r @ r < 1e-20:
            break
        size = r @ r / (p @ matrix @ p)
        v, new = v + size * p, r - size * (matrix @ p)
        p, r = new + (new @ new) / (r @ r) * p, new
    return v * scale


def started(n_rows: int, rank: int, seed: int = 5) -> np.ndarray:
    start = aligned_zeros(n_rows, padded_rank(rank))
    start[:, :rank] = np.random.default_rng(seed).normal(size=(n_rows, rank)) * 0.1
    return start


@pytest.mark.parametrize("rank", [1, 16, 17, 64, 130])
@pytest.mark.parametrize("steps", [0, 1, 3])
def test_steps_are_those_of_the_reference(rank: int, steps: int) -> None:
    rows, (factors, shared) = side([1, 2, 7, 40, 200]), fixed(rank)
    start = started(5, rank)
    x, shares = rows.approach(factors, shared, start.copy(), steps)
    for row in range(5):
        expected = reference(rows, row, factors, shared, start[row].astype(float), steps)
        np.testing.assert_allclose(x[row], expected, rtol=2e-3, atol=2e-3)
        span = slice(rows.indptr[row], rows.indptr[row + 1])
        error = rows.roots[span] * (factors[rows.indices[span]].astype(float) @ x[row]) - rows.targets[span]
        ridge = rows.gram_weights[row] * shared + rows.regularization[row]
        assert shares[row] == pytest.approx(error @ error + ridge @ x[row].astype(float) ** 2, rel=1e-3, abs=1e-3)


@settings(max_examples=25)
@given(rank=st.integers(1, 40), counts=st.lists(st.integers(0, 60), min_size=1, max_size=6), seed=st.integers(0, 99))
def test_enough_steps_solve_any_small_problem(rank: int, counts: list[int], seed: int) -> None:
    rows, (factors, shared) = side(counts, seed), fixed(rank, seed)
    exact, least = rows.solve(factors, shared)
    x, shares = rows.approach(factors, shared, started(len(counts), rank, seed), 120)
    np.testing.assert_allclose(x, exact, rtol=5e-3, atol=2e-3)
    np.testing.assert_allclose(shares, least, rtol=5e-3, atol=5e-3)


def test_every_step_lowers_every_row() -> None:
    rows, (factors, shared) = side([3, 30, 300, 90]), fixed(48)
    shares = [rows.approach(factors, shared, started(4, 48), steps)[1] for steps in range(6)]
    assert all((after <= before).all() for before, after in itertools.pairwise(shares))
    assert (shares[5] < 0.9 * shares[0]).all()


def test_a_row_without_entries_ends_as_zeros_wherever_it_began() -> None:
    x, shares = side([0, 4, 0]).approach(*fixed(20), started(3, 20), 3)
    assert not x[0].any()
    assert not x[2].any()
    assert not shares[[0, 2]].any()
    assert x[1].any()


def test_solved_rows_stay() -> None:
    rows, (factors, shared) = side([5, 70]), fixed(16)
    exact, _ = rows.solve(factors, shared)
    np.testing.assert_allclose(rows.approach(factors, shared, exact.copy(), 3)[0], exact, atol=1e-5)


def test_threads_do_not_change_a_bit() -> None:
    rows = side(np.random.default_rng(3).integers(0, 90, 400).tolist())
    one, two = (rows.approach(*fixed(64), started(400, 64), 3, threads) for threads in (1, 2))
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1], two[1])


@pytest.fixture(scope="module")
def likes() -> Ratings:
    return synthetic(20_000, 400, 300, seed=3, rank=5)


@pytest.mark.parametrize("objective", ["ials", "spark"])
def test_a_fit_by_steps_ends_where_the_exact_one_does(likes: Ratings, objective: str) -> None:
    losses: dict[str, list[float]] = {"exact": [], "cg": []}
    models = {}
    for solver, seen in losses.items():
        parameters = ImplicitALS(rank=32, iterations=8, solver=solver, objective=objective)
        models[solver] = parameters.fit(likes, progress=lambda step, seen=seen: seen.append(step.loss))
    exact, stepped = losses["exact"][-8:], losses["cg"][-8:]
    assert stepped[-1] == pytest.approx(exact[-1], rel=2e-3)
    assert all(after < before for before, after in itertools.pairwise(stepped))
    user = likes.users.ids[:1]
    assert np.corrcoef(models["exact"].scores(user)[0], models["cg"].scores(user)[0])[0, 1] > 0.98


def test_a_fit_by_steps_still_folds_in_its_own_users(likes: Ratings) -> None:
    model = ImplicitALS(rank=24, iterations=3, solver="cg").fit(likes)
    rows = likes.by_user
    span = slice(rows.indptr[7], rows.indptr[8])
    folded = model.fold_in(dict(zip(likes.items.ids[rows.indices[span]].tolist(), rows.values[span], strict=True)))
    np.testing.assert_allclose(folded.factors, model.user_factors[7], atol=1e-4)


def test_auto_steps_only_where_there_is_much_to_solve(likes: Ratings, monkeypatch: pytest.MonkeyPatch) -> None:
    exact, auto = (ImplicitALS(rank=8, iterations=2, solver=solver).fit(likes) for solver in ("exact", "auto"))
    np.testing.assert_array_equal(exact.item_factors, auto.item_factors)
    monkeypatch.setattr(implicit_als, "CG_FROM", 8 * 8 * 1000)
    stepped, auto = (ImplicitALS(rank=8, iterations=2, solver=solver).fit(likes) for solver in ("cg", "auto"))
    np.testing.assert_array_equal(stepped.item_factors, auto.item_factors)


def test_an_unknown_solver_is_refused() -> None:
    with pytest.raises(ParameterError, match="'auto', 'exact' and 'cg'"):
        ImplicitALS(solver="magic")  # type: ignore[arg-type]

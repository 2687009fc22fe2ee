"""The readable reference against what defines it: the minimum of the objective."""

from __future__ import annotations

import numpy as np
import pytest

from matinee.models.solver import solve_row


def objective(x, bias, factors, targets, weights, gram, regularization, bias_regularization):
    errors = targets / weights - factors @ x - bias
    return (weights * errors**2).sum() + x @ gram @ x + regularization * x @ x + bias_regularization * bias**2


def test_one_rating_known_answer() -> None:
    solution = solve_row(np.array([[2.0]]), np.array([3.0]), regularization=1.0)
    assert solution.factors[0] == pytest.approx(6 / 5)
    assert solution.bias == 0


def test_bias_alone_is_the_damped_mean() -> None:
    solution = solve_row(np.zeros((3, 2)), np.array([1.0, 2.0, 3.0]), regularization=1.0, bias_regularization=2.0)
    assert solution.bias == pytest.approx(6 / 5)


def test_no_entries_give_zeros() -> None:
    solution = solve_row(np.empty((0, 4)), np.empty(0), regularization=0.1, bias_regularization=1.0)
    assert not solution.factors.any()
    assert solution.bias == 0


@pytest.mark.parametrize("seed", range(5))
def test_no_step_lowers_the_objective(seed: int) -> None:
    rng = np.random.default_rng(seed)
    factors, weights = rng.normal(size=(9, 4)), rng.uniform(0.5, 2, 9)
    targets, half = weights * rng.normal(size=9), rng.normal(size=(6, 4))
    rest = (factors, targets, weights, half.T @ half, 0.7, 1.3)
    solution = solve_row(
        factors, targets, regularization=0.7, weights=weights, gram=rest[3], bias_regularization=1.3
    )  # fmt: skip
    least = objective(*solution, *rest)
    for _ in range(20):
        step = 1e-3 * rng.normal(size=5)
        assert objective(solution.factors + step[:4], solution.bias + step[4], *rest) > least

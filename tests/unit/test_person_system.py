"""The system of one person, by LAPACK, against the readable reference: solution, parts, leverages, what is left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matinee.models.person import PersonSystem
from matinee.models.solver import solve_row


def system(seed: int, n: int, rank: int, *, biased: bool, shared: bool, weighted: bool) -> PersonSystem:
    rng = np.random.default_rng(seed)
    weights = np.ones(n, np.float32)
    if weighted:  # a third of them say nothing
        weights = (rng.uniform(0.2, 2, n) * (rng.random(n) < 0.67)).astype(np.float32)
    half = rng.normal(size=(rank + 2, rank))
    return PersonSystem(
        factors=rng.normal(size=(n, rank)).astype(np.float32), weights=weights,
        targets=(weights * rng.normal(size=n)).astype(np.float32), regularization=0.7,
        gram=half.T @ half if shared else None, bias_regularization=1.3 if biased else None,
    )  # fmt: skip


systems = st.builds(
    system, st.integers(0, 2**32 - 1), st.integers(0, 90), st.integers(1, 40),
    biased=st.booleans(), shared=st.booleans(), weighted=st.booleans(),
)  # fmt: skip


def reference(one: PersonSystem) -> tuple[np.ndarray, float]:
    return solve_row(
        one.factors, one.targets, weights=one.weights, regularization=one.regularization, gram=one.gram,
        bias_regularization=one.bias_regularization,
    )  # fmt: skip


def inverse(one: PersonSystem) -> tuple[np.ndarray, np.ndarray]:
    """A^-1 by the book, and the rows that A is made of."""
    bias = one.bias_regularization
    rows = one.factors.astype(np.float64)
    ridge = np.full(rows.shape[1], one.regularization)
    if bias is not None:
        rows, ridge = np.column_stack([rows, np.ones(len(rows))]), np.append(ridge, bias)
    a = (rows * one.weights[:, None]).T @ rows + np.diag(ridge)
    if one.gram is not None:
        a[: len(one.gram), : len(one.gram)] += one.gram
    return np.linalg.inv(a), rows


@given(systems)
def test_the_solution_is_the_references(one: PersonSystem) -> None:
    factors, bias = one.solve()
    expected = reference(one)
    assert factors == pytest.approx(expected[0], abs=1e-5)
    assert bias == pytest.approx(expected[1], abs=1e-5)
    again = replace(one).solve()
    assert again[0].tobytes() == factors.tobytes()
    assert again[1] == bias


@given(systems)
def test_parts_add_up_to_the_score_and_leverages_are_those_of_the_inverse(one: PersonSystem) -> None:
    films = np.random.default_rng(5).normal(size=(4, one.factors.shape[1])).astype(np.float32)
    factors, bias = reference(one)
    assert one.contributions(films).sum(axis=1) == pytest.approx(films @ factors + bias, abs=1e-5)
    a, rows = inverse(one)
    asked = films if one.bias_regularization is None else np.column_stack([films, np.ones(4)])
    assert one.leverages(films) == pytest.approx(np.einsum("ni,ij,nj->n", asked, a, asked), abs=1e-6)
    assert one.contributions(films) == pytest.approx(asked @ a @ rows.T * one.targets, abs=1e-6)


@given(st.integers(0, 1000), st.integers(1, 30), st.booleans())
def test_left_out_errors_are_those_of_solving_without_the_rating(seed: int, n: int, biased: bool) -> None:
    one = system(seed, n, 3, biased=biased, shared=False, weighted=False)
    errors, a = one.left_out_errors(), inverse(one)
    leverages = np.einsum("ni,ij,nj->n", a[1], a[0], a[1])
    for place in np.flatnonzero(leverages < 0.9):  # the rest are held at a tenth
        others = np.arange(n) != place
        without = reference(replace(one, factors=one.factors[others], weights=one.weights[others],
                                    targets=one.targets[others]))  # fmt: skip
        predicted = one.factors[place].astype(np.float64) @ without[0] + without[1]
        assert errors[place] == pytest.approx(one.targets[place] - predicted, abs=1e-6)

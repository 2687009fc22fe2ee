"""Damped biases: answers known by hand, and the fixed point that the sweeps approach."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matinee.data.ratings import Ratings
from matinee.errors import ParameterError
from matinee.evaluation.metrics import rmse
from matinee.models.bias import damped_bias

RATINGS = Ratings.from_arrays([1, 1, 2, 2], [10, 20, 10, 20], [5, 3, 4, 2])


def random_ratings(seed: int, users: int = 30, items: int = 20, n: int = 200) -> Ratings:
    rng = np.random.default_rng(seed)
    return Ratings.from_arrays(rng.integers(0, users, n), rng.integers(0, items, n), rng.integers(1, 11, n) / 2)


def test_one_sweep_by_hand():
    model = damped_bias(damping=2, sweeps=1).fit(RATINGS)
    assert model.mean == 3.5
    np.testing.assert_allclose(model.item_biases, [(1.5 + 0.5) / 4, (-0.5 - 1.5) / 4])
    np.testing.assert_allclose(model.user_biases, [(1.0 + 0.0) / 4, (0.0 - 1.0) / 4])
    assert model.predict(1, 10) == pytest.approx(3.5 + 0.5 + 0.25)


def test_without_damping_an_additive_table_is_learned_exactly():
    model = damped_bias(damping=0, sweeps=50).fit(RATINGS)
    np.testing.assert_allclose(model.predict(RATINGS.user_ids, RATINGS.item_ids), RATINGS.stars, atol=1e-6)


@given(st.integers(0, 2**32 - 1))
def test_sweeps_reach_the_damped_least_squares_solution(seed):
    ratings = random_ratings(seed)
    model = damped_bias(damping=3, sweeps=400).fit(ratings)
    n, users, items = len(ratings), len(ratings.users), len(ratings.items)
    design = np.zeros((n, users + items))
    design[np.arange(n), ratings.user_rows] = 1
    design[np.arange(n), users + ratings.item_rows] = 1
    left = design.T @ design + 3 * np.eye(users + items)
    wanted = np.linalg.solve(left, design.T @ (ratings.stars - ratings.mean))
    np.testing.assert_allclose(np.concatenate([model.user_biases, model.item_biases]), wanted, atol=1e-4)


def test_fold_in_of_a_training_user_reproduces_the_bias():
    ratings = random_ratings(1)
    model = damped_bias().fit(ratings)
    for row, user in enumerate(ratings.users.ids[:5].tolist()):
        items, stars = ratings.by_user.row(row)
        person = model.fold_in(dict(zip(ratings.items.ids[items].tolist(), stars.tolist(), strict=True)))
        assert person.bias == pytest.approx(model.user_biases[row], abs=1e-5)
        np.testing.assert_allclose(person.scores(), model.scores([user])[0], atol=1e-5)


def test_nobody_and_nothing_fall_back_on_the_mean():
    model = damped_bias(damping=0).fit(RATINGS)
    assert model.predict(99, 99) == 3.5
    assert model.fold_in({}).bias == 0.0
    assert model.predict(1, 99) == pytest.approx(3.5 + float(model.user_biases[0]))


def test_the_list_is_ordered_by_film_bias():
    model = damped_bias().fit(RATINGS)
    ids, _ = model.fold_in({}).recommend(2)
    assert ids.tolist() == [10, 20]
    assert rmse(model, RATINGS) < float(np.std(RATINGS.stars))


@pytest.mark.parametrize("bad", [{"damping": -1}, {"damping": float("nan")}, {"sweeps": 0}])
def test_parameters_are_checked(bad):
    with pytest.raises(ParameterError, match="damping must be at least 0"):
        damped_bias(**bad)


def test_unknown_parameters_are_refused():
    with pytest.raises(TypeError, match="dampening"):
        damped_bias(dampening=5)

"""Explicit ALS: planted answers, the objective it promises, and what does not change its result."""

from __future__ import annotations

import dataclasses
import math
import os
import signal
import threading
import time

import numpy as np
import pytest

from matinee.data.ratings import Ratings
from matinee.errors import ParameterError
from matinee.models.als import ALS, ALSModel, Progress
from matinee.models.solver import solve_row


def some_ratings(n: int = 3000, n_users: int = 120, n_items: int = 80, seed: int = 0) -> Ratings:
    """Random pairs, popular items more often, stars from planted tastes."""
    rng = np.random.default_rng(seed)
    users = rng.integers(0, n_users, n) * 7 + 3
    items = (n_items * rng.random(n) ** 2).astype(int) * 11 + 5
    taste = np.sin(users * 1.7) * np.cos(items * 0.9)
    stars = np.clip(np.round(2 * (3 + taste + 0.3 * rng.normal(size=n))) / 2, 0.5, 5)
    return Ratings.from_arrays(users, items, stars)


def planted(rank: int, noise: float = 0.0) -> Ratings:
    """A full table of exact products within the scale."""
    rng = np.random.default_rng(rank)
    left, right = rng.uniform(0.6, 1.4, (40, rank)), rng.uniform(0.6, 1.4, (30, rank))
    table = left @ right.T * 2 / rank + noise * rng.normal(size=(40, 30))
    users, items = np.divmod(np.arange(table.size), 30)
    return Ratings.from_arrays(users, items, np.clip(table.ravel(), 0.5, 5))


def objective(model: ALSModel, ratings: Ratings) -> float:
    """The function of the docstring of `ALS`, in float64."""
    params, users, items = model.params, ratings.user_rows, ratings.item_rows
    x, y = model.user_factors.astype(float), model.item_factors.astype(float)
    b, c = model.user_biases.astype(float), model.item_biases.astype(float)
    errors = ratings.stars - model.mean - b[users] - c[items] - np.einsum("ij,ij->i", x[users], y[items])
    total = (errors**2).sum() + params.bias_damping * ((b**2).sum() + (c**2).sum())
    for counts, factors in ((np.bincount(users), x), (np.bincount(items), y)):
        total += params.row_regularization(counts) @ (factors**2).sum(axis=1)
    return float(total)


@pytest.mark.parametrize("rank", [1, 2])
def test_planted_factors_are_recovered(rank: int) -> None:
    ratings = planted(rank)
    model = ALS(rank=rank, regularization=1e-5, biases=False, iterations=60).fit(ratings)
    predicted = model.predict(ratings.user_ids, ratings.item_ids)
    np.testing.assert_allclose(predicted, ratings.stars, atol=0.01)


def test_one_single_rating_is_learned() -> None:
    model = ALS(rank=3, biases=False, regularization=1e-4, iterations=50).fit(Ratings.from_arrays([7], [9], [4.0]))
    assert model.predict(7, 9) == pytest.approx(4.0, abs=0.01)
    assert ALS().fit(Ratings.from_arrays([7], [9], [4.0])).predict(7, 9) == pytest.approx(4.0)


@pytest.mark.parametrize("biases", [True, False])
def test_every_iteration_lowers_the_objective(biases: bool) -> None:
    ratings = some_ratings()
    values = [objective(ALS(rank=5, iterations=n, biases=biases).fit(ratings), ratings) for n in (1, 2, 3, 6)]
    assert values == sorted(values, reverse=True)


def test_users_are_solved_last_and_exactly() -> None:
    ratings = some_ratings()
    model = ALS(rank=6, iterations=3).fit(ratings)
    for row in (0, 17, 99):
        items, stars = ratings.by_user.row(row)
        expected = solve_row(
            model.item_factors[items], stars - model.item_biases[items] - model.mean,
            regularization=model.params.regularization * len(items) + model.params.damping,
            bias_regularization=model.params.bias_damping,
        )  # fmt: skip
        np.testing.assert_allclose(model.user_factors[row], expected.factors, atol=1e-5)
        assert model.user_biases[row] == pytest.approx(expected.bias, abs=1e-5)


@pytest.mark.parametrize("biases", [True, False])
@pytest.mark.parametrize("rank", [4, 64, 100])
def test_folding_in_a_users_own_ratings_gives_the_user(biases: bool, rank: int) -> None:
    ratings = some_ratings()
    model = ALS(rank=rank, biases=biases).fit(ratings)
    for row in range(0, len(ratings.users), 10):
        items, stars = ratings.by_user.row(row)
        person = model.fold_in(dict(zip(ratings.items.ids[items].tolist(), stars.tolist(), strict=True)))
        np.testing.assert_allclose(person.factors, model.user_factors[row], atol=1e-4)
        assert person.bias == pytest.approx(float(model.user_biases[row]), abs=1e-4)


def test_progress_reports_the_training_error() -> None:
    ratings, told = some_ratings(), []
    model = ALS(rank=8, iterations=4).fit(ratings, progress=told.append)
    finished = [progress for progress in told if progress.iteration]
    assert [progress.iteration for progress in finished] == [1, 2, 3, 4]
    x, y = model.user_factors[ratings.user_rows], model.item_factors[ratings.item_rows]
    scores = (x * y).sum(axis=1) + model.user_biases[ratings.user_rows] + model.item_biases[ratings.item_rows]
    rmse = math.sqrt(np.mean((ratings.stars - scores - model.mean) ** 2))
    assert finished[-1].rmse == pytest.approx(rmse, abs=1e-4)


def test_compiling_is_told_before_the_first_iteration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("matinee.models.als.warm", lambda notify: notify())
    told: list[Progress] = []
    ALS(rank=2, iterations=1).fit(some_ratings(300), progress=told.append)
    assert (told[0].iteration, told[0].message) == (0, "compiling kernels, once")
    assert math.isnan(told[0].rmse)


def test_same_seed_same_bits_whatever_the_threads() -> None:
    ratings = some_ratings()
    models = [ALS(rank=20, iterations=3, threads=threads).fit(ratings) for threads in (1, 2, 4, None)]
    for model in models[1:]:
        np.testing.assert_array_equal(models[0].user_factors, model.user_factors)
        np.testing.assert_array_equal(models[0].item_factors, model.item_factors)
        np.testing.assert_array_equal(models[0].item_biases, model.item_biases)
    other = ALS(rank=20, iterations=3, seed=6).fit(ratings)
    assert not np.array_equal(models[0].user_factors, other.user_factors)


def test_the_order_of_the_ratings_does_not_matter() -> None:
    ratings = some_ratings()
    mixed = np.random.default_rng(1).permutation(len(ratings))
    again = Ratings.from_arrays(ratings.user_ids[mixed], ratings.item_ids[mixed], ratings.stars[mixed])
    one, other = (ALS(rank=4, iterations=2).fit(each) for each in (ratings, again))
    np.testing.assert_array_equal(one.user_factors, other.user_factors)


def test_without_biases_nothing_is_centred_or_damped() -> None:
    ratings = some_ratings()
    model = ALS(rank=4, biases=False).fit(ratings)
    assert model.mean == 0
    assert not model.user_biases.any()
    assert not model.item_biases.any()
    undamped = ALS(rank=4, biases=False, damping=0, bias_damping=0).fit(ratings)
    np.testing.assert_array_equal(model.user_factors, undamped.user_factors)


def test_next_to_no_regularization_gives_no_nan() -> None:
    model = ALS(rank=150, regularization=1e-9, damping=0, bias_damping=0, iterations=3).fit(some_ratings(200))
    assert np.isfinite(model.user_factors).all()
    assert np.isfinite(model.item_factors).all()


@pytest.mark.parametrize(
    "wrong",
    [{"rank": 0}, {"iterations": 0}, {"regularization": 0.0}, {"regularization": math.nan}, {"damping": -1.0},
     {"bias_damping": math.inf}, {"threads": 0}],
)  # fmt: skip
def test_parameters_out_of_range_are_refused_by_name(wrong: dict) -> None:
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        ALS(**wrong)


def test_unknown_parameters_are_refused() -> None:
    with pytest.raises(TypeError, match="lambda_"):
        ALS(lambda_=1)
    assert dataclasses.asdict(ALS())["rank"] == 64


def test_interrupting_a_fit_takes_effect_at_once_and_leaves_no_thread() -> None:
    ratings, started = some_ratings(60_000, 3000, 800), threading.Event()

    def interrupt() -> None:
        started.wait()
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        ALS(rank=64, iterations=10_000).fit(ratings, progress=lambda _: started.set())
    assert time.monotonic() - begin < 20
    assert not [thread for thread in threading.enumerate() if thread.name == "matinee-rows"]

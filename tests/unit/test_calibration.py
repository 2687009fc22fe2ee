"""Intervals: a model that knows its own noise is found calibrated, one that boasts is found out."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri

from matinee.data.ratings import Ratings
from matinee.evaluation.calibration import IntervalModel, interval_metrics, normal_nll
from matinee.models.bias import damped_bias


class Known:
    """Predicts 0 for everything, and believes in noise that grows with the item's id, times a factor."""

    def __init__(self, ratings: Ratings, boast: float = 1.0) -> None:
        self.users, self.items, self.boast = ratings.users, ratings.items, boast

    def predict(self, user_ids, item_ids):
        return np.zeros(len(user_ids))

    def predict_interval(self, user_ids, item_ids, level=0.9):
        half = ndtri(0.5 + level / 2) * deviation(item_ids) * self.boast
        return -half, half


def deviation(item_ids):
    return 0.2 + np.asarray(item_ids) / 100


def drawn(n: int = 200) -> Ratings:
    """Ratings around 0 whose noise is the one that `Known` believes in."""
    users, items = np.divmod(np.arange(n * 100), 100)
    noise = np.random.default_rng(0).normal(size=len(users)) * deviation(items)
    return Ratings.from_arrays(users, items, noise, scale=(-50, 50))


def test_a_model_that_knows_its_noise_is_calibrated():
    ratings = drawn()
    measured = interval_metrics(Known(ratings), ratings)
    for level, share in measured["coverage"].items():
        assert share == pytest.approx(float(level), abs=0.01)
    assert len(measured["by_width"]) == 10
    for tenth in measured["by_width"]:
        assert tenth["coverage"] == pytest.approx(0.9, abs=0.02)
        assert tenth["rmse"] == pytest.approx(tenth["width"] / 2 / ndtri(0.95), rel=0.05)
    wanted = np.mean(0.5 * np.log(2 * np.pi * np.e * deviation(np.arange(100)) ** 2))
    assert measured["nll"] == pytest.approx(wanted, abs=0.02)
    assert measured["nll"] < measured["nll_constant"] - 0.05


def test_a_model_that_boasts_is_found_out():
    ratings = drawn()
    measured = interval_metrics(Known(ratings, boast=0.5), ratings)
    assert measured["coverage"]["0.9"] < 0.65
    assert measured["nll"] > interval_metrics(Known(ratings), ratings)["nll"] + 0.5


def test_few_ratings_make_few_groups():
    ratings = Ratings.from_arrays([1, 2, 3], [1, 2, 3], [0.5, 1, 5])
    measured = interval_metrics(Known(ratings), ratings)
    assert [tenth["coverage"] for tenth in measured["by_width"]] == [0.0, 0.0, 0.0]


def test_a_model_without_intervals_is_told_apart():
    ratings = drawn(2)
    assert isinstance(Known(ratings), IntervalModel)
    assert not isinstance(damped_bias().fit(ratings), IntervalModel)


def test_the_normal_density_by_hand():
    assert normal_nll(np.array([0.0]), np.array([1.0])) == pytest.approx(0.5 * np.log(2 * np.pi))
    assert normal_nll(np.array([2.0]), np.array([2.0])) == pytest.approx(0.5 * np.log(8 * np.pi) + 0.5)

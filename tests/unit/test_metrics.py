"""Star metrics: answers known by hand, and agreement with a quadratic count."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import matinee
from matinee.data.ratings import Ratings
from matinee.errors import DataError
from matinee.evaluation.metrics import auc, auc_by_group, cold_counts, mae, mean_ranks, refuse_leaks, rmse, star_metrics
from matinee.models.bias import damped_bias


class Table:
    """A model that predicts what a table says, else 3."""

    def __init__(self, train: Ratings, stars: dict[tuple[int, int], float]) -> None:
        self.users, self.items, self.stars = train.users, train.items, stars

    def predict(self, user_ids, item_ids):
        return np.array(
            [self.stars.get((u, i), 3.0) for u, i in zip(user_ids.tolist(), item_ids.tolist(), strict=True)]
        )


TRAIN = Ratings.from_arrays([1, 1, 2], [10, 20, 10], [4, 2, 5])
TEST = Ratings.from_arrays([1, 1, 2, 3], [20, 30, 10, 10], [2, 4, 5, 1])
MODEL = Table(TRAIN, {(1, 20): 3.0, (1, 30): 4.0, (2, 10): 4.0, (3, 10): 3.0})  # errors +1, 0, -1, +2


def test_errors_are_means_over_all_pairs():
    assert rmse(MODEL, TEST) == pytest.approx(np.sqrt(6 / 4))
    assert mae(MODEL, TEST) == pytest.approx(1.0)


def test_cold_pairs_are_counted_and_stay_in_the_error():
    assert cold_counts(TRAIN, TEST) == {"cold_users": 1, "cold_items": 1, "cold_pairs": 2}
    measured = star_metrics(MODEL, TEST)
    assert measured["rmse"] == pytest.approx(np.sqrt(6 / 4))
    assert measured["rmse_known"] == pytest.approx(1.0)  # errors +1 and -1


def test_auc_counts_ties_half():
    # liked: 4, 4; not liked: 3, 3 -> every liked pair wins
    assert star_metrics(MODEL, TEST)["auc"] == 1.0
    assert auc(np.array([True, False, False]), np.array([2.0, 2.0, 1.0])) == 0.75
    assert auc(np.array([True, False]), np.array([1.0, 2.0])) == 0.0


def test_auc_per_user_leaves_out_users_with_one_kind_only():
    groups = np.array([0, 0, 1, 1, 2, 2])
    liked = np.array([True, False, True, True, False, True])
    scores = np.array([2.0, 1.0, 1.0, 1.0, 5.0, 1.0])
    np.testing.assert_array_equal(auc_by_group(liked, scores, groups), [1.0, np.nan, 0.0])
    assert star_metrics(MODEL, TEST)["auc_per_user"] == 1.0  # user 1 alone has both kinds


def test_nothing_to_average_is_none_and_not_nan():
    liked_only = Ratings.from_arrays([9], [90], [5])
    assert star_metrics(MODEL, liked_only) == {
        "rmse": 2.0,
        "mae": 2.0,
        "rmse_known": None,
        "auc": None,
        "auc_per_user": None,
    }


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 4), st.booleans()),
        min_size=1,
        max_size=40,
    )
)
def test_auc_equals_the_count_over_all_pairs(rows):
    groups, scores, liked = (np.array(column) for column in zip(*rows, strict=True))
    found = auc_by_group(liked, scores.astype(float), groups)
    for group in range(groups.max() + 1):
        good, bad = (scores[(groups == group) & (liked == kind)] for kind in (True, False))
        wins = [(g > b) + 0.5 * (g == b) for g in good for b in bad]
        assert (np.isnan(found[group]) and not wins) or found[group] == pytest.approx(np.mean(wins))


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=30))
def test_ranks_share_their_mean(values):
    from scipy.stats import rankdata

    scores = np.array(values, float)
    np.testing.assert_allclose(mean_ranks(scores, np.zeros(len(scores), np.int64)), rankdata(scores))


def test_the_top_package_has_the_two_names():
    model = matinee.damped_bias().fit(TRAIN)
    assert matinee.rmse(model, TEST) == rmse(damped_bias().fit(TRAIN), TEST) > 0


def test_training_pairs_in_the_test_set_are_refused():
    refuse_leaks(TRAIN, TEST.select(TEST.item_ids == 30))
    with pytest.raises(DataError, match="2 held-out ratings are also in the training set"):
        refuse_leaks(TRAIN, TEST)

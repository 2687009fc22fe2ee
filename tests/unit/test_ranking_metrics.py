"""List metrics: answers known by hand, and agreement with trec_eval, irspack and a readable count."""

from __future__ import annotations

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from matinee.data.ratings import Ratings, Vocabulary
from matinee.errors import DataError, ParameterError
from matinee.evaluation import ranking
from matinee.evaluation.catalogue import catalogue_metrics, intra_list_diversity
from matinee.evaluation.metrics import auc
from matinee.evaluation.ranking import rank_everything


class Table:
    """A ranker that looks its scores up."""

    def __init__(self, items: Vocabulary, users: Vocabulary, values: np.ndarray) -> None:
        self.items, self.users, self.values = items, users, np.asarray(values, np.float32)

    def scores(self, user_ids):
        return self.values[self.users.rows(user_ids)]


SEEN = Ratings.from_arrays([1, 1, 1, 2, 2, 3], [10, 20, 30, 40, 50, 60], [5, 5, 5, 5, 5, 5])


def lists(values, test: Ratings, seen: Ratings = SEEN, **options):
    return rank_everything(Table(seen.items, seen.users, values), test, seen, **options)


def test_one_list_by_hand():
    # User 1 has seen 10, 20 and 30; of 40, 50, 60 the order is 50, 60, 40; 60 and the cold 70 are relevant, 40 is not.
    test = Ratings.from_arrays([1, 1, 1], [40, 60, 70], [3, 4, 5])
    found = lists([[9, 9, 9, 1, 3, 2], [0] * 6, [0] * 6], test, k=2)
    assert found.top.tolist() == [[4, 5]]
    assert found.means == {
        "ndcg@2": pytest.approx((1 / np.log2(3)) / (1 + 1 / np.log2(3))),
        "recall@2": 0.5,
        "precision@2": 0.5,
        "hit_rate@2": 1.0,
        "map": pytest.approx((1 / 2) / 2),
        "mrr": 0.5,
        "auc": pytest.approx((1 / 2 + 0) / 2),  # 60 beats 40 and loses to 50; the cold one loses to both
    }


def test_people_without_a_relevant_item_are_counted_and_left_out():
    test = Ratings.from_arrays([1, 2, 9], [40, 10, 10], [5, 2, 4])
    found = lists(np.zeros((3, 6)), test)
    assert found.user_ids.tolist() == [1, 9]
    assert found.skipped_users == 1


def test_lists_are_short_where_candidates_are_few():
    found = lists(np.zeros((3, 6)), Ratings.from_arrays([1], [60], [5]), k=5)
    assert found.top.tolist() == [[3, 4, 5, -1, -1]]
    assert found.means["precision@5"] == 0.2


def test_items_at_minus_infinity_are_never_listed():
    test = Ratings.from_arrays([1, 1], [40, 50], [5, 5])
    found = lists([[0, 0, 0, -np.inf, 1, 2], [0] * 6, [0] * 6], test)
    assert found.top[0, :3].tolist() == [5, 4, -1]
    assert found.means["recall@10"] == 0.5
    assert found.means["map"] == pytest.approx((1 / 2) / 2)
    assert found.means["auc"] == 0.0


def test_ties_are_broken_by_item_and_halved_in_the_auc():
    found = lists(np.zeros((3, 6)), Ratings.from_arrays([1], [50], [4]))
    assert found.means["mrr"] == 0.5
    assert found.means["auc"] == 0.5


@pytest.mark.parametrize(
    ("options", "values", "error", "message"),
    [
        ({"k": 0}, np.zeros((3, 6)), ParameterError, "at least one place"),
        ({"relevant_from": 4.5}, np.zeros((3, 6)), DataError, "no held-out rating has 4.5 stars"),
        ({}, np.full((3, 6), np.nan), DataError, "scored an item NaN"),
    ],
)
def test_what_cannot_be_measured_is_refused(options, values, error, message):
    with pytest.raises(error, match=message):
        lists(values, Ratings.from_arrays([1], [50], [4]), **options)


def test_a_test_rating_of_the_training_set_is_refused():
    with pytest.raises(DataError, match="1 held-out rating is also"):
        lists(np.zeros((3, 6)), Ratings.from_arrays([1, 1], [10, 50], [4, 4]))


def problem(seed: int, users: int = 40, items: int = 60, levels: int = 0) -> tuple[np.ndarray, Ratings, Ratings]:
    """Random scores (of a few levels only, if asked), and ratings split in two; the test set has a cold item."""
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, levels, (users, items)) if levels else rng.normal(size=(users, items))
    every_item = np.arange(items) % users * items + np.arange(items)
    others = np.setdiff1d(np.arange(users * items), every_item)
    cell = np.append(every_item, rng.permutation(others))[: users * 20]
    user, item, stars = cell // items, cell % items, rng.integers(1, 11, len(cell)) / 2
    held_out = rng.random(len(cell)) < 0.3
    held_out[[np.flatnonzero(user == u)[0] for u in range(users)]] = False
    held_out[[np.flatnonzero(item == i)[0] for i in range(items)]] = False
    test = (np.append(user[held_out], 0), np.append(item[held_out], 999), np.append(stars[held_out], 5))
    return scores, Ratings.from_arrays(user[~held_out], item[~held_out], stars[~held_out]), Ratings.from_arrays(*test)


def test_trec_eval_agrees():
    scores, seen, test = problem(1)
    found = lists(scores, test, seen)
    truth = {str(u): {} for u in test.users.ids}
    for user, item, stars in zip(test.user_ids, test.item_ids, test.stars, strict=True):
        truth[str(user)][str(item)] = int(stars >= 4)
    run = {}
    for user in seen.users.ids:
        known = set(seen.by_user.row(int(user))[0].tolist())
        run[str(user)] = {str(i): float(s) for i, s in enumerate(scores[user]) if i not in known}
    names = {
        "ndcg@10": "ndcg_cut_10",
        "recall@10": "recall_10",
        "precision@10": "P_10",
        "hit_rate@10": "success_10",
        "map": "map",
        "mrr": "recip_rank",
    }
    measured = pytrec_eval.RelevanceEvaluator(truth, set(names.values())).evaluate(run)
    for ours, theirs in names.items():
        wanted = [measured[str(user)][theirs] for user in found.user_ids]
        np.testing.assert_allclose(found.per_user[ours], wanted, atol=1e-6, err_msg=ours)


@pytest.mark.filterwarnings("ignore:Support for class-based `config`")  # irspack's, on import
def test_irspack_agrees():
    from irspack.evaluation import Evaluator

    scores, seen, test = problem(2)
    found = lists(scores, test, seen)
    shape = (len(seen.users), len(seen.items) + 1)  # the last column is the cold item, which is never listed
    relevant = test.stars >= 4
    columns = np.where(test.item_ids == 999, shape[1] - 1, test.item_ids)
    truth = csr_matrix((np.ones(relevant.sum()), (test.user_ids[relevant], columns[relevant])), shape=shape)
    masked = np.full(shape, -np.inf)
    masked[:, :-1] = scores
    masked[seen.user_rows, seen.item_rows] = -np.inf
    theirs = Evaluator(truth, cutoff=10)._get_metrics(masked, 10, 0).as_dict()
    for ours, name in {
        "ndcg@10": "ndcg",
        "recall@10": "recall",
        "precision@10": "precision",
        "hit_rate@10": "hit",
    }.items():
        assert found.means[ours] == pytest.approx(theirs[name], abs=1e-6), ours
    shown = catalogue_metrics(found.top, seen.item_counts, len(seen.users))
    assert shown["coverage@10"] * len(seen.items) == pytest.approx(theirs["appeared_item"])


@given(st.integers(0, 10_000), st.integers(0, 4))
def test_a_readable_count_agrees(seed, levels):
    scores, seen, test = problem(seed, users=6, items=25, levels=levels)
    found = lists(scores, test, seen, k=3)
    for place, user in enumerate(found.user_ids):
        known = seen.by_user.row(int(user))[0].tolist()
        order = sorted((i for i in range(25) if i not in known), key=lambda i: (-np.float32(scores[user, i]), i))
        mine = (test.user_ids == user) & (test.stars >= 4)
        relevant = set(test.item_ids[mine].tolist())
        assert found.top[place].tolist() == order[:3]
        ranks = [order.index(item) + 1 for item in relevant if item in order]
        assert found.per_user["mrr"][place] == pytest.approx(max((1 / r for r in ranks), default=0))
        assert found.per_user["recall@3"][place] == pytest.approx(sum(r <= 3 for r in ranks) / len(relevant))
        values = np.append(scores[user, order], [-1e9] * (len(relevant) - len(ranks)))
        labels = np.append([i in relevant for i in order], [True] * (len(relevant) - len(ranks))).astype(bool)
        assert found.per_user["auc"][place] == pytest.approx(auc(labels, values.astype(np.float32)))


def test_neither_blocks_nor_threads_change_the_result(monkeypatch):
    scores, seen, test = problem(3)
    whole = lists(scores, test, seen)
    monkeypatch.setattr(ranking, "BLOCK_BYTES", 4 * 60 * 3)
    monkeypatch.setattr(ranking.os, "cpu_count", lambda: 3)
    blocked = lists(scores, test, seen)
    np.testing.assert_array_equal(whole.top, blocked.top)
    for name, values in whole.per_user.items():
        np.testing.assert_array_equal(values, blocked.per_user[name])


def test_catalogue_metrics_by_hand():
    top = np.array([[0, 1], [0, -1]])
    vectors = np.array([[1, 0], [1, 1], [0, 0]], np.float32)
    measured = catalogue_metrics(top, np.array([4, 1, 7]), 8, item_vectors=vectors)
    assert measured == {
        "coverage@2": pytest.approx(2 / 3),
        "popularity@2": pytest.approx(3.0),
        "novelty@2": pytest.approx((1 + 3 + 1) / 3),
        "diversity@2": pytest.approx(1 - 1 / np.sqrt(2)),
    }
    assert catalogue_metrics(top, np.array([4, 1, 7]), 8)["diversity@2"] is None


@given(st.integers(0, 10_000))
def test_diversity_equals_the_mean_over_pairs(seed):
    rng = np.random.default_rng(seed)
    vectors = rng.integers(0, 2, (9, 4)).astype(np.float32)
    top = np.array([rng.permutation(9)[:4] for _ in range(3)])
    top[0, 2:] = -1
    wanted = []
    for row in top:
        known = [vectors[i] for i in row if i >= 0]
        pairs = [(a, b) for i, a in enumerate(known) for b in known[:i]]
        wanted.append(np.mean([1 - a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-9) for a, b in pairs]))
    assert intra_list_diversity(top, vectors) == pytest.approx(np.mean(wanted), abs=1e-6)


def test_single_places_have_no_diversity():
    assert intra_list_diversity(np.array([[0], [1]]), np.eye(2, dtype=np.float32)) is None

"""Many lists at once are the lists made one by one, bit for bit."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import small_world
from hypothesis import given, settings
from hypothesis import strategies as st

from matinee.data.ratings import Csr, Vocabulary
from matinee.errors import ParameterError
from matinee.models import lists
from matinee.models.als import ALS, ALSModel
from matinee.models.bias import DampedBias
from matinee.models.factors import FactorModel
from matinee.models.lists import top_lists
from matinee.models.topk import best_first, exact_scores, shortlist, top_k


def assert_one_by_one(model: FactorModel, n: int, **options: Any) -> None:
    people = np.arange(len(model.users))
    many = top_lists(model, people, n, **options)
    allowed, include_seen = options.get("allowed"), options.get("include_seen", False)
    for row in people:
        rows, scores = model.person(model.users.ids[row].item()).best(n, allowed, include_seen=include_seen)
        length = len(rows)
        assert many.item_rows[row, :length].tolist() == rows.tolist()
        assert many.scores[row, :length].tobytes() == scores.tobytes()
        assert (many.item_rows[row, length:] == -1).all()
        assert np.isnan(many.scores[row, length:]).all()


def random_model(seed: int, users: int, items: int, rank: int, *, levels: int | None = None) -> ALSModel:
    """Factors out of nothing; few `levels` make many films exactly alike."""
    rng = np.random.default_rng(seed)
    item_factors = rng.normal(size=(items, rank)).astype(np.float32)
    item_biases = rng.normal(size=items).astype(np.float32)
    if levels is not None:
        copies = rng.integers(0, min(levels, items), items)
        item_factors, item_biases = item_factors[copies], item_biases[copies]
    rated = [np.sort(rng.choice(items, rng.integers(0, items // 2 + 1), replace=False)) for _ in range(users)]
    indptr = np.cumsum([0, *map(len, rated)]).astype(np.int64)
    indices = np.concatenate(rated).astype(np.int32)
    return ALSModel(
        users=Vocabulary(np.arange(users)), items=Vocabulary(np.arange(items)), item_factors=item_factors,
        user_factors=rng.normal(size=(users, rank)).astype(np.float32), item_biases=item_biases,
        user_biases=rng.normal(size=users).astype(np.float32), mean=3.5, params=ALS(rank=rank), scale=(0.5, 5),
        seen=Csr(indptr, indices, np.full(len(indices), 3, np.float32), items),
    )  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000), items=st.integers(1, 300), rank=st.integers(1, 40), n=st.integers(1, 40),
    levels=st.sampled_from([None, 1, 3, 50]), include_seen=st.booleans(), filtered=st.booleans(),
)  # fmt: skip
def test_many_lists_are_the_lists_one_by_one(
    seed: int, items: int, rank: int, n: int, levels: int | None, include_seen: bool, filtered: bool
) -> None:
    model = random_model(seed, 7, items, rank, levels=levels)
    allowed = np.random.default_rng(seed).random(items) < 0.3 if filtered else None
    assert_one_by_one(model, n, allowed=allowed, include_seen=include_seen)


def test_more_films_than_a_block_and_more_people_than_a_block() -> None:
    model = random_model(1, lists.PEOPLE * 2 + 3, lists.CANDIDATES * 2 + 77, 16)
    assert_one_by_one(model, 10)


def test_thousands_of_films_that_are_all_alike() -> None:
    assert_one_by_one(random_model(2, 5, 5000, 8, levels=2), 10)


@pytest.mark.parametrize("model", [small_world.picks(), small_world.stars(), DampedBias().fit(small_world.ratings())])
def test_trained_models(model: FactorModel) -> None:
    assert_one_by_one(model, 10)
    many = top_lists(model, np.arange(len(model.users)), 10)
    for row, user_id in enumerate(model.users.ids.tolist()):
        assert model.recommend(user_id, 10)[0].tolist() == model.items.ids[many.item_rows[row]].tolist()


def test_the_number_of_threads_changes_nothing() -> None:
    model = random_model(3, 300, 500, 12)
    one, four = (top_lists(model, np.arange(300), 10, threads=threads) for threads in (1, 4))
    assert one.scores.tobytes() == four.scores.tobytes()
    assert one.item_rows.tobytes() == four.item_rows.tobytes()


def test_some_users_in_any_order() -> None:
    model = small_world.picks()
    whole = top_lists(model, np.arange(60), 5)
    some = top_lists(model, np.array([40, 3, 3]), 5)
    assert some.item_rows.tolist() == whole.item_rows[[40, 3, 3]].tolist()
    assert top_lists(model, np.array([], np.int64), 5).item_rows.shape == (0, 5)


def test_nothing_allowed_and_no_place() -> None:
    model = small_world.picks()
    empty = top_lists(model, np.arange(3), 4, allowed=np.zeros(len(model.items), np.bool_))
    assert (empty.item_rows == -1).all()
    with pytest.raises(ParameterError, match="n=0"):
        top_lists(model, np.arange(3), 0)


def test_exact_scores_are_plain_sums_in_order() -> None:
    rng = np.random.default_rng(0)
    items, person = rng.normal(size=(9, 33)).astype(np.float32), rng.normal(size=33).astype(np.float32)
    for row, score in enumerate(exact_scores(items, person)):
        total = 0.0
        for one, other in zip(items[row].tolist(), person.tolist(), strict=True):
            total += one * other
        assert total == score
    assert exact_scores(items[3:4], person)[0] == exact_scores(items, person)[3]


scores = st.lists(st.integers(-5, 5), max_size=40).map(lambda values: np.array(values, np.float32))


@given(scores, st.integers(0, 45))
def test_top_k_is_a_stable_sort(values: np.ndarray[Any, Any], k: int) -> None:
    assert top_k(values, k).tolist() == np.argsort(-values, kind="stable")[:k].tolist()


@given(scores, st.integers(1, 45), st.floats(0, 1))
def test_a_short_list_holds_whatever_rounding_could_have_moved(
    values: np.ndarray[Any, Any], k: int, slack: float
) -> None:
    noise = np.random.default_rng(k).uniform(-slack, slack, len(values)).astype(np.float32)
    rows = shortlist(values + noise, k, None, slack + 1e-6)
    order = rows[best_first(rows, values[rows])][:k]
    assert order.tolist() == np.argsort(-values, kind="stable")[:k].tolist()


def test_recommending_by_person_and_by_model_is_one_thing() -> None:
    model = small_world.picks()
    person = dataclasses.replace(model.person(7), system=None)
    assert person.recommend(5)[0].tolist() == model.recommend(7, 5)[0].tolist()

"""Vocabularies, compressed rows and Ratings: exact answers, and the same as a dictionary would give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matinee.data.ratings import Ratings, Vocabulary, as_ids
from matinee.errors import DataError, ParameterError

HALF_STARS = [half / 2 for half in range(1, 11)]


def rows_of(n_users: int = 6, n_items: int = 6) -> st.SearchStrategy[list[tuple[int, int, float, int]]]:
    """Rows with many duplicates and ties in time."""
    row = st.tuples(st.integers(-1, n_users), st.integers(0, n_items), st.sampled_from(HALF_STARS), st.integers(0, 3))
    return st.lists(row, min_size=1, max_size=60)


def as_dict(ratings: Ratings) -> dict[tuple[object, object], float]:
    return dict(
        zip(zip(ratings.user_ids.tolist(), ratings.item_ids.tolist(), strict=True), ratings.stars.tolist(), strict=True)
    )


@given(st.lists(st.integers(-(2**62), 2**62) | st.integers(0, 50), max_size=30), st.lists(st.integers(-5, 60)))
def test_a_vocabulary_finds_what_it_holds_and_nothing_else(ids: list[int], others: list[int]) -> None:
    vocabulary = Vocabulary.of(np.array(ids, np.int64))
    assert vocabulary.ids.tolist() == sorted(set(ids))
    wanted = np.array(ids + others, np.int64)
    expected = [sorted(set(ids)).index(one) if one in set(ids) else -1 for one in wanted.tolist()]
    assert vocabulary.rows(wanted).tolist() == expected


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1), min_size=1))
def test_a_vocabulary_of_strings(ids: list[str]) -> None:
    vocabulary = Vocabulary.of(ids)
    assert vocabulary.ids[vocabulary.rows(ids)].tolist() == ids
    assert vocabulary.rows([1]).tolist() == [-1]


def test_int32_ids_give_the_same_vocabulary() -> None:
    narrow = np.array([7, 3, 7, 100], np.int32)
    assert Vocabulary.of(narrow) == Vocabulary.of(narrow.astype(np.int64))
    assert Vocabulary.of(narrow).ids.dtype == np.int64
    assert Vocabulary.of(narrow).rows(np.array([3, -1, 100, 101], np.int32)).tolist() == [0, -1, 2, -1]


def test_large_and_negative_ids_are_searched() -> None:
    vocabulary = Vocabulary.of([2**40, -5, 3])
    assert vocabulary.rows([3, 2**40, 4, -5]).tolist() == [1, 2, -1, 0]
    assert 3 in vocabulary
    assert "3" not in vocabulary
    assert 4 not in vocabulary
    assert len(Vocabulary([])) == 0


def test_a_vocabulary_must_be_sorted_and_distinct() -> None:
    for ids in ([2, 1], [1, 1]):
        with pytest.raises(DataError, match=r"Vocabulary\.of"):
            Vocabulary(ids)


@pytest.mark.parametrize(
    ("ids", "says"), [([1.5], "float64"), ([[1]], "2 dimensions"), ([1, "a"], None), ([None], "object")]
)
def test_ids_of_other_kinds_are_refused(ids: list[object], says: str | None) -> None:
    if says is None:  # NumPy makes one kind of both: strings
        assert as_ids(ids).tolist() == ["1", "a"]
        return
    with pytest.raises(DataError, match=says):
        as_ids(ids)


@given(rows_of(), st.booleans())
def test_the_newest_rating_of_a_pair_counts(rows: list[tuple[int, int, float, int]], with_times: bool) -> None:
    users, items, stars, times = (list(column) for column in zip(*rows, strict=True))
    ratings = Ratings.from_arrays(users, items, stars, times if with_times else None)
    newest: dict[tuple[int, int], tuple[float, int]] = {}
    for user, item, given_stars, time in rows:
        if not with_times or (user, item) not in newest or time >= newest[user, item][1]:
            newest[user, item] = given_stars, time
    assert as_dict(ratings) == {pair: value for pair, (value, _) in newest.items()}
    assert ratings.duplicates == len(rows) - len(newest)
    pairs = list(zip(ratings.user_rows.tolist(), ratings.item_rows.tolist(), strict=True))
    assert pairs == sorted(pairs)
    if with_times:
        assert ratings.timestamps is not None
        assert ratings.timestamps.tolist() == [newest[pair][1] for pair in sorted(newest)]


@given(rows_of(), st.randoms(use_true_random=False))
def test_order_does_not_matter(rows: list[tuple[int, int, float, int]], random) -> None:
    distinct = list({(user, item): (user, item, stars, 0) for user, item, stars, _ in rows}.values())
    shuffled = random.sample(distinct, len(distinct))
    first, second = (Ratings.from_arrays(*zip(*some, strict=True)) for some in (distinct, shuffled))
    assert first.fingerprint == second.fingerprint


@given(rows_of(), st.data())
def test_a_selection_holds_what_was_kept_and_compact_ids(rows: list[tuple[int, int, float, int]], data) -> None:
    ratings = Ratings.from_arrays(*zip(*rows, strict=True))
    keep = np.array(data.draw(st.lists(st.booleans(), min_size=len(ratings), max_size=len(ratings))), bool)
    if not keep.any():
        with pytest.raises(DataError, match="no rating at all"):
            ratings.select(keep)
        return
    part = ratings.select(keep)
    again = Ratings.from_arrays(
        ratings.user_ids[keep], ratings.item_ids[keep], ratings.stars[keep], ratings.timestamps[keep]
    )
    assert part.fingerprint == again.fingerprint
    assert part.by_user.indptr.dtype == np.int64
    assert part.by_user.n_columns == len(part.items)


@given(rows_of())
def test_by_item_is_the_transpose(rows: list[tuple[int, int, float, int]]) -> None:
    ratings = Ratings.from_arrays(*zip(*rows, strict=True))
    entries = set(zip(ratings.user_rows.tolist(), ratings.item_rows.tolist(), ratings.stars.tolist(), strict=True))
    other = ratings.by_item
    assert (
        set(zip(other.indices.tolist(), other.row_of_entry().tolist(), other.values.tolist(), strict=True)) == entries
    )
    assert (other.indptr.dtype, other.indices.dtype, other.values.dtype) == (np.int64, np.int32, np.float32)
    assert np.array_equal(other.transposed().indices, ratings.by_user.indices)
    assert np.array_equal(other.counts, ratings.item_counts)


def test_counts_and_means() -> None:
    ratings = Ratings.from_arrays([1, 1, 2], [10, 20, 10], [4, 3, 1])
    assert ratings.item_counts.tolist() == [2, 1]
    assert ratings.item_means.tolist() == [2.5, 3.0]
    assert ratings.mean == pytest.approx(8 / 3)
    assert "3 ratings, 2 users, 2 items" in repr(ratings)


def test_many_ratings_cross_the_blocks() -> None:
    """More than one block of 2**20 of everything that is done block by block."""
    n_users, n_items = 1500, 1000
    users, items = (part.ravel() for part in np.meshgrid(np.arange(n_users), np.arange(n_items), indexing="ij"))
    stars = ((users + items) % 10 + 1) / np.float32(2)
    ordered = Ratings.from_arrays(users, items, stars)
    order = np.random.default_rng(0).permutation(len(users))
    mixed = Ratings.from_arrays(users[order].astype(np.int32), items[order], stars[order])
    assert ordered.fingerprint == mixed.fingerprint
    assert (ordered.item_counts == n_users).all()
    np.testing.assert_allclose(ordered.item_means, stars.reshape(n_users, n_items).mean(axis=0), rtol=1e-6)


@pytest.mark.parametrize("bad", [0, 6, float("nan"), float("inf"), -1])
def test_stars_outside_the_scale_are_refused(bad: float) -> None:
    with pytest.raises(DataError, match=r"rating number 2 is .*0\.5 to 5 stars are allowed"):
        Ratings.from_arrays([1, 2], [1, 1], [3, bad])


def test_what_makes_no_ratings_is_refused() -> None:
    with pytest.raises(DataError, match="different lengths"):
        Ratings.from_arrays([1, 2], [1], [3])
    with pytest.raises(DataError, match="no ratings"):
        Ratings.from_arrays([], [], [])
    with pytest.raises(ParameterError, match="scale"):
        Ratings.from_arrays([1], [1], [3], scale=(5, 1))


def test_another_scale() -> None:
    assert Ratings.from_arrays([1], [1], [10], scale=(1, 10)).scale == (1, 10)

"""Splits: a partition, nothing lost, the sizes asked for, the same every time."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matinee.data.ratings import Ratings
from matinee.data.splits import (
    hash_fractions,
    hash_split,
    hashed_below,
    k_fold,
    last_n,
    parse_fractions,
    random_fractions,
    random_split,
    time_split,
)
from matinee.errors import ParameterError

Pair = tuple[object, object, float, int]


def made(n: int, seed: int = 0, users: int = 9) -> Ratings:
    rng = np.random.default_rng(seed)
    pairs = rng.choice(users * 40, n, replace=False)
    return Ratings.from_arrays(pairs // 40, pairs % 40, rng.integers(1, 11, n) / 2, rng.integers(0, 30, n))


def rows(ratings: Ratings) -> list[Pair]:
    assert ratings.timestamps is not None
    columns = ratings.user_ids, ratings.item_ids, ratings.stars, ratings.timestamps
    return list(zip(*(column.tolist() for column in columns), strict=True))


def assert_partition(ratings: Ratings, parts: list[Ratings]) -> None:
    assert sorted(row for part in parts for row in rows(part)) == sorted(rows(ratings))
    for part in parts:
        assert len(part.users) == len(set(part.user_ids.tolist()))
        assert part.scale == ratings.scale


seeds = st.integers(0, 2**32)


@given(st.lists(st.integers(1, 9), min_size=2, max_size=4), seeds)
def test_random_fractions_are_exact_to_one_rating(shares: list[int], seed: int) -> None:
    ratings = made(100)
    parts = random_fractions(ratings, shares, seed=seed)
    assert_partition(ratings, parts)
    for part, share in zip(parts, shares, strict=True):
        assert abs(len(part) - 100 * share / sum(shares)) <= 1


@given(st.lists(st.integers(1, 3), min_size=2, max_size=4), seeds)
def test_hash_fractions_hold_their_places(shares: list[int], seed: int) -> None:
    ratings = made(300)
    parts = hash_fractions(ratings, shares, seed=seed)
    assert len(parts) == len(shares)
    assert_partition(ratings, parts)
    assert rows(parts[-1]) == rows(hash_split(ratings, shares[-1] / sum(shares), seed)[1])
    for part, share in zip(parts, shares, strict=True):
        assert abs(len(part) - 300 * share / sum(shares)) < 60  # on average, not exactly


@given(st.floats(0.02, 0.98), seeds)
def test_random_split(test: float, seed: int) -> None:
    ratings = made(100)
    train, held_out = random_split(ratings, test=test, seed=seed)
    assert_partition(ratings, [train, held_out])
    assert abs(len(held_out) - 100 * test) <= 1


def test_a_seed_always_gives_the_same_split_and_another_seed_another() -> None:
    ratings = made(200)
    first, again, other = (random_split(ratings, seed=seed)[1].fingerprint for seed in (1, 1, 2))
    assert first == again != other


def test_text_names_proportions() -> None:
    assert parse_fractions("6:2:2") == (6, 2, 2)
    assert [len(part) for part in random_fractions(made(100), "7:3")] == [70, 30]


@pytest.mark.parametrize("text", ["", "7", "7:", "a:b", "7:-3", "7,3", "nan:1"])
def test_text_that_names_none_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="between colons"):
        parse_fractions(text)


@given(st.integers(2, 12), seeds)
def test_every_rating_is_tested_in_exactly_one_fold(folds: int, seed: int) -> None:
    ratings = made(50)
    cut = k_fold(ratings, folds, seed)
    assert len(cut) == folds
    for train, test in cut:
        assert_partition(ratings, [train, test])
        assert abs(len(test) - 50 / folds) < 1
    assert_partition(ratings, [test for _, test in cut])


@given(st.floats(0.05, 0.95), seeds)
def test_nothing_in_training_is_younger_than_the_test_part(test: float, seed: int) -> None:
    ratings = made(80, seed)
    train, held_out = time_split(ratings, test)
    assert_partition(ratings, [train, held_out])
    assert train.timestamps.max() < held_out.timestamps.min()


@given(st.integers(1, 12), seeds)
def test_last_n_holds_out_everyones_newest(n: int, seed: int) -> None:
    ratings = made(120, seed)
    train, test = last_n(ratings, n)
    assert_partition(ratings, [train, test])
    for user in ratings.users.ids:
        kept = ratings_times(train, user)
        held = ratings_times(test, user)
        total = len(kept) + len(held)
        assert len(held) == (n if total > n else 0)
        if held:
            assert max(kept) <= min(held)


def ratings_times(ratings: Ratings, user: int) -> list[int]:
    return [time for who, _, _, time in rows(ratings) if who == user]


def test_the_hash_is_the_one_that_is_written_down() -> None:
    """The docstring's formula in Python's own integers."""
    word = 2**64 - 1

    def m(z: int) -> int:
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & word
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & word
        return z ^ (z >> 31)

    def id_word(one: int | str) -> int:
        if isinstance(one, int):
            return one & word
        return int.from_bytes(blake2b(one.encode(), digest_size=8).digest(), "little")

    g = 0x9E3779B97F4A7C15
    for users, items in (([1, 1, -7, 2**40], [1, 2, 3, 4]), (["a", "é", "a", ""], ["x", "x", "y", "z"])):
        for seed in (0, 5, 2**63):
            for test in (0.2, 0.5, 0.9):
                start = m((seed + g) & word)
                hashes = [
                    m((m((start + id_word(u) + g) & word) + id_word(i) + g) & word)
                    for u, i in zip(users, items, strict=True)
                ]
                got = hashed_below(np.array(users), np.array(items), test, seed)
                assert got.tolist() == [h < int(test * 2**64) for h in hashes]


def test_the_first_output_of_splitmix64_is_known() -> None:
    """SplitMix64 seeded with 0 begins with 0xE220A8397B1DCDAF: the constants and shifts are the published ones."""
    from matinee.data.splits import _mixed

    assert int(_mixed(np.array([0x9E3779B97F4A7C15], np.uint64))[0]) == 0xE220A8397B1DCDAF


@given(st.floats(0.1, 0.9), st.integers(0, 2**64 - 1))
def test_a_hash_split_is_a_partition_of_about_the_right_size(test: float, seed: int) -> None:
    ratings = made(300)
    train, held_out = hash_split(ratings, test, seed)
    assert_partition(ratings, [train, held_out])
    assert abs(len(held_out) / 300 - test) < 6 * np.sqrt(test * (1 - test) / 300)


def test_whether_a_pair_is_held_out_does_not_depend_on_the_others() -> None:
    ratings = made(300)
    some = ratings.select(np.arange(300) % 3 > 0)
    whole = set(rows(hash_split(ratings, 0.3, 1)[1]))
    assert set(rows(hash_split(some, 0.3, 1)[1])) == whole & set(rows(some))


def test_cold_ids_stay_in_the_test_part() -> None:
    ratings = Ratings.from_arrays([1, 1, 2], [1, 2, 3], [3, 4, 5], [0, 1, 2])
    train, test = time_split(ratings, 0.34)
    assert 2 not in train.users
    assert (test.user_ids.tolist(), test.item_ids.tolist()) == ([2], [3])


def test_what_cannot_be_split_is_refused() -> None:
    ratings = made(10)
    timeless = Ratings.from_arrays([1, 2], [1, 2], [3, 4])
    same = Ratings.from_arrays([1, 2], [1, 2], [3, 4], [7, 7])
    for share in (0, 1, -0.1, 1.5, float("nan")):
        for split in (random_split, time_split, hash_split):
            with pytest.raises(ParameterError, match="between 0 and 1"):
                split(ratings, share)
    for wrong in ((1,), (1, 0), (1, -1), (1, float("inf"))):
        with pytest.raises(ParameterError, match="proportions"):
            random_fractions(ratings, wrong)
    with pytest.raises(ParameterError, match="one is empty"):
        random_fractions(ratings, (100, 1))
    with pytest.raises(ParameterError, match="one is empty"):
        hash_split(timeless, 1e-9)
    for folds in (1, 11):
        with pytest.raises(ParameterError, match=f"{folds} folds; 2 to 10"):
            k_fold(ratings, folds)
    with pytest.raises(ParameterError, match="no times"):
        time_split(timeless)
    with pytest.raises(ParameterError, match="same time"):
        time_split(same)
    with pytest.raises(ParameterError, match="no times"):
        last_n(timeless)
    with pytest.raises(ParameterError, match="1 or more"):
        last_n(ratings, 0)
    with pytest.raises(ParameterError, match="nobody has more than 5"):
        last_n(same, 5)

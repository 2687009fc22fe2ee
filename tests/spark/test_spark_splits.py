"""Cut on the cluster, the parts are the ones that are cut here."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from pyspark.sql import SparkSession

import matinee
from matinee.data import splits as local
from matinee.engines.spark import splits
from matinee.engines.spark.frames import SparkRatings, from_ratings
from matinee.errors import ParameterError
from matinee.evaluation.metrics import cold_counts

pytestmark = [pytest.mark.xdist_group("spark"), pytest.mark.timeout(300)]  # a timeout would break the session for all

Pairs = set[tuple[object, object, float]]


@pytest.fixture(scope="module")
def both(spark: SparkSession) -> tuple[matinee.Ratings, SparkRatings]:
    """Few moments, so that ratings share them; people with one rating; text ids on one side."""
    rng = np.random.default_rng(0)
    users, items = np.divmod(rng.choice(2000, 600, replace=False), 40)
    users[:20] += np.arange(20) * 50  # people with a single rating
    ratings = matinee.Ratings.from_arrays(
        users - 7, np.array([f"ü{item}" for item in items]), rng.integers(1, 11, 600) / 2, rng.integers(0, 50, 600)
    )
    return ratings, from_ratings(spark, ratings)


def here(ratings: matinee.Ratings) -> Pairs:
    return set(zip(ratings.user_ids.tolist(), ratings.item_ids.tolist(), ratings.stars.tolist(), strict=True))


def there(ratings: SparkRatings) -> Pairs:
    table = ratings.frame.toArrow()
    users, items = ratings.users.ids[table["user"]].tolist(), ratings.items.ids[table["item"]].tolist()
    return set(zip(users, items, table["stars"].to_pylist(), strict=True))


CUTS: dict[str, tuple[Callable[..., Sequence[matinee.Ratings]], Callable[..., Sequence[SparkRatings]], object]] = {
    "hash": (local.hash_split, splits.hash_split, 0.3),
    "6:2:2": (local.hash_fractions, splits.hash_fractions, "6:2:2"),
    "last": (local.last_n, splits.last_n, 2),
    "time": (local.time_split, splits.time_split, 0.2),
    "time, few": (local.time_split, splits.time_split, 0.999),
    "time, many": (local.time_split, splits.time_split, 0.001),
}


@pytest.mark.parametrize("name", CUTS)
def test_the_parts_are_the_local_ones(both: tuple[matinee.Ratings, SparkRatings], name: str) -> None:
    cut_here, cut_there, how = CUTS[name]
    seed = {"seed": 4} if "hash" in cut_here.__name__ else {}
    ours, theirs = cut_here(both[0], how, **seed), cut_there(both[1], how, **seed)
    assert [len(part) for part in ours] == [len(part) for part in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        assert there(other) == here(mine)
    assert splits.cold_counts(theirs[0], theirs[-1]) == cold_counts(ours[0], ours[-1])


def test_the_test_part_is_the_same_with_and_without_a_validation_part(
    both: tuple[matinee.Ratings, SparkRatings],
) -> None:
    train, validation, test = splits.hash_fractions(both[1], (6, 2, 2), seed=9)
    assert there(test) == here(local.hash_split(both[0], 0.2, seed=9)[1])
    assert there(splits.joined(train, validation)) == here(local.hash_split(both[0], 0.2, seed=9)[0])


def test_counts_and_sums_of_films_are_the_local_ones(both: tuple[matinee.Ratings, SparkRatings]) -> None:
    ratings, spark_ratings = both
    counts, sums = spark_ratings.film_totals()
    assert counts.tolist() == ratings.item_counts.tolist()
    np.testing.assert_allclose(sums / counts, ratings.item_means, rtol=1e-6)
    train = splits.last_n(spark_ratings, 1)[0]
    assert train.present("user").sum() == len(local.last_n(ratings, 1)[0].users)


def test_what_cannot_be_split_is_refused(spark: SparkSession, both: tuple[matinee.Ratings, SparkRatings]) -> None:
    timeless = from_ratings(spark, matinee.Ratings.from_arrays([1, 2], [1, 2], [3, 4]))
    same = from_ratings(spark, matinee.Ratings.from_arrays([1, 2], [1, 2], [3, 4], [7, 7]))
    for cut in (splits.hash_split, splits.time_split):
        with pytest.raises(ParameterError, match="between 0 and 1"):
            cut(same, 1.0, *([0] if cut is splits.hash_split else []))
    with pytest.raises(ParameterError, match="one is empty"):
        splits.hash_split(timeless, 1e-9, 0)
    with pytest.raises(ParameterError, match="proportions"):
        splits.hash_fractions(timeless, (1, 0), 0)
    with pytest.raises(ParameterError, match="no times"):
        splits.time_split(timeless, 0.5)
    with pytest.raises(ParameterError, match="same time"):
        splits.time_split(same, 0.5)
    with pytest.raises(ParameterError, match="no times"):
        splits.last_n(timeless, 1)
    for n, said in ((0, "give 1 or more"), (1, "nobody has more than 1")):
        with pytest.raises(ParameterError, match=said):
            splits.last_n(same, n)

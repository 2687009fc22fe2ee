"""Ratings on the cluster cut into parts: the same pairs as `matinee.data.splits` puts there, whatever the engine."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from pyspark import StorageLevel
from pyspark.sql import Column, Window
from pyspark.sql import functions as F  # noqa: N812

from matinee.data.splits import check_parts, hash_bounds, hash_parts
from matinee.engines.spark.blocks import PACKED, Batches, Block, added, mapped, pack
from matinee.engines.spark.frames import SparkRatings
from matinee.errors import ParameterError


def hash_fractions(ratings: SparkRatings, fractions: Sequence[float] | str, seed: int) -> list[SparkRatings]:
    """Cut as `matinee.data.splits.hash_fractions` does.

    Raises
    ------
    ParameterError
        If a proportion is not positive, or a part is empty.
    """
    return _hashed(ratings, hash_bounds(fractions), seed)


def hash_split(ratings: SparkRatings, test: float, seed: int) -> list[SparkRatings]:
    """Cut into training and test part as `matinee.data.splits.hash_split` does.

    Raises
    ------
    ParameterError
        If `test` is not between 0 and 1, or a part is empty.
    """
    _check_share(test)
    return _hashed(ratings, [test], seed)


def last_n(ratings: SparkRatings, n: int) -> list[SparkRatings]:
    """Hold out everyone's `n` newest ratings as `matinee.data.splits.last_n` does.

    Raises
    ------
    ParameterError
        If `n` is below 1, there are no times, or nobody has more than `n` ratings.
    """
    if n < 1:
        raise ParameterError(f"the last {n} ratings cannot be held out; give 1 or more")
    _check_times(ratings)
    theirs = Window.partitionBy("user")
    newest = F.row_number().over(theirs.orderBy(F.desc("rated_at"), F.desc("item")))
    held_out = (newest <= n) & (F.count("*").over(theirs) > n)
    train, test = _cut(ratings, held_out)
    if not len(test):
        raise ParameterError(f"nobody has more than {n} ratings: nothing can be held out")
    return [train, test]


def time_split(ratings: SparkRatings, test: float) -> list[SparkRatings]:
    """Hold out the newest share of all ratings as `matinee.data.splits.time_split` does.

    Raises
    ------
    ParameterError
        If `test` is not between 0 and 1, there are no times, or all are the same.
    """
    _check_share(test)
    _check_times(ratings)
    moment = ratings.frame.agg(F.expr(f"percentile_disc({1 - test!r}) within group (order by rated_at)")).collect()[0][
        0
    ]
    older, so_old, later = ratings.frame.agg(
        F.count_if(F.col("rated_at") < moment), F.count_if(F.col("rated_at") <= moment),
        F.min(F.when(F.col("rated_at") > moment, F.col("rated_at"))),
    ).collect()[0]  # fmt: skip
    cuts = [(older, moment)] * bool(older) + [(so_old, later)] * (later is not None)
    if not cuts:
        raise ParameterError("all ratings have the same time: they cannot be split by it")
    cut = min(cuts, key=lambda one: abs(one[0] - (1 - test) * len(ratings)))[1]
    parts = _cut(ratings, F.col("rated_at") >= cut)
    check_parts([len(part) for part in parts])
    return parts


def joined(a: SparkRatings, b: SparkRatings) -> SparkRatings:
    """Put two parts together."""
    return a.part(pack(a.frame.union(b.frame), a.partitions))


def cold_counts(train: SparkRatings, test: SparkRatings) -> dict[str, int]:
    """Count what the test part has and the training part lacks, as `matinee.evaluation.metrics.cold_counts`."""
    items = train.present("item")
    users = train.packed.sparkSession.sparkContext.broadcast(train.present("user"))

    def cold(block: Block) -> list[int]:
        lacking = ~users.value[block.user]
        return [int((~users.value[block.people]).sum()), int((lacking | ~items[block.item]).sum())]

    cold_users, cold_pairs = np.resize(added(test.packed, cold), 2).astype(int).tolist()
    users.destroy()
    cold_items = int((test.present("item") & ~items).sum())
    return {"cold_users": cold_users, "cold_items": cold_items, "cold_pairs": cold_pairs}


def _check_share(test: float) -> None:
    if not 0 < test < 1:
        raise ParameterError(f"a share of {test:g} cannot be held out; give a number between 0 and 1")


def _check_times(ratings: SparkRatings) -> None:
    if ratings.frame.where("rated_at is null").limit(1).count():
        raise ParameterError("these ratings have no times: they cannot be split by time")


def _hashed(ratings: SparkRatings, bounds: list[float], seed: int) -> list[SparkRatings]:
    ids = ratings.packed.sparkSession.sparkContext.broadcast((ratings.users.ids, ratings.items.ids))

    def drawn(block: Block, wanted: int) -> Batches:
        users, items = ids.value
        parts = hash_parts(users[block.user], items[block.item], bounds, seed)
        yield block.select(parts == wanted).packed()

    numbers = range(len(bounds) + 1)
    parts = [ratings.part(mapped(ratings.packed, partial(drawn, wanted=number), PACKED)) for number in numbers]
    check_parts([len(part) for part in parts])
    return parts


def _cut(ratings: SparkRatings, is_test: Column) -> list[SparkRatings]:
    """Return training and test part."""
    told = ratings.frame.withColumn("is_test", is_test).persist(StorageLevel.MEMORY_AND_DISK)
    parts = [ratings.part(pack(told.where(which), ratings.partitions)) for which in ("not is_test", "is_test")]
    told.unpersist()
    return parts

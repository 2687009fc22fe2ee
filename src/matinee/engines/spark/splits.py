"""Ratings on the cluster cut into parts: the same pairs as `matinee.data.splits` puts there, whatever the engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import Column, Window
from pyspark.sql import functions as F  # noqa: N812

from matinee.data.splits import check_parts, hash_bounds, hash_parts
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
    train, test = _cut(ratings, F.when(held_out, 1).otherwise(0), 2, check=False)
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
    return _cut(ratings, F.when(F.col("rated_at") >= cut, 1).otherwise(0), 2)


def joined(a: SparkRatings, b: SparkRatings) -> SparkRatings:
    """Put two parts together."""
    return replace(a, frame=a.frame.union(b.frame), count=len(a) + len(b))


def cold_counts(train: SparkRatings, test: SparkRatings) -> dict[str, int]:
    """Count what the test part has and the training part lacks, as `matinee.evaluation.metrics.cold_counts`."""
    known = test.frame
    cold = {}
    for side in ("user", "item"):
        here, there = train.present(side), test.present(side)
        cold[f"cold_{side}s"] = int((there & ~here).sum())
        rows = pa.table({side: np.flatnonzero(here).astype(np.int32)})
        known = known.join(test.frame.sparkSession.createDataFrame(rows), side, "left_semi")
    return cold | {"cold_pairs": len(test) - known.count()}


def _check_share(test: float) -> None:
    if not 0 < test < 1:
        raise ParameterError(f"a share of {test:g} cannot be held out; give a number between 0 and 1")


def _check_times(ratings: SparkRatings) -> None:
    if ratings.frame.where("rated_at is null").limit(1).count():
        raise ParameterError("these ratings have no times: they cannot be split by time")


def _hashed(ratings: SparkRatings, bounds: list[float], seed: int) -> list[SparkRatings]:
    context = ratings.frame.sparkSession.sparkContext
    ids = context.broadcast((ratings.users.ids, ratings.items.ids))

    def number(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        users, items = ids.value
        for batch in batches:
            pair = users[batch["user"].to_numpy()], items[batch["item"].to_numpy()]
            yield batch.append_column("part", pa.array(hash_parts(*pair, bounds, seed).astype(np.int32)))

    columns = "user int, item int, stars float, rated_at bigint, part int"
    numbered = replace(ratings, frame=ratings.frame.mapInArrow(number, columns))
    return _cut(numbered, F.col("part"), len(bounds) + 1)


def _cut(ratings: SparkRatings, part: Column, parts: int, *, check: bool = True) -> list[SparkRatings]:
    """Return the ratings of every part number; the numbering is kept, so that it is done once."""
    numbered = ratings.frame.withColumn("part", part).persist(StorageLevel.MEMORY_AND_DISK)
    sizes: dict[int, int] = dict(numbered.groupBy("part").count().collect())
    counts = [sizes.get(number, 0) for number in range(parts)]
    if check:
        check_parts(counts)
    return [
        replace(ratings, frame=numbered.where(F.col("part") == number).drop("part"), count=count)
        for number, count in enumerate(counts)
    ]

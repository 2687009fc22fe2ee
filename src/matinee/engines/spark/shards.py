"""Model folders whose people never come together on the driver: Spark writes what `matinee.models.shards` reads."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pyspark.sql import functions as F  # noqa: N812

from matinee.data.stats import RECENT_HALF_LIFE_DAYS, SECONDS_PER_DAY, stats_table, steps_of
from matinee.engines.spark.blocks import NO_TIME, added
from matinee.engines.spark.fit import Factors
from matinee.engines.spark.frames import SparkRatings
from matinee.errors import EngineError
from matinee.models.als import ALS, ALSModel
from matinee.models.implicit_als import ImplicitALS, ImplicitModel
from matinee.models.shards import CHUNK, ShardedRatings, Shards, sharded_arrays

if TYPE_CHECKING:
    import polars as pl

SHARD_BYTES = 64 << 20
ROW_GROUP_BYTES = 1 << 20
"""Small, since a person is looked up by reading the row groups that have them."""


def film_stats(ratings: SparkRatings) -> pl.DataFrame:
    """Count on the cluster what `matinee.data.stats.item_stats` counts here."""
    low, n_steps = ratings.scale[0], steps_of(ratings.scale)
    newest = None if unknown_times(ratings) else ratings.frame.agg(F.max("rated_at")).collect()[0][0]
    days = f"({newest} - rated_at) / {SECONDS_PER_DAY}D / {RECENT_HALF_LIFE_DAYS}D"
    worth = F.lit(0.0) if newest is None else F.expr(f"sum(pow(0.5D, {days}))")
    step = F.expr(f"cast(rint((stars - {low}) * 2) as int)").alias("step")
    table = ratings.frame.groupBy("item", step).agg(F.count("*").alias("count"), worth.alias("worth")).toArrow()
    items, steps, counts = (table[name].to_numpy() for name in ("item", "step", "count"))
    histogram = np.zeros((len(ratings.items), n_steps), np.int64)
    histogram[items, steps] = counts
    recent = np.bincount(items, table["worth"].to_numpy(), len(ratings.items)).astype(np.float64)
    means = (ratings.film_sums / ratings.film_counts).astype(np.float32)
    return stats_table(ratings.items, ratings.film_counts, means, histogram, None if newest is None else recent)


def unknown_times(ratings: SparkRatings) -> int:
    """Count the ratings of which nobody knows when they were given."""
    return int(added(ratings.packed, lambda block: [np.count_nonzero(block.rated_at == NO_TIME)])[0])


def check_shared(session: Any, folder: Path) -> None:
    """Find out, before anybody trains for hours, whether the workers see a folder of the driver's.

    Raises
    ------
    EngineError
        If one does not.
    """
    with tempfile.NamedTemporaryFile(dir=folder) as probe:
        path, tasks = probe.name, 2 * session.sparkContext.defaultParallelism
        seen = session.sparkContext.parallelize(range(tasks), tasks).map(lambda _: Path(path).exists()).collect()
    if not all(seen):
        raise EngineError(
            f"{folder} is not seen by all workers, which write the shards of people: give a --home on a file system "
            "that they and this machine share"
        )


@dataclass(frozen=True)
class ShardedTraining:
    """Models whose people stay on the cluster until Spark writes them into the model folder.

    Attributes
    ----------
    ratings
        All of the training.
    rated, ranked
        What was learned from them, for stars and, if at all, for lists.
    """

    ratings: SparkRatings
    rated: Factors
    ranked: Factors | None

    @property
    def per_shard(self) -> int:
        """People per file of about `SHARD_BYTES`."""
        ranks = [len(factors.item_factors[0]) for factors in self._roles().values()]
        size = 4 * sum(ranks) + 16 * len(self.ratings) / len(self.ratings.users)
        return max(1, int(SHARD_BYTES / size) // CHUNK) * CHUNK

    def _roles(self) -> dict[str, Factors]:
        return {"stars": self.rated} | ({} if self.ranked is None else {"picks": self.ranked})

    def models(self, stars: ALS, picks: ImplicitALS | None) -> tuple[ALSModel, ImplicitModel | None]:
        """Return models to be saved: what they have of people is read from shards once they are written."""
        of, shards = self.ratings, Shards({}, self.per_shard, len(self.ratings.users))
        shared: dict[str, Any] = {"users": of.users, "items": of.items, "scale": of.scale}
        shared["seen"] = ShardedRatings(shards, of.film_counts, of.film_sums)
        made = {}
        for role, learned in self._roles().items():
            arrays = {"user_average": _average(learned), "item_factors": learned.item_factors}
            arrays["item_biases"] = learned.item_biases
            made[role] = shared | {"mean": learned.mean} | sharded_arrays(shards, role, arrays)
        ranking = ImplicitModel(params=picks, **made["picks"]) if picks and "picks" in made else None
        return ALSModel(params=stars, **made["stars"]), ranking

    def write(self, folder: Path) -> bool:
        """Write everybody into a new folder; tell whether it is known when all ratings were given.

        Raises
        ------
        EngineError
            If somebody is not in it.
        """
        people = self.ratings.lists("seen")
        for role, factors in self._roles().items():
            own = factors.people.selectExpr("user", f"features as {role}_features", f"bias as {role}_bias")
            people = people.join(own, "user")
        shards = -(-len(self.ratings.users) // self.per_shard)
        numbered = people.withColumn("shard", F.expr(f"cast(user div {self.per_shard} as int)"))
        ordered = numbered.repartition(shards, "shard").sortWithinPartitions("shard", "user")
        files = ordered.write.partitionBy("shard").option("parquet.block.size", str(ROW_GROUP_BYTES))
        files.parquet(folder.as_uri())
        check_written(folder, shards, len(self.ratings.users))
        return not unknown_times(self.ratings)


def _average(factors: Factors) -> Any:
    """Average the factors of all people, shape ``(rank,)``; not finite where any of them is not."""
    rank = factors.item_factors.shape[1]
    means = factors.people.agg(*(F.avg(F.col("features")[place]) for place in range(rank)))
    return np.array(means.collect()[0], np.float64)


def check_written(folder: Path, shards: int, people: int) -> None:
    """Take away what Spark leaves beside its files, and look whether everybody is there."""
    import polars as pl

    for left in (*folder.rglob(".*.crc"), *folder.glob("_*")):
        left.unlink() if left.is_file() else shutil.rmtree(left, ignore_errors=True)
    files = [file for number in range(shards) for file in folder.glob(f"shard={number}/*.parquet")]
    count = partial(pl.scan_parquet, hive_partitioning=False)
    written = sum(int(count(file).select(pl.len()).collect().item()) for file in files)
    if len(files) != shards or written != people:
        raise EngineError(
            f"{len(files)} of {shards} shards with {written} of {people} people arrived in {folder.parent.parent}: do "
            "the workers and this machine share it?"
        )

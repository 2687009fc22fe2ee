"""Ratings on the cluster: read, checked, one per pair, their ids numbered by the rows of the vocabularies."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark import StorageLevel
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812, Spark's own custom

from matinee.data.columns import ColumnNames, places
from matinee.data.ratings import STAR_SCALE, Bools, Int64, Ratings, Vocabulary
from matinee.engines.spark.blocks import LISTS, ROWS, Batches, Block, Float64, added, mapped, pack
from matinee.engines.spark.session import first_line
from matinee.errors import DataError

SIDES = ("user", "item")
TABLES = (".csv", ".csv.gz", ".tsv", ".parquet")
RATINGS_PER_PARTITION = 2_000_000
"""So many ratings and what ALS makes of them stay well under a gigabyte per task."""


@dataclass(frozen=True, eq=False)
class SparkRatings:
    """Ratings on the cluster, at most one per pair.

    Attributes
    ----------
    packed
        A `matinee.engines.spark.blocks.Block` per row; all ratings of a person are in one of them.
    users, items
        The ids, on the driver.
    film_counts, film_sums
        Shapes ``(n_items,)``: how many ratings every film has, and its stars added up.
    scale
        Lowest and highest rating allowed.
    skipped, duplicates
        Malformed rows and older ratings of the same pair that were left out.
    """

    packed: DataFrame
    users: Vocabulary
    items: Vocabulary
    film_counts: Int64
    film_sums: Float64
    scale: tuple[float, float] = STAR_SCALE
    skipped: int = 0
    duplicates: int = 0

    @classmethod
    def of(
        cls,
        packed: DataFrame,
        users: Vocabulary,
        items: Vocabulary,
        scale: tuple[float, float] = STAR_SCALE,
        skipped: int = 0,
    ) -> SparkRatings:
        """Count packed ratings, which are kept in memory or on disk from then on."""
        kept, n_items = packed.persist(StorageLevel.MEMORY_AND_DISK), len(items)

        def totals(block: Block) -> Float64:
            weights = (None, block.stars)
            return np.concatenate([np.bincount(block.item, weight, n_items) for weight in weights])

        counts, sums = np.resize(added(kept, totals), (2, n_items))
        return cls(kept, users, items, counts.astype(np.int64), sums, scale, skipped)

    def __len__(self) -> int:
        return int(self.film_counts.sum())

    @property
    def frame(self) -> DataFrame:
        """Columns ``user``, ``item`` (int, rows of the vocabularies), ``stars`` (float) and ``rated_at`` (long)."""
        return mapped(self.packed, Block.rows, ROWS)

    def lists(self, name: str) -> DataFrame:
        """Return a row per person: ``user`` and arrays ``{name}_item``, ``{name}_stars`` and ``{name}_rated_at``."""
        return mapped(self.packed, partial(Block.lists, name=name), LISTS.format(name))

    @property
    def partitions(self) -> int:
        """Into how many blocks work on these ratings is cut."""
        return blocks_for(self.packed.sparkSession, len(self))

    def part(self, packed: DataFrame) -> SparkRatings:
        """Return other ratings of the same people and films."""
        return SparkRatings.of(packed, self.users, self.items, self.scale)

    def present(self, side: str) -> Bools:
        """Say of every ``user`` or ``item`` of the vocabulary whether it has a rating here."""
        if side == "item":
            return self.film_counts > 0
        known = np.zeros(len(self.users), np.bool_)
        known[self.people().toArrow()["user"].to_numpy()] = True
        return known

    def people(self) -> DataFrame:
        """Return who has a rating here: ``user``."""
        return mapped(self.packed, _users, "user int")


def _users(block: Block) -> Batches:
    yield pa.record_batch({"user": block.people})


def blocks_for(session: SparkSession, ratings: int) -> int:
    """Return into how many blocks so many ratings are cut: one per core, twice as many and so on before one gets too
    large, so that no core waits for another's last one.
    """
    cores = session.sparkContext.defaultParallelism
    return cores * max(1, math.ceil(ratings / RATINGS_PER_PARTITION / cores))


def is_table(source: str) -> bool:
    """Say whether Spark reads the source itself, a URI or a table; releases and zips are read by the driver."""
    path = Path(source)
    return "://" in source or source.endswith(TABLES) or (path.is_dir() and any(path.glob("*.parquet")))


def read_ratings(
    session: SparkSession,
    source: str,
    names: ColumnNames | None = None,
    *,
    scale: tuple[float, float] = STAR_SCALE,
    string_ids: bool = False,
    skip_bad_rows: bool = False,
) -> SparkRatings:
    """Read a CSV with a header or Parquet from any path that Spark reads; of a repeated pair the newest counts.

    Without times, or at the same time, the one that Spark read last counts: the later one of a single file.

    Raises
    ------
    DataError
        If the path cannot be read, a column is missing, or a row is malformed and `skip_bad_rows` is not set.
    """
    try:
        raw = _columns(_opened(session, source), names or ColumnNames(), source)
        rows, bad, whole = _looked_at(raw, scale)
    except PySparkException as error:
        raise DataError(f"{source}: Spark cannot read it ({first_line(error)})") from error
    if bad and not skip_bad_rows:
        raise DataError(
            f"{source}: {bad} of {rows} rows lack an id or have no rating from {scale[0]:g} to {scale[1]:g}; "
            "--skip-bad-rows leaves them out"
        )
    if rows == bad:
        raise DataError(f"{source}: there are no ratings, at least one is needed")
    kinds = {side: "bigint" if whole[side] and not string_ids else "string" for side in SIDES}
    good = raw.where(_good(scale))
    typed = good.withColumns({side: F.col(side).cast(kind) for side, kind in kinds.items()})
    return _numbered(typed, rows - bad, scale, bad)


def from_ratings(session: SparkSession, ratings: Ratings) -> SparkRatings:
    """Bring ratings of the driver to the cluster."""
    columns = {"user": ratings.user_rows, "item": ratings.item_rows, "stars": ratings.stars}
    table = pa.table(columns)
    times = pa.nulls(len(ratings), pa.int64()) if ratings.timestamps is None else pa.array(ratings.timestamps)
    frame = session.createDataFrame(table.append_column("rated_at", times))
    packed = pack(frame, blocks_for(session, len(ratings)))
    return SparkRatings.of(packed, ratings.users, ratings.items, ratings.scale)


def gathered(ratings: SparkRatings) -> Ratings:
    """Bring ratings to the driver, sorted."""
    table = ratings.frame.toArrow()
    user, item = (table[name].to_numpy().astype(np.int32, copy=False) for name in ("user", "item"))
    times = None if table["rated_at"].null_count else table["rated_at"].to_numpy()
    stars = table["stars"].to_numpy().astype(np.float32, copy=False)
    return Ratings.from_rows(ratings.users, ratings.items, user, item, stars, times, scale=ratings.scale)


def _opened(session: SparkSession, source: str) -> DataFrame:
    bare = source.removesuffix(".gz")
    if bare.endswith((".csv", ".tsv")):
        return session.read.csv(source, header=True, sep="\t" if bare.endswith(".tsv") else ",", escape='"')
    return session.read.parquet(source)


def _columns(frame: DataFrame, names: ColumnNames, source: str) -> DataFrame:
    """Name the columns; ids keep their kind, so that numbers need not become text first."""
    found = places(frame.columns, names, source)
    name = [f"`{column}`" for column in frame.columns]
    time = F.lit(None) if found.time is None else _seconds(frame, frame.columns[found.time])
    return frame.select(
        *(F.expr(name[place]).alias(side) for side, place in zip(SIDES, (found.user, found.item), strict=True)),
        F.expr(f"try_cast({name[found.rating]} as float)").alias("stars"),
        time.cast("bigint").alias("rated_at"),
        F.monotonically_increasing_id().alias("place"),
    )


def _seconds(frame: DataFrame, column: str) -> Any:
    kind = dict(frame.dtypes)[column]
    if kind in ("date", "timestamp", "timestamp_ntz"):
        return F.unix_timestamp(F.col(f"`{column}`").cast("timestamp"))
    return F.expr(f"try_cast(try_cast(`{column}` as double) as bigint)")


def _good(scale: tuple[float, float]) -> str:
    given = " and ".join(f"cast({side} as string) != ''" for side in SIDES)
    return f"coalesce({given} and stars between {scale[0]} and {scale[1]}, false)"


def _looked_at(raw: DataFrame, scale: tuple[float, float]) -> tuple[int, int, dict[str, bool]]:
    """Count rows and malformed ones, and say of each side whether its ids are whole numbers, in one pass."""
    kinds = dict(raw.dtypes)
    numbers = {side: kinds[side] in ("tinyint", "smallint", "int", "bigint") for side in SIDES}
    parsed = [F.expr(f"bool_and(not good or try_cast({side} as bigint) is not null)").alias(side) for side in SIDES]
    row = raw.withColumn("good", F.expr(_good(scale))).agg(
        F.count("*").alias("rows"), F.count_if(~F.col("good")).alias("bad"),
        *(F.lit(True).alias(side) if numbers[side] else one for side, one in zip(SIDES, parsed, strict=True)),
    ).first()  # fmt: skip
    assert row is not None  # an aggregate has one row
    return row["rows"], row["bad"], {side: bool(row[side]) for side in SIDES}


def _numbered(typed: DataFrame, rows: int, scale: tuple[float, float], bad: int) -> SparkRatings:
    """Replace ids by their rows: distinct ids are found on the cluster, numbered here, and looked up there.

    Ratings are not kept before they are numbered: to read two columns again costs less, and text would fill the memory.
    """
    users, items = (_vocabulary(typed.select(side).distinct().toArrow()[side]) for side in SIDES)
    packed = pack(typed, blocks_for(typed.sparkSession, rows), (users.ids, items.ids))
    found = SparkRatings.of(packed, users, items, scale, bad)
    return replace(found, duplicates=rows - len(found))


def _vocabulary(ids: pa.ChunkedArray) -> Vocabulary:
    found = ids.to_numpy()
    return Vocabulary.of(found.astype(np.str_) if found.dtype == object else found)

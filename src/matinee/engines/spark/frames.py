"""Ratings on the cluster: read, checked, one per pair, their ids numbered by the rows of the vocabularies."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark import StorageLevel
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812, Spark's own custom

from matinee.data.columns import ColumnNames, places
from matinee.data.ratings import STAR_SCALE, Bools, Ids, Int64, Ratings, Vocabulary
from matinee.engines.spark.session import first_line
from matinee.errors import DataError

Float64 = npt.NDArray[np.float64]
SIDES = ("user", "item")
TABLES = (".csv", ".csv.gz", ".tsv", ".parquet")
RATINGS_PER_PARTITION = 2_000_000
"""So many ratings and what ALS makes of them stay well under a gigabyte per task."""


@dataclass(frozen=True, eq=False)
class SparkRatings:
    """Ratings on the cluster, at most one per pair.

    Attributes
    ----------
    frame
        Columns ``user``, ``item`` (int, rows of the vocabularies), ``stars`` (float), ``rated_at`` (long or null).
    users, items
        The ids, on the driver.
    count
        Number of ratings.
    scale
        Lowest and highest rating allowed.
    skipped, duplicates
        Malformed rows and older ratings of the same pair that were left out.
    """

    frame: DataFrame
    users: Vocabulary
    items: Vocabulary
    count: int
    scale: tuple[float, float] = STAR_SCALE
    skipped: int = 0
    duplicates: int = 0

    def __len__(self) -> int:
        return self.count

    @property
    def partitions(self) -> int:
        """Into how many blocks work on these ratings is cut."""
        cores = self.frame.sparkSession.sparkContext.defaultParallelism
        return max(cores, math.ceil(self.count / RATINGS_PER_PARTITION))

    def kept(self, frame: DataFrame) -> SparkRatings:
        """Return other ratings of the same people and films, kept in memory or on disk."""
        kept = frame.persist(StorageLevel.MEMORY_AND_DISK)
        return replace(self, frame=kept, count=kept.count())

    def present(self, side: str) -> Bools:
        """Say of every ``user`` or ``item`` of the vocabulary whether it has a rating here."""
        known = np.zeros(len(self.users if side == "user" else self.items), np.bool_)
        known[self.frame.select(side).distinct().toArrow()[side].to_numpy()] = True
        return known

    def film_totals(self) -> tuple[Int64, Float64]:
        """Count the ratings of every film, and add their stars up, shapes ``(n_items,)``."""
        table = self.frame.groupBy("item").agg(F.count("*").alias("count"), F.sum("stars").alias("sum")).toArrow()
        counts, sums = np.zeros(len(self.items), np.int64), np.zeros(len(self.items))
        counts[table["item"].to_numpy()], sums[table["item"].to_numpy()] = table["count"], table["sum"]
        return counts, sums


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
    return _one_per_pair(_numbered(typed, rows - bad, scale, bad))


def from_ratings(session: SparkSession, ratings: Ratings) -> SparkRatings:
    """Bring ratings of the driver to the cluster."""
    columns = {"user": ratings.user_rows, "item": ratings.item_rows, "stars": ratings.stars}
    table = pa.table(columns)
    times = pa.nulls(len(ratings), pa.int64()) if ratings.timestamps is None else pa.array(ratings.timestamps)
    frame = session.createDataFrame(table.append_column("rated_at", times))
    brought = SparkRatings(frame, ratings.users, ratings.items, len(ratings), ratings.scale)
    return brought.kept(frame.repartition(brought.partitions, "user"))


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
    """Replace ids by their rows: distinct ids are found on the cluster, numbered here, and joined to the ratings.

    Ratings are not kept before they are numbered: to read two columns again costs less, and text would fill the memory.
    """
    numbered, vocabularies = typed, {}
    for side in SIDES:
        ids = typed.select(side).distinct().toArrow()[side].to_numpy(zero_copy_only=False)
        vocabularies[side] = Vocabulary.of(ids.astype(np.str_) if ids.dtype == object else ids)
        codes = _codes(typed.sparkSession, side, vocabularies[side].ids)
        numbered = numbered.join(codes, side).drop(side).withColumnRenamed("code", side)
    found = SparkRatings(numbered, vocabularies["user"], vocabularies["item"], rows, scale, bad)
    return found.kept(numbered.repartition(found.partitions, "user"))


def _one_per_pair(ratings: SparkRatings) -> SparkRatings:
    """Keep the newest rating of every pair; looking whether there are any to leave out costs less than doing it."""
    columns = ["user", "item", "stars", "rated_at"]
    pairs = ratings.frame.groupBy("user", "item").agg(F.lit(1)).count()
    if pairs == len(ratings):
        return replace(ratings, frame=ratings.frame.select(columns))
    order = F.struct(F.coalesce("rated_at", F.lit(0)), "place")
    newest = F.max_by(F.struct("stars", "rated_at"), order).alias("newest")
    one = ratings.frame.groupBy("user", "item").agg(newest).select("user", "item", "newest.stars", "newest.rated_at")
    done = replace(ratings, duplicates=len(ratings) - pairs).kept(one)
    ratings.frame.unpersist()
    return done


def _codes(session: SparkSession, side: str, ids: Ids) -> DataFrame:
    values = pa.array(ids.tolist() if ids.dtype.kind == "U" else ids)
    return session.createDataFrame(pa.table({side: values, "code": np.arange(len(ids), dtype=np.int32)}))

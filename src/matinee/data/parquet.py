"""Reading ratings from Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from matinee.data.columns import ColumnNames, places
from matinee.data.ratings import STAR_SCALE
from matinee.data.tables import RatingColumns
from matinee.errors import BadRowError, DataError

if TYPE_CHECKING:
    import polars as pl


def read_parquet(
    source: Path | BinaryIO,
    names: ColumnNames | None = None,
    *,
    label: str = "",
    scale: tuple[float, float] = STAR_SCALE,
    skip_bad_rows: bool = False,
) -> RatingColumns:
    """Read user, item, rating and, where there is one, the time.

    Ids are integers or strings, ratings numbers, times seconds since 1970, dates or datetimes (UTC where no zone is
    given).

    Raises
    ------
    BadRowError
        If a value is missing or not allowed; the line is the row, the first being 1.
    DataError
        If the file is no Parquet, has no rows, or lacks a column.
    """
    import polars as pl

    label = label or (source.name if isinstance(source, Path) else "parquet")
    try:
        header = list(pl.read_parquet_schema(source))
        where = places(header, names or ColumnNames(), label)
        frame = pl.read_parquet(source, columns=[header[place] for place in where.used])
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{label} is not a Parquet file that can be read ({str(error)[:200]})") from error
    frame.columns = ["user", "item", "stars", "time"][: frame.width]
    frame = frame.with_columns(
        _ids(frame["user"], label), _ids(frame["item"], label), _numbers(frame["stars"], label), *_times(frame, label)
    )
    good = _good(frame, scale)
    skipped = frame.height - int(good.sum())
    if skipped and not skip_bad_rows:
        row = int((~good).arg_max() or 0)
        low, high = scale
        values = ", ".join(f"{name} {value!r}" for name, value in frame.row(row, named=True).items())
        raise BadRowError(label, row + 1, f"{values}; nothing may be missing, {low:g} to {high:g} stars are allowed")
    frame = frame.filter(good) if skipped else frame
    if not frame.height:
        raise DataError(f"{label} has no ratings ({skipped} bad rows): at least one is needed")
    users, items = (c if c.dtype == pl.String else c.to_numpy() for c in (frame["user"], frame["item"]))
    times = frame["time"].to_numpy(writable=True) if "time" in frame else None
    return RatingColumns(users, items, frame["stars"].to_numpy(writable=True), times, skipped)


def _good(frame: pl.DataFrame, scale: tuple[float, float]) -> pl.Series:
    """Mark the rows in which nothing is missing and the stars are allowed."""
    good = frame["stars"].is_between(*scale)
    for column in frame.get_columns():
        good &= column.is_not_null()
    return good.fill_null(value=False)


def _ids(column: pl.Series, label: str) -> pl.Series:
    import polars as pl

    if column.dtype.is_integer():
        small = column.dtype in (pl.Int8, pl.Int16, pl.Int32, pl.UInt8, pl.UInt16)
        return column.cast(pl.Int32 if small else pl.Int64)
    if column.dtype in (pl.String, pl.Categorical, pl.Enum):
        return column.cast(pl.String)
    raise DataError(f"{label} has {column.name} ids of type {column.dtype}; integers or strings are needed")


def _numbers(column: pl.Series, label: str) -> pl.Series:
    import polars as pl

    if not column.dtype.is_numeric():
        raise DataError(f"{label} has ratings of type {column.dtype}; numbers are needed")
    return column.cast(pl.Float32)


def _times(frame: pl.DataFrame, label: str) -> list[pl.Series]:
    import polars as pl

    if "time" not in frame:
        return []
    column = frame["time"]
    if column.dtype.is_temporal() and column.dtype != pl.Time and column.dtype != pl.Duration:
        return [column.dt.epoch("s")]
    if not column.dtype.is_numeric():
        raise DataError(f"{label} has times of type {column.dtype}; seconds since 1970 or datetimes are needed")
    return [column.cast(pl.Int64, strict=False)]

"""Reading a table of ratings: fast where every row is good, exact about the first that is not.

polars parses and a few vector operations check: the whole of a plain file at once, or blocks of a stream, cut at line
ends. Only a block in which something is wrong is read again line by line, to say which line and why, or to leave bad
rows out. Memory: 20 bytes a rating, and for a stream four blocks of `BLOCK_BYTES`.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from matinee.data.columns import ColumnNames, places
from matinee.data.ratings import STAR_SCALE, Float32, Int64, Ratings, Vocabulary
from matinee.data.rows import INTEGER, NUMBER, Layout, parse_row
from matinee.data.sources import damage_named, open_file
from matinee.errors import BadRowError, DataError

FIRST_LINE_BYTES = 100_000
"""The header and the first rows may not be longer."""
SNIFFED_ROWS = 100
"""So many rows say whether ids are strings and how the time is written."""
BLOCK_BYTES = 16 << 20
"""A stream is read in blocks of this size; no line may be longer."""
Column: TypeAlias = Any  # int32, int64 or, for strings, object


@dataclass
class RatingColumns:
    """Ratings as they stand in a file, checked, in its order.

    Attributes
    ----------
    users, items
        Shape ``(n,)``, int32 or int64, or a polars series of strings.
    stars
        Shape ``(n,)``, float32, within the scale.
    times
        Shape ``(n,)``, int64, seconds since 1970; None where the file has none.
    skipped
        Malformed rows left out.
    """

    users: Column
    items: Column
    stars: Float32
    times: Int64 | None
    skipped: int = 0

    def to_ratings(self, scale: tuple[float, float]) -> Ratings:
        """Look up rows, drop older duplicates; empties this object on the way, to save memory."""
        ids, self.users, self.items = [self.users, self.items], None, None
        with ThreadPoolExecutor(2) as pool:
            (users, user_rows), (items, item_rows) = pool.map(_rows, ids)
        del ids
        return Ratings.from_rows(users, items, user_rows, item_rows, self.stars, self.times, scale=scale)


def read_ratings_csv(
    path: Path,
    names: ColumnNames | None = None,
    *,
    scale: tuple[float, float] = STAR_SCALE,
    skip_bad_rows: bool = False,
    string_ids: bool = False,
) -> RatingColumns:
    """Read a plain or gz file with a header, separated by commas, semicolons, tabs or bars; one line a row.

    Parameters
    ----------
    path
        The file.
    names
        Of the columns; None to find them by their usual names.
    scale
        Lowest and highest rating allowed.
    skip_bad_rows
        Leave malformed rows out and count them.
    string_ids
        Take ids as strings even if most of the first rows' look like integers.

    Raises
    ------
    BadRowError
        If a row is malformed and bad rows are not to be skipped.
    DataError
        If the file is empty or damaged, or lacks a column.
    """
    whole = None if path.suffix == ".gz" else path
    with damage_named(str(path)), open_file(path) as stream:
        return read_table(
            stream, names, label=path.name, scale=scale, skip_bad_rows=skip_bad_rows, string_ids=string_ids, whole=whole
        )


def read_table(
    stream: IO[bytes],
    names: ColumnNames | None = None,
    *,
    label: str,
    scale: tuple[float, float] = STAR_SCALE,
    skip_bad_rows: bool = False,
    string_ids: bool = False,
    whole: Path | None = None,
) -> RatingColumns:
    """As `read_ratings_csv`, of a stream; `whole` is the plain file that it reads, if there is one."""
    header, *rows = (_first_line(stream, label) for _ in range(1 + SNIFFED_ROWS))
    layout = sniff(header, rows, names or ColumnNames(), label=label, string_ids=string_ids)
    layout = replace(layout, scale=scale, skip_bad_rows=skip_bad_rows)
    columns = None if whole is None else _parse_quickly(whole, layout, skip_lines=1)
    return columns or read_rows(stream, layout, b"".join(rows))


def _first_line(stream: IO[bytes], label: str) -> bytes:
    line = stream.readline(FIRST_LINE_BYTES)
    if len(line) == FIRST_LINE_BYTES:
        raise _endless(label, FIRST_LINE_BYTES)
    return line


def _endless(label: str, limit: int) -> DataError:
    return DataError(f"{label} has a line of more than {limit:,} bytes: that is no table of ratings")


def sniff(header: bytes, rows: Sequence[bytes], names: ColumnNames, *, label: str, string_ids: bool = False) -> Layout:
    """Find out from the header and most of the first rows how a file is written."""
    if not header.strip():
        raise DataError(f"{label} is empty: a header and rows of ratings are needed")
    title = header.decode("utf-8-sig", "replace").rstrip("\r\n")
    if "\r" in title:
        raise DataError(f"{label} ends its lines with a bare carriage return: \\n or \\r\\n is needed")
    separator = max(",\t;|", key=title.count)
    found = places(next(csv.reader([title], delimiter=separator)), names, label)
    texts = [row.decode("utf-8", "replace").strip("\r\n") for row in rows if row.strip()]
    if not texts:
        raise DataError(f"{label} has a header but no ratings: at least one is needed")
    fields = [row for row in csv.reader(texts, delimiter=separator) if len(row) == found.width]
    strings = [string_ids or _are_strings(row[place] for row in fields) for place in (found.user, found.item)]
    kinds = Counter(_time_kind(row[found.time]) for row in fields if found.time is not None)
    return Layout(
        label=label, places=found, separator=separator, strings=(strings[0], strings[1]),
        time=kinds.most_common(1)[0][0] if kinds else "integer",
    )  # fmt: skip


def _are_strings(ids: Iterable[str]) -> bool:
    """Say so if most are no integers, or one is written with a leading zero, which would be lost."""
    given = [text.strip() for text in ids if text.strip()]
    padded = any(len(text) > 1 and text[0] == "0" for text in given)
    return padded or 2 * sum(not INTEGER.match(text) for text in given) > len(given)


def _time_kind(text: str) -> Literal["integer", "number", "date"]:
    if INTEGER.match(text.strip()):
        return "integer"
    return "number" if NUMBER.match(text.strip()) else "date"


def read_rows(stream: IO[bytes], layout: Layout, head: bytes = b"") -> RatingColumns:
    """Read all rows of a stream in blocks; `head` are rows that were read from it before.

    Raises
    ------
    BadRowError
        If a row is malformed and bad rows are not to be skipped.
    DataError
        If there is no row, or a line is too long.
    """
    parts: list[RatingColumns] = []
    line = layout.first_line
    for block in _ahead(_blocks(stream, head, layout.label)):
        data = block.replace(b"::", b"\t") if layout.double_colon else block
        parts.append(_parse_quickly(data, layout) or _parse_carefully(data, layout, line))
        line += block.count(b"\n")
    skipped = sum(part.skipped for part in parts)
    if not sum(len(part.stars) for part in parts):
        raise DataError(f"{layout.label} has no ratings ({skipped} bad rows): at least one is needed")
    return RatingColumns(
        _joined(parts, "users"), _joined(parts, "items"), _joined(parts, "stars"), _joined(parts, "times"), skipped
    )


def _blocks(stream: IO[bytes], head: bytes, label: str) -> Iterator[bytes]:
    rest = head
    while data := stream.read(BLOCK_BYTES):
        cut = data.rfind(b"\n") + 1
        if cut:
            yield rest + data[:cut]
            rest = data[cut:]
        else:
            rest += data
        if len(rest) > BLOCK_BYTES:
            raise _endless(label, BLOCK_BYTES)
    if rest:
        yield rest


def _ahead(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Read (and unpack) the next block in another thread while one is parsed."""
    with ThreadPoolExecutor(1) as pool:
        block = pool.submit(next, blocks, b"")
        while data := block.result():
            block = pool.submit(next, blocks, b"")
            yield data


def _joined(parts: list[RatingColumns], name: str) -> Column:
    """Join one column of all parts, emptying them on the way."""
    import polars as pl

    columns = [getattr(part, name) for part in parts]
    for part in parts:
        setattr(part, name, None)
    if len(columns) == 1 or columns[0] is None:
        return columns[0]
    return pl.concat(columns) if isinstance(columns[0], pl.Series) else np.concatenate(columns)


def _parse_quickly(data: bytes | Path, layout: Layout, skip_lines: int = 0) -> RatingColumns | None:
    """Parse many rows at once; None if any of them is not good."""
    import polars as pl

    for integers in (pl.Int32, pl.Int64):
        try:
            frame = pl.read_csv(
                data, has_header=False, skip_lines=skip_lines, separator=layout.separator,
                schema=_schema(layout, integers),
            )  # fmt: skip
        except (pl.exceptions.PolarsError, UnicodeDecodeError):
            continue
        return _checked(frame, layout)
    return None


def _schema(layout: Layout, integers: Any) -> dict[str, Any]:
    import polars as pl

    types: dict[int, Any] = dict.fromkeys(range(layout.places.width), pl.String)
    for place, string in zip((layout.places.user, layout.places.item), layout.strings, strict=True):
        types[place] = pl.String if string else integers
    types[layout.places.rating] = pl.Float32
    if layout.places.time is not None:
        types[layout.places.time] = {"integer": pl.Int64, "number": pl.Float64, "date": pl.String}[layout.time]
    return {f"c{place}": kind for place, kind in types.items()}


def _checked(frame: Any, layout: Layout) -> RatingColumns | None:
    """Take the columns out of a frame, or None if a value is missing or not allowed."""
    import polars as pl

    columns = [frame.drop_in_place(f"c{place}") for place in layout.places.used]
    if len(columns) == 4 and layout.time == "date":
        columns[3] = columns[3].str.to_datetime(time_unit="ms", strict=False).dt.epoch("s")
    if any(column.null_count() for column in columns):
        return None
    if any(column.dtype == pl.String and column.str.len_bytes().min() == 0 for column in columns[:2]):
        return None
    if layout.time == "number" and len(columns) == 4:
        columns[3] = columns[3].cast(pl.Int64)
    with ThreadPoolExecutor(2) as pool:  # most of this is the system's work of handing out fresh memory
        users, items, stars, *times = pool.map(partial(_taken, columns), range(len(columns)))
    low, high = layout.scale
    if not bool(((stars >= low) & (stars <= high)).all()):
        return None
    return RatingColumns(users, items, stars, times[0] if times else None)


def _taken(columns: list[Any], place: int) -> Column:
    """Copy a column into one array of its own and forget the original; strings stay a series."""
    column, columns[place] = columns[place], None
    return column.to_numpy(writable=True) if column.dtype.is_numeric() else column


def _parse_carefully(data: bytes, layout: Layout, line: int) -> RatingColumns:
    """Parse row by row, to find the bad ones."""
    import polars as pl

    rows, skipped = [], 0
    for offset, text in enumerate(data.decode("utf-8", "replace").split("\n")):
        if not text.strip():
            continue
        try:
            rows.append(parse_row(text.rstrip("\r"), layout))
        except (ValueError, csv.Error) as problem:
            if not layout.skip_bad_rows:
                raise BadRowError(layout.label, line + offset, str(problem)) from None
            skipped += 1
    users, items, stars, times = zip(*rows, strict=True) if rows else ((), (), (), ())
    ids = [
        pl.Series(values, dtype=pl.String) if string else np.array(values, np.int64)
        for values, string in zip((users, items), layout.strings, strict=True)
    ]
    seconds = None if layout.places.time is None else np.array(times, np.int64)
    return RatingColumns(ids[0], ids[1], np.array(stars, np.float32), seconds, skipped)


def _rows(ids: Column) -> tuple[Vocabulary, npt.NDArray[np.int32]]:
    import polars as pl

    if isinstance(ids, np.ndarray):
        vocabulary = Vocabulary.of(ids)
        return vocabulary, vocabulary.rows(ids)
    distinct = ids.unique().sort()
    vocabulary = Vocabulary(distinct.to_numpy().astype(np.str_))
    return vocabulary, (ids.rank("dense") - 1).cast(pl.Int32).to_numpy(writable=True)

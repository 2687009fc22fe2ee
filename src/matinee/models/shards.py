"""People of a model folder whose side is too large for one machine's memory: Parquet files, read for whom one asks.

    people/shard=<n>/*.parquet     rows n * per_shard to (n + 1) * per_shard - 1 of the vocabulary, a row per person:
        user                       int32, rising: the row of the vocabulary, by which row groups are found
        stars_features, picks_features   list of float32: the person's factors in each model
        stars_bias, picks_bias     float32
        seen_item, seen_stars      list of int32 and of float32: the training ratings, by rising item row
        seen_rated_at              list of int64: seconds since 1970, null where that is unknown

`ShardedMatrix` and `ShardedRatings` stand in a model where arrays stand otherwise, and read some people at a time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self

import numpy as np
import numpy.typing as npt

from matinee.data.ratings import Csr, Float32, Int32, Int64, Vocabulary
from matinee.errors import ArtifactError
from matinee.models.folder import Reader

if TYPE_CHECKING:
    import polars as pl

PEOPLE = "people"
CHUNK = 256
"""People read together: about the row groups of the files, a megabyte or two."""
CHUNKS_KEPT = 64

Array = npt.NDArray[Any]


class Shards:
    """The files of all people.

    Parameters
    ----------
    files
        The file of every shard, by number.
    per_shard
        People per file, a multiple of `CHUNK`; the last has what is left.
    people
        How many there are.
    """

    def __init__(self, files: Mapping[int, Path], per_shard: int, people: int) -> None:
        self.files, self.per_shard, self.people = files, per_shard, people
        # Of a function, not of a method: shards that a cache of their own points at would never be let go.
        self.chunk = lru_cache(CHUNKS_KEPT)(partial(_chunk, files, per_shard, people))

    def of(self, name: str, row: int) -> Array:
        """Return what a column has of one person."""
        number, place = divmod(row, CHUNK)
        values, starts = self.chunk(number)[name]
        return values[starts[place] : starts[place + 1]]

    def blocks(self, name: str, rows: Array) -> Iterator[tuple[Array, Array]]:
        """Yield, chunk by chunk, which of the rows are in it, shape ``(k,)``, and their values, flat."""
        numbers = rows // CHUNK
        for number in np.unique(numbers).tolist():
            places = np.flatnonzero(numbers == number)
            values, starts = self.chunk(number)[name]
            wide = values.reshape(len(starts) - 1, -1)
            yield places, wide[rows[places] - number * CHUNK]


def _chunk(files: Mapping[int, Path], per_shard: int, people: int, number: int) -> dict[str, tuple[Array, Int64]]:
    """Read people ``number * CHUNK`` and after: of every column all values, and where each person's begin."""
    import polars as pl

    first = number * CHUNK
    last = min(first + CHUNK, people)
    file = files[first // per_shard]
    try:
        lazy = pl.scan_parquet(file, hive_partitioning=False, glob=False)
        frame = lazy.filter(pl.col("user") >= first, pl.col("user") < last).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ArtifactError(f"{file}: cannot be read as Parquet ({str(error).splitlines()[0]})") from error
    if not np.array_equal(frame["user"].to_numpy(), np.arange(first, last)):
        raise ArtifactError(f"{file}: lacks some of the people {first} to {last - 1}, or they are in disorder")
    return {column.name: _flat(column) for column in frame.get_columns()}


def _flat(column: Any) -> tuple[Array, Int64]:
    if column.dtype.is_nested():
        starts = np.concatenate([[0], np.cumsum(column.list.len().to_numpy())]).astype(np.int64)
        column = column.list.explode(empty_as_null=False) if starts[-1] else column.list.explode().head(0)
    else:
        starts = np.arange(len(column) + 1)
    return column.to_numpy(), starts


class ShardedMatrix:
    """Factors or biases of people, as NumPy's arrays in what models ask of them: rows, by number, slice or array.

    Parameters
    ----------
    shards
        The files.
    name
        Their column.
    average
        Mean of all rows, which nobody reads all files for: shape ``(rank,)``, or ``()`` for biases.
    """

    def __init__(self, shards: Shards, name: str, average: Array) -> None:
        self.shards, self.name, self.average = shards, name, np.asarray(average)

    @property
    def shape(self) -> tuple[int, ...]:
        """As an array's."""
        return (self.shards.people, *self.average.shape)

    def __len__(self) -> int:
        return self.shards.people

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            key = np.arange(*key.indices(len(self)))
        rows = np.atleast_1d(np.asarray(key, np.int64)) % len(self)  # -1 is the last one, as in arrays
        found = np.empty((len(rows), *self.average.shape), np.float32)
        for places, values in self.shards.blocks(self.name, rows):
            found[places] = values.reshape(len(places), *self.average.shape)
        return found if np.ndim(key) else found[0]

    def mean(self, **_: Any) -> Array:
        """Return the mean of all rows."""
        return self.average

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        raise ArtifactError("the people of this model are in Parquet shards, and this needs all of them at once")


class ShardedRatings:
    """The training ratings by person: what `Csr` is for models that are served.

    Parameters
    ----------
    shards
        The files.
    column_counts, column_sums
        Shapes ``(n_items,)``: how many ratings every film has, and its stars added up.
    """

    def __init__(self, shards: Shards, column_counts: Int64, column_sums: npt.NDArray[np.float64]) -> None:
        self.shards, self.column_counts, self.column_sums = shards, column_counts, column_sums
        self.n_rows, self.n_columns = shards.people, len(column_counts)

    @cached_property
    def nnz(self) -> int:
        """Number of ratings."""
        return int(self.column_counts.sum())

    @classmethod
    def of(cls, shards: Shards, stats: pl.DataFrame) -> Self:
        """Take what a folder says per film; see `matinee.data.stats.item_stats`."""
        counts = stats["ratings_count"].to_numpy()
        return cls(shards, counts, counts * stats["ratings_mean"].to_numpy())

    def row(self, row: int) -> tuple[Int32, Float32]:
        """Return one person's item rows and stars."""
        return self.shards.of("seen_item", row), self.shards.of("seen_stars", row)

    def part(self, first: int, last: int) -> Csr:
        """Return the ratings of some people, rows `first` to `last` - 1."""
        rows = [self.row(row) for row in range(first, last)]
        indptr = np.cumsum([0, *(len(items) for items, _ in rows)], dtype=np.int64)
        items, stars = (np.concatenate(side) for side in zip(*rows, strict=True))
        return Csr(indptr, items, stars, self.n_columns)

    def span(self, row: int) -> int:
        """Return what `ShardedTimes` takes."""
        return row

    def __getattr__(self, name: str) -> Any:
        if name in ("indptr", "indices", "values", "counts", "row_of_entry", "transposed"):
            raise ArtifactError(
                "the ratings of this model are in Parquet shards, and this needs all of them at once: "
                "train it again with --engine spark"
            )
        raise AttributeError(name)


def shard_files(reader: Reader) -> dict[int, Path]:
    """Return the file of every shard, of the size that the manifest says."""
    names = [name for name in reader.files if name.startswith(f"{PEOPLE}/")]
    return {int(name.split("/")[1].removeprefix("shard=")): reader.file(name) for name in names}


def sharded_arrays(shards: Shards, role: str, arrays: Mapping[str, Array]) -> dict[str, Any]:
    """Put matrices that read from shards beside the arrays of a role that a folder has."""
    averages = {"features": arrays["user_average"], "bias": np.zeros(())}
    sides = (ShardedMatrix(shards, f"{role}_{name}", average) for name, average in averages.items())
    own = {name: array for name, array in arrays.items() if name != "user_average"}
    return own | dict(zip(("user_factors", "user_biases"), sides, strict=True))


def written_arrays(arrays: Mapping[str, Any]) -> dict[str, Array]:
    """Return what a folder keeps as arrays: of people in shards, the average."""
    kept = {name: array for name, array in arrays.items() if not isinstance(array, ShardedMatrix)}
    factors = arrays["user_factors"]
    return kept | ({"user_average": factors.average} if isinstance(factors, ShardedMatrix) else {})


def digest_of(users: Vocabulary, stats: pl.DataFrame) -> str:
    """Return a SHA-256 of ids and of what is known per film: equal for equal ratings, which nobody reads for it."""
    digest = hashlib.sha256(np.ascontiguousarray(users.ids).data)
    digest.update(stats.drop("recent").write_json().encode())  # a sum whose last bits are its order's
    return digest.hexdigest()


class ShardedTimes:
    """When people rated, person by person."""

    def __init__(self, shards: Shards) -> None:
        self.shards = shards

    def __getitem__(self, row: int) -> Int64:
        return self.shards.of("seen_rated_at", row)

"""All ratings of a partition as one row of binary values: a pass over them costs little more than reading memory.

Spark hands rows to Python number by number, half a second for a million ratings; a binary value goes as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame

from matinee.data.ratings import Bools, Float32, Ids, Int32, Int64

Float64 = npt.NDArray[np.float64]
Batches = Iterator[pa.RecordBatch]
PACKED = "user binary, item binary, stars binary, rated_at binary"
ROWS = "user int, item int, stars float, rated_at bigint"
LISTS = "user int, {0}_item array<int>, {0}_stars array<float>, {0}_rated_at array<bigint>"
ROWS_AT_ONCE = 1 << 16
NO_TIME = np.iinfo(np.int64).min
_TYPES = (np.int32, np.int32, np.float32, np.int64)


class Block(NamedTuple):
    """All ratings of some people, by rising user and item.

    Attributes
    ----------
    user, item
        Shapes ``(n,)``: rows of the vocabularies.
    stars
        Shape ``(n,)``.
    rated_at
        Shape ``(n,)``, seconds since 1970, `NO_TIME` where that is unknown.
    """

    user: Int32
    item: Int32
    stars: Float32
    rated_at: Int64

    @property
    def starts(self) -> Int64:
        """Where each person's ratings begin, and where the last one's end, shape ``(people + 1,)``."""
        return np.flatnonzero(np.diff(self.user, prepend=np.int32(-1), append=np.int32(-1)))

    @property
    def people(self) -> Int32:
        """Whose ratings they are, shape ``(people,)``."""
        return self.user[self.starts[:-1]]

    def select(self, keep: Bools) -> Block:
        """Return the ratings where `keep`, shape ``(n,)``, is true."""
        return Block(self.user[keep], self.item[keep], self.stars[keep], self.rated_at[keep])

    def packed(self) -> pa.RecordBatch:
        """Make one row of `PACKED`."""
        values = [pa.array([np.ascontiguousarray(part).tobytes()], pa.binary()) for part in self]
        return pa.record_batch(values, names=list(self._fields))

    def _columns(self) -> dict[str, pa.Array]:
        columns = {name: pa.array(values) for name, values in zip(self._fields, self, strict=True)}
        return columns | {"rated_at": pa.array(self.rated_at, mask=self.rated_at == NO_TIME)}

    def rows(self) -> Batches:
        """Make rows of `ROWS`."""
        yield from pa.table(self._columns()).to_batches(max_chunksize=ROWS_AT_ONCE)

    def lists(self, name: str) -> Batches:
        """Make rows of `LISTS`, one per person."""
        starts = self.starts
        columns = {"user": pa.array(self.people)}
        for column, values in list(self._columns().items())[1:]:
            columns[f"{name}_{column}"] = pa.ListArray.from_arrays(starts.astype(np.int32), values)
        yield from pa.table(columns).to_batches(max_chunksize=ROWS_AT_ONCE >> 6)


def pack(rows: DataFrame, partitions: int, vocabularies: tuple[Ids, Ids] | None = None) -> DataFrame:
    """Bring all ratings of a person together and pack them; of a repeated pair the newest stays.

    Parameters
    ----------
    rows
        Columns ``user``, ``item``, ``stars``, ``rated_at`` and, where pairs may repeat, ``place``: of those that are
        equally old, the one with the highest stays.
    partitions
        Into how many blocks.
    vocabularies
        Ids of users and items, where the columns are ids and not their rows.
    """
    ids = vocabularies and rows.sparkSession.sparkContext.broadcast([pa.array(side) for side in vocabularies])

    def run(batches: Batches) -> Batches:
        arrived = list(batches)
        if not arrived:
            return
        table = pa.Table.from_batches(arrived).combine_chunks()
        sides = [table["user"], table["item"]]
        if ids:
            sides = [pc.index_in(side, known) for side, known in zip(sides, ids.value, strict=True)]
        yield _block(table, *(side.to_numpy() for side in sides)).packed()

    return rows.repartition(partitions, "user").mapInArrow(run, PACKED)


def mapped(packed: DataFrame, work: Callable[[Block], Iterable[pa.RecordBatch]], schema: str) -> DataFrame:
    """Let the cluster work on every block."""

    def run(batches: Batches) -> Batches:
        for batch in batches:
            for values in zip(*batch.select(Block._fields).columns, strict=True):
                yield from work(
                    Block(*(np.frombuffer(v.as_buffer(), kind) for v, kind in zip(values, _TYPES, strict=True)))
                )

    return packed.mapInArrow(run, schema)


def added(packed: DataFrame, work: Callable[[Block], npt.ArrayLike]) -> Float64:
    """Add up what the cluster makes of every block, in float64 and the order of the partitions; 0 of none."""

    def run(block: Block) -> Batches:
        array = np.asarray(work(block), np.float64)
        yield pa.record_batch({"array": pa.array([array.tobytes()], pa.binary())})

    parts = mapped(packed, run, "array binary").toArrow()["array"]
    return np.asarray(sum((np.frombuffer(part.as_buffer()) for part in parts), np.zeros(1)))


def features_of(table: pa.Table, rank: int) -> Float32:
    """Return the lists ``features`` as a matrix, shape ``(table.num_rows, rank)``."""
    flat = table["features"].combine_chunks().flatten().to_numpy()
    return np.asarray(flat, np.float32).reshape(table.num_rows, rank)


def _block(table: pa.Table, user: Int32, item: Int32) -> Block:
    """Sort the ratings of a partition, and leave out the older ones of a pair."""
    times = pc.fill_null(table["rated_at"], NO_TIME).to_numpy()
    key = user.astype(np.int64) << 32 | item
    order = np.argsort(key)
    again = key[order[1:]] == key[order[:-1]]
    if again.any():
        order = np.lexsort((table["place"].to_numpy(), np.where(times == NO_TIME, 0, times), key))
        order = order[~np.append(again, False)]
    parts = zip((user, item, table["stars"].to_numpy(), times), _TYPES, strict=True)
    return Block(*(part[order].astype(kind, copy=False) for part, kind in parts))

"""Everybody's lists on the cluster: films go to every executor, people come in blocks; no cross join, no sort.

Spark's `recommendForAllUsers` joins blocks of people with blocks of films and merges a queue per person in Java. Here a
block of people is one matrix product and our top-k, so that every list is, to the last bit, the one that
`FactorModel.recommend` gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import SparkSession

from matinee.data.ratings import Bools, Csr, Ids
from matinee.engines.spark.people import Films
from matinee.errors import ArtifactError, ParameterError
from matinee.models.als import ALSModel
from matinee.models.bias import DampedBiasModel
from matinee.models.factors import FactorModel, RatingModel
from matinee.models.lists import lists_table

PEOPLE_PER_BLOCK = 4096
BLOCKS_PER_CORE = 8
"""Of one job: its start costs half a second, and its people pass through the driver's memory."""
BYTES_PER_JOB = 256 << 20


def write_lists(
    session: SparkSession,
    out: str,
    ranker: FactorModel,
    stars: RatingModel,
    *,
    limit: int = 10,
    allowed: Bools | None = None,
    include_seen: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write the lists of all users of a model as a folder of Parquet files, which appears whole.

    Parameters
    ----------
    session
        Where the work is done.
    out
        Any path that Spark writes: ``user_id``, ``rank`` (from 1), ``movie_id``, ``score``, ``stars``, as
        `matinee.recommend.batch` writes them.
    ranker
        Orders the lists.
    stars
        Predicts stars; of the same users.
    limit
        Length of the lists.
    allowed
        Shape ``(n_items,)``: what may be listed; None for everything.
    include_seen
        Keep what a user rated.
    progress
        Called with the number of users done and of all.

    Returns
    -------
    int
        How many users there are.

    Raises
    ------
    ParameterError
        If stars are not predicted by factors and biases alone.
    ArtifactError
        If something is at `out` already.
    """
    if not isinstance(stars, ALSModel | DampedBiasModel):
        kind = type(stars.params).__name__
        raise ParameterError(
            f"stars by {kind}: on Spark stars are those of ALS; leave --engine spark out (the same lists, made here) "
            "or train with --quality fast"
        )
    jvm: Any = session._jvm
    target, parts = (jvm.org.apache.hadoop.fs.Path(path) for path in (out, f"{out}.parts"))
    files = target.getFileSystem(session._jsc.hadoopConfiguration())
    if files.exists(target):
        raise ArtifactError(f"{out} is there already: give a path that is not, or remove it first")
    files.delete(parts, True)
    films = session.sparkContext.broadcast((Films.of_model(ranker), Films.of_model(stars), allowed))
    schema = pa.schema(
        {"user_id": _kind(ranker.users.ids), "rank": pa.int32(), "movie_id": _kind(ranker.items.ids),
         "score": pa.float64(), "stars": pa.float32()}
    )  # fmt: skip

    def listed(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for block in batch.column("people"):
                table = _listed(_unpacked(block.as_buffer()), *films.value, limit, include_seen)
                yield from table.cast(schema).to_batches()

    kinds = ", ".join(f"{field.name} {_SQL[field.type]}" for field in schema)
    for done, blocks in _jobs(ranker, stars, session.sparkContext.defaultParallelism):
        people = session.createDataFrame(pa.table({"people": pa.array(blocks, pa.binary())}))
        people.mapInArrow(listed, kinds).write.mode("append").parquet(f"{out}.parts")
        if progress:
            progress(done, len(ranker.users))
    films.destroy()
    files.rename(parts, target)
    return len(ranker.users)


_SQL = {pa.int64(): "bigint", pa.string(): "string", pa.int32(): "int", pa.float64(): "double", pa.float32(): "float"}


def _kind(ids: Ids) -> pa.DataType:
    return pa.int64() if ids.dtype.kind == "i" else pa.string()


def _jobs(ranker: FactorModel, stars: RatingModel, cores: int) -> Iterator[tuple[int, list[bytes]]]:
    """Yield packed blocks of people, so many as fit into a job, and how many people there have been."""
    users, blocks, size = len(ranker.users), [], 0
    people = min(PEOPLE_PER_BLOCK, max(1, -(-users // cores)))
    for start in range(0, users, people):
        stop = min(start + people, users)
        blocks.append(_packed(ranker, stars, slice(start, stop)))
        size += len(blocks[-1])
        if stop == users or len(blocks) == BLOCKS_PER_CORE * cores or size > BYTES_PER_JOB:
            yield stop, blocks
            blocks, size = [], 0


def _packed(ranker: FactorModel, stars: RatingModel, rows: slice) -> bytes:
    """Write some people's side of both models as one binary value: Spark converts lists number by number."""
    seen, buffer = ranker.seen.part(rows.start, rows.stop), BytesIO()
    np.savez(
        buffer, ids=ranker.users.ids[rows], ends=seen.indptr, seen=seen.indices,
        ranker=ranker.user_factors[rows], ranker_biases=ranker.user_biases[rows],
        stars=stars.user_factors[rows], stars_biases=stars.user_biases[rows],
    )  # fmt: skip
    return buffer.getvalue()


def _unpacked(block: pa.Buffer) -> dict[str, Any]:
    with np.load(pa.BufferReader(block), allow_pickle=False) as arrays:
        return dict(arrays)


def _listed(
    people: dict[str, Any], ranker: Films, stars: Films, allowed: Bools | None, limit: int, include_seen: bool
) -> pa.Table:
    ids, seen = people["ids"], people["seen"]
    rated = Csr(people["ends"], seen, np.ones(len(seen), np.float32), len(ranker.ids))
    ranking = ranker.batch(ids, people["ranker"], people["ranker_biases"], rated)
    rating = stars.batch(ids, people["stars"], people["stars_biases"])
    return lists_table(
        ranking, rating, np.arange(len(ids)), limit, allowed=allowed, include_seen=include_seen, threads=1
    ).to_arrow()

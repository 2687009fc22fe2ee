"""Work done person by person on the cluster: films go to every executor, people come in batches with their factors.

A batch becomes a small model of ours, so that lists and their measures are made by the same code as on one machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from matinee.data.ratings import Csr, Float32, Ids, Ratings, Vocabulary
from matinee.engines.spark.blocks import features_of
from matinee.models.als import ALS, ALSModel
from matinee.models.factors import FactorModel

if TYPE_CHECKING:  # an executor that imports them takes half a second longer to start
    from matinee.engines.spark.fit import Factors
    from matinee.engines.spark.frames import SparkRatings

Work = Callable[..., bytes]


@dataclass(frozen=True, eq=False, kw_only=True)
class BatchModel(ALSModel):
    """The model of one batch of people, films and people named by their rows in the whole.

    Attributes
    ----------
    usual
        See `Factors.usual_stars`.
    """

    usual: tuple[float, Float32]

    @cached_property
    def fallback(self) -> tuple[float, Float32]:
        """Return what the whole training set says of pairs that are not known."""
        return self.usual


@dataclass(frozen=True, eq=False)
class Films:
    """What every executor gets: the side of the films."""

    ids: Ids  # of the films that the model knows; in training, their rows in the whole
    factors: Float32
    biases: Float32
    usual: tuple[float, Float32]
    mean: float
    scale: tuple[float, float]

    @classmethod
    def of(cls, factors: Factors, scale: tuple[float, float]) -> Films:
        """Take the films of a training."""
        known = np.flatnonzero(factors.items_known).astype(np.int32)
        mean, usual = factors.usual_stars
        return cls(
            known, factors.item_factors[known], factors.item_biases[known], (mean, usual[known]), factors.mean, scale
        )

    @classmethod
    def of_model(cls, model: FactorModel) -> Films:
        """Take the films of a model, with copies of what may be mapped from files."""
        mean, usual = model.fallback
        factors, biases = np.array(model.item_factors), np.array(model.item_biases)
        return cls(np.array(model.items.ids), factors, biases, (mean, np.array(usual)), model.mean, model.scale)

    def batch(self, people: Ids, factors: Float32, biases: Float32, seen: Csr | None = None) -> BatchModel:
        """Make the model of some people, by rising id."""
        users, items = Vocabulary(people), Vocabulary(self.ids)
        none = Csr(np.zeros(len(people) + 1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32), len(items))
        return BatchModel(
            params=ALS(rank=max(1, factors.shape[1]), biases=False), users=users, items=items, user_factors=factors,
            item_factors=self.factors, user_biases=biases, item_biases=self.biases, mean=self.mean,
            seen=none if seen is None else seen, scale=self.scale, usual=self.usual,
        )  # fmt: skip


def measured_over_people(
    held_out: SparkRatings, factors: Factors, work: Work, seen: SparkRatings | None = None
) -> list[bytes]:
    """Let the cluster measure batches of people; return what comes of each.

    Parameters
    ----------
    held_out
        What the model is measured on.
    factors
        The model.
    work
        Called with the model and the held-out ratings of a batch of people, and what they have rated before if `seen`
        is given; ids are rows. It is sent to the executors by name: a function of a module, or a partial one.
    seen
        What people have rated before; None where `work` has no use for it.
    """
    films = held_out.packed.sparkSession.sparkContext.broadcast(Films.of(factors, held_out.scale))
    people = held_out.lists("test").join(factors.people, "user", "left")
    if seen is not None:
        people = people.join(seen.lists("seen"), "user", "left")
    people = people.drop("test_rated_at", "seen_rated_at")
    names = ("test",) if seen is None else ("test", "seen")

    def measure(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            table = pa.table(batch).sort_by("user").combine_chunks()
            known = table.filter(pa.compute.is_valid(table["features"]))
            x = features_of(known, films.value.factors.shape[1])
            model = films.value.batch(known["user"].to_numpy(), x, known["bias"].to_numpy())
            measured = work(model, *(_ratings(table, name, films.value.scale) for name in names))
            yield pa.record_batch({"measured": pa.array([measured], pa.binary())})

    measured: list[bytes] = people.mapInArrow(measure, "measured binary").toArrow()["measured"].to_pylist()
    films.destroy()
    return measured


def _ratings(table: pa.Table, name: str, scale: tuple[float, float]) -> Ratings:
    """Turn the lists of a batch into ratings; none at all where nobody has any."""
    items = table[f"{name}_item"].combine_chunks()
    counts = np.nan_to_num(pa.compute.list_value_length(items).to_numpy(zero_copy_only=False)).astype(np.int64)
    users = np.repeat(table["user"].to_numpy(), counts)
    if not len(users):
        empty = np.empty(0, np.int32)
        nobody = Csr(np.zeros(1, np.int64), empty, np.empty(0, np.float32), 0)
        return Ratings(Vocabulary(empty), Vocabulary(empty), nobody, scale=scale)
    stars = table[f"{name}_stars"].combine_chunks().flatten().to_numpy()
    return Ratings.from_arrays(users, items.flatten().to_numpy(), stars, scale=scale)

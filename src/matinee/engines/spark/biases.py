"""Damped biases over blocks of ratings: work of executors, for whom the imports of `fit` would take a second each."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from matinee.data.ratings import Float32
from matinee.engines.spark.blocks import ROWS_AT_ONCE, Batches, Block, Float64

LEFT = "user int, item int, target float"
PEOPLE = "user int, bias float"


class Biases(NamedTuple):
    """Mean and damped biases of the films, from which those of people follow.

    Attributes
    ----------
    mean
        Of all stars.
    films
        Shape ``(n_items,)``.
    damping
        How many ratings at zero a person has beside their own.
    """

    mean: float
    films: Float32
    damping: float

    def of_people(self, block: Block) -> Float32:
        """Return the biases of a block's people, shape ``(people,)``."""
        rest = self._without_films(block).astype(np.float64)
        starts = block.starts
        sums = np.add.reduceat(rest, starts[:-1]) if len(rest) else rest
        return np.asarray(sums / (np.diff(starts) + self.damping), np.float32)

    def people(self, block: Block) -> Batches:
        """Make rows of `PEOPLE`."""
        yield pa.record_batch({"user": block.people, "bias": self.of_people(block)})

    def rest_of_films(self, block: Block) -> Float64:
        """Add up per film the stars less the mean and the biases of the people."""
        rest = block.stars - np.float32(self.mean) - self._of_raters(block)
        return np.asarray(np.bincount(block.item, rest, len(self.films)), np.float64)

    def left(self, block: Block) -> Batches:
        """Make rows of `LEFT`: what biases leave of the stars."""
        target = self._without_films(block) - self._of_raters(block)
        table = pa.table({"user": block.user, "item": block.item, "target": target})
        yield from table.to_batches(max_chunksize=ROWS_AT_ONCE)

    def _without_films(self, block: Block) -> Float32:
        return np.asarray(block.stars - np.float32(self.mean) - self.films[block.item], np.float32)

    def _of_raters(self, block: Block) -> Float32:
        """Return of every rating the bias of who gave it."""
        return np.repeat(self.of_people(block), np.diff(block.starts))

"""The best items of one person without scoring all: long vectors first, until the rest cannot reach the list.

A score is at most the product of both vectors' lengths plus the largest bias (Cauchy-Schwarz). Vectors of popular
films are many times longer than most, so that a list of ten is certain after a few percent of the catalogue; after
Teflioudi, Gemulla and Mykytiuk (LEMP, SIGMOD 2015, section 4.1). Nothing is approximate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from matinee.data.ratings import Bools, Float32, Int64
from matinee.models.factors import FactorModel
from matinee.models.person import Person
from matinee.models.topk import shortlist

FIRST = 1024
"""How many items are scored before the first look whether the rest can matter; more where the list is long."""
HEAD = 4096
"""The longest vectors, kept side by side: how many are scored before the second look, which is the last."""


@dataclass(frozen=True, eq=False)
class ByLength:
    """The items with the longest vectors, and how far the others may reach.

    Attributes
    ----------
    model
        Whose items.
    head
        Shape ``(n, rank)``, n at most `HEAD`: the longest vectors, the longest first.
    names
        Shape ``(n,)``: what those items are called outside; their rows where nothing else was said.
    biases
        Shape ``(n,)``.
    lengths_after, biases_after
        Shapes ``(n + 1,)``: the largest length and the largest bias of all items from each place of that order on, 0
        and minus infinity where none is left.
    """

    model: FactorModel
    head: Float32
    names: Int64
    biases: Float32
    lengths_after: Float32
    biases_after: Float32

    @classmethod
    def of(cls, model: FactorModel, names: npt.NDArray[np.integer] | None = None) -> ByLength:
        """Sort the items of a model; `names`, shape ``(n_items,)``, number them as `allowed` and answers do."""
        lengths = np.linalg.norm(model.item_factors, axis=1)
        order = np.argsort(-lengths, kind="stable")
        first, biases = order[:HEAD], model.item_biases[order]
        largest = np.maximum.accumulate(np.append(biases, np.float32(-np.inf))[::-1])[::-1]
        after = slice(len(first) + 1)
        return cls(
            model, np.array(model.item_factors[first]), first if names is None else names[first].astype(np.int64),
            biases[: len(first)], np.append(lengths[order], np.float32(0))[after], largest[after],
        )  # fmt: skip

    def shortlist(self, person: Person, k: int, allowed: Bools) -> Int64 | None:
        """Return everything, by name, that may be among the person's `k` best allowed items; None where it takes more
        than the longest vectors to be certain.

        Parameters
        ----------
        person
            Placed in this model.
        k
            How many are wanted.
        allowed
            Shape ``(largest name + 1,)`` or more.

        Returns
        -------
        Int64 or None
            What `topk.shortlist` returns of all scores, in no particular order.
        """
        n, length, stop = len(self.head), person.length, min(max(FIRST, 4 * k), len(self.head))
        slack = self.model.rounding(length, person.bias + self.model.mean)  # of scores, which add this to all alike
        while True:
            names = self.names[:stop]
            scores = self.head[:stop] @ person.factors
            scores += self.biases[:stop]
            best = shortlist(scores, k, allowed[names], slack)
            if stop == len(self.model.items):
                return names[best]
            if len(best) >= k:
                bar = float(scores[best].min(initial=np.inf)) - slack
                if self._reach(stop, length) < bar:
                    return names[best]
                if not self._reach(n, length) < bar:  # a second look would hardly be enough
                    return None
            if stop == n:
                return None
            stop = n

    def _reach(self, place: int, length: float) -> float:
        """Bound the products, biases included, of everything from a place of the order on."""
        return length * float(self.lengths_after[place]) + float(self.biases_after[place])

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

FIRST = 512
"""How many items are scored before the first look whether the rest can matter; the next is after twice as many."""
HEAD = 4096
"""The longest vectors, kept side by side: gathering them anew takes longer than scoring them."""


@dataclass(frozen=True, eq=False)
class ByLength:
    """Items in the order of their vectors' lengths.

    Attributes
    ----------
    model
        Whose items.
    order
        Shape ``(n_items,)``: rows, the longest vector first.
    names
        Shape ``(n_items,)``: what they are called outside, in that order; rows too where nothing else was said.
    lengths, biases
        Shapes ``(n_items,)``, in that order.
    biases_after
        Shape ``(n_items,)``: the largest bias from each place of that order on.
    head
        Shape ``(at most HEAD, rank)``: the longest vectors.
    """

    model: FactorModel
    order: Int64
    names: Int64
    lengths: Float32
    biases: Float32
    biases_after: Float32
    head: Float32

    @classmethod
    def of(cls, model: FactorModel, names: npt.NDArray[np.integer] | None = None) -> ByLength:
        """Sort the items of a model; `names`, shape ``(n_items,)``, number them as `allowed` and answers do."""
        lengths = np.linalg.norm(model.item_factors, axis=1)
        order = np.argsort(-lengths, kind="stable")
        biases = model.item_biases[order]
        largest = np.maximum.accumulate(biases[::-1])[::-1]
        named = order if names is None else names[order].astype(np.int64)
        return cls(model, order, named, lengths[order], biases, largest, np.array(model.item_factors[order[:HEAD]]))

    def shortlist(self, person: Person, k: int, allowed: Bools) -> Int64:
        """Return everything, by name, that may be among the person's `k` best allowed items.

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
        Int64
            What `topk.shortlist` returns of all scores, in no particular order.
        """
        n, slack, length = len(self.order), person.rounding, float(np.linalg.norm(person.factors))
        constant = np.float32(person.bias + self.model.mean)
        names, scores = np.empty(0, np.int64), np.empty(0, np.float32)
        first, last = 0, min(max(FIRST, 4 * k), n)
        while True:
            block = self.names[first:last]
            mask = allowed[block]
            found = (self._vectors(first, last) @ person.factors + self.biases[first:last])[mask] + constant
            names = np.concatenate([names, block[mask]]) if first else block[mask]
            scores = np.concatenate([scores, found]) if first else found
            best = shortlist(scores, k, None, slack)
            names, scores = names[best], scores[best]
            if last == n:
                return names
            reach = length * float(self.lengths[last]) + float(self.biases_after[last] + constant)
            if len(names) >= k and reach < float(scores.min()) - slack:
                return names
            first, last = last, min(2 * last, n)

    def _vectors(self, first: int, last: int) -> Float32:
        return self.head[first:last] if last <= len(self.head) else self.model.item_factors[self.order[first:last]]

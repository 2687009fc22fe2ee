"""The best items of one person without scoring all: long vectors first, until the rest cannot reach the list.

A score is at most the product of both vectors' lengths plus the largest bias (Cauchy-Schwarz). Vectors of popular
films are many times longer than most, so that a list of ten is certain after a few percent of the catalogue; after
Teflioudi, Gemulla and Mykytiuk (LEMP, SIGMOD 2015, section 4.1). Nothing is approximate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
    lengths
        Shape ``(n_items,)``, in that order.
    biases_after
        Shape ``(n_items,)``: the largest bias from each place of that order on.
    head
        Shape ``(at most HEAD, rank)``: the longest vectors.
    """

    model: FactorModel
    order: Int64
    lengths: Float32
    biases_after: Float32
    head: Float32

    @classmethod
    def of(cls, model: FactorModel) -> ByLength:
        """Sort the items of a model."""
        lengths = np.linalg.norm(model.item_factors, axis=1)
        order = np.argsort(-lengths, kind="stable")
        largest = np.maximum.accumulate(model.item_biases[order][::-1])[::-1]
        return cls(model, order, lengths[order], largest, np.array(model.item_factors[order[:HEAD]]))

    def shortlist(self, person: Person, k: int, allowed: Bools) -> Int64:
        """Return the rows of everything that may be among the person's `k` best allowed items.

        Parameters
        ----------
        person
            Placed in this model.
        k
            How many are wanted.
        allowed
            Shape ``(n_items,)``.

        Returns
        -------
        Int64
            What `topk.shortlist` returns of all scores, in no particular order.
        """
        n, slack, length = len(self.order), person.rounding, float(np.linalg.norm(person.factors))
        constant = np.float32(person.bias + self.model.mean)
        rows, scores = np.empty(0, np.int64), np.empty(0, np.float32)
        first, last = 0, min(max(FIRST, 4 * k), n)
        while True:
            block = self.order[first:last]
            vectors = self.head[first:last] if last <= len(self.head) else self.model.item_factors[block]
            mask = allowed[block]
            found = (vectors @ person.factors + self.model.item_biases[block] + constant)[mask]
            rows, scores = np.concatenate([rows, block[mask]]), np.concatenate([scores, found])
            best = shortlist(scores, k, None, slack)
            rows, scores = rows[best], scores[best]
            if last == n:
                return rows
            reach = length * float(self.lengths[last]) + float(self.biases_after[last] + constant)
            if len(rows) >= k and reach < float(scores.min()) - slack:
                return rows
            first, last = last, min(2 * last, n)

"""What is learned, kept apart from how: factor models, and one person as a model sees them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from matinee.data.mapped import taken
from matinee.data.ratings import Bools, Csr, Float32, Ids, Int32, Int64, Vocabulary, as_ids
from matinee.errors import ParameterError, UnknownMovieError, UnknownUserError
from matinee.models.outputs import NormalOutput
from matinee.models.person import Id, Person, PersonSystem
from matinee.models.topk import top_k

FEW_RATINGS = 10.0
"""An item with so many ratings is thought half as similar to others as its factors say."""
EPSILON = float(np.finfo(np.float32).eps)
PAIRS_AT_ONCE = 1 << 14
"""Pairs whose factors are gathered at a time: at rank 64 they fill 8 MiB, which the caches hold."""

_Sizes = TypeVar("_Sizes", float, npt.NDArray[np.float64])

__all__ = ["FactorModel", "Id", "Person", "PersonSystem", "RatingModel"]


@dataclass(frozen=True, eq=False, kw_only=True)
class FactorModel(ABC):
    """Vectors of users and items whose inner product, plus biases, is the score.

    Attributes
    ----------
    users, items
        Vocabularies of the training set.
    user_factors, item_factors
        Shapes ``(n_users, rank)`` and ``(n_items, rank)``, float32. What models have of users may also be read from
        files, person by person, as the other arrays of users and `seen` (see `matinee.models.shards`).
    user_biases, item_biases
        Shapes ``(n_users,)`` and ``(n_items,)``, float32; zeros where the model has none.
    mean
        Added to every score.
    seen
        The training ratings by user row (stars as values).
    scale
        Lowest and highest rating allowed.
    params
        How it was learned: a frozen dataclass of plain values.
    """

    params: Any
    users: Vocabulary
    items: Vocabulary
    user_factors: Float32
    item_factors: Float32
    user_biases: Float32
    item_biases: Float32
    mean: float
    seen: Csr
    scale: tuple[float, float]

    @property
    def rank(self) -> int:
        """Length of the factors."""
        return int(self.item_factors.shape[1])

    @cached_property
    def item_counts(self) -> Int64:
        """How many training ratings each item has, shape ``(n_items,)``."""
        return self.seen.column_counts

    @abstractmethod
    def person_system(self, item_rows: Int32, stars: Float32, emphasis: Float32 | None = None) -> PersonSystem:
        """State the system of one person, the items being fixed: the training's user step.

        Parameters
        ----------
        item_rows, stars
            Shapes ``(k,)``: the person's ratings.
        emphasis
            Shape ``(k,)``: how much each rating counts, 1 for a whole rating, which older ratings lose; None for ones.
        """

    def variability(self, person: Person) -> float | None:
        """Say how much more, or less, than everybody a person departs from what is predicted: variances, 1 as usual.

        None where the model does not know, as here: nothing is made up.
        """
        return None

    def expected_stars(
        self, person: Person, item_rows: npt.NDArray[np.integer], scores: npt.NDArray[np.floating]
    ) -> npt.NDArray[np.float64]:
        """Return the stars to expect where a person's scores of items are these, shape ``(n,)``; rows as `spread` has
        them.
        """
        return np.asarray(np.clip(scores, *self.scale), np.float64)

    @property
    def described(self) -> tuple[Vocabulary, Float32, Float32] | None:
        """Return items that nobody rated, with factors and biases that what else is known of them lets expect; None
        where the model learns from ratings alone.
        """
        return None

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Name the arrays that a model folder keeps of this model; the names are fields of the class.

        Vocabularies, `seen`, `mean`, `scale` and parameters are kept without being named here.
        """
        names = ("user_factors", "item_factors", "user_biases", "item_biases")
        return {name: getattr(self, name) for name in names}

    def person(self, user_id: Id) -> Person:
        """Return a user of the training set.

        Raises
        ------
        UnknownUserError
            If the training set has no such user.
        """
        row = int(self.users.rows([user_id])[0])
        if row < 0:
            raise UnknownUserError(f"user {user_id!r} is not in the training set: fold their ratings in instead")
        item_rows, stars = self.seen.row(row)
        factors: Float32 = taken(self.user_factors, slice(row, row + 1))[0]
        return Person(self, item_rows, stars, factors, float(self.user_biases[row]), row=row)

    def fold_in(self, ratings: Mapping[Any, float], *, emphasis: Mapping[Any, float] | None = None) -> Person:
        """Place someone who is not in the training set: the training's own solve with the items fixed.

        Parameters
        ----------
        ratings
            Stars by item id; items that the model does not know are left out.
        emphasis
            How much a rating counts, by item id, 1 where none is given.

        Raises
        ------
        ParameterError
            If a rating lies outside the scale.
        """
        stars = np.fromiter(ratings.values(), np.float32, len(ratings))
        rows = self.items.rows(as_ids(list(ratings))) if ratings else np.empty(0, np.int32)
        weights = None
        if emphasis:
            weights = np.array([emphasis.get(item_id, 1.0) for item_id in ratings], np.float32)
        return self.fold_in_rows(rows, stars, weights)

    def fold_in_rows(self, item_rows: Int32, stars: Float32, emphasis: Float32 | None = None) -> Person:
        """Do what `fold_in` does for ratings by item row.

        Parameters
        ----------
        item_rows, stars, emphasis
            Shapes ``(k,)``, in any order; -1 for items that the model does not know.

        Raises
        ------
        ParameterError
            If a rating lies outside the scale.
        """
        low, high = self.scale
        if len(stars) and not (stars.min() >= low and stars.max() <= high):  # NaN is neither
            raise ParameterError(f"ratings {stars.tolist()} leave the scale; {low:g} to {high:g} stars are allowed")
        order = item_rows.argsort()
        rows = item_rows[order]
        if len(rows) and rows[0] < 0:
            order = order[np.count_nonzero(rows < 0) :]
            rows = item_rows[order]
        stars = stars[order]
        system = self.person_system(rows, stars, None if emphasis is None else emphasis[order])
        factors, bias = system.solve()
        return Person(self, rows, stars, factors, bias, system)

    def recommend(self, user_id: Id, n: int = 10, **filters: Any) -> tuple[Ids, Float32]:
        """Rank films for a user of the training set; see `Person.recommend`."""
        return self.person(user_id).recommend(n, **filters)

    def scores(self, user_ids: npt.ArrayLike) -> Float32:
        """Score every item for several users of the training set.

        Returns
        -------
        Float32
            Shape ``(len(user_ids), n_items)``; columns in the order of `items`. Users that the model does not know
            get the mean and the item biases.
        """
        rows = self.users.rows(user_ids)
        known = (rows >= 0).astype(np.float32)
        scores = (self.user_factors[rows] * known[:, None]) @ self.item_factors.T
        scores += self.item_biases
        scores += (self.user_biases[rows] * known + np.float32(self.mean))[:, None]
        return np.asarray(scores, np.float32)

    @cached_property
    def _item_norms(self) -> Float32:
        norms = np.linalg.norm(self.item_factors, axis=1)
        return np.where(norms > 0, norms, 1).astype(np.float32)

    @property
    def fallback(self) -> tuple[float, Float32]:
        """Mean, and biases of the items, for somebody or something that the model does not know."""
        return self.mean, self.item_biases

    @cached_property
    def largest_norm(self) -> float:
        """Length of the longest item vector."""
        return float(self._item_norms.max(initial=0))

    @cached_property
    def largest_bias(self) -> float:
        """Size of the largest item bias."""
        return float(np.abs(self.item_biases).max(initial=0))

    def rounding(self, norms: _Sizes, constants: _Sizes) -> _Sizes:
        """Bound what float32 products may be off, for people with factors so long and so much added to every score."""
        return EPSILON * (self.rank + 4) * (norms * self.largest_norm + self.largest_bias + abs(constants))

    def similar_items(self, item_id: Id, n: int = 10) -> tuple[Ids, Float32]:
        """Find the items whose factors point the same way, best first, the item itself left out.

        The score is the cosine times ``count / (count + 10)``, count being the found item's number of ratings: what
        few people rated looks like anything that one of them liked.

        Raises
        ------
        UnknownMovieError
            If the model does not know the item.
        """
        row = int(self.items.rows([item_id])[0])
        if row < 0:
            raise UnknownMovieError(f"item {item_id!r} is not in the training set, so nothing is known to be similar")
        cosines = self.item_factors @ self.item_factors[row] / (self._item_norms * self._item_norms[row])
        allowed = np.ones(len(self.items), np.bool_)
        allowed[row] = False
        shrink = self.item_counts / (self.item_counts + FEW_RATINGS)
        return self.ranked((cosines * shrink).astype(np.float32), n, allowed)

    def ranked(self, scores: Float32, n: int, allowed: Bools | None = None) -> tuple[Ids, Float32]:
        """Return ids and scores of the `n` best allowed items, best first, ties by id."""
        rows = top_k(scores, n, allowed)
        return self.items.ids[rows], scores[rows]


@dataclass(frozen=True, eq=False)
class RatingModel(FactorModel):
    """A factor model whose score is a number of stars."""

    @cached_property
    def output(self) -> NormalOutput:
        """What turns scores, and how sure they are, into stars; it knows the steps of stars where the model does."""
        return NormalOutput.of(self.scale)

    def predict(self, user_ids: npt.ArrayLike, item_ids: npt.ArrayLike) -> Float32 | float:
        """Predict stars, clipped to the scale, never NaN.

        Parameters
        ----------
        user_ids, item_ids
            Two scalars, or two arrays of equal length.

        Returns
        -------
        float or Float32
            A float for scalars, else shape ``(n,)``. An unknown item gets the mean and the user's bias, an unknown
            user the mean and the item's bias.

        Raises
        ------
        ParameterError
            If the lengths differ.
        """
        users, items = as_ids(user_ids, "user ids"), as_ids(item_ids, "item ids")
        if len(users) != len(items):
            raise ParameterError(f"{len(users)} users and {len(items)} items arrived; give equally many, pair by pair")
        user_rows, item_rows = self.users.rows(users), self.items.rows(items)
        stars = self.predict_rows(user_rows, item_rows)
        return float(stars[0]) if np.ndim(user_ids) == 0 and np.ndim(item_ids) == 0 else stars

    def spread(self, person: Person, item_rows: npt.NDArray[np.integer]) -> Float32 | None:
        """Return how far one person's stars are from what is predicted: standard deviations, shape ``(n,)``.

        None where the model does not know, as here: nothing is made up.
        """
        return None

    def left_out_scores(self, person: Person) -> npt.NDArray[np.float64]:
        """Return the scores of what a person rated as if each rating had not been used, shape ``(k,)``."""
        system = person.system or self.person_system(person.item_rows, person.stars)
        return np.asarray(person.stars - system.left_out_errors(), np.float64)

    def predict_rows(self, user_rows: Int32, item_rows: Int32) -> Float32:
        """Predict stars of pairs of rows, -1 standing for an unknown user or item."""
        user_known, item_known = user_rows >= 0, item_rows >= 0
        both = user_known & item_known
        mean, item_biases = self.fallback
        stars = np.full(len(user_rows), mean, np.float32)
        stars[user_known] += self.user_biases[user_rows[user_known]]
        stars[item_known] += item_biases[item_rows[item_known]]
        users, items = user_rows[both], item_rows[both]
        stars[both] = (
            self.user_biases[users] + self.item_biases[items] + np.float32(self.mean) + self._products(users, items)
        )
        return np.clip(stars, *self.scale)

    def _products(self, user_rows: Int32, item_rows: Int32) -> Float32:
        """Multiply factors pair by pair, in blocks: the rows of all pairs at once would be larger than the data."""
        products = np.empty(len(user_rows), np.float32)
        for start in range(0, len(user_rows), PAIRS_AT_ONCE):
            block = slice(start, start + PAIRS_AT_ONCE)
            x, y = self.user_factors[user_rows[block]], self.item_factors[item_rows[block]]
            np.einsum("ij,ij->i", x, y, out=products[block])
        return products

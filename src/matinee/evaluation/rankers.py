"""What a ranking model stands beside in every table: popularity, the tutorial's list, and similar items."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from matinee.data.ratings import Float32, Ratings, Vocabulary
from matinee.errors import ParameterError
from matinee.models.als import ALS, ALSModel

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Report = Callable[[Any], None] | None
TUTORIAL = ALS(rank=8, regularization=0.1, iterations=10, seed=5, biases=False)
"""The tutorial's model."""


@dataclass(frozen=True)
class Scored:
    """One person's scores, as `fold_in` of a baseline returns them."""

    values: Float32

    def scores(self) -> Float32:
        """Score every item, shape ``(n_items,)``."""
        return self.values


@dataclass(frozen=True, eq=False)
class HistoryRanker(ABC):
    """A ranker that needs nothing of a person but their ratings."""

    train: Ratings

    @property
    def items(self) -> Vocabulary:
        """The training set's items."""
        return self.train.items

    @abstractmethod
    def score_histories(self, histories: csr_matrix) -> Float32:
        """Score every item for ratings of shape ``(people, n_items)``."""

    @cached_property
    def _by_user(self) -> csr_matrix:
        from scipy.sparse import csr_matrix

        rows = self.train.by_user
        people = (rows.n_rows + 1, rows.n_columns)  # the last one has no ratings: row -1, somebody unknown
        return csr_matrix((rows.values, rows.indices, np.append(rows.indptr, rows.nnz)), shape=people)

    def scores(self, user_ids: npt.ArrayLike) -> Float32:
        """Score every item for people of the training set, shape ``(len(user_ids), n_items)``."""
        rows = self.train.users.rows(user_ids)
        return self.score_histories(self._by_user[np.where(rows < 0, len(self.train.users), rows)])

    def fold_in(self, ratings: Mapping[Any, float]) -> Scored:
        """Score every item for someone new."""
        from scipy.sparse import csr_matrix

        columns = self.items.rows(list(ratings))
        stars = np.fromiter(ratings.values(), np.float32, len(ratings))
        known = columns >= 0
        ends = np.array([0, known.sum()])
        history = csr_matrix((stars[known], columns[known], ends), shape=(1, len(self.items)))
        return Scored(self.score_histories(history)[0])


@dataclass(frozen=True)
class Popularity:
    """Rank by how many people rated an item: the same list for everyone."""

    def fit(self, ratings: Ratings, *, progress: Report = None) -> HistoryRanker:
        """Count."""
        return PopularityRanker(ratings)


class PopularityRanker(HistoryRanker):
    """What `Popularity.fit` counted."""

    def score_histories(self, histories: csr_matrix) -> Float32:
        """Score every item by its number of ratings, for everyone alike."""
        counts = self.train.item_counts.astype(np.float32)
        return np.broadcast_to(counts, (histories.shape[0], len(counts)))


@dataclass(frozen=True, kw_only=True)
class ItemItem:
    """Rank by similarity to what a person liked (Sarwar et al. 2001, "Item-based Collaborative Filtering").

    Two items are as similar as the cosine of their columns of stars above the middle of the scale; an item's score is
    the sum over the person's ratings of those stars times the similarity, over each item's nearest neighbours.

    Parameters
    ----------
    neighbours
        How many similar items are kept for each item.
    """

    neighbours: int = 20

    def __post_init__(self) -> None:
        if self.neighbours < 1:
            raise ParameterError(f"neighbours={self.neighbours}: at least 1 is needed")

    def fit(self, ratings: Ratings, *, progress: Report = None) -> HistoryRanker:
        """Find each item's neighbours, a block of items at a time."""
        from scipy.sparse import csr_matrix, vstack

        rows = ratings.by_user
        liked = _above_middle(
            csr_matrix((rows.values, rows.indices, rows.indptr), shape=(rows.n_rows, rows.n_columns)), ratings
        )
        norms = np.sqrt(np.asarray(liked.multiply(liked).sum(axis=0), np.float32)).ravel()
        unit = (liked @ _diagonal(np.where(norms > 0, 1 / np.maximum(norms, 1e-12), 0))).tocsr()
        by_item = unit.T.tocsr()
        block = max(1, (32 << 20) // (4 * rows.n_columns))
        kept = [
            _nearest((by_item[start : start + block] @ unit).toarray(), start, self.neighbours)
            for start in range(0, rows.n_columns, block)
        ]
        return ItemItemRanker(ratings, vstack(kept).T.tocsr())


def _above_middle(histories: csr_matrix, ratings: Ratings) -> csr_matrix:
    """Keep the stars above the middle of the scale: the weights of what somebody liked."""
    weights = histories.copy()
    weights.data = np.maximum(weights.data - np.float32(np.floor(sum(ratings.scale)) / 2), 0)
    weights.eliminate_zeros()
    return weights


def _diagonal(values: npt.NDArray[np.float32]) -> Any:
    from scipy.sparse import diags_array

    return diags_array(values, dtype=np.float32)


def _nearest(cosines: Float32, first: int, neighbours: int) -> csr_matrix:
    """Keep the highest cosines of each row, the item itself left out."""
    from scipy.sparse import csr_matrix

    cosines[np.arange(len(cosines)), first + np.arange(len(cosines))] = 0
    if neighbours < cosines.shape[1]:
        bound = np.partition(cosines, -neighbours, axis=1)[:, -neighbours, None]
        cosines[cosines < bound] = 0
    return csr_matrix(cosines)


@dataclass(frozen=True, eq=False)
class ItemItemRanker(HistoryRanker):
    """What `ItemItem.fit` found: `similarity[j, i]` is what a rating of item j says for item i."""

    similarity: csr_matrix

    def score_histories(self, histories: csr_matrix) -> Float32:
        """Add the similarities of what each person liked."""
        return np.asarray((_above_middle(histories, self.train) @ self.similarity).toarray(), np.float32)


@dataclass(frozen=True, kw_only=True)
class TutorialList:
    """Rank by predicted stars, as the tutorial does, among the items with enough ratings.

    Parameters
    ----------
    min_ratings
        Items with fewer training ratings are never listed.
    """

    min_ratings: int = 25

    def fit(self, ratings: Ratings, *, progress: Report = None) -> TutorialRanker:
        """Fit the tutorial's model."""
        listed = ratings.item_counts >= self.min_ratings
        penalty = np.where(listed, 0, -np.inf).astype(np.float32)
        return TutorialRanker(TUTORIAL.fit(ratings, progress=progress), penalty)


@dataclass(frozen=True, eq=False)
class TutorialRanker:
    """What `TutorialList.fit` learned; `penalty` is -inf for the items that are never listed."""

    model: ALSModel
    penalty: Float32

    @property
    def items(self) -> Vocabulary:
        """The training set's items."""
        return self.model.items

    def scores(self, user_ids: npt.ArrayLike) -> Float32:
        """Predict stars, shape ``(len(user_ids), n_items)``."""
        return self.model.scores(user_ids) + self.penalty

    def fold_in(self, ratings: Mapping[Any, float]) -> Scored:
        """Predict stars for someone new."""
        return Scored(self.model.fold_in(ratings).scores() + self.penalty)

"""One person as a model sees them, and the small system that places them there and says why."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from matinee.data.ratings import Bools, Float32, Ids, Int32, Int64, Vocabulary, as_ids
from matinee.errors import ParameterError
from matinee.models.topk import best_first, exact_scores, shortlist

if TYPE_CHECKING:
    from matinee.models.factors import FactorModel

Id = int | str
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class PersonSystem:
    """The solver's equation for one person, A x = b with the items fixed (see `matinee.models.solver`).

    The solution is linear in the targets, so that a score falls apart into one part per rating (Hu, Koren, Volinsky
    2008, section 5). A bias is one more unknown whose factor is 1.

    Attributes
    ----------
    factors
        Shape ``(k, rank)``: the items that the person rated.
    weights, targets
        Shapes ``(k,)``: w_j and t_j of the equation; t_j includes the weight.
    regularization
        Added to the diagonal of A.
    gram
        Shape ``(rank, rank)``: what everybody's system shares; None for zeros.
    bias_regularization
        Weight of bias² in the objective; None where a person has no bias.
    """

    factors: npt.NDArray[np.floating]
    weights: npt.NDArray[np.floating]
    targets: npt.NDArray[np.floating]
    regularization: float
    gram: npt.NDArray[np.floating] | None = None
    bias_regularization: float | None = None

    @cached_property
    def _rows(self) -> Float64:
        return self._bordered(self.factors)

    def _bordered(self, factors: npt.NDArray[np.floating]) -> Float64:
        n, rank = factors.shape
        rows = np.empty((n, rank + (self.bias_regularization is not None)))
        rows[:, :rank] = factors
        rows[:, rank:] = 1
        return rows

    @cached_property
    def _solved(self) -> tuple[Float64, Float64]:
        """A's upper triangle (Cholesky) and x, by LAPACK itself: SciPy's checks around it take as long as the work."""
        from scipy.linalg.lapack import dposv

        rank, rows = self.factors.shape[1], self._rows
        if (self.weights != 1).any():
            rows = rows * np.sqrt(self.weights, dtype=np.float64)[:, None]
        a = rows.T @ rows  # of one array with itself: half the work
        diagonal = a.reshape(-1)[:: len(a) + 1]
        diagonal[:rank] += self.regularization
        if self.gram is not None:
            a[:rank, :rank] += self.gram
        if self.bias_regularization is not None:
            diagonal[rank] += self.bias_regularization
        # symmetric; transposed as LAPACK wants it
        pull = self.targets.astype(np.float64) @ self._rows
        factor, solution, failed = dposv(a.T, pull, overwrite_a=True, overwrite_b=True)
        if failed:
            raise np.linalg.LinAlgError("a person's system is not positive definite")
        return factor, solution

    def _leverages(self, rows: Float64) -> Float64:
        from scipy.linalg.lapack import dtrtrs

        halfway = dtrtrs(self._solved[0], rows.T, trans=1)[0]  # U^-T v, whose squares add up to v A^-1 v
        return np.asarray(np.einsum("kn,kn->n", halfway, halfway), np.float64)

    @property
    def says_nothing(self) -> bool:
        """True where no rating has a target, so that the solution is zero."""
        return not self.targets.any()

    def solve(self) -> tuple[Float32, float]:
        """Return the factors, shape ``(rank,)``, and the bias; zeros where the ratings say nothing."""
        rank = self.factors.shape[1]
        if self.says_nothing:
            return np.zeros(rank, np.float32), 0.0
        solution = self._solved[1]
        return solution[:rank].astype(np.float32), float(solution[rank:].sum())

    def leverages(self, item_factors: npt.NDArray[np.floating]) -> Float64:
        """Return v A^-1 v of n items, shape ``(n,)``: how uncertain the person's part of their scores is, in units of
        the variance of one rating.
        """
        return self._leverages(self._bordered(item_factors))

    def left_out_errors(self) -> Float64:
        """Return each rating's error as if it had not been used, shape ``(k,)``: error / (1 - leverage)."""
        weights = np.asarray(self.weights, np.float64)
        targets = np.asarray(self.targets, np.float64)
        if not len(targets):
            return targets
        errors = targets / weights - self._rows @ self._solved[1]
        return np.asarray(errors / np.maximum(1 - weights * self._leverages(self._rows), 0.1), np.float64)

    def contributions(self, item_factors: npt.NDArray[np.floating]) -> Float64:
        """Return what each rating adds to the score of each of n items.

        Parameters
        ----------
        item_factors
            Shape ``(n, rank)``.

        Returns
        -------
        Float64
            Shape ``(n, k)``; a row sums to the item's score less mean and item bias.
        """
        if self.says_nothing:
            return np.zeros((len(item_factors), len(self.targets)))
        from scipy.linalg.lapack import dpotrs

        reach = dpotrs(self._solved[0], self._bordered(item_factors).T)[0]
        return np.asarray((self._rows @ reach).T * np.asarray(self.targets, np.float64), np.float64)


@dataclass(frozen=True, eq=False, slots=True)
class Person:
    """One person as a model sees them: their ratings among the model's items, and what was solved from them.

    Attributes
    ----------
    model
        The model that the person was placed in.
    item_rows, stars
        Shapes ``(k,)``: the ratings that the model knows the items of, by increasing row.
    factors
        Shape ``(rank,)``, float32.
    bias
        Added to every score of this person.
    system
        What `factors` and `bias` were solved from; None for users of the training set and for whoever is `kept`, who
        have it solved only when they ask for reasons.
    row
        Where they stand in the training set, which has seen ratings of theirs; None for others.
    variability
        See `matinee.models.factors.FactorModel.variability`; None where nobody asked the model yet.
    """

    model: FactorModel
    item_rows: Int32
    stars: Float32
    factors: Float32
    bias: float
    system: PersonSystem | None = None
    row: int | None = None
    variability: float | None = None

    def kept(self) -> Person:
        """Return them without what only reasons need, a hundred times the size of the rest."""
        variability = self.model.variability(self)
        return Person(self.model, self.item_rows, self.stars, self.factors, self.bias, None, self.row, variability)

    def scores(self) -> Float32:
        """Score every item, shape ``(n_items,)``, not clipped."""
        model = self.model
        return np.asarray(
            model.item_factors @ self.factors + model.item_biases + np.float32(self.bias + model.mean), np.float32
        )

    def contributions(self, item_factors: Float32) -> Float64:
        """Return what each rating adds to the scores of n items, shape ``(n, k)``; see `PersonSystem.contributions`."""
        system = self.system or self.model.person_system(self.item_rows, self.stars)
        return system.contributions(item_factors)

    def exact_scores(self, item_rows: npt.NDArray[np.integer]) -> Float64:
        """Score some items, not clipped, such that the bits depend on nothing else; see `matinee.models.topk`."""
        inner = exact_scores(self.model.item_factors.take(item_rows, axis=0), self.factors)
        return inner + self.model.item_biases.take(item_rows) + (self.bias + self.model.mean)

    @property
    def length(self) -> float:
        """Length of the factors."""
        return math.sqrt(float(self.factors @ self.factors))

    @property
    def rounding(self) -> float:
        """A bound of the difference between `scores` and `exact_scores` of any item."""
        return float(self.model.rounding(self.length, self.bias + self.model.mean))

    def best(self, n: int, allowed: Bools | None = None, *, include_seen: bool = False) -> tuple[Int64, Float64]:
        """Return the rows and exact scores of the `n` best allowed items, best first, ties by row."""
        if not include_seen:
            allowed = np.ones(len(self.model.items), np.bool_) if allowed is None else allowed.copy()
            allowed[self.item_rows] = False
        rows = shortlist(self.scores(), n, allowed, self.rounding)
        scores = self.exact_scores(rows)
        order = best_first(rows, scores)[:n]
        return rows[order], scores[order]

    def predict(self, item_ids: npt.ArrayLike) -> Float32 | float:
        """Score items by id, clipped to the scale; an unknown item gets the mean and the person's bias."""
        rows = self.model.items.rows(as_ids(item_ids, "item ids"))
        known = rows >= 0
        scores = np.full(len(rows), self.model.fallback[0] + self.bias, np.float32)
        own = self.model.item_factors[rows[known]] @ self.factors + self.model.item_biases[rows[known]]
        scores[known] = own + np.float32(self.model.mean + self.bias)
        stars = self.model.expected_stars(self, rows, scores).astype(np.float32)
        return float(stars[0]) if np.ndim(item_ids) == 0 else stars

    def recommend(
        self,
        n: int = 10,
        *,
        include_seen: bool = False,
        min_ratings: int = 0,
        exclude: Iterable[Id] = (),
        only: Iterable[Id] | None = None,
    ) -> tuple[Ids, Float32]:
        """Rank films for this person.

        Parameters
        ----------
        n
            How many at most.
        include_seen
            Keep the films that the person rated.
        min_ratings
            Leave out films with fewer training ratings.
        exclude
            Item ids to leave out.
        only
            Item ids to choose among; None for all.

        Returns
        -------
        (item_ids, scores)
            Best first, ties by id; fewer than `n` where the filters leave fewer.

        Raises
        ------
        ParameterError
            If `n` or `min_ratings` is negative.
        """
        if n < 0 or min_ratings < 0:
            raise ParameterError(f"n={n}, min_ratings={min_ratings}: neither may be negative")
        model = self.model
        allowed = model.item_counts >= min_ratings
        if only is not None:
            chosen = np.zeros(len(allowed), np.bool_)
            chosen[known_rows(model.items, only)] = True
            allowed &= chosen
        allowed[known_rows(model.items, exclude)] = False
        rows, scores = self.best(n, allowed, include_seen=include_seen)
        return model.items.ids[rows], scores.astype(np.float32)


def known_rows(items: Vocabulary, ids: Iterable[Id]) -> Int32:
    """Return the rows of those ids that the vocabulary holds."""
    wanted = list(ids)
    rows = items.rows(as_ids(wanted)) if wanted else np.empty(0, np.int32)
    return rows[rows >= 0]

"""A model's scores laid out over the catalogue, films that nobody rated included."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from matinee.data.ratings import Bools, Float32, Int32, Int64
from matinee.errors import ParameterError
from matinee.models.factors import FactorModel, Id, Person
from matinee.models.strongest import ByLength
from matinee.models.topk import best_first, exact_scores, shortlist
from matinee.recommend.catalogue import Catalogue
from matinee.recommend.observing import Observer
from matinee.recommend.taste import Taste

FEW = 8
"""Of a catalogue, at most one film in so many is looked for by length; of more, all are scored at once."""
Float64 = npt.NDArray[np.float64]
Rows = npt.NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class Seeds:
    """The ratings that shape a person's list, by their rows in the catalogue.

    Attributes
    ----------
    rows, stars
        Shapes ``(k,)``.
    emphasis
        Shape ``(k,)``: how much each counts; None for ones.
    user_id
        See `Taste`.
    seen
        Shape ``(n,)``: rows of everything that the person rated, -1 for what the catalogue lacks.
    """

    rows: Int32
    stars: Float32
    emphasis: Float32 | None
    user_id: Id | None
    seen: Int32

    @classmethod
    def of(cls, taste: Taste, catalogue: Catalogue) -> Seeds:
        """Look a person's films up; those outside of the catalogue are left out."""
        seeds, emphasis, seen = taste.seeds, taste.emphasis, catalogue.known_rows(taste.seen)
        rows = seen if seeds is taste.seen else catalogue.known_rows(seeds)
        stars = np.fromiter(seeds.values(), np.float32, len(seeds))
        weights = None
        if emphasis is not None:
            weights = np.array([emphasis.get(movie_id, 1.0) for movie_id in seeds], np.float32)
        known = rows >= 0
        if known.all():
            return cls(rows, stars, weights, taste.user_id, seen)
        return cls(rows[known], stars[known], None if weights is None else weights[known], taste.user_id, seen)


class Scorer:
    """Places people in one model and scores films by their rows in the catalogue.

    Parameters
    ----------
    model
        Any factor model.
    catalogue
        Films, all items of the model among them.
    observer
        Is told how long it took to place somebody.

    Attributes
    ----------
    item_of
        Shape ``(n_movies,)``: each film's row in the model, -1 for films that nobody rated.
    rated
        Shape ``(n_movies,)``: whether the model knows the film.

    Raises
    ------
    ParameterError
        If the catalogue lacks an item of the model.
    """

    def __init__(self, model: FactorModel, catalogue: Catalogue, observer: Observer | None = None) -> None:
        self.model = model
        self._observer = observer
        self._catalogue = catalogue
        self._movie_of = catalogue.ids.rows(model.items.ids)
        if (self._movie_of < 0).any():
            missing = model.items.ids[int(np.argmin(self._movie_of))].item()
            raise ParameterError(f"the catalogue lacks movie {missing!r}, which the model was trained on")
        self.item_of: Int32 = np.full(len(catalogue), -1, np.int32)
        self.item_of[self._movie_of] = np.arange(len(model.items), dtype=np.int32)
        self.rated: Bools = self.item_of >= 0
        self._unrated = np.flatnonzero(~self.rated)
        told = model.described
        self._told = told  # of films that nobody rated
        self._told_of: Int32 = np.full(len(catalogue), -1, np.int32)
        if told is not None:
            self._told_of[self._unrated] = told[0].rows(catalogue.ids.ids[self._unrated])

    def place(self, taste: Taste) -> Person:
        """Fold a person in; see `place_seeds`."""
        return self.place_seeds(Seeds.of(taste, self._catalogue))

    def place_seeds(self, seeds: Seeds) -> Person:
        """Fold a person in whose films were looked up already.

        Someone whose ratings say nothing is taken for the average person; a user of the training set with the ratings
        of the training has the vector from there, so that their list is the one that training gave them.
        """
        items = self.item_of[seeds.rows]
        began = time.perf_counter()
        person = self.model.fold_in_rows(items, seeds.stars, seeds.emphasis)
        if self._observer is not None:
            self._observer.placed(time.perf_counter() - began)
        if seeds.user_id is not None and seeds.user_id in self.model.users:
            trained = self.model.person(seeds.user_id)
            person = replace(person, row=trained.row)
            if seeds.emphasis is not None:
                return person
            same = np.array_equal(trained.item_rows, person.item_rows) and np.array_equal(trained.stars, person.stars)
            return replace(trained, system=person.system) if same else person
        if person.factors.any() or self.model.item_biases.any():
            return person
        average = self.model.user_factors.mean(axis=0, dtype=np.float64).astype(np.float32)
        return replace(person, factors=average)

    def scores(self, person: Person) -> Float32:
        """Score all films, shape ``(n_movies,)``; those that nobody rated get what is told of them, or the average."""
        scores = np.full(len(self.item_of), self.fallback(person), np.float32)
        if self._told is not None:
            scores[self._unrated] = self.exact(person, self._unrated)
        scores[self._movie_of] = person.scores()
        return scores

    def fallback(self, person: Person) -> float:
        """Score a film of which nothing is known."""
        return self.model.fallback[0] + person.bias

    def exact(self, person: Person, rows: Rows) -> Float64:
        """Score some films in float64, the same bits always; see `matinee.models.topk`."""
        items = self.item_of.take(rows)
        known = items >= 0
        if known.all():
            return person.exact_scores(items)
        scores = np.full(len(rows), self.fallback(person))
        scores[known] = person.exact_scores(items[known])
        if self._told is not None:
            told, (_, factors, biases) = self._told_of[rows], self._told
            films = told[told >= 0]
            constant = person.bias + self.model.mean
            scores[told >= 0] = exact_scores(factors[films], person.factors) + biases[films] + constant
        return scores

    def base(self, person: Person, rows: Rows) -> Float64:
        """Score some films before any rating of the person counts: the mean and what people think of the film."""
        items = self.item_of[rows]
        if (person.system or self.model.person_system(person.item_rows, person.stars)).says_nothing:
            return self.exact(person, rows)
        of_film = self.model.item_biases[items].astype(np.float64) + self.model.mean
        base = np.where(items >= 0, of_film, self.model.fallback[0])
        if self._told is not None:
            told = self._told_of[rows]
            base[told >= 0] = self._told[2][told[told >= 0]] + self.model.mean
        return base

    def contributions(self, person: Person, rows: Rows) -> Float64:
        """Return what each rating of the person adds to the films' scores, shape ``(len(rows), k)``."""
        return person.contributions(self.vectors(rows))

    def vectors(self, rows: Rows) -> Float32:
        """Return the factors of films, shape ``(len(rows), rank)``, zeros for films of which nothing is known."""
        items = self.item_of[rows]
        vectors = np.where((items >= 0)[:, None], self.model.item_factors[items], np.float32(0))
        if self._told is not None:
            told = self._told_of[rows]
            vectors[told >= 0] = self._told[1][told[told >= 0]]
        return vectors

    def described_rows(self, rows: Rows) -> Int32:
        """Return films' rows in the model, ``len(items)`` and more for those of `described`, -1 for all others."""
        items = self.item_of.take(rows)
        if self._told is None:
            return items
        told = self._told_of[rows]
        return np.where(told >= 0, len(self.model.items) + told, items).astype(np.int32)

    def best(self, person: Person, n: int, allowed: Bools, boost: Float32 | None = None) -> tuple[Int64, Float64]:
        """Order films by score plus boost.

        Parameters
        ----------
        n
            How many at most.
        allowed
            Shape ``(n_movies,)``.
        boost
            Shape ``(n_movies,)``: added to the score for ordering only.

        Returns
        -------
        (rows, scores)
            Best first, ties by movie id; the scores are without boost.
        """
        rows = self._shortlist(person, n, allowed, boost)
        scores = self.exact(person, rows)
        keys = scores if boost is None else scores + boost[rows]
        order = best_first(rows, keys)[:n]
        return rows[order], scores[order]

    def _shortlist(self, person: Person, n: int, allowed: Bools, boost: Float32 | None) -> Int64:
        if boost is None and n <= len(self.rated) // FEW and not allowed[self._unrated].any():
            found = self._by_length.shortlist(person, n, allowed)
            if found is not None:
                return found
        rough, slack = self.scores(person), person.rounding
        if boost is not None:
            rough = rough + boost
            slack += float(np.finfo(np.float32).eps) * float(np.abs(boost).max(initial=0))
        return shortlist(rough, n, allowed, slack)

    @cached_property
    def _by_length(self) -> ByLength:
        return ByLength.of(self.model, self._movie_of)

    def rank(self, person: Person, row: int, allowed: Bools) -> int:
        """Return the place that a film has, or would have, among the allowed ones by score, from 1."""
        rough, slack = self.scores(person), 2 * person.rounding
        above = allowed & (rough > rough[row] + slack)
        close = np.flatnonzero(allowed & (np.abs(rough - rough[row]) <= slack))
        own, others = float(self.exact(person, np.array([row]))[0]), self.exact(person, close)
        return 1 + int(above.sum()) + int(((others > own) | ((others == own) & (close < row))).sum())

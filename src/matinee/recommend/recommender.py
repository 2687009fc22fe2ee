"""One person's list: films ordered by a model, within all filters, with stars and reasons."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from statistics import NormalDist
from typing import Any, TypeVar

import numpy as np

from matinee.data.mapped import taken
from matinee.data.ratings import Bools, Float32, Int64
from matinee.errors import ParameterError, UnknownUserError
from matinee.models.artifact import Artifact
from matinee.models.factors import FactorModel, Id, Person, RatingModel
from matinee.models.parallel import one_blas_thread
from matinee.recommend.catalogue import Catalogue, Movie, is_number
from matinee.recommend.explain import reasons
from matinee.recommend.filters import Filters, advise, checked, count_removed, left, names_of
from matinee.recommend.observing import Observer
from matinee.recommend.placed import Ordered, Placed
from matinee.recommend.rerank import POOL, Dials, RankBy, diversify, popularity_boost
from matinee.recommend.results import Explanation, Prediction, Recommendation, Recommendations, Similar
from matinee.recommend.scoring import Float64, Rows, Scorer, Seeds
from matinee.recommend.taste import Taste

LEVEL = 0.9
"""Probability that the interval from `stars_low` to `stars_high` holds the person's rating."""
LIKED = 4.0
"""Stars of a film that the person likes, as `Prediction.probability_4` has it."""
REASONS = 3
"""How many reasons a film of a list gets."""
ANYTHING, AS_IT_IS = Filters(), Dials()
"""What nobody set: made once, since most lists want no others."""
_WIDTH = NormalDist().inv_cdf((1 + LEVEL) / 2)
_Options = TypeVar("_Options", Filters, Dials, Taste)


class Recommender:
    """Lists, predictions and reasons for anybody whose ratings are given.

    Parameters
    ----------
    catalogue
        The films.
    stars
        The rating model.
    picks
        The ranking model; without one, lists are ordered by stars.
    model_id
        Named in every answer.
    seen_times
        Seconds since 1970 of the training ratings, in the order of `stars.seen`; None where they have no times.
    observer
        Is told of every list that is made for one person.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        stars: RatingModel,
        picks: FactorModel | None = None,
        model_id: str = "",
        *,
        seen_times: Int64 | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.catalogue = catalogue
        self.stars = stars
        self.picks = picks
        self.model_id = model_id
        self._seen_times = seen_times
        self._observer = observer
        self._stars = Scorer(stars, catalogue, observer)
        self._picks = Scorer(picks, catalogue, observer) if picks is not None else self._stars

    @classmethod
    def of(cls, artifact: Artifact, observer: Observer | None = None) -> Recommender:
        """Make the recommender of a model folder."""
        catalogue = Catalogue(artifact.movies, artifact.item_stats)
        return cls(
            catalogue, artifact.stars, artifact.picks, artifact.model_id, seen_times=artifact.seen_times,
            observer=observer,
        )  # fmt: skip

    @one_blas_thread()
    def place(self, ratings: Mapping[Any, float], **options: Any) -> Placed:
        """Place a person in both models, to be given to `recommend`, `predict` and `explain` in place of ratings.

        Parameters
        ----------
        ratings
            Stars by movie id; films outside the catalogue are passed over.
        **options
            Fields of `Taste`; the other calls take none for somebody who was placed.
        """
        _, _, placed = self._sort_out(ratings, checked(options, Taste))
        return placed.kept()

    @one_blas_thread()
    def recommend(
        self,
        ratings: Mapping[Any, float] | Placed,
        *,
        limit: int = 10,
        offset: int = 0,
        explain: bool = False,
        **options: Any,
    ) -> Recommendations:
        """List films for a person.

        Parameters
        ----------
        ratings
            Stars by movie id; films outside the catalogue are passed over. Or who was placed by `place`.
        limit, offset
            How many films, and how many of the best to pass over before.
        explain
            Give reasons.
        **options
            Fields of `Filters`, `Dials` and `Taste` (but for `ratings`).

        Raises
        ------
        ParameterError
            If an option is unknown or out of its range, or a rating off the scale.
        UnknownMovieError
            If `exclude` or `only` names a film outside the catalogue.
        """
        if limit < 0 or offset < 0:
            raise ParameterError(f"limit={limit}, offset={offset}: neither may be negative")
        began = time.perf_counter()
        filters, dials, placed = self._sort_out(ratings, options)
        masks = filters.removing(self.catalogue, placed.seen)
        pool = self.pool(filters)
        ordered = self._order(placed, dials, left(pool, masks), offset + limit)
        total = int(np.count_nonzero(ordered.allowed))
        answer = Recommendations(
            model_id=self.model_id,
            recommendations=self._show(ordered, placed, offset, REASONS if explain else 0),
            total=total,
            removed=count_removed(pool, masks),
            relax=None if total else advise(pool, masks),
        )
        if self._observer is not None:
            removed, seconds = {} if total else answer.removed, time.perf_counter() - began
            self._observer.listed(len(answer.recommendations), removed, seconds)
        return answer

    def _sort_out(
        self, ratings: Mapping[Any, float] | Placed, options: Mapping[str, Any]
    ) -> tuple[Filters, Dials, Placed]:
        def pick(kind: type[_Options], default: _Options | None = None, **more: Any) -> _Options:
            own = options.keys() & names_of((kind,))
            return kind(**more, **{name: options[name] for name in own}) if own or default is None else default

        if isinstance(ratings, Placed):
            checked(options, Filters, Dials)
            return pick(Filters, ANYTHING), pick(Dials, AS_IT_IS), ratings
        checked(options, Filters, Dials, Taste)
        if options.get("user_id") is not None:
            options = {**options, "user_id": self._native(options["user_id"])}
        filters, dials = pick(Filters, ANYTHING), pick(Dials, AS_IT_IS)
        seeds = Seeds.of(pick(Taste, ratings=ratings), self.catalogue)
        stars = self._stars.place_seeds(seeds)
        picks = stars if self._picks is self._stars else self._picks.place_seeds(seeds)
        return filters, dials, Placed(seeds.seen, picks, stars)

    @property
    def rated(self) -> Bools:
        """Whether somebody rated each film, shape ``(n_movies,)``: lists hold no others unless `only` names them."""
        return self._picks.rated

    def pool(self, filters: Filters) -> Bools:
        """Return what lists choose among before other filters, shape ``(n_movies,)``."""
        return self.rated if filters.only is None else np.ones(len(self.catalogue), np.bool_)

    def scorer(self, rank_by: RankBy) -> Scorer:
        """Return what orders lists."""
        return self._picks if rank_by == "picks" else self._stars

    def _order(self, placed: Placed, dials: Dials, allowed: Bools, n: int) -> Ordered:
        """Order the `n` best allowed films for a person."""
        scorer = self.scorer(dials.rank_by)
        person = placed.picks if dials.rank_by == "picks" else placed.stars
        boost = self._boost(scorer, person, dials, allowed)
        if not dials.diversity:
            return Ordered(scorer, person, *scorer.best(person, n, allowed, boost), allowed)
        rows, scores = scorer.best(person, max(n, POOL), allowed, boost)
        keys = scores if boost is None else scores + boost[rows]
        order = np.arange(len(rows))
        order[: min(n, POOL)] = diversify(keys[:POOL], scorer.vectors(rows[:POOL]), n, dials.diversity)
        return Ordered(scorer, person, rows[order][:n], scores[order][:n], allowed)

    def _boost(self, scorer: Scorer, person: Person, dials: Dials, allowed: Bools) -> Float32 | None:
        boost: Float32 | None = None
        if dials.rank_by == "stars_low":
            width = self._half_width(person, np.arange(len(self.catalogue)))
            if width is None:
                kind = type(self.stars.params).__name__
                raise ParameterError(f"rank_by='stars_low': a model of kind {kind} knows no interval; use 'stars'")
            boost = -width
        if dials.popularity:
            counts = self.catalogue.ratings_count
            pull = popularity_boost(scorer.scores(person), counts, allowed, dials.popularity)
            boost = pull if boost is None else boost + pull
        return boost

    def _half_width(self, person: Person, rows: Rows) -> Float32 | None:
        """Return half the width of the interval of stars, None if unknown."""
        spread = self._spread(person, rows)
        return None if spread is None else spread * np.float32(_WIDTH)

    def _spread(self, person: Person, rows: Rows) -> Float32 | None:
        """Return standard deviations of stars, None if unknown; widest for films of which nothing is known."""
        items = self._stars.described_rows(rows)
        spread, known = self.stars.spread(person, items), items >= 0
        if spread is None or known.all():
            return spread
        everything = self.stars.spread(person, np.arange(len(self.stars.items)))
        assert everything is not None
        return np.where(known, spread, everything.max())

    def _stars_of(self, person: Person, rows: Rows) -> tuple[Float64, Float64 | None, Float64 | None]:
        """Predict stars of films and the interval around them, clipped to the scale."""
        centre, spread = self._stars.exact(person, rows), self._spread(person, rows)
        stars = self._expected(person, rows, centre)
        if spread is None:
            return stars, None, None
        return stars, *self.stars.output.interval(centre, spread, LEVEL)

    def _expected(self, person: Person, rows: Rows, centre: Float64) -> Float64:
        return self.stars.expected_stars(person, self._stars.described_rows(rows), centre)

    @one_blas_thread()
    def predict_all(self, taste: Taste) -> Float64:
        """Predict a person's stars of all films, clipped to the scale, shape ``(n_movies,)``."""
        person, rows = self._stars.place(taste), np.arange(len(self.catalogue))
        return self._expected(person, rows, self._stars.exact(person, rows))

    @one_blas_thread()
    def score_all(self, taste: Taste) -> Float64:
        """Score all films by what orders lists, shape ``(n_movies,)``."""
        return self._all(self._picks, taste)

    def _all(self, scorer: Scorer, taste: Taste) -> Float64:
        return scorer.exact(scorer.place(taste), np.arange(len(self.catalogue)))

    def _show(self, ordered: Ordered, placed: Placed, offset: int, most: int) -> tuple[Recommendation, ...]:
        rows, scores = ordered.rows[offset:], ordered.scores[offset:]
        stars, low, high = self._stars_of(placed.stars, rows)
        nothing: list[Any] = [None] * len(rows)
        why = reasons(ordered.scorer, self.catalogue, ordered.person, rows, scores, most) if most else nothing
        numbers = (nothing if column is None else column.tolist() for column in (scores, stars, low, high))
        shown = zip(self.catalogue.at(rows.tolist()), why, *numbers, strict=True)
        return tuple(
            Recommendation(
                movie.movie_id, movie.title, movie.name, movie.year, movie.genres, rank, score, centre, least, best,
                movie.ratings_count, **(vars(reason) if reason else {}),
            )
            for rank, (movie, reason, score, centre, least, best) in enumerate(shown, offset + 1)
        )  # fmt: skip

    @one_blas_thread()
    def predict(self, ratings: Mapping[Any, float] | Placed, movie_id: Id, **options: Any) -> Prediction:
        """Predict the stars that a person would give a film.

        Parameters
        ----------
        ratings
            Stars by movie id, or who was placed by `place`.
        movie_id
            A film of the catalogue.
        **options
            Fields of `Taste`.

        Raises
        ------
        UnknownMovieError
            If the film is not in the catalogue.
        """
        movie, rows = self.catalogue.movie(movie_id), self.catalogue.rows([movie_id])
        person = self._sort_out(ratings, options)[2].stars
        centre, spread = self._stars.exact(person, rows), self._spread(person, rows)
        prediction = Prediction(
            movie.movie_id, movie.title, float(self._expected(person, rows, centre)[0]), None, None,
            bool(self._stars.rated[rows[0]]), movie.ratings_count,
        )  # fmt: skip
        if spread is None:
            return prediction
        output = self.stars.output
        wide, narrow = (output.interval(centre, spread, level) for level in (LEVEL, 0.5))
        liked = output.at_least(centre, spread, LIKED)
        return replace(
            prediction, stars_low=float(wide[0][0]), stars_high=float(wide[1][0]), stars_low_50=float(narrow[0][0]),
            stars_high_50=float(narrow[1][0]), probability_4=float(liked[0]),
        )  # fmt: skip

    @one_blas_thread()
    def explain(
        self, ratings: Mapping[Any, float] | Placed, movie_id: Id, *, limit: int = 10, **options: Any
    ) -> Explanation:
        """Say why a film is on a person's list, or why not.

        Parameters
        ----------
        ratings
            Stars by movie id, or who was placed by `place`.
        movie_id
            A film of the catalogue.
        limit
            How many films the list has that it might be on.
        **options
            As `recommend` takes them.

        Raises
        ------
        UnknownMovieError
            If the film is not in the catalogue.
        ParameterError
            As in `recommend`.
        """
        movie, rows = self.catalogue.movie(movie_id), self.catalogue.rows([movie_id])
        filters, dials, placed = self._sort_out(ratings, options)
        masks = filters.removing(self.catalogue, placed.seen)
        n = limit if dials.keep_scores else len(self.catalogue)  # most films' places can be told without ordering all
        ordered = self._order(placed, dials, left(self.pool(filters), masks), n)
        scorer, person = ordered.scorer, ordered.person
        score = scorer.exact(person, rows)
        last = ordered.scores[min(limit, len(ordered.scores)) - 1] if limit and len(ordered.scores) else -np.inf
        unseen = left(self.rated, Filters().removing(self.catalogue, placed.seen))
        [why] = reasons(scorer, self.catalogue, person, rows, score, None)
        return Explanation(
            model_id=self.model_id, movie_id=movie.movie_id, title=movie.title, score=float(score[0]),
            **vars(why), known=bool(scorer.rated[rows[0]]), rank=scorer.rank(person, int(rows[0]), unseen),
            rank_in_list=ordered.place(int(rows[0]), dials.keep_scores),
            removed_by=tuple(name for name, mask in masks.items() if mask[rows[0]]),
            lacks=max(float(last - score[0]), 0.0),
        )  # fmt: skip

    @one_blas_thread()
    def similar(self, movie_id: Id, limit: int = 10) -> tuple[Similar, ...]:
        """List the films most like one; empty where nobody rated it, since nothing is known of it then.

        Raises
        ------
        UnknownMovieError
            If the film is not in the catalogue.
        """
        row = int(self.catalogue.rows([movie_id])[0])
        if not self.rated[row]:
            return ()
        ids, scores = self._picks.model.similar_items(self.catalogue.id_at(row), limit)
        found = zip(self.catalogue.at(self.catalogue.rows(ids)), scores, strict=True)
        return tuple(Similar(**_facts(movie), rank=n, score=float(score)) for n, (movie, score) in enumerate(found, 1))

    def knows(self, user_id: Id) -> bool:
        """Whether the data set has a user."""
        return self._native(user_id) in self.stars.users

    def ratings_of(self, user_id: Id) -> dict[Id, float]:
        """Return the ratings of a user of the data set, by movie id.

        Raises
        ------
        UnknownUserError
            If the data set has no such user.
        """
        wanted = self._native(user_id)
        if wanted not in self.stars.users:
            raise UnknownUserError(f"the data set has no user {user_id!r}; it has {len(self.stars.users)} users")
        items, stars = self.stars.seen.row(int(self.stars.users.rows([wanted])[0]))
        return dict(zip(self.stars.items.ids[items].tolist(), stars.tolist(), strict=True))

    def times_of(self, user_id: Id) -> dict[Id, float]:
        """Return when a user of the data set rated, in seconds since 1970 by movie id; empty where that is unknown."""
        wanted = self._native(user_id)
        if self._seen_times is None or wanted not in self.stars.users:
            return {}
        seen, row = self.stars.seen, int(self.stars.users.rows([wanted])[0])
        times = taken(self._seen_times, seen.span(row))
        return dict(zip(self.stars.items.ids[seen.row(row)[0]].tolist(), times.tolist(), strict=True))

    def _native(self, user_id: Id) -> Id:
        """Turn a user id into the data set's kind: outside, ids are text."""
        numbers = self.stars.users.ids.dtype.kind == "i"
        return int(user_id) if numbers and isinstance(user_id, str) and is_number(user_id) else user_id


def _facts(movie: Movie) -> dict[str, Any]:
    names = ("movie_id", "title", "name", "year", "genres", "ratings_count")
    return {name: getattr(movie, name) for name in names}

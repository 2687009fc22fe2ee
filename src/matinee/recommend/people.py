"""People: what they rated, in the data set and since, on the command line and in the service alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from matinee.data.personal.export import RatedMovie
from matinee.errors import UnknownUserError
from matinee.models.factors import Id
from matinee.recommend.recommender import Recommender


class Dated(Protocol):
    """A rating with its time."""

    @property
    def movie_id(self) -> Id:
        """The film."""

    @property
    def stars(self) -> float | None:
        """None where the rating was taken back."""

    @property
    def rated_at(self) -> datetime:
        """When it was rated, with a zone."""


class LiveRatings(Protocol):
    """Ratings kept apart from the model: a `matinee.store.ratings.RatingStore` is one."""

    def ratings_of(self, user_id: str, base: Mapping[Id, float] | None = None) -> dict[Id, float]:
        """Return stars by movie id: those of `base`, overridden by those kept here."""

    def has_user(self, user_id: str) -> bool:
        """Whether someone was added or ever rated here."""

    def latest_of(self, user_id: str) -> Sequence[Dated]:
        """Return the current ratings of a user."""


def ratings_of(recommender: Recommender, user_id: str, live: LiveRatings | None) -> dict[Id, float]:
    """Return a person's stars by movie id: the data set's, overridden by the live ones.

    What an earlier model allowed is made to fit: unknown films are left out, stars brought into the scale.

    Parameters
    ----------
    recommender
        Knows the data set's people.
    user_id
        Whose.
    live
        None where nothing is kept.

    Raises
    ------
    UnknownUserError
        If neither the data set nor `live` knows them.
    """
    if live is None:
        return recommender.ratings_of(user_id)
    base = _of_data_set(recommender, user_id)
    ratings = live.ratings_of(user_id, base)
    if not ratings and not base and not live.has_user(user_id):
        raise _unknown(user_id)
    return _fitted(recommender, ratings)


def merged(recommender: Recommender, user_id: str, given: Mapping[Id, float | None], *, known: bool) -> dict[Id, float]:
    """Do what `ratings_of` does where everything that was given here has been read already.

    Parameters
    ----------
    given
        Stars by movie id, None where a rating was taken back.
    known
        Whether somebody is known here even without a rating.

    Raises
    ------
    UnknownUserError
        As `ratings_of`.
    """
    base = _of_data_set(recommender, user_id)
    if not given and not base and not known:
        raise _unknown(user_id)
    ratings = {movie_id: stars for movie_id, stars in {**base, **given}.items() if stars is not None}
    return _fitted(recommender, ratings)


def _of_data_set(recommender: Recommender, user_id: str) -> dict[Id, float]:
    return recommender.ratings_of(user_id) if recommender.knows(user_id) else {}


def _unknown(user_id: str) -> UnknownUserError:
    return UnknownUserError(f"user {user_id!r} is not known here: rate a film first")


def _fitted(recommender: Recommender, ratings: dict[Id, float]) -> dict[Id, float]:
    low, high = recommender.stars.scale
    rows = recommender.catalogue.known_rows(ratings)
    if len(rows) and rows.min() >= 0 and low <= min(ratings.values()) and max(ratings.values()) <= high:
        return ratings  # as nearly always, since no rating is kept that does not fit the model of its time
    known = zip(ratings.items(), rows.tolist(), strict=True)
    return {movie_id: min(max(stars, low), high) for (movie_id, stars), row in known if row >= 0}


def times_of(recommender: Recommender, user_id: str, live: LiveRatings | None) -> dict[Id, float]:
    """Return when a person gave their ratings, in seconds since 1970 by movie id; unknown times are left out."""
    times = recommender.times_of(user_id)
    if live is not None:
        times |= {rating.movie_id: rating.rated_at.timestamp() for rating in live.latest_of(user_id)}
    return times


def rated_movies(recommender: Recommender, user_id: str, live: LiveRatings | None) -> list[RatedMovie]:
    """Return everything a person rated, as they rated it: the live ratings newest first, then the data set's.

    A rating of a film that the current model does not know keeps its id, without a name.

    Raises
    ------
    UnknownUserError
        If neither the data set nor `live` knows them.
    """
    stars = ratings_of(recommender, user_id, live)  # refuses people whom nobody knows
    kept = {rating.movie_id: rating for rating in (live.latest_of(user_id) if live is not None else ())}
    given = {rating.movie_id: rating.stars for rating in kept.values() if rating.stars is not None}
    given |= {movie_id: value for movie_id, value in stars.items() if movie_id not in kept}
    rows = recommender.catalogue.known_rows(given).tolist()
    films = {film.movie_id: film for film in recommender.catalogue.at(row for row in rows if row >= 0)}

    def rated(movie_id: Id, value: float) -> RatedMovie:
        film = films.get(movie_id)
        seconds = int(kept[movie_id].rated_at.timestamp()) if movie_id in kept else None
        if film is None:
            return RatedMovie(movie_id, "", "", None, None, None, value, seconds)
        return RatedMovie(movie_id, film.title, film.name, film.year, film.imdb_id, film.tmdb_id, value, seconds)

    return [rated(movie_id, value) for movie_id, value in given.items()]

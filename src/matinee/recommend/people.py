"""People: what they rated, in the data set and since, on the command line and in the service alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Protocol

from matinee.errors import UnknownUserError
from matinee.models.factors import Id
from matinee.recommend.recommender import Recommender


class Dated(Protocol):
    """A rating with its time."""

    @property
    def movie_id(self) -> Id:
        """The film."""

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
    base: dict[Id, float] = {}
    with suppress(UnknownUserError):
        base = recommender.ratings_of(user_id)
    ratings = live.ratings_of(user_id, base)
    if not ratings and not base and not live.has_user(user_id):
        raise UnknownUserError(f"user {user_id!r} is not known here: rate a film first")
    rows = recommender.catalogue.known_rows(ratings).tolist()
    low, high = recommender.stars.scale
    known = zip(ratings.items(), rows, strict=True)
    return {movie_id: min(max(stars, low), high) for (movie_id, stars), row in known if row >= 0}


def times_of(recommender: Recommender, user_id: str, live: LiveRatings | None) -> dict[Id, float]:
    """Return when a person gave their ratings, in seconds since 1970 by movie id; unknown times are left out."""
    times = recommender.times_of(user_id)
    if live is not None:
        times |= {rating.movie_id: rating.rated_at.timestamp() for rating in live.latest_of(user_id)}
    return times

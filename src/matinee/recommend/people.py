"""People: what they rated, in the data set and since, on the command line and in the service alike."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol

from matinee.errors import UnknownUserError
from matinee.models.factors import Id
from matinee.recommend.recommender import Recommender


class LiveRatings(Protocol):
    """Ratings kept apart from the model: a `matinee.store.ratings.RatingStore` is one."""

    def ratings_of(self, user_id: str, base: Mapping[Id, float] | None = None) -> dict[Id, float]:
        """Return stars by movie id: those of `base`, overridden by those kept here."""

    def has_user(self, user_id: str) -> bool:
        """Whether someone was added or ever rated here."""


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

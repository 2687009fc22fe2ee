"""Live ratings: what people told the service, kept until they ask to be forgotten."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import Connection, bindparam, case, func, select

from matinee.errors import ParameterError
from matinee.store.database import Database
from matinee.store.query import Change
from matinee.store.revisions import change_of, changing
from matinee.store.schema import USER_ID_LENGTH, encoded, history, ratings, users
from matinee.store.times import kept, now, shown

Id: TypeAlias = int | str
_Row: TypeAlias = dict[str, Any]


class StoredRating(NamedTuple):
    """One current rating; `stars` is None where the person took it back."""

    movie_id: Id
    stars: float | None
    rated_at: datetime  # UTC


_LATEST = (
    select(ratings.c.movie_id, ratings.c.stars, ratings.c.rated_at)
    .where(ratings.c.user_id == bindparam("user"))
    .order_by(ratings.c.rated_at.desc(), ratings.c.movie_id)
)
_STARS = select(ratings.c.movie_id, ratings.c.stars).where(ratings.c.user_id == bindparam("user"))
_KNOWN = select(users.c.user_id).where(users.c.user_id == bindparam("user"))
_BROUGHT = ("user_id", "movie_id", "stars", "rated_at")
"""Columns of a rating that arrives."""


class RatingStore:
    """One current rating per user and movie, the newest, with every earlier one in a history.

    Parameters
    ----------
    url
        An SQLAlchemy URL; ``sqlite://`` is a database in memory. A missing database is made, an old one upgraded.
    waiting
        See `Database`.

    Raises
    ------
    ParameterError
        If the URL cannot be understood.
    StoreError
        If the database cannot be used; every method may raise it.
    """

    def __init__(self, url: str, waiting: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        self._database = database = Database(url, waiting)
        self._change = Change(database, changing(database), ("user_id", "created_at", "revision"))
        self._note = Change(database, history.insert(), (*_BROUGHT, "recorded_at"))
        upsert = database.insert(ratings)
        new, old = upsert.excluded, ratings.c
        # A rating given now counts even where the clock went backwards; one with a date of its own must be newer.
        now_given = upsert.on_conflict_do_update(
            index_elements=["user_id", "movie_id"],
            set_={
                "stars": new.stars,
                "rated_at": case((new.rated_at > old.rated_at, new.rated_at), else_=old.rated_at),
            },
        )
        dated = upsert.on_conflict_do_update(
            index_elements=["user_id", "movie_id"],
            set_={"stars": new.stars, "rated_at": new.rated_at},
            where=new.rated_at >= old.rated_at,
        )
        self._add_now, self._add_dated = Change(database, now_given, _BROUGHT), Change(database, dated, _BROUGHT)

    @property
    def database(self) -> Database:
        """The database, which other stores share."""
        return self._database

    def close(self) -> None:
        """Close the connections; a database in memory is gone."""
        self._database.close()

    def ping(self) -> None:
        """Raise StoreError unless the database answers."""
        with self._database.reading() as connection:
            connection.execute(select(1))

    def add_user(self, user_id: str) -> None:
        """Make a user known who has no ratings yet; one who is there already stays as they are."""
        check_user_id(user_id)
        self._database.write(lambda cursor: self._change.run(cursor, [change_of(user_id)]))

    def has_user(self, user_id: str) -> bool:
        """Whether someone was added or ever rated here."""
        with self._database.reading() as connection:
            return connection.execute(_KNOWN, {"user": user_id}).first() is not None

    def add_many(
        self, user_id: str, stars: Mapping[Id, float | None], rated_at: Mapping[Id, datetime] | None = None
    ) -> int:
        """Keep ratings of one user, all or none, durable when this returns; a new user becomes known.

        Parameters
        ----------
        user_id
            1 to 64 visible characters.
        stars
            Stars by movie id; None takes a rating back, also one of the data set's.
        rated_at
            When a rating was given, by movie id; aware datetimes. Movies left out were rated now.

        Returns
        -------
        int
            How many became the current rating: a dated one that is older than what is there goes to the history only.

        Raises
        ------
        ParameterError
            If the user id is malformed, stars are not finite or a time has no zone.
        """
        rows = _rows(user_id, stars, rated_at or {})
        return self._database.write(partial(self._keep, user_id=user_id, rows=rows))

    def put(
        self, connection: Connection, user_id: str, stars: Mapping[Id, float | None], dates: Mapping[Id, datetime]
    ) -> int:
        """Do what `add_many` does within a transaction of somebody else's."""
        return self._keep(connection.connection.cursor(), user_id, _rows(user_id, stars, dates))

    def _keep(self, cursor: Any, user_id: str, rows: list[_Row]) -> int:
        self._change.run(cursor, [change_of(user_id)])
        self._note.run(cursor, rows)
        dated = self._add_dated.run(cursor, [row for row in rows if row["dated"]])
        return dated + self._add_now.run(cursor, [row for row in rows if not row["dated"]])

    def latest_of(self, user_id: str) -> list[StoredRating]:
        """Return the current ratings of a user, newest first, those taken back included; empty for an unknown user."""
        with self._database.reading() as connection:
            rows = connection.execute(_LATEST, {"user": user_id}).all()
        return [StoredRating(row[0], row[1], shown(row[2])) for row in rows]

    def ratings_of(self, user_id: str, base: Mapping[Id, float] | None = None) -> dict[Id, float]:
        """Return stars by movie id, those taken back left out.

        Parameters
        ----------
        user_id
            Whose.
        base
            Ratings from elsewhere, such as the data set's of this user, which the ones kept here override.
        """
        with self._database.reading() as connection:
            rows = connection.execute(_STARS, {"user": user_id}).all()
        stars: dict[Id, float | None] = {**(base or {}), **{row[0]: row[1] for row in rows}}
        return {movie_id: value for movie_id, value in stars.items() if value is not None}

    def history_of(self, user_id: str) -> list[StoredRating]:
        """Return everything a user ever rated or took back, in the order it was recorded."""
        query = select(history.c.movie_id, history.c.stars, history.c.rated_at).where(history.c.user_id == user_id)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(history.c.id)).all()
        return [StoredRating(row[0], row[1], shown(row[2])) for row in rows]

    def count(self) -> int:
        """How many current ratings there are, those taken back left out."""
        with self._database.reading() as connection:
            return connection.execute(select(func.count(ratings.c.stars))).scalar_one()


def check_user_id(user_id: str) -> str:
    """Return the id, or refuse it.

    Raises
    ------
    ParameterError
        Unless it has 1 to 64 visible characters, and an address can hold it: no slash, not dots alone.
    """
    fits = 1 <= len(user_id) <= USER_ID_LENGTH and user_id.isprintable() and user_id == user_id.strip()
    if not fits or "/" in user_id or not user_id.strip("."):
        raise ParameterError(
            f"user id {user_id[:80]!r}: 1 to {USER_ID_LENGTH} visible characters are allowed, no / and not dots alone"
        )
    return user_id


def _rows(user_id: str, stars: Mapping[Id, float | None], dates: Mapping[Id, datetime]) -> list[_Row]:
    """Check ratings, and return what is kept of each; `dated` tells whether it came with a date."""
    check_user_id(user_id)
    if any(value is not None and not math.isfinite(value) for value in stars.values()):
        raise ParameterError(f"stars {list(stars.values())} are not all finite numbers; nothing was kept")
    moment = now()
    return [
        {
            "user_id": user_id, "movie_id": encoded(movie_id), "stars": value, "recorded_at": moment,
            "rated_at": _microseconds(dates[movie_id]) if movie_id in dates else moment, "dated": movie_id in dates,
        }
        for movie_id, value in stars.items()
    ]  # fmt: skip


def _microseconds(moment: datetime) -> int:
    if moment.tzinfo is None:
        raise ParameterError(f"time {moment.isoformat()} has no zone: give one, for example {moment.isoformat()}Z")
    return kept(moment)

"""What people say of films beside stars: not interested, to be watched, not to be taken as a hint of their taste."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NamedTuple

from sqlalchemy import bindparam, delete, select

from matinee.store.database import Database
from matinee.store.ratings import Id, check_user_id
from matinee.store.revisions import change_of, changing
from matinee.store.schema import marks, users
from matinee.store.times import now, shown

Kind = Literal["not_interested", "watchlist", "seed_off"]
_OF_USER = (
    select(marks.c.kind, marks.c.movie_id, marks.c.marked_at)
    .where(marks.c.user_id == bindparam("user"))
    .order_by(marks.c.marked_at.desc(), marks.c.movie_id)
)

_TURN = select(users.c.user_id).where(users.c.user_id == bindparam("user")).with_for_update(key_share=True)
"""Held before anything of a person is changed, by everybody in this order."""


class Mark(NamedTuple):
    """A film that a person marked."""

    movie_id: Id
    marked_at: datetime  # UTC


class MarkStore:
    """Marked films of people.

    Parameters
    ----------
    database
        Where they are kept; every method may raise `StoreError`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._change = changing(database)
        self._add = database.insert(marks).on_conflict_do_nothing()

    def add(self, user_id: str, kind: Kind, movie_id: Id) -> None:
        """Mark a film; one that is marked stays as it is, a new person becomes known.

        Raises
        ------
        ParameterError
            If the user id is malformed.
        """
        check_user_id(user_id)
        with self._database.writing() as connection:
            connection.execute(self._change, change_of(user_id))
            row = {"user_id": user_id, "kind": kind, "movie_id": movie_id, "marked_at": now()}
            connection.execute(self._add, row)

    def remove(self, user_id: str, kind: Kind, movie_id: Id) -> None:
        """Take a mark away, if there is one."""
        mine = (marks.c.user_id == user_id) & (marks.c.kind == kind) & (marks.c.movie_id == movie_id)
        with self._database.writing() as connection:
            if connection.execute(_TURN, {"user": user_id}).first() is not None:
                connection.execute(self._change, change_of(user_id))
                connection.execute(delete(marks).where(mine))

    def of(self, user_id: str) -> dict[Kind, list[Mark]]:
        """Return a person's marks by kind, the latest first; every kind is there."""
        with self._database.reading() as connection:
            rows = connection.execute(_OF_USER, {"user": user_id}).all()
        found: dict[Kind, list[Mark]] = {"not_interested": [], "watchlist": [], "seed_off": []}
        for kind, movie_id, marked_at in rows:
            found[kind].append(Mark(movie_id, shown(marked_at)))
        return found

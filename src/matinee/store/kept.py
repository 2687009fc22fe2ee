"""What a list needs to know of a person, in one statement: it is asked for at every request."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import bindparam, literal_column, null, select, union_all

from matinee.store.database import Database
from matinee.store.query import Query
from matinee.store.ratings import Id
from matinee.store.schema import decoded, marks, ratings, users

_USER = "user"
_STATEMENT = union_all(
    select(ratings.c.movie_id, ratings.c.stars, null().label("kind")).where(ratings.c.user_id == bindparam(_USER)),
    select(marks.c.movie_id, null(), marks.c.kind).where(
        marks.c.user_id == bindparam(_USER), marks.c.kind != literal_column("'watchlist'")
    ),
    select(users.c.user_id, null(), literal_column("'user'")).where(users.c.user_id == bindparam(_USER)),
)


@dataclass
class Kept:
    """What is kept of a person.

    Attributes
    ----------
    ratings
        Stars by movie id, None where a rating was taken back.
    not_interested, seed_off
        Marked films.
    known
        Whether they joined or ever rated here.
    """

    ratings: dict[Id, float | None] = field(default_factory=dict)
    not_interested: list[Id] = field(default_factory=list)
    seed_off: list[Id] = field(default_factory=list)
    known: bool = False


class KeptOf:
    """Reads what is kept of people.

    Parameters
    ----------
    database
        Where; calls may raise `StoreError`.
    """

    def __init__(self, database: Database) -> None:
        self._query = Query(database, _STATEMENT)

    def __call__(self, user_id: str) -> Kept:
        """Return what is kept of one person."""
        rows = self._query.rows(user=user_id)
        kept = Kept({decoded(name): stars for name, stars, kind in rows if kind is None})
        for name, _, kind in rows:
            if kind == "user":
                kept.known = True
            elif kind is not None:
                (kept.seed_off if kind == "seed_off" else kept.not_interested).append(decoded(name))
        return kept

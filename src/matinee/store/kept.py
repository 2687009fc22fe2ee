"""What a list needs to know of a person, in one row of one statement: it is asked for at every request.

The database gathers the rows into JSON: a driver that hands over row by row lets other threads in between any two.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Select, Text, bindparam, cast, func, literal_column, select, type_coerce

from matinee.store.database import Database
from matinee.store.query import Query
from matinee.store.ratings import Id
from matinee.store.schema import decoded, marks, ratings, users


def _statement(dialect: str) -> Select[Any]:
    of_pairs, of_texts = ("json_group_object", "json_group_array") if dialect == "sqlite" else (
        "json_object_agg", "json_agg",
    )  # fmt: skip
    user: Any = bindparam("user")
    mark = marks.c.kind + literal_column("':'") + type_coerce(marks.c.movie_id, Text)
    rated = select(cast(getattr(func, of_pairs)(ratings.c.movie_id, ratings.c.stars), Text))
    marked = select(cast(getattr(func, of_texts)(mark), Text)).where(marks.c.kind != literal_column("'watchlist'"))
    return select(
        rated.where(ratings.c.user_id == user).scalar_subquery(),
        marked.where(marks.c.user_id == user).scalar_subquery(),
        select(users.c.revision).where(users.c.user_id == user).scalar_subquery(),
    )


@dataclass
class Kept:
    """What is kept of a person.

    Attributes
    ----------
    ratings
        Stars by movie id to 15 digits, None where a rating was taken back.
    not_interested, seed_off
        Marked films.
    revision
        See `matinee.store.revisions`; None where they never joined nor rated here.
    """

    ratings: dict[Id, float | None] = field(default_factory=dict)
    not_interested: list[Id] = field(default_factory=list)
    seed_off: list[Id] = field(default_factory=list)
    revision: int | None = None

    @property
    def known(self) -> bool:
        """Whether they joined or ever rated here."""
        return self.revision is not None


class KeptOf:
    """Reads what is kept of people.

    Parameters
    ----------
    database
        Where; calls may raise `StoreError`.
    """

    def __init__(self, database: Database) -> None:
        self._query = Query(database, _statement(database.engine.dialect.name))

    def __call__(self, user_id: str) -> Kept:
        """Return what is kept of one person."""
        [(rated, marked, revision)] = self._query.rows(user=user_id)
        stars = {decoded(name): value for name, value in orjson.loads(rated or b"{}").items()}
        kept = Kept(stars, revision=revision)
        for mark in orjson.loads(marked or b"[]"):
            kind, _, name = mark.partition(":")
            (kept.seed_off if kind == "seed_off" else kept.not_interested).append(decoded(name))
        return kept

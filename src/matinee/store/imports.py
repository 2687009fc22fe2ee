"""Imports of personal histories: what each one changed, so that it can be undone, and what it left to decide."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, select, update

from matinee.errors import UnknownIdError
from matinee.store.ratings import Id, RatingStore
from matinee.store.revisions import change_of, changing
from matinee.store.schema import history, import_items, imports, ratings
from matinee.store.times import now


class OpenLine(NamedTuple):
    """A rated line of which nobody knows yet which film it means; `rated_at` in seconds since 1970."""

    file: str
    line: int
    stars: float
    rated_at: int | None


class ImportStore:
    """Imports of people.

    Parameters
    ----------
    store
        Where the ratings go; every method may raise `StoreError`.
    """

    def __init__(self, store: RatingStore) -> None:
        self._store = store
        self._database = store.database
        self._change = changing(store.database)

    def add(
        self,
        user_id: str,
        source: str,
        stars: Mapping[Id, float],
        dates: Mapping[Id, datetime],
        open_lines: Sequence[OpenLine],
    ) -> tuple[str, int]:
        """Keep ratings as one import, all or none.

        Parameters
        ----------
        user_id, stars, dates
            As `RatingStore.add_many` takes them.
        source
            Which service wrote the file.
        open_lines
            Lines for `resolve`.

        Returns
        -------
        (import_id, saved)
            `saved` as `RatingStore.add_many` returns it.
        """
        import_id = secrets.token_hex(8)
        with self._database.writing() as connection:
            before = _current(connection, user_id)
            saved = self._store.put(connection, user_id, stars, dates)
            row = {"import_id": import_id, "user_id": user_id, "source": source, "imported_at": now()}
            connection.execute(imports.insert(), row | {"open_lines": json.dumps(open_lines)})
            _note(connection, import_id, before, _current(connection, user_id), stars)
        return import_id, saved

    def open_lines(self, user_id: str, import_id: str) -> list[OpenLine]:
        """Return the lines that are still to be decided.

        Raises
        ------
        UnknownIdError
            If the person has no such import.
        """
        with self._database.reading() as connection:
            return _open(connection, user_id, import_id)

    def resolve(
        self,
        user_id: str,
        import_id: str,
        stars: Mapping[Id, float],
        dates: Mapping[Id, datetime],
        open_lines: Sequence[OpenLine],
    ) -> int:
        """Add ratings to an import, and say which lines stay open; return how many are current now.

        Raises
        ------
        UnknownIdError
            If the person has no such import.
        """
        with self._database.writing() as connection:
            _open(connection, user_id, import_id)
            before = _current(connection, user_id)
            saved = self._store.put(connection, user_id, stars, dates)
            mine = imports.c.import_id == import_id
            connection.execute(update(imports).where(mine).values(open_lines=json.dumps(open_lines)))
            _note(connection, import_id, before, _current(connection, user_id), stars)
        return saved

    def undo(self, user_id: str, import_id: str) -> int:
        """Give films the rating back that they had before an import; what was rated since stays.

        Returns
        -------
        int
            How many films that were.

        Raises
        ------
        UnknownIdError
            If the person has no such import.
        """
        with self._database.writing() as connection:
            _open(connection, user_id, import_id)
            connection.execute(self._change, change_of(user_id))
            current = _current(connection, user_id)
            items = connection.execute(select(import_items).where(import_items.c.import_id == import_id)).all()
            untouched = [item for item in items if current.get(item.movie_id) == (item.stars, item.rated_at)]
            for item in untouched:
                _restore(connection, user_id, item)
            connection.execute(delete(imports).where(imports.c.import_id == import_id))
        return len(untouched)


_Current = Mapping[Id, tuple[float | None, int]]


def _current(connection: Connection, user_id: str) -> _Current:
    query = select(ratings.c.movie_id, ratings.c.stars, ratings.c.rated_at).where(ratings.c.user_id == user_id)
    return {row[0]: (row[1], row[2]) for row in connection.execute(query)}


def _open(connection: Connection, user_id: str, import_id: str) -> list[OpenLine]:
    query = select(imports.c.open_lines).where((imports.c.import_id == import_id) & (imports.c.user_id == user_id))
    found = connection.execute(query.with_for_update()).scalar_one_or_none()
    if found is None:
        raise UnknownIdError(f"user {user_id!r} has no import {import_id[:80]!r}, or it was undone")
    return [OpenLine(*line) for line in json.loads(found)]


def _note(
    connection: Connection, import_id: str, before: _Current, after: _Current, wanted: Mapping[Id, float]
) -> None:
    """Note what an import changed; of a film that it changed twice, what was there at first."""
    changed = [movie_id for movie_id in wanted if after[movie_id] != before.get(movie_id)]
    if not changed:
        return
    mine = import_items.c.import_id == import_id
    query = select(import_items).where(mine)
    noted = {item.movie_id: (item.old_stars, item.old_rated_at) for item in connection.execute(query)}
    connection.execute(delete(import_items).where(mine & import_items.c.movie_id.in_(noted.keys() & set(changed))))
    rows: list[dict[str, Any]] = []
    for movie_id in changed:
        stars, rated_at = after[movie_id]
        old_stars, old_rated_at = noted.get(movie_id, before.get(movie_id, (None, None)))
        rows.append(
            {
                "import_id": import_id, "movie_id": movie_id, "stars": stars, "rated_at": rated_at,
                "old_stars": old_stars, "old_rated_at": old_rated_at,
            }
        )  # fmt: skip
    connection.execute(import_items.insert(), rows)


def _restore(connection: Connection, user_id: str, item: Any) -> None:
    mine = (ratings.c.user_id == user_id) & (ratings.c.movie_id == item.movie_id)
    if item.old_rated_at is None:
        connection.execute(delete(ratings).where(mine))
    else:
        connection.execute(update(ratings).where(mine).values(stars=item.old_stars, rated_at=item.old_rated_at))
    moment = now()
    row = {"user_id": user_id, "movie_id": item.movie_id, "stars": item.old_stars, "recorded_at": moment}
    connection.execute(history.insert(), row | {"rated_at": item.old_rated_at or moment})

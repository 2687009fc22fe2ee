"""Statements of every request: written once by SQLAlchemy, then run by the driver, which takes a third of the time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select
from sqlalchemy.sql import CompoundSelect
from sqlalchemy.sql.dml import Insert

from matinee.store.database import Database


class _Compiled:
    def __init__(self, database: Database, statement: Any, columns: Sequence[str] | None = None) -> None:
        compiled = statement.compile(dialect=database.engine.dialect, column_keys=columns)
        self.text = compiled.string
        self._places = compiled.positiontup

    def given(self, parameters: Mapping[str, Any]) -> Any:
        """Return parameters as the driver takes them."""
        return parameters if self._places is None else tuple(parameters[name] for name in self._places)


class Query:
    """One statement that reads, and sees one state of the database: it needs no transaction around it.

    Parameters
    ----------
    database
        Where it runs.
    statement
        Its bound parameters are those of `rows`; columns come as the driver has them (`schema.decoded` reads ids).
    """

    def __init__(self, database: Database, statement: Select[Any] | CompoundSelect[Any]) -> None:
        self._database = database
        self._compiled = _Compiled(database, statement)

    def rows(self, **parameters: Any) -> list[tuple[Any, ...]]:
        """Run it.

        Raises
        ------
        StoreError
            If the database refuses.
        """
        return self._database.fetch(self._compiled.text, self._compiled.given(parameters))


class Change:
    """One statement that adds rows, or changes those that are there, within a transaction.

    Parameters
    ----------
    database
        Where it runs.
    statement
        For rows of `columns`.
    columns
        Names of what each row brings; ids of movies as `schema.encoded` writes them.
    """

    def __init__(self, database: Database, statement: Insert, columns: Sequence[str]) -> None:
        self._compiled = _Compiled(database, statement.inline(), columns)

    def run(self, cursor: Any, rows: Sequence[Mapping[str, Any]]) -> int:
        """Run it for all rows by a cursor of the driver; return how many were added or changed."""
        if not rows:
            return 0
        text, given = self._compiled.text, [self._compiled.given(row) for row in rows]
        if len(given) == 1:
            cursor.execute(text, given[0])
        else:
            cursor.executemany(text, given)
        return int(cursor.rowcount)

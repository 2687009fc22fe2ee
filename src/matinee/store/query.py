"""Queries of every request: written once by SQLAlchemy, then run by the driver itself, which takes a third of the time.

One statement sees one state of the database by itself, so that none of them needs a transaction around it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select
from sqlalchemy.sql import CompoundSelect

from matinee.store.database import Database


class Query:
    """One statement that reads.

    Parameters
    ----------
    database
        Where it runs.
    statement
        Its bound parameters are those of `rows`; columns come as the driver has them (`schema.decoded` reads ids).
    """

    def __init__(self, database: Database, statement: Select[Any] | CompoundSelect[Any]) -> None:
        self._database = database
        compiled = statement.compile(dialect=database.engine.dialect)
        self._text = compiled.string
        self._places = compiled.positiontup

    def rows(self, **parameters: Any) -> list[tuple[Any, ...]]:
        """Run it.

        Raises
        ------
        StoreError
            If the database refuses.
        """
        given = parameters if self._places is None else tuple(parameters[name] for name in self._places)
        return self._database.fetch(self._text, given)

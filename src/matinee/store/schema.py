"""The tables of what people do: the only description of the database, portable between SQLite and PostgreSQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, MetaData, String, Table
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

USER_ID_LENGTH = 64
MOVIE_ID_LENGTH = 200
_ESCAPE = "="


class MovieId(TypeDecorator[int | str]):
    """An id that comes back as it went in: whole numbers as decimal text, strings as they are.

    Data sets have one kind or the other. A string that could be taken for a number is stored behind an escape.
    """

    impl = String(MOVIE_ID_LENGTH)
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Encode."""
        if isinstance(value, str) and (value.startswith(_ESCAPE) or value.removeprefix("-").isdecimal()):
            return _ESCAPE + value
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> int | str | None:
        """Decode."""
        if value is None:
            return None
        if value.startswith(_ESCAPE):
            return value[1:]
        return int(value) if value.removeprefix("-").isdecimal() else value


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""Times are microseconds since 1970, UTC."""

users = Table(
    "users",
    metadata,
    Column("user_id", String(USER_ID_LENGTH), primary_key=True),
    Column("created_at", BigInteger, nullable=False),
)


def _user_id(**options: Any) -> Column[str]:
    return Column(
        "user_id", String(USER_ID_LENGTH), ForeignKey("users.user_id", ondelete="CASCADE"), nullable=False, **options
    )


ratings = Table(
    "ratings",
    metadata,
    _user_id(primary_key=True),
    Column("movie_id", MovieId, primary_key=True),
    Column("stars", Float, nullable=True),  # null: taken back, which also hides a rating of the data set
    Column("rated_at", BigInteger, nullable=False),
)

history = Table(
    "rating_history",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    _user_id(),
    Column("movie_id", MovieId, nullable=False),
    Column("stars", Float, nullable=True),
    Column("rated_at", BigInteger, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
)
Index(None, history.c.user_id)

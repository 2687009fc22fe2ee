"""The tables of what people do: the only description of the database, portable between SQLite and PostgreSQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, MetaData, String, Table, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

USER_ID_LENGTH = 64
MOVIE_ID_LENGTH = 200
HASH_LENGTH = 64
KEY_LENGTH = 128
"""Characters of an idempotency key."""
_ESCAPE = "="


class MovieId(TypeDecorator[int | str]):
    """An id that comes back as it went in: whole numbers as decimal text, strings as they are.

    Data sets have one kind or the other. A string that could be taken for a number is stored behind an escape.
    """

    impl = String(MOVIE_ID_LENGTH)
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Encode."""
        return None if value is None else encoded(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> int | str | None:
        """Decode."""
        return None if value is None else decoded(value)


def encoded(movie_id: int | str) -> str:
    """Return what a column of type `MovieId` holds of an id."""
    if isinstance(movie_id, str) and (movie_id.startswith(_ESCAPE) or movie_id.removeprefix("-").isdecimal()):
        return _ESCAPE + movie_id
    return str(movie_id)


def decoded(movie_id: str) -> int | str:
    """Return the id that a column of type `MovieId` holds."""
    if movie_id.isdecimal():
        return int(movie_id)
    if movie_id.startswith(_ESCAPE):
        return movie_id[1:]
    return int(movie_id) if movie_id.removeprefix("-").isdecimal() else movie_id


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
    # A random number, another one after every change of what lists take from a person: see matinee.store.revisions.
    Column("revision", BigInteger, nullable=False, server_default="0"),
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

tokens = Table(
    "tokens",
    metadata,
    Column("token_hash", String(HASH_LENGTH), primary_key=True),
    _user_id(),
    Column("created_at", BigInteger, nullable=False),
)
Index(None, tokens.c.user_id)

links = Table(
    "links",
    metadata,
    Column("code_hash", String(HASH_LENGTH), primary_key=True),
    _user_id(),
    Column("expires_at", BigInteger, nullable=False),
)
Index(None, links.c.user_id)

marks = Table(
    "marks",
    metadata,
    _user_id(primary_key=True),
    Column("kind", String(16), primary_key=True),  # see matinee.store.marks
    Column("movie_id", MovieId, primary_key=True),
    Column("marked_at", BigInteger, nullable=False),
)

replays = Table(
    "replays",
    metadata,
    Column("scope", String(USER_ID_LENGTH), primary_key=True),  # whose request, empty for the operator's
    Column("key", String(KEY_LENGTH), primary_key=True),
    Column("fingerprint", String(HASH_LENGTH), nullable=False),
    Column("status", Integer, nullable=True),  # null: being answered
    Column("body", Text, nullable=True),
    Column("asked_at", BigInteger, nullable=False),
)
Index(None, replays.c.asked_at)

imports = Table(
    "imports",
    metadata,
    Column("import_id", String(24), primary_key=True),
    _user_id(),
    Column("source", String(24), nullable=False),
    Column("imported_at", BigInteger, nullable=False),
    Column("open_lines", Text, nullable=False),  # JSON: lines that a person still has to decide about
)
Index(None, imports.c.user_id)

import_items = Table(
    "import_items",
    metadata,
    Column(
        "import_id", String(24), ForeignKey("imports.import_id", ondelete="CASCADE"), primary_key=True, nullable=False
    ),
    Column("movie_id", MovieId, primary_key=True),
    Column("stars", Float, nullable=True),  # what the import made of the rating, and when that was given
    Column("rated_at", BigInteger, nullable=False),
    Column("old_stars", Float, nullable=True),  # what it was before; without old_rated_at there was none
    Column("old_rated_at", BigInteger, nullable=True),
)

runs = Table(
    "training_runs",
    metadata,
    Column("run_id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("state", String(16), nullable=False),  # see matinee.store.jobs
    Column("reason", String(64), nullable=False),
    Column("requested_at", BigInteger, nullable=False),
    Column("started_at", BigInteger, nullable=True),
    Column("finished_at", BigInteger, nullable=True),
    Column("history_id", BigInteger, nullable=True),  # the newest entry of the history that the run knew of
    Column("model_id", String(100), nullable=True),
    Column("report", Text, nullable=True),  # JSON
)
Index(None, runs.c.state)

leases = Table(
    "leases",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("owner", String(64), nullable=False),  # empty: nobody's
    Column("beats", BigInteger, nullable=False),
)

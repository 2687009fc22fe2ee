"""One way to the database: transactions that roll back unless they end well, a schema that brings itself up to date.

SQLite runs in WAL mode with full synchronisation, so that an acknowledged write survives a crash of the machine, and
writers begin with BEGIN IMMEDIATE: a deferred transaction that turns into a writer fails at once when another one
wrote in between, whatever the busy timeout.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from threading import Lock
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from matinee.errors import ParameterError, StoreError

BUSY_TIMEOUT_S = 5.0
POSTGRES_MIGRATION_LOCK = 0x6D6174696E6565  # "matinee": any number that nobody else locks
_WRITES = "matinee_writes"


class Database:
    """An engine with matinee's transactions.

    Parameters
    ----------
    url
        An SQLAlchemy URL; ``sqlite://`` is a database in memory, gone with this object.

    Raises
    ------
    ParameterError
        If the URL cannot be understood.
    StoreError
        If the database cannot be opened or was written by a newer version.
    """

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        # SQLite's writers wait by sleeping, up to a tenth of a second, in no order; threads of one process need not.
        self._turn: AbstractContextManager[Any] = Lock() if self.engine.dialect.name == "sqlite" else nullcontext()
        self.url = self.engine.url.render_as_string(hide_password=True)
        try:
            self._migrate()
        except BaseException:
            self.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that sees one state of the database."""
        with self._translating(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open a transaction that is committed, durably, at the end of the block, or not at all."""
        with (
            self._turn,
            self._translating(),
            self.engine.connect().execution_options(**{_WRITES: True}) as connection,
            connection.begin(),
        ):
            yield connection

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise StoreError(f"database {self.url}: {error.orig}") from error
        except SQLAlchemyError as error:
            raise StoreError(f"database {self.url}: {error}") from error

    def _migrate(self) -> None:
        """Bring the schema up to date under a lock: of several processes that start at once, one does the work."""
        config = Config()
        config.set_main_option("script_location", "matinee.store:migrations")
        with self.writing() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": POSTGRES_MIGRATION_LOCK})
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, "head")
            except CommandError as error:
                raise StoreError(
                    f"database {self.url} was written by a newer version of matinee ({error}): upgrade matinee"
                ) from error


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        options: dict[str, Any] = {}
        if parsed.get_backend_name() == "sqlite":
            options = _prepare_sqlite(parsed.database)
        engine = create_engine(parsed, **options)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise ParameterError(
            f"database url {url!r}: {error}; give sqlite:///PATH/matinee.db or leave it empty"
        ) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _on_sqlite_connect)
        event.listen(engine, "begin", _on_sqlite_begin)
    return engine


def _prepare_sqlite(path: str | None) -> dict[str, Any]:
    arguments: dict[str, Any] = {"timeout": BUSY_TIMEOUT_S, "check_same_thread": False}
    if path in (None, "", ":memory:"):
        # The data lives in the one connection, which threads take in turns.
        return {"connect_args": arguments, "poolclass": QueuePool, "pool_size": 1, "max_overflow": 0}
    try:
        Path(str(path)).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"the folder of database {path} cannot be made: {error}") from error
    return {"connect_args": arguments, "poolclass": QueuePool, "max_overflow": 64}


def _on_sqlite_connect(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # we begin transactions, not the driver
    _enter_wal(connection)
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _enter_wal(connection: sqlite3.Connection) -> None:
    """Turn WAL on; the switch ignores the busy timeout, so wait here while another process makes the same switch."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _on_sqlite_begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

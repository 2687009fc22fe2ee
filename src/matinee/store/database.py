"""One way to the database: transactions that roll back unless they end well, a schema that brings itself up to date.

SQLite runs in WAL mode with full synchronisation, so that an acknowledged write survives a crash of the machine, and
writers begin with BEGIN IMMEDIATE: a deferred transaction that turns into a writer fails at once when another one
wrote in between, whatever the busy timeout.
"""

from __future__ import annotations

import logging
import re
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from threading import Lock
from typing import Any, TypeAlias, TypeVar

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from matinee.errors import MissingExtraError, ParameterError, StoreError
from matinee.store.together import Together

BUSY_TIMEOUT_S = 5.0
POSTGRES_MIGRATION_LOCK = 0x6D6174696E6565  # "matinee": any number that nobody else locks
WRITER_POLL_S = 0.0005
"""A commit takes about as long."""
_WRITES = "matinee_writes"
_IN_MEMORY = (None, "", ":memory:")
_log = logging.getLogger(__name__)
Insert: TypeAlias = sqlite.Insert | postgresql.Insert
_T = TypeVar("_T")
_POSTGRES_OPTIONS: dict[str, Any] = {
    "connect_args": {"connect_timeout": int(BUSY_TIMEOUT_S)},
    "max_overflow": 64,
    "pool_pre_ping": True,  # connections that died with a server that was restarted are found out before they are used
}


class Database:
    """An engine with matinee's transactions.

    Parameters
    ----------
    url
        An SQLAlchemy URL; ``sqlite://`` is a database in memory, gone with this object.
    waiting
        Entered around everything that only waits, for a lock or for a commit; whoever shares threads lets others work.

    Raises
    ------
    ParameterError
        If the URL cannot be understood.
    StoreError
        If the database cannot be opened or was written by a newer version.
    """

    def __init__(self, url: str, waiting: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        self.engine = _engine(url)
        # One state of the database, whatever others commit meanwhile: SQLite's transactions are like that anyway.
        is_postgres = self.engine.dialect.name == "postgresql"
        self._reader = self.engine.execution_options(**({"isolation_level": "REPEATABLE READ"} if is_postgres else {}))
        # SQLite's writers wait by sleeping, up to a tenth of a second, in no order; threads of one process need not.
        lock = Lock()
        self._turn: AbstractContextManager[Any] = lock if self.engine.dialect.name == "sqlite" else nullcontext()
        self.url = self.engine.url.render_as_string(hide_password=True)
        self._waiting = waiting
        self._in_file = self.engine.dialect.name == "sqlite" and self.engine.url.database not in _IN_MEMORY
        self._idle: deque[Any] = deque()
        self._together = Together(self._transaction_in_file, lock)
        self._writer: Any = None
        try:
            self._migrate()
        except BaseException:
            self.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that sees one state of the database."""
        with self._translating(), self._reader.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open a transaction that is committed, durably, at the end of the block, or not at all."""
        with (
            self._taken(),
            self._translating(),
            self.engine.connect().execution_options(**{_WRITES: True}) as connection,
        ):
            with self._waiting():
                transaction = connection.begin()
            with transaction:
                yield connection
                with self._waiting():
                    transaction.commit()

    def write(self, work: Callable[[Any], _T]) -> _T:
        """Run what writes, given a cursor of the driver, in a transaction that is committed, durably, or not at all.

        Parameters
        ----------
        work
            Runs statements and nothing else: in another thread perhaps, and once more if somebody else's fail with whom
            it shared a transaction. See `matinee.store.together`; PostgreSQL lets transactions share by itself.

        Returns
        -------
        What `work` returned.
        """
        with self._translating(), self._waiting():
            if self._in_file:
                return self._together.run(work)
            with self._turn, closing(self.engine.raw_connection()) as connection:  # rolls back unless committed
                if self.engine.dialect.name == "sqlite":
                    _begin_to_write(connection.driver_connection)
                result = work(connection.cursor())
                connection.commit()
                return result

    @contextmanager
    def _transaction_in_file(self) -> Iterator[Any]:
        """Write by the one connection that nobody else uses, nor the pool knows; the lock of writers is held."""
        if self._writer is None:
            self._writer = self._detached()
            self._writer.execute("PRAGMA busy_timeout=0")
        _begin_immediately(self._writer)
        try:
            yield self._writer.cursor()
            self._writer.execute("COMMIT")
        except BaseException:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            raise

    @contextmanager
    def _taken(self) -> Iterator[None]:
        """Wait for the process's other writers, in nobody's way."""
        with self._waiting():
            self._turn.__enter__()
        try:
            yield
        finally:
            self._turn.__exit__(None, None, None)

    def fetch(self, statement: str, parameters: Any) -> list[tuple[Any, ...]]:
        """Run one statement that reads, by the driver itself; see `matinee.store.query`."""
        with self._translating():
            if self._in_file:
                return self._fetch_from_file(statement, parameters)
            connection = self.engine.raw_connection()
            try:
                cursor = connection.cursor()
                cursor.execute(statement, parameters)
                return list(cursor.fetchall())
            finally:
                connection.close()

    def _fetch_from_file(self, statement: str, parameters: Any) -> list[tuple[Any, ...]]:
        """Take a connection that nobody uses: the pool's way to one costs as much as reading."""
        connection: Any
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._detached()
            connection.execute("PRAGMA cache_size=-256")  # KiB: as many connections as threads may be there
        try:
            rows: list[tuple[Any, ...]] = connection.execute(statement, parameters).fetchall()
            return rows
        finally:
            self._idle.append(connection)  # in no transaction, so that it holds no state of the database, and no lock

    def _detached(self) -> Any:
        """Make a connection of the driver, of which the pool knows nothing."""
        lent = self.engine.raw_connection()
        connection = lent.driver_connection
        lent.detach()
        return connection

    def insert(self, table: Table) -> Insert:
        """Return an insert that knows `on_conflict_do_nothing` and `on_conflict_do_update`."""
        return sqlite.insert(table) if self.engine.dialect.name == "sqlite" else postgresql.insert(table)

    def purge(self) -> None:
        """Leave nothing of what was deleted in SQLite's files: its pages are overwritten, its log is emptied.

        PostgreSQL does so at its next vacuum, and its log and backups keep what their own settings say.
        """
        if self.engine.dialect.name == "sqlite":
            with self._turn, self._translating(), self.engine.connect() as connection:
                busy, *_ = connection.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if busy:
                _log.warning("somebody reads %s: its log is emptied when the next deletion is", self.url)

    def close(self) -> None:
        """Close every connection."""
        while self._idle:
            self._idle.pop().close()
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self.engine.dispose()

    @contextmanager
    def _translating(self) -> Iterator[None]:
        data_error = self.engine.dialect.loaded_dbapi.DataError
        try:
            yield
        except (DataError, data_error) as error:  # PostgreSQL knows no NUL in a text
            reason = getattr(error, "orig", error)
            raise ParameterError(f"text that the database cannot hold arrived: {reason}") from error
        except DBAPIError as error:
            raise StoreError(f"database {self.url}: {error.orig}") from error
        except (SQLAlchemyError, self.engine.dialect.loaded_dbapi.Error) as error:
            raise StoreError(f"database {self.url}: {error}") from error

    def _migrate(self) -> None:
        """Bring the schema up to date under a lock: of several processes that start at once, one does the work."""
        config = Config()
        config.set_main_option("script_location", "matinee.store:migrations")
        with self.writing() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SET LOCAL lock_timeout = 0"))  # another's migration may take its time
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
        if parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        engine = create_engine(parsed, **_options(parsed))
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise ParameterError(
            f"database url {_hidden(url)!r}: {error}; give sqlite:///PATH/matinee.db, postgresql://USER@HOST/NAME "
            "or leave it empty"
        ) from error
    except ModuleNotFoundError as error:
        raise MissingExtraError("PostgreSQL", "postgres") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _on_sqlite_connect)
        event.listen(engine, "begin", _on_sqlite_begin)
    else:
        event.listen(engine, "connect", _on_postgres_connect)
    return engine


def _options(url: URL) -> dict[str, Any]:
    backend = url.get_backend_name()
    if backend == "sqlite":
        return _prepare_sqlite(url.database)
    if backend == "postgresql":
        return _POSTGRES_OPTIONS
    raise ArgumentError(f"{backend} is not supported")


def _hidden(url: str) -> str:
    """Return a URL that may not even be one without what could be a password."""
    return re.sub(r"://.*@", "://***@", url)


def _prepare_sqlite(path: str | None) -> dict[str, Any]:
    arguments: dict[str, Any] = {"timeout": BUSY_TIMEOUT_S, "check_same_thread": False}
    if path in _IN_MEMORY:
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
    for pragma in ("synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
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
    if connection.get_execution_options().get(_WRITES, False):
        _begin_to_write(connection.connection.driver_connection)
    else:
        connection.exec_driver_sql("BEGIN")


def _begin_to_write(connection: Any) -> None:
    connection.execute("PRAGMA busy_timeout=0")
    try:
        _begin_immediately(connection)
    finally:
        connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_S * 1000:.0f}")


def _begin_immediately(connection: Any) -> None:
    """Wait for the writers of other processes; SQLite itself would sleep up to a tenth of a second at a time."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(WRITER_POLL_S)
        else:
            return


def _on_postgres_connect(connection: Any, _record: object) -> None:
    """Give up on a locked table as SQLite does on a locked file, instead of waiting without end."""
    connection.execute(f"SET lock_timeout = '{BUSY_TIMEOUT_S:g}s'")
    connection.commit()

"""The store on PostgreSQL: the same contract as SQLite, several processes at once, and a server that is killed."""

from __future__ import annotations

import builtins
import multiprocessing
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text
from test_import_store import ImportContract, ReplayContract
from test_mark_store import MarkContract
from test_people_store import PeopleContract
from test_revisions import RevisionContract
from test_store import WRITER, StoreContract, _open_and_rate, upgraded_by_two_at_once

import postgres
from matinee.errors import MissingExtraError, ParameterError, StoreError
from matinee.store import database
from matinee.store.database import Database
from matinee.store.ratings import RatingStore
from matinee.store.schema import metadata

pytestmark = pytest.mark.xdist_group("postgres")  # one server for all of them


@pytest.fixture
def store(postgres_url: str) -> Iterator[RatingStore]:
    store = RatingStore(postgres_url)
    yield store
    store.close()


class TestPostgres(StoreContract):
    pass


class TestPostgresPeople(PeopleContract):
    pass


class TestPostgresMarks(MarkContract):
    pass


class TestPostgresImports(ImportContract):
    pass


class TestPostgresReplays(ReplayContract):
    pass


class TestPostgresRevisions(RevisionContract):
    pass


def test_migrations_make_the_schema_that_the_code_describes(postgres_url: str) -> None:
    opened = Database(postgres_url)
    with opened.reading() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    opened.close()
    assert differences == []


def test_a_read_sees_one_state(postgres_url: str) -> None:
    store, opened = RatingStore(postgres_url), Database(postgres_url)
    with opened.reading() as connection:
        before = connection.execute(text("SELECT count(*) FROM ratings")).scalar_one()
        store.add_many("0", {260: 4.0})
        assert connection.execute(text("SELECT count(*) FROM ratings")).scalar_one() == before == 0
    assert store.count() == 1
    store.close()
    opened.close()


def test_writers_that_bring_the_same_films_in_another_order_do_not_wait_for_each_other(postgres_url: str) -> None:
    store = RatingStore(postgres_url)
    films = list(range(200))

    def rate(turn: int) -> None:
        store.add_many("0", dict.fromkeys(films if turn % 2 else reversed(films), 3.0))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(rate, range(12)))
    assert len(store.history_of("0")) == 2400
    store.close()


def test_processes_that_start_at_once_make_one_schema(postgres_url: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_open_and_rate, args=(postgres_url, f"user {number}")) for number in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    store = RatingStore(postgres_url)
    assert store.count() == 20
    store.close()


def test_an_old_database_is_upgraded_by_two_processes_at_once(postgres_url: str) -> None:
    upgraded_by_two_at_once(postgres_url)


def test_a_locked_table_is_reported_and_works_again(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.1)
    store, other = RatingStore(postgres_url), Database(postgres_url)
    with other.writing() as connection:
        connection.execute(text("LOCK TABLE ratings IN EXCLUSIVE MODE"))
        with pytest.raises(StoreError, match="lock timeout"):
            store.add_many("0", {260: 4.0})
        assert store.ratings_of("0") == {}  # readers go on
    assert store.add_many("0", {260: 4.0}) == 1
    store.close()
    other.close()


def test_killing_a_writer_after_an_acknowledged_write_loses_nothing(postgres_url: str) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, postgres_url], stdout=subprocess.PIPE, text=True)
    assert writer.stdout
    acknowledged = [int(writer.stdout.readline()) for _ in range(20)]
    writer.send_signal(signal.SIGKILL)
    acknowledged += [int(line) for line in writer.stdout.read().split()]
    writer.stdout.close()
    writer.wait(10)
    store = RatingStore(postgres_url)
    assert set(acknowledged) <= set(store.ratings_of("0"))
    store.close()


def test_killing_the_server_during_writes_loses_nothing_acknowledged_and_the_store_recovers() -> None:
    with postgres.own_server() as server:
        store = RatingStore(server.url)
        acknowledged: list[int] = []
        refused: list[StoreError] = []

        def rate(writer: int) -> None:
            for movie in range(writer * 100_000, (writer + 1) * 100_000):
                try:
                    store.add_many("0" if movie % 2 else "1", {movie: 3.0})
                except StoreError as error:
                    refused.append(error)
                    return
                acknowledged.append(movie)

        writers = [threading.Thread(target=rate, args=(number,)) for number in range(3)]
        for writer in writers:
            writer.start()
        deadline = time.monotonic() + 30
        while len(acknowledged) < 60 and time.monotonic() < deadline:
            time.sleep(0.01)
        server.kill()
        for writer in writers:
            writer.join()
        assert len(refused) == 3
        with pytest.raises(StoreError):
            store.ping()
        server.start()
        stored = set(store.ratings_of("0")) | set(store.ratings_of("1"))
        assert len(acknowledged) >= 60
        assert set(acknowledged) <= stored
        assert len(stored) <= len(acknowledged) + 3  # one per writer may have been kept without the answer
        assert store.add_many("0", {260: 4.0}) == 1
        store.close()


@pytest.mark.parametrize("address", ["postgresql://ann:s3cret@127.0.0.1:1/x", "postgres://ann:s3cret@127.0.0.1:1/x"])
def test_a_server_that_is_not_there_is_reported_without_the_password(address: str) -> None:
    with pytest.raises(StoreError, match=r"database postgresql.*127\.0\.0\.1") as refused:
        RatingStore(address)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("address", ["mysql://ann:s3cret@h/x", "postgresql://ann:s3cret@h:port/x"])
def test_addresses_that_cannot_be_are_refused_without_the_password(address: str) -> None:
    with pytest.raises(ParameterError, match=r"database url.*postgresql://") as refused:
        RatingStore(address)
    assert "s3cret" not in str(refused.value)


def test_a_missing_driver_names_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_psycopg(name: str, *args: Any, **options: Any) -> Any:
        if name.split(".")[0] == psycopg.__name__:
            raise ModuleNotFoundError(name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without_psycopg)
    with pytest.raises(MissingExtraError, match=r"matinee\[postgres\]"):
        RatingStore("postgresql://127.0.0.1/x")

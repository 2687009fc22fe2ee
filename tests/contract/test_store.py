"""What every store of ratings does, whatever its database: a new one passes `StoreContract` in five lines."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, make_url, text

from matinee.errors import ParameterError, StoreError
from matinee.store.database import Database
from matinee.store.kept import KeptOf
from matinee.store.ratings import RatingStore
from matinee.store.schema import metadata

DAY = timedelta(days=1)
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


class StoreContract:
    """Subclass it and give a fixture `store`."""

    def test_nobody_is_known_at_first(self, store: RatingStore) -> None:
        assert store.ratings_of("0") == {}
        assert store.latest_of("0") == []
        assert not store.has_user("0")
        assert store.count() == 0

    def test_keeps_what_was_rated(self, store: RatingStore) -> None:
        assert store.add_many("0", {260: 4.0, 1: 0.5}) == 2
        assert store.add_many("someone-else", {260: 5.0}) == 1
        assert store.ratings_of("0") == {260: 4.0, 1: 0.5}
        assert store.has_user("0")
        assert store.count() == 3

    def test_rating_again_replaces_and_the_history_keeps_both(self, store: RatingStore) -> None:
        store.add_many("0", {260: 4.0})
        store.add_many("0", {260: 2.5})
        assert store.ratings_of("0") == {260: 2.5}
        assert [rating.stars for rating in store.history_of("0")] == [4.0, 2.5]

    def test_an_older_rating_goes_to_the_history_only(self, store: RatingStore) -> None:
        assert store.add_many("0", {260: 4.0}, {260: NOON}) == 1
        assert store.add_many("0", {260: 1.0, 1: 3.0}, {260: NOON - DAY, 1: NOON - DAY}) == 1
        assert store.ratings_of("0") == {260: 4.0, 1: 3.0}
        assert [rating.stars for rating in store.history_of("0")] == [4.0, 1.0, 3.0]

    def test_a_rating_given_now_counts_even_after_one_from_the_future(self, store: RatingStore) -> None:
        tomorrow = datetime.now(UTC) + DAY
        store.add_many("0", {260: 4.0}, {260: tomorrow})
        assert store.add_many("0", {260: 2.0}) == 1
        assert store.latest_of("0") == [(260, 2.0, tomorrow)]

    def test_newest_first_and_times_come_back_in_utc(self, store: RatingStore) -> None:
        there = timezone(timedelta(hours=2))
        store.add_many("0", {1: 1.0, 2: 2.0}, {1: NOON.astimezone(there), 2: NOON + timedelta(microseconds=1)})
        assert store.latest_of("0") == [(2, 2.0, NOON + timedelta(microseconds=1)), (1, 1.0, NOON)]
        assert {rating.rated_at.tzinfo for rating in store.latest_of("0")} == {UTC}

    def test_dated_and_undated_in_one_call(self, store: RatingStore) -> None:
        before = datetime.now(UTC)
        store.add_many("0", {1: 1.0, 2: 2.0}, {1: NOON})
        by_id = {rating.movie_id: rating.rated_at for rating in store.latest_of("0")}
        assert by_id[1] == NOON
        assert before - timedelta(seconds=1) <= by_id[2] <= datetime.now(UTC)

    def test_taking_back_also_hides_a_rating_from_elsewhere(self, store: RatingStore) -> None:
        store.add_many("42", {260: 4.0})
        base = {260: 1.0, 1: 2.0, 2: 3.0}
        assert store.ratings_of("42", base) == {260: 4.0, 1: 2.0, 2: 3.0}
        store.add_many("42", {260: None, 1: None})
        assert store.ratings_of("42", base) == {2: 3.0}
        assert store.ratings_of("42") == {}
        assert store.count() == 0

    def test_users_without_ratings_are_known(self, store: RatingStore) -> None:
        store.add_user("new")
        store.add_user("new")
        assert store.add_many("empty", {}) == 0
        assert store.has_user("new")
        assert store.has_user("empty")
        assert store.ratings_of("new") == {}

    def test_all_or_nothing(self, store: RatingStore) -> None:
        with pytest.raises(ParameterError, match="not all finite"):
            store.add_many("0", {260: 4.0, 1: float("nan")})
        with pytest.raises(ParameterError, match="no zone"):
            store.add_many("0", {260: 4.0, 1: 1.0}, {1: datetime(2026, 1, 2)})
        assert store.history_of("0") == []
        assert not store.has_user("0")

    @pytest.mark.parametrize("user_id", ["", " ", "a" * 65, "tab\t", "nul\0", "line\n", " 0"])
    def test_malformed_user_ids_are_refused(self, store: RatingStore, user_id: str) -> None:
        with pytest.raises(ParameterError, match="user id"):
            store.add_many(user_id, {260: 4.0})
        with pytest.raises(ParameterError, match="user id"):
            store.add_user(user_id)

    @pytest.mark.parametrize("user_id", ["'; DROP TABLE ratings; --", "<script>", "Zoë", "a" * 64, "🎬"])
    def test_any_visible_user_id_is_only_text(self, store: RatingStore, user_id: str) -> None:
        store.add_many(user_id, {260: 4.0})
        assert store.ratings_of(user_id) == {260: 4.0}

    @settings(
        max_examples=25,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    @given(
        ids=st.sets(
            st.integers(-(2**62), 2**62)
            | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
            | st.sampled_from(["007", "-1", "=", "=5", "٣", "tt0114709"]),
            max_size=8,
        )
    )
    def test_movie_ids_come_back_as_they_went_in(self, store: RatingStore, ids: set[int | str]) -> None:
        user_id = os.urandom(8).hex()
        wanted = {movie_id: 0.5 + place / 2 for place, movie_id in enumerate(ids)}
        store.add_many(user_id, wanted)
        got = store.ratings_of(user_id)
        assert got == wanted
        assert {type(movie_id) for movie_id in got} == {type(movie_id) for movie_id in wanted}

    def test_threads_lose_nothing(self, store: RatingStore) -> None:
        def rate(worker: int) -> None:
            for movie in range(10):
                store.add_many("shared", {worker * 100 + movie: 3.0, 7: worker + 0.5})

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(rate, range(1, 9)))
        assert len(store.ratings_of("shared")) == 81
        assert len(store.history_of("shared")) == 160

    def test_one_who_fails_among_many_takes_nobody_along(self, store: RatingStore) -> None:
        """Threads wait for the same commit; what fails is told to whom it belongs, and leaves nothing."""

        def rate(number: int) -> None:
            store.add_many(f"user {number}", {260: 3.0})

        def fail(number: int) -> None:
            def work(cursor: Any) -> None:
                cursor.execute(f"INSERT INTO users VALUES ('gone {number}', 1, 0)")
                cursor.execute("INSERT INTO users VALUES ('taken', 1, 0)")

            with pytest.raises(StoreError, match=r"(?i)unique"):
                store.database.write(work)

        store.add_user("taken")
        with ThreadPoolExecutor(16) as pool:
            done = [pool.submit(fail if number % 4 == 0 else rate, number) for number in range(64)]
            for one in done:
                one.result()
        assert store.count() == 48
        assert all(len(store.history_of(f"user {number}")) == (number % 4 > 0) for number in range(64))
        assert not any(store.has_user(f"gone {number}") for number in range(64))

    def test_ratings_of_one_call_are_in_the_history_as_they_came(self, store: RatingStore) -> None:
        store.add_many("0", {3: 1.0, 1: 2.0, 2: None}, {1: NOON})
        assert [rating.movie_id for rating in store.history_of("0")] == [3, 1, 2]


class TestSqliteFile(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[RatingStore]:
        store = RatingStore(f"sqlite:///{tmp_path}/new folder/matinee.db")
        yield store
        store.close()


class TestSqliteMemory(StoreContract):
    @pytest.fixture
    def store(self) -> Iterator[RatingStore]:
        store = RatingStore("sqlite://")
        yield store
        store.close()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/matinee.db"


def test_ratings_survive_closing(url: str) -> None:
    store = RatingStore(url)
    store.add_many("0", {260: 4.0})
    store.close()
    again = RatingStore(url)
    assert again.ratings_of("0") == {260: 4.0}
    again.close()


def test_sqlite_is_set_for_durability(url: str) -> None:
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}
    opened = Database(url)
    with opened.reading() as connection:
        got = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in wanted}
    opened.close()
    assert got == wanted


def test_migrations_make_the_schema_that_the_code_describes(url: str) -> None:
    opened = Database(url)
    with opened.reading() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    opened.close()
    assert differences == []


def test_a_block_that_fails_is_rolled_back(url: str) -> None:
    store, opened = RatingStore(url), Database(url)

    def fail_halfway() -> None:
        with opened.writing() as connection:
            connection.exec_driver_sql("INSERT INTO users VALUES ('0', 1, 0)")
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        fail_halfway()
    assert not store.has_user("0")
    store.close()
    opened.close()


def test_forgetting_a_user_takes_their_ratings_along(url: str) -> None:
    store, opened = RatingStore(url), Database(url)
    store.add_many("0", {260: 4.0})
    with opened.writing() as connection:
        connection.exec_driver_sql("DELETE FROM users")
    assert store.history_of("0") == store.latest_of("0") == []
    store.close()
    opened.close()


def test_a_newer_database_is_refused(url: str, tmp_path: Path) -> None:
    RatingStore(url).close()
    with sqlite3.connect(tmp_path / "matinee.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(StoreError, match=r"newer version of matinee .*upgrade"):
        RatingStore(url)


def test_a_file_that_is_no_database_is_refused(url: str, tmp_path: Path) -> None:
    (tmp_path / "matinee.db").write_bytes(b"movieId,rating\n" * 100)
    with pytest.raises(StoreError, match=r"matinee\.db.*not a database"):
        RatingStore(url)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be made"):
        RatingStore(f"sqlite:///{tmp_path}/file/matinee.db")


@pytest.mark.parametrize("bad", ["nonsense", "", "unknown://x", "sqlite:/x"])
def test_malformed_urls_are_refused(bad: str) -> None:
    with pytest.raises(ParameterError, match="database url"):
        RatingStore(bad)


def _open_and_rate(url: str, user_id: str) -> None:
    store = RatingStore(url)
    for movie in range(10):
        store.add_many(user_id, {movie: 3.0})
    store.close()


def test_processes_that_start_at_once_make_one_schema(url: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_open_and_rate, args=(url, f"user {number}")) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    store = RatingStore(url)
    assert store.count() == 40
    store.close()


def upgraded_by_two_at_once(url: str) -> None:
    """A database of the first version is opened by two processes: one upgrades it, and nothing of it is lost."""
    address = make_url(url)
    driver = "postgresql+psycopg" if address.drivername == "postgresql" else address.drivername
    engine = create_engine(address.set(drivername=driver))
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", "matinee.store:migrations")
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(text("INSERT INTO users VALUES ('ann', 0)"))
        connection.execute(text("INSERT INTO ratings VALUES ('ann', '260', 4.5, 0)"))
    engine.dispose()
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_open_and_rate, args=(url, f"user {number}")) for number in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    opened, store = Database(url), RatingStore(url)
    with opened.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    assert store.ratings_of("ann") == {260: 4.5}
    assert store.count() == 21
    store.close()
    opened.close()


def test_an_old_database_is_upgraded_by_two_processes_at_once(url: str) -> None:
    upgraded_by_two_at_once(url)


WRITER = """
import sys
from matinee.store.ratings import RatingStore
store = RatingStore(sys.argv[1])
for movie in range(100_000):
    store.add_many("0", {movie: 3.0})
    print(movie, flush=True)
"""


def test_kill_after_an_acknowledged_write_loses_nothing(url: str) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, url], stdout=subprocess.PIPE, text=True)
    assert writer.stdout
    acknowledged = [int(writer.stdout.readline()) for _ in range(20)]
    writer.send_signal(signal.SIGKILL)
    acknowledged += [int(line) for line in writer.stdout.read().split()]
    writer.stdout.close()
    writer.wait(10)
    store = RatingStore(url)
    assert set(acknowledged) <= set(store.ratings_of("0"))
    store.close()


def test_queries_of_many_threads_share_few_connections_and_end_with_the_database(tmp_path: Path) -> None:
    """Reading takes a connection that is free; two threads never get the same one, and closing leaves no file open."""
    store = RatingStore(f"sqlite:///{tmp_path / 'm.db'}")
    kept_of = KeptOf(store.database)
    for user in range(20):
        store.add_many(str(user), dict.fromkeys(range(1, 30), 0.5 + user % 10 / 2))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda turn: (turn % 20, kept_of(str(turn % 20))), range(400)))
    assert all(set(kept.ratings.values()) == {0.5 + user % 10 / 2} and kept.known for user, kept in found)
    assert len(store.database._idle) <= 4
    store.add_many("0", {1: 5.0})
    assert kept_of("0").ratings[1] == 5.0  # what was kept a moment ago is there
    store.close()
    opened = [file.resolve() for file in Path("/proc/self/fd").iterdir() if file.is_symlink()]
    assert not any(file.name.startswith("m.db") for file in opened)

"""What writers of SQLite are told, and hear of, while another one holds the database."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from matinee.errors import StoreError
from matinee.store import database
from matinee.store.ratings import RatingStore


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "matinee.db"


@contextmanager
def locked(file: Path) -> Iterator[sqlite3.Connection]:
    """Hold the lock of writers until the block ends, or its connection rolls back."""
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    yield other
    if other.in_transaction:
        other.execute("ROLLBACK")
    other.close()


def test_a_locked_database_is_reported_and_works_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.1)
    store = RatingStore(f"sqlite:///{file}")
    with locked(file):
        with pytest.raises(StoreError, match="locked"):
            store.add_many("0", {260: 4.0})
        assert store.ratings_of("0") == {}  # readers go on
    assert store.add_many("0", {260: 4.0}) == 1
    store.close()


def test_all_who_wait_are_told_of_a_locked_database_at_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.5)
    store = RatingStore(f"sqlite:///{file}")
    began = time.monotonic()
    with locked(file), ThreadPoolExecutor(10) as pool:
        asked = [pool.submit(store.add_many, f"user {number}", {260: 4.0}) for number in range(10)]
        assert all(isinstance(one.exception(), StoreError) for one in asked)
    assert time.monotonic() - began < 10 * 0.5  # two waits, not ten: those who came while the first waited share one
    assert store.add_many("0", {260: 4.0}) == 1
    assert store.count() == 1
    store.close()


def test_says_that_it_waits_for_other_writers(file: Path) -> None:
    """Whoever shares threads hears of it before the wait begins, and gets the thread back after all of it."""
    began, ended = threading.Event(), threading.Event()

    @contextmanager
    def waiting() -> Iterator[None]:
        began.set()
        yield
        ended.set()

    RatingStore(f"sqlite:///{file}").close()
    store = RatingStore(f"sqlite:///{file}", waiting)
    began.clear()
    ended.clear()
    with locked(file) as other, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(store.add_many, "0", {260: 4.0})
        assert began.wait(5)
        assert not ended.wait(0.05)
        other.execute("ROLLBACK")
        assert asked.result() == 1
    assert ended.is_set()
    store.close()

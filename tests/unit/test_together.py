"""Writers that wait at the same time share a transaction, and nothing else: neither errors nor results."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from matinee.store.together import Together


class Journal:
    """A database that keeps lists of words: `committed` has one for each transaction."""

    def __init__(self) -> None:
        self.committed: list[list[str]] = []
        self.begun = 0
        self.closed = self.full = False

    @contextmanager
    def transaction(self) -> Iterator[list[str]]:
        if self.closed:
            raise OSError("closed")
        self.begun += 1
        words = list[str]()
        yield words
        if self.full:
            raise OSError("full")
        self.committed.append(words)


def says(word: str) -> Callable[[list[str]], str]:
    def work(words: list[str]) -> str:
        words.append(word)
        if word.startswith("bad"):
            raise ValueError(word)
        return word.upper()

    return work


def run_at_once(journal: Journal, words: list[str]) -> list[Any]:
    """Write all words by threads that wait for the same lock; returns what each got, an error too."""
    lock = threading.Lock()
    together = Together(journal.transaction, lock)
    with ThreadPoolExecutor(len(words)) as pool:
        with lock:
            asked = [pool.submit(together.run, says(word)) for word in words]
            while len(together._waiting) < len(words):
                time.sleep(0.001)
        return [one.exception() or one.result() for one in asked]


def test_who_waits_shares_one_transaction_and_gets_their_own_result() -> None:
    journal = Journal()
    assert run_at_once(journal, ["a", "b", "c"]) == ["A", "B", "C"]
    assert [sorted(words) for words in journal.committed] == [["a", "b", "c"]]


def test_who_fails_fails_alone_and_nobody_writes_twice() -> None:
    journal = Journal()
    first, bad, third, worse = run_at_once(journal, ["a", "bad", "c", "bad too"])
    assert (first, third) == ("A", "C")
    assert isinstance(bad, ValueError)
    assert (bad.args, worse.args) == (("bad",), ("bad too",))
    assert sorted(journal.committed) == [["a"], ["c"]]


def test_a_commit_that_fails_is_acknowledged_to_nobody() -> None:
    journal = Journal()
    journal.full = True
    assert [str(error) for error in run_at_once(journal, ["a", "b", "c"])] == ["full"] * 3
    assert (journal.committed, journal.begun) == ([], 1)


def test_where_none_can_begin_all_are_told_at_once() -> None:
    journal = Journal()
    journal.closed = True
    assert [str(error) for error in run_at_once(journal, ["a", "b", "c"])] == ["closed"] * 3


def test_goes_on_after_errors() -> None:
    journal, lock = Journal(), threading.Lock()
    together = Together(journal.transaction, lock)
    with pytest.raises(ValueError, match="bad"):
        together.run(says("bad"))
    assert together.run(says("good")) == "GOOD"
    assert journal.committed == [["good"]]
    assert not lock.locked()


def test_an_interrupted_writer_leaves_nobody_waiting_or_believing() -> None:
    journal, lock = Journal(), threading.Lock()
    together = Together(journal.transaction, lock)

    def interrupt(_: list[str]) -> None:
        raise KeyboardInterrupt

    with ThreadPoolExecutor(2) as pool:
        with lock:
            asked = [pool.submit(together.run, work) for work in (interrupt, says("a"))]
            while len(together._waiting) < 2:
                time.sleep(0.001)
        assert all(isinstance(one.exception(), KeyboardInterrupt) for one in asked)
    assert journal.committed == []

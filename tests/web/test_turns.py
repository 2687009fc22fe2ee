"""Requests take turns: one works, others while it waits or takes long, and never more than are allowed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from matinee.web.turns import BESIDE, Turns


class Application:
    """Counts who works at the same time; what a request does is said by its path."""

    def __init__(self, work: dict[str, Callable[[], None]]) -> None:
        self.working, self.most, self._lock, self._work = 0, 0, threading.Lock(), work

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        with self.counted():
            self._work[environ["PATH_INFO"]]()
        return [b""]

    @contextmanager
    def counted(self) -> Iterator[None]:
        with self._lock:
            self.working += 1
            self.most = max(self.most, self.working)
        try:
            yield
        finally:
            with self._lock:
                self.working -= 1


def ask(answer: Any, paths: list[str]) -> float:
    """Ask for all paths at once; returns how long the last answer took."""
    threads = [threading.Thread(target=answer, args=({"PATH_INFO": path}, None)) for path in paths]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    return time.monotonic() - begun


def test_short_requests_work_one_after_the_other() -> None:
    application = Application({"/": lambda: time.sleep(0.002)})
    ask(Turns(4).taking(application), ["/"] * 8)
    assert application.most == 1


def test_others_work_beside_one_that_takes_long_but_not_more_than_allowed() -> None:
    application = Application({"/": lambda: time.sleep(0.2)})
    seconds = ask(Turns(4).taking(application), ["/"] * 8)
    assert application.most == 4
    assert seconds < 1.2  # one after the other they would take 1.6


def test_others_work_while_one_waits() -> None:
    turns, meet = Turns(4), threading.Barrier(2, timeout=5)

    def wait() -> None:
        with turns.given_away():
            meet.wait()  # for the other one, who would otherwise wait for the turn

    ask(turns.taking(Application({"/": wait})), ["/"] * 2)
    assert not meet.broken


def test_a_turn_is_given_back_whatever_happens() -> None:
    turns = Turns(1)

    def fail() -> None:
        with turns.given_away():
            raise ValueError("it went wrong")

    answer = turns.taking(Application({"/": fail, "/well": lambda: None}))
    for _ in range(3):
        with pytest.raises(ValueError, match="it went wrong"):
            answer({"PATH_INFO": "/"}, None)  # type: ignore[arg-type]
    assert ask(answer, ["/well"] * 3) < 5


def test_who_has_no_turn_gives_none_away() -> None:
    turns, done = Turns(1), []
    with turns.given_away():
        ask(turns.taking(Application({"/": lambda: done.append(1)})), ["/"])
    assert done == [1]


def test_who_may_work_beside_others_waits_for_no_turn() -> None:
    turns, done = Turns(1), threading.Event()

    def short() -> None:
        answer({"PATH_INFO": "/short", BESIDE: True}, None)  # type: ignore[arg-type]

    def long() -> None:
        thread = threading.Thread(target=short)
        thread.start()
        assert done.wait(10)  # answered while this one has the only turn
        thread.join(10)

    answer = turns.taking(Application({"/": long, "/short": done.set}))
    ask(answer, ["/"])

"""Requests that have arrived are answered a few at a time; those still arriving only wait, each in a thread of its own.

Whoever sends a body slowly, by bad luck or on purpose, then keeps nobody else from being answered. Threads wait
for `MOST_BODIES` of them at most: whoever sends one more is told to come back; what has no body is answered as ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Semaphore

from apiflask import APIFlask
from flask import g

from matinee.web.problems import refuse

MOST_ARRIVING = 1280
"""Requests that a process can have under way: a thread that waits for bytes costs some 20 kB and no time."""
MOST_BODIES = MOST_ARRIVING - 64
"""Bodies that may be arriving in a process; a server cannot tell a slow sender from one who never ends."""
RETRY_AFTER_S = 10


class Arriving:
    """Counts the bodies that are arriving."""

    def __init__(self, most: int = MOST_BODIES) -> None:
        self._most, self._room = most, Semaphore(most)

    @contextmanager
    def one(self) -> Iterator[None]:
        """Wait for a body in the block.

        Raises
        ------
        HTTPError
            503, if too many are waited for.
        """
        if not self._room.acquire(blocking=False):
            detail = f"{self._most} requests are still sending their body: send yours again in {RETRY_AFTER_S} seconds"
            raise refuse(503, detail, headers={"Retry-After": str(RETRY_AFTER_S)})
        try:
            yield
        finally:
            self._room.release()


def register(app: APIFlask, at_once: int) -> None:
    """Let `at_once` requests of `app` work at the same time.

    Must be called after what reads the body was registered, and before what does the work.
    """
    turns = Semaphore(at_once)

    @app.before_request
    def take_turn() -> None:
        turns.acquire()
        g.has_turn = True

    @app.teardown_request
    def give_turn_back(_error: BaseException | None) -> None:
        if g.pop("has_turn", False):
            turns.release()

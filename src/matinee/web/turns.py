"""Requests that have arrived are answered one at a time; those still arriving only wait, each in a thread of its own.

Whoever sends a body slowly, by bad luck or on purpose, then keeps nobody else from being answered. Threads wait
for `MOST_BODIES` of them at most: whoever sends one more is told to come back; what has no body is answered as ever.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Lock, Semaphore
from typing import TYPE_CHECKING

from matinee.web.problems import refuse

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MOST_ARRIVING = 1280
"""Requests that a process can have under way: a thread that waits for bytes costs some 20 kB and no time."""
MOST_BODIES = MOST_ARRIVING - 64
"""Bodies that may be arriving in a process; a server cannot tell a slow sender from one who never ends."""
RETRY_AFTER_S = 10
PATIENCE_S = 0.02
"""After so long with the same request at work others begin beside it."""


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


class Turns:
    """Lets requests of an application work one after the other, and beside one that takes long.

    Threads that want the interpreter at the same time hand it to each other at every call that lets go of it, thirty
    times a request, which costs half as much again as the request. So each waits for its turn before anything is done
    for it, and gives it away while it only waits: for a body, for a commit.

    Parameters
    ----------
    at_once
        How many may work beside each other where some take long.
    """

    def __init__(self, at_once: int) -> None:
        self._turn, self._beside = Lock(), Semaphore(at_once - 1)
        self._taken, self._mine = 0.0, threading.local()

    def taking(self, application: WSGIApplication) -> WSGIApplication:
        """Return the application, its requests in turns."""

        def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            self._take()
            try:
                return application(environ, start_response)
            finally:
                self._leave()

        return answer

    @contextmanager
    def given_away(self) -> Iterator[None]:
        """Let others work during the block, which only waits; does nothing for who is in no turn."""
        if not getattr(self._mine, "working", False):
            yield
            return
        self._leave()
        try:
            yield
        finally:
            self._take()

    def _take(self) -> None:
        alone = self._turn.acquire(blocking=False)
        while not alone:
            if time.monotonic() - self._taken >= PATIENCE_S and self._beside.acquire(blocking=False):
                break
            alone = self._turn.acquire(timeout=PATIENCE_S)
        self._mine.working, self._mine.alone = True, alone
        if alone:
            self._taken = time.monotonic()

    def _leave(self) -> None:
        self._mine.working = False
        (self._turn if self._mine.alone else self._beside).release()

"""Requests are answered one at a time in a process, unless one takes long or waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Lock, Semaphore
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PATIENCE_S = 0.02
"""After so long with the same request at work others begin beside it."""
BESIDE = "matinee.beside"
"""Set in the environment of a request, it lets that one work beside whoever has the turn, without waiting for it."""


class Turns:
    """Lets requests of an application work one after the other, and beside one that takes long.

    Threads that want the interpreter at the same time hand it to each other at every call that lets go of it, thirty
    times a request, which costs half as much again as the request. So each waits for its turn before anything is done
    for it, and gives it away while it only waits, for a commit.

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
            if BESIDE in environ:
                return application(environ, start_response)
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

"""Requests that have arrived are answered a few at a time; those still arriving only wait, each in a thread of its own.

Whoever sends a body slowly, by bad luck or on purpose, then keeps nobody else from being answered.
"""

from __future__ import annotations

from threading import Semaphore

from apiflask import APIFlask
from flask import g

MOST_ARRIVING = 1024
"""Requests that a process can have under way: a thread that waits for bytes costs some 20 kB and no time."""


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

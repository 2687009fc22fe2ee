"""Answers to requests with an idempotency key: whoever repeats the request gets the answer again, not the effect."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import delete, select, update

from matinee.store.database import Database
from matinee.store.schema import replays
from matinee.store.times import now

KEPT = timedelta(hours=24)
"""How long an answer is kept."""
STALE = timedelta(minutes=1)
"""After so long without an answer, whoever was answering died."""


class Replay(NamedTuple):
    """A request that was made before; `status` and `body` are None while it is being answered."""

    fingerprint: str
    status: int | None
    body: str | None


class ReplayStore:
    """Idempotency keys, each in its scope: a person's id, or empty for the operator.

    Parameters
    ----------
    database
        Where they are kept; every method may raise `StoreError`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._add = database.insert(replays).on_conflict_do_nothing().returning(replays.c.key)

    def claim(self, scope: str, key: str, fingerprint: str) -> Replay | None:
        """Return what became of the request that had this key before; None if this is the first, which is noted."""
        asked = now()
        mine = (replays.c.scope == scope) & (replays.c.key == key)
        with self._database.writing() as connection:
            old = replays.c.asked_at < asked - KEPT // timedelta(microseconds=1)
            dead = replays.c.status.is_(None) & (replays.c.asked_at < asked - STALE // timedelta(microseconds=1))
            connection.execute(delete(replays).where(old | (mine & dead)))
            row = {"scope": scope, "key": key, "fingerprint": fingerprint, "asked_at": asked}
            if connection.execute(self._add, row).first() is not None:
                return None
            found = connection.execute(
                select(replays.c.fingerprint, replays.c.status, replays.c.body).where(mine)
            ).one()
        return Replay(*found)

    def answer(self, scope: str, key: str, status: int, body: str) -> None:
        """Keep the answer."""
        mine = (replays.c.scope == scope) & (replays.c.key == key)
        with self._database.writing() as connection:
            connection.execute(update(replays).where(mine).values(status=status, body=body))

    def release(self, scope: str, key: str) -> None:
        """Let the request be made again: it failed for a reason of ours."""
        with self._database.writing() as connection:
            connection.execute(delete(replays).where((replays.c.scope == scope) & (replays.c.key == key)))

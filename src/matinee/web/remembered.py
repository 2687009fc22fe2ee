"""People whose ratings were placed in the model already, as long as their revision is the same.

What is kept is what ratings became, never a list: filters, order, dials and reasons are worked out at every request.
Each process keeps its own, which goes with the model. An entry is found only by the revision that the database names in
the request itself, so that it is never out of date: a rating, a mark or being forgotten leaves nothing that anybody can
reach, in any process, and what nobody reaches is dropped after `UNUSED_S` seconds.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from matinee.models.factors import Id
from matinee.recommend.placed import Placed

MOST_BYTES = 12 << 20
"""Of a process: some 6,000 people with 60 ratings each."""
BYTES_APIECE = 1_100
"""What an entry takes beside its numbers."""
UNUSED_S = 3600.0


class Remembered(NamedTuple):
    """Somebody: where they are in the models, and what they do not want to see again."""

    placed: Placed
    not_interested: tuple[Id, ...]


class _Entry(NamedTuple):
    revision: int
    used: float
    person: Remembered


class RememberedPeople:
    """Those who asked last.

    Parameters
    ----------
    most_bytes
        What entries may take together.
    clock
        Seconds that never go back.

    Attributes
    ----------
    bytes
        What they take.
    """

    def __init__(self, most_bytes: int = MOST_BYTES, clock: Callable[[], float] = time.monotonic) -> None:
        self._most_bytes, self._clock = most_bytes, clock
        self._entries: OrderedDict[str, _Entry] = OrderedDict()  # who asked last is the last
        self.bytes = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, user_id: str, revision: int) -> Remembered | None:
        """Return somebody unless they have changed since they were kept."""
        with self._lock:
            entry = self._entries.get(user_id)
            if entry is None or entry.revision != revision:
                return None
            self._entries[user_id] = entry._replace(used=self._clock())
            self._entries.move_to_end(user_id)
            return entry.person

    def keep(self, user_id: str, revision: int, person: Remembered) -> None:
        """Keep somebody as they are at a revision."""
        now = self._clock()
        with self._lock:
            self._drop(user_id)
            self._entries[user_id] = _Entry(revision, now, person)
            self.bytes += _size(person)
            while self._entries and (self.bytes > self._most_bytes or self._oldest() < now - UNUSED_S):
                self._drop(next(iter(self._entries)))

    def forget(self, user_id: str) -> None:
        """Drop somebody at once."""
        with self._lock:
            self._drop(user_id)

    def _oldest(self) -> float:
        return self._entries[next(iter(self._entries))].used

    def _drop(self, user_id: str) -> None:
        entry = self._entries.pop(user_id, None)
        if entry is not None:
            self.bytes -= _size(entry.person)


def _size(person: Remembered) -> int:
    return BYTES_APIECE + person.placed.nbytes + 64 * len(person.not_interested)

"""Writers that wait for the disk at the same time share one transaction: as durable, and one wait for all."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import Lock
from typing import Any, Generic, TypeVar

_T = TypeVar("_T")


class _Write(Generic[_T]):
    def __init__(self, work: Callable[[Any], _T]) -> None:
        self.work = work
        self.ended = False
        self.result: _T
        self.error: BaseException | None = None


class Together:
    """Runs what threads want to write; each has its own result or error, after the commit.

    Whoever gets the lock first writes for all who wait for it then. If one of them fails, everything is rolled back and
    each is written by itself, so that nobody fails for another's reason.

    Parameters
    ----------
    transaction
        Begins one, gives a cursor of the driver, and commits at the end of the block, or rolls back.
    lock
        Held by the process's writers, others than these too.
    """

    def __init__(self, transaction: Callable[[], AbstractContextManager[Any]], lock: Lock) -> None:
        self._transaction, self._lock = transaction, lock
        self._waiting: deque[_Write[Any]] = deque()

    def run(self, work: Callable[[Any], _T]) -> _T:
        """Run `work`, given a cursor, in a transaction, possibly twice; return what it does, once it is committed."""
        mine = _Write(work)
        self._waiting.append(mine)
        with self._lock:
            if not mine.ended:
                self._write([self._waiting.popleft() for _ in range(len(self._waiting))])
        if mine.error is not None:
            raise mine.error
        return mine.result

    def _write(self, writes: list[_Write[Any]]) -> None:
        begun = ran = False
        error: BaseException | None = None
        try:
            with self._transaction() as cursor:
                begun = True
                for write in writes:
                    write.result = write.work(cursor)
                ran = True
        except BaseException as raised:
            error = raised
        if len(writes) > 1 and begun and not ran and isinstance(error, Exception):
            for write in writes:
                self._write([write])
        else:
            for write in writes:
                write.error, write.ended = error, True

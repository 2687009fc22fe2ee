"""How often somebody may ask: one small file of counters that all processes of a machine map."""

from __future__ import annotations

import fcntl
import hashlib
import math
import mmap
import os
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

SLOTS = 1 << 16
"""People and addresses share a counter where their hashes do: with 5,000 of them, one in 13 shares."""
_SLOT = struct.Struct("d")


class RateLimiter:
    """The generic cell rate algorithm: each counter is the moment at which its owner will have paid for all they asked.

    Only hashes of who asks decide on a counter's place, and only times are kept, so that the file knows nobody.

    Parameters
    ----------
    path
        The file; made where it is missing.
    clock
        Seconds that never go back and are the same in all processes.

    Raises
    ------
    OSError
        If the file cannot be made.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if os.fstat(self._file).st_size < SLOTS * _SLOT.size:
            os.ftruncate(self._file, SLOTS * _SLOT.size)
        self._slots = mmap.mmap(self._file, SLOTS * _SLOT.size)
        self._clock = clock
        self._thread = threading.Lock()

    def close(self) -> None:
        """Let go of the file."""
        self._slots.close()
        os.close(self._file)

    def wait(self, who: str, allowed: int, seconds: float) -> int:
        """Count one request, unless it is one too many.

        Parameters
        ----------
        who
            Whom to count it for.
        allowed, seconds
            So many requests are let through in so many seconds, all at once if need be.

        Returns
        -------
        int
            0, or after how many whole seconds to ask again.
        """
        digest = hashlib.blake2b(who.encode(), digest_size=8).digest()
        offset = int.from_bytes(digest, "little") % SLOTS * _SLOT.size
        cost = seconds / allowed
        now = self._clock()
        with self._turn(offset):
            paid: float = _SLOT.unpack_from(self._slots, offset)[0]
            if not now <= paid <= now + seconds:
                paid = now  # paid long ago, or what an earlier start of the machine left, which means nothing
            if paid + cost > now + seconds + 1e-9:
                return math.ceil(paid + cost - now - seconds)
            _SLOT.pack_into(self._slots, offset, paid + cost)
        return 0

    @contextmanager
    def _turn(self, offset: int) -> Iterator[None]:
        with self._thread:  # locks of files are a process's, not a thread's
            fcntl.lockf(self._file, fcntl.LOCK_EX, _SLOT.size, offset)
            try:
                yield
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN, _SLOT.size, offset)

"""What keeps the processes of a service small: they hold one model each, and take turns at everything.

With another C library than GNU's, and another allocator than polars has on Linux, nothing happens.
"""

from __future__ import annotations

import ctypes
import gc
import os
from contextlib import suppress

_MALLOPT = (-8, 1), (-3, 1 << 20), (-1, 4 << 20)
"""By their numbers in malloc.h: M_ARENA_MAX, so that threads share a heap; M_MMAP_THRESHOLD and M_TRIM_THRESHOLD, so
that it gives back what it has too much of (both would grow with the largest array that there ever was)."""
_OF_TABLES = {
    "POLARS_MAX_THREADS": "1",
    "_RJEM_MALLOC_CONF": "narenas:1,dirty_decay_ms:0,muzzy_decay_ms:0",
}
"""What polars and its allocator read when they are imported; a service reads two small tables, once for each model."""


def keep_small() -> None:
    """Choose a small heap for this process and those that it forks; to be called before anything large is imported."""
    for name, chosen in _OF_TABLES.items():
        os.environ.setdefault(name, chosen)
    with suppress(AttributeError, OSError, TypeError):
        for option, value in _MALLOPT:
            ctypes.CDLL(None).mallopt(option, value)


def give_back() -> None:
    """Return to the system what was freed; the heap would keep it for later.

    What is left stays, and no collection of garbage looks through it again: that would stop all requests of the process
    for a tenth of a second, and copy every page that it shares with others.
    """
    gc.collect()
    gc.freeze()
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)

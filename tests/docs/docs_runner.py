"""Runs the blocks of a page in order, as a reader would, and compares what they print with what the page shows.

- ```python: executed, all blocks of a page in one namespace; a ```text block right after it is what it prints.
- ```console: lines after `$ ` are commands for bash, the lines below a command are what it prints. A command that ends
  in ` &` is a service: it runs until the page ends.
- Anything else, and blocks after `<!-- not run -->`, is left alone; after `<!-- Spark -->` it is for the Spark tests.

Fractions agree if they differ by at most 2 %, since kernels round differently on different machines; whole numbers must
be the same. A line of `...` stands for any lines, `...` inside one for any word, or
any part of one.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BLOCK = re.compile(
    r"^(?:<!-- (?P<mark>not run|Spark) -->\n)?```(?P<kind>\w+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)
NUMBER = re.compile(r"-?\d+\.\d+")
PORT = re.compile(r"(?<=127\.0\.0\.1:)8000\b|(?<=--port )8000\b")
"""The port that pages mention; a test uses a free one."""


@dataclass
class Page:
    """One page, run in a folder of its own."""

    path: Path
    folder: Path
    port: str
    places: dict[str, str] = field(default_factory=dict)  # what stands for paths of the page
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "__main__"})
    services: list[subprocess.Popen[bytes]] = field(default_factory=list)
    mark: str | None = None  # of the blocks that are run

    def blocks(self) -> Iterator[tuple[str, int, str]]:
        text = self.path.read_text("utf-8")
        for match in BLOCK.finditer(text):
            if match["mark"] == self.mark:
                yield match["kind"], text.count("\n", 0, match.start("body")) + 1, match["body"]

    def section(self, heading: str) -> None:
        """Run the commands below a heading, up to the next one."""
        text = self.path.read_text("utf-8")
        start = text.index(f"\n{heading}\n") + len(heading) + 2
        first, last = text.count("\n", 0, start), text.count("\n", 0, (text + "\n#").index("\n#", start))
        for kind, line, body in self.blocks():
            if kind == "console" and first < line <= last:
                self.console(body, line)

    def here(self, text: str) -> str:
        """Return text of the page with the port and the places of this run."""
        for place, mine in self.places.items():
            text = text.replace(place, mine)
        return PORT.sub(self.port, text)

    def run(self) -> None:
        printed: str | None = None
        for kind, line, body in self.blocks():
            if kind == "console":
                self.console(body, line)
            elif kind == "python":
                printed = self.python(body, line)
                continue
            elif kind == "text" and printed is not None:
                self.compare(body, printed, line)
            printed = None

    def python(self, body: str, line: int) -> str:
        with contextlib.redirect_stdout(io.StringIO()) as out:
            code = "\n" * (line - 1) + self.here(body)
            exec(compile(code, str(self.path), "exec"), self.names)
        return out.getvalue()

    def console(self, body: str, line: int) -> None:
        for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
            command, _, expected = part.partition("\n")
            while command.endswith("\\"):
                more, _, expected = expected.partition("\n")
                command = f"{command}\n{more.removeprefix('> ')}"
            self.command(self.here(command), expected, line)

    def command(self, command: str, expected: str, line: int) -> None:
        if command.endswith(" &"):
            self.services.append(subprocess.Popen(["bash", "-c", f"exec {command[:-2]}"], stderr=subprocess.DEVNULL))
            self.wait_until_ready()
            return
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=100, check=False)
        assert done.returncode == 0, f"{self.path.name}, line {line}: {command}\n{done.stderr}"
        if expected.strip():
            self.compare(self.here(expected), done.stdout, line)

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and self.services[-1].poll() is None:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5).close()
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError(f"{self.path.name}: the service did not become ready")

    def compare(self, expected: str, printed: str, line: int) -> None:
        assert agree(expected.splitlines(), printed.splitlines()), (
            f"{self.path.name}, line {line}: the page shows\n{expected}\nand it prints\n{printed}"
        )

    def stop(self) -> None:
        for service in self.services:
            service.send_signal(signal.SIGINT)
        for service in self.services:
            service.wait(timeout=60)
        self.services.clear()


def agree(expected: list[str], printed: list[str]) -> bool:
    """Compare line by line; `...` stands for any lines."""
    expected, printed = ([line for line in lines if line.strip()] for lines in (expected, printed))
    if not expected:
        return not printed
    if expected[0].strip() == "...":
        return any(agree(expected[1:], printed[start:]) for start in range(len(printed) + 1))
    return bool(printed) and same_line(expected[0], printed[0]) and agree(expected[1:], printed[1:])


def same_line(expected: str, printed: str) -> bool:
    """Compare words exactly, fractions to 2 %."""
    words, found = expected.split(), printed.split()
    return len(words) == len(found) and all(map(same_word, words, found))


def same_word(expected: str, printed: str) -> bool:
    """Compare two words; the text around fractions must be the same."""
    if "..." in expected:
        return re.fullmatch(".*".join(map(re.escape, expected.split("..."))), printed) is not None
    numbers = [[float(number) for number in NUMBER.findall(word)] for word in (expected, printed)]
    close = (abs(a - b) <= 0.02 * abs(a) + 0.02 for a, b in zip(*numbers, strict=False))
    return NUMBER.sub("#", expected) == NUMBER.sub("#", printed) and all(close)


def environment(home: Path) -> dict[str, str]:
    """Return what commands need: the `matinee` beside this Python, and a home of their own."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "MATINEE_HOME": str(home)}

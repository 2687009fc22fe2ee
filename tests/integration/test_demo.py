"""`matinee demo`, as a script and as a person meet it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from matinee.registry import Registry

pytestmark = pytest.mark.xdist_group("demo")


def demo(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the demo with nothing on standard input."""
    environment = {**os.environ, "MATINEE_HOME": str(home)}
    environment.pop("MATINEE_DATABASE_URL", None)
    return subprocess.run(
        [sys.executable, "-c", "from matinee.cli import main; main()", "demo", *arguments],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment, timeout=110, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the demo ran once."""
    folder = tmp_path_factory.mktemp("demo-home")
    first = demo(folder, "--no-serve")
    assert first.returncode == 0, first.stderr
    assert "training" in first.stderr
    return folder


def test_it_prints_a_list_and_asks_itself(home: Path) -> None:
    done = demo(home, "--port", "0")
    assert done.returncode == 0, done.stderr
    listed, asked = done.stdout.split("Serving at http://127.0.0.1:")
    rows = [line for line in listed.splitlines() if re.match(r" *\d+  ", line)]
    assert len(rows) == 10
    answers = [json.loads(line) for line in asked.splitlines() if line.startswith("  [")]
    assert len(answers) == 10 + 5 + 1
    assert answers[0] == [0, 260, 4.0]
    assert all(isinstance(title, str) and 0.5 <= stars <= 5 and count >= 25 for title, stars, count in answers[10:15])
    assert answers[15][0] == "Mrs. Doubtfire (1993)"


def test_it_keeps_to_its_own_folder_and_trains_once(home: Path) -> None:
    assert [path.name for path in home.iterdir()] == ["demo"]
    before = Registry(home / "demo" / "models").list()
    done = demo(home, "--no-serve")
    assert done.returncode == 0, done.stderr
    assert "training" not in done.stderr
    assert "Serving" not in done.stdout
    assert Registry(home / "demo" / "models").list() == before


def test_a_model_that_cannot_be_read_is_trained_again(home: Path) -> None:
    current = Registry(home / "demo" / "models").current()
    (home / "demo" / "models" / str(current) / "users.npy").unlink()
    done = demo(home, "--no-serve")
    assert done.returncode == 0, done.stderr
    assert "training" in done.stderr

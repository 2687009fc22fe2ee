"""The tutorial's session on Spark prints what its page shows, and a release that Spark factored is served."""

from __future__ import annotations

import json
import shlex
import socket
import sys
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner
from pyspark.sql import SparkSession

from matinee.cli import cli

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "docs"))

from docs_runner import Page, environment  # noqa: E402

pytestmark = [pytest.mark.xdist_group("spark"), pytest.mark.timeout(300)]  # a timeout would break the session for all


class HerePage(Page):
    """A page whose commands run in this process, in the session of these tests."""

    def command(self, command: str, expected: str, line: int) -> None:
        if command.endswith(" &"):
            super().command(command, expected, line)
            return
        program, *arguments = shlex.split(command)
        assert program == "matinee"
        done = CliRunner().invoke(cli, arguments)
        assert done.exit_code == 0, f"{self.path.name}, line {line}: {command}\n{done.stderr}"
        if expected.strip():
            self.compare(expected, done.stdout, line)


def test_the_tutorial_on_spark(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for variable, value in environment(tmp_path / "home").items():
        monkeypatch.setenv(variable, value)
    (tmp_path / "user_ratings.file").write_text("260,4\n1,3\n16,3\n25,4\n32,4\n335,1\n379,1\n296,3\n858,5\n50,4\n")
    page = HerePage(ROOT / "docs/tutorial.md", tmp_path, "1", mark="Spark")
    assert len(list(page.blocks())) >= 3
    page.run()


def test_a_release_is_factored_on_spark_and_served(
    spark: SparkSession, small_zip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in environment(tmp_path / "home").items():
        monkeypatch.setenv(variable, value)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    page = HerePage(tmp_path / "page.md", tmp_path, port)
    quick = "--rank 4 --iterations 2 --picks-rank 8 --picks-iterations 2 --test 0"
    page.path.write_text(
        f"```console\n$ matinee train {small_zip} --engine spark {quick}\n$ matinee serve --port {port} &\n```\n"
    )
    try:
        page.run()
        ask = f"http://127.0.0.1:{port}/api/v1/users/414/recommendations?limit=5&genre_any=Comedy"
        with urllib.request.urlopen(ask, timeout=60) as response:
            answered = json.load(response)
    finally:
        page.stop()
    assert len(answered["recommendations"]) == 5
    assert all("Comedy" in film["genres"] and film["stars"] > 0 for film in answered["recommendations"])

"""Where the work is done: flags, memory, and a missing Java in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from matinee.cli import cli
from matinee.cli.engine import by_memory
from matinee.engines.spark.java import find_java
from matinee.models.parallel import free_bytes


def a_java(folder: Path, says: str) -> Path:
    """A program that answers as Java does."""
    program = folder / "bin" / "java"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho '{says}' >&2\n")
    program.chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("says", "version", "found"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17, "17 ("),
        ('openjdk version "21" 2023-09-19', 21, "21 ("),
        ('java version "1.8.0_281"', None, "is 8"),
        ("what?", None, "of unknown version"),
    ],
)
def test_java_is_asked(
    says: str, version: int | None, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(a_java(tmp_path, says)))
    assert find_java().version == version
    assert found in find_java().found


def test_no_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert find_java() == (None, f"no java in {tmp_path}")
    monkeypatch.delenv("JAVA_HOME")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_java() == (None, "no java on the path")


def test_without_java_training_on_spark_is_refused_in_one_line(tmp_path: Path) -> None:
    """In a process of its own: where a test's session runs, Java runs with it."""
    pytest.importorskip("pyspark")
    command = [sys.executable, "-c", "from matinee.cli import main; main()", "train", "sample", "--engine", "spark"]
    environment = os.environ | {"JAVA_HOME": str(tmp_path)}
    result = subprocess.run([*command, "--home", str(tmp_path)], env=environment, capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr.startswith("matinee: Spark needs Java, and no java in")
    assert "install Java 17 or newer" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--master", "local"], 2, "for --engine spark"),
        (["--engine", "spark", "--conf", "cores=2"], 1, "give spark.NAME=VALUE"),
        (["--engine", "flink"], 2, "'flink'"),
    ],
)
def test_wrong_flags(arguments: list[str], code: int, said: str, tmp_path: Path) -> None:
    pytest.importorskip("pyspark")
    result = CliRunner().invoke(cli, ["train", "sample", *arguments, "--home", str(tmp_path)])
    assert result.exit_code == code
    assert said in result.stderr


@pytest.mark.skipif(find_java().version is None, reason="no Java to start")
@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--conf", "spark.driver.memory=lots"], "on local[*]: Invalid maximum heap size: -Xmxlots"),
        (["--master", "spurk://h"], "on spurk://h: Master must either be yarn or start with spark, k8s, or local"),
    ],
)
def test_java_that_does_not_start_is_one_line(flags: list[str], said: str, tmp_path: Path) -> None:
    """In a process of its own: Java prints on the standard error that it inherits."""
    pytest.importorskip("pyspark")
    command = [Path(sys.executable).parent / "matinee", "train", "sample", "--engine", "spark", "--home", tmp_path]
    done = subprocess.run([*command, *flags], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == f"matinee: Spark did not start {said}\n"


def test_the_engine_is_chosen_by_memory(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_bytes(b"x" * 1000)
    assert by_memory(str(tmp_path / "r.csv"), 10**9)[0] == "local"
    engine, why = by_memory(str(tmp_path / "r.csv"), 1999)
    assert engine == "spark"
    assert "takes about 0.0 GB of the 0.0 GB" in why
    assert by_memory("s3a://bucket/r.parquet", 10**9)[0] == "spark"
    assert by_memory("ml-32m", 1)[0] == "local"
    assert free_bytes() > 2**20

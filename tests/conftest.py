"""Fixtures that every test may use."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from bench import chromium
from hypothesis import settings

from matinee.engines.spark.java import CURE, find_java

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Compiling kernels or a busy machine make a first example slow; --timeout catches what hangs.
settings.register_profile("matinee", deadline=None)
settings.load_profile("matinee")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with the official ml-latest-small.zip (MATINEE_TEST_DATA; by default beside the checkout)."""
    folder = Path(os.environ.get("MATINEE_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "ml-latest-small.zip").exists():
        pytest.skip(f"no ml-latest-small.zip in {folder}: put the zip there or set MATINEE_TEST_DATA")
    return folder


@pytest.fixture(scope="session")
def small_zip(shared_data: Path) -> Path:
    """GroupLens's ml-latest-small of 2018-09, as published."""
    return shared_data / "ml-latest-small.zip"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Address of a running PostgreSQL."""
    import postgres

    with postgres.running_server() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """Address of an empty database on it."""
    import postgres

    with postgres.schema_of(postgres_server) as url:
        yield url


@cache
def spark_missing() -> str:
    """What the Spark tests lack, and the cure; empty where they run."""
    if importlib.util.find_spec("pyspark") is None:
        return "pyspark is not installed: pip install 'matinee[spark]'"
    java = find_java()
    return "" if java.version else f"{java.found}: {CURE}"


@cache
def browser_missing() -> str:
    """What the tests in a browser lack, and the cure; empty where they run."""
    if importlib.util.find_spec("playwright") is None:
        return "playwright is not installed: pip install 'matinee[test]'"
    return "" if chromium.executable() else "no Chromium: apt-get install chromium, or set MATINEE_CHROMIUM to one"


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """Two threads of a local Spark, shared by all tests of the group "spark"."""
    if spark_missing():
        pytest.skip(spark_missing())
    from bench.loopback import QUICK_START

    from matinee.engines.spark.session import spark_session

    small = {"spark.driver.memory": "1g", "spark.sql.shuffle.partitions": "2", "spark.default.parallelism": "2"}
    small["spark.driver.extraJavaOptions"] = QUICK_START
    with spark_session("local[2]", small) as session:
        yield session


collect_ignore_glob = ["spark/test_*.py"] if spark_missing() else []
if browser_missing():
    collect_ignore_glob += ["browser/*"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say once why the Spark tests did not run."""
    if spark_missing():
        terminalreporter.write_line(f"Spark tests left out: {spark_missing()}")
    if browser_missing():
        terminalreporter.write_line(f"Tests in a browser (tests/browser) left out: {browser_missing()}")

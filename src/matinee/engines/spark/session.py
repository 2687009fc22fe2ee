"""A Spark session: started with what factorization needs, stopped when done."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

from matinee.engines.spark.java import CURE, find_java, listening
from matinee.errors import EngineError, MissingExtraError, ParameterError

try:
    from py4j.protocol import Py4JError
    from pyspark import SparkConf, SparkContext
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession
except ImportError as error:
    raise MissingExtraError("The Spark engine", "spark") from error

STACK = "-Xss32m"
"""The lineage of many iterations, sent to the executors, overflows an ordinary stack."""
JAVA_OPTIONS = ("spark.driver.extraJavaOptions", "spark.executor.extraJavaOptions")

TASKS_PER_CORE = 2


def parse_conf(pairs: Iterable[str]) -> dict[str, str]:
    """Read ``spark.executor.memory=4g`` and the like.

    Raises
    ------
    ParameterError
        If one is not of that form.
    """
    conf = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.startswith("spark."):
            raise ParameterError(f"conf {pair!r}: give spark.NAME=VALUE, such as spark.executor.memory=4g")
        conf[name.strip()] = value.strip()
    return conf


@contextmanager
def spark_session(master: str | None = None, conf: Mapping[str, str] | None = None) -> Iterator[SparkSession]:
    """Open a session, or use the one that is there (a notebook's, spark-submit's) and leave it running.

    Parameters
    ----------
    master
        ``local[*]``, ``spark://host:7077``, ``yarn``, ``k8s://...``; None for spark-submit's, else ``local[*]``.
    conf
        Spark's own settings, which win over ours.

    Raises
    ------
    EngineError
        If Java is missing or too old, the session does not start, or Spark gives up later.
    """
    there = SparkSession.getActiveSession()
    if there is not None:
        with _one_line():
            yield there
        return
    java = find_java()
    if java.version is None:
        raise EngineError(f"Spark needs Java, and {java.found}: {CURE}")
    with tempfile.TemporaryDirectory(prefix="matinee-spark-") as scratch:
        session = _start(master, dict(conf or {}), scratch)
        try:
            with _one_line():
                yield session
        finally:
            session.stop()


@contextmanager
def _one_line() -> Iterator[None]:
    """Turn what Spark and Java throw into one line."""
    try:
        yield
    except (PySparkException, Py4JError) as error:
        raise EngineError(f"Spark gave up: {first_line(error)}") from error


def _start(master: str | None, conf: dict[str, str], scratch: str) -> SparkSession:
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    url = master or (None if submitted else "local[*]")
    settings = _settings((_submitted() if submitted else {}) | conf)
    if url is not None and on_this_machine(url):
        settings = {"spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"} | settings
    builder = SparkSession.builder.appName("matinee")
    if url is not None:
        builder = builder.master(url)
    for name, value in settings.items():
        builder = builder.config(name, value)
    os.environ.setdefault("PYSPARK_PYTHON", settings.get("spark.pyspark.python", sys.executable))  # has our packages
    try:
        with listening() as said:
            session = builder.getOrCreate()
        context = session.sparkContext
        context.setLogLevel("ERROR")
        if on_this_machine(context.master or "") and not context.getConf().get("spark.checkpoint.dir"):
            context.setCheckpointDir(scratch)
        if "spark.sql.shuffle.partitions" not in settings:  # 200 by default: most of the time on small clusters
            tasks = TASKS_PER_CORE * context.defaultParallelism
            session.conf.set("spark.sql.shuffle.partitions", str(tasks))
    except (PySparkException, Py4JError, OSError, RuntimeError) as error:
        why = said.cause or first_line(error)
        raise EngineError(f"Spark did not start on {url or 'the given master'}: {why}") from error
    return session


def _submitted() -> dict[str, str]:
    """Return what spark-submit was given."""
    SparkContext._ensure_initialized()
    return dict(SparkConf().getAll())


def _settings(conf: Mapping[str, str]) -> dict[str, str]:
    """Put what was given in place of our settings; options of Java come beside ours."""
    java = {name: f"{STACK} {conf.get(name, '')}".strip() for name in JAVA_OPTIONS}
    return {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.sql.inMemoryColumnarStorage.compressed": "false",  # arrays do not shrink, and to try costs time
        "spark.sql.session.timeZone": "UTC",
        "spark.driver.maxResultSize": "0",  # factors and ratings are gathered on purpose, their size stated before
        **conf,
        **java,
    }


def on_this_machine(url: str) -> bool:
    """Say whether a master runs everything here, so that a folder of ours is a folder of everybody's."""
    return url.startswith("local") or urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")


def first_line(error: BaseException) -> str:
    """Return what an error of Spark's says, without its tracebacks."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    if lines[0].startswith("An error occurred while calling") and len(lines) > 1:  # Py4J's own words, then Java's
        return lines[1].removeprefix(": ")
    return lines[-1] if "Python worker" in lines[0] else lines[0]

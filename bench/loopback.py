"""A Spark cluster on this machine: a standalone master and workers as processes of their own, by Spark's launcher."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyspark

SPARK_HOME = Path(pyspark.__file__).parent
QUICK_START = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""For Java that lives shortly or does little: half the processor time of its start."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment() -> dict[str, str]:
    """What Spark's own scripts need."""
    return os.environ | {
        "SPARK_HOME": str(SPARK_HOME), "SPARK_SCALA_VERSION": "2.13", "SPARK_DAEMON_MEMORY": "256m",
        "SPARK_DAEMON_JAVA_OPTS": QUICK_START, "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable,
    }  # fmt: skip


class Cluster:
    """A master and workers; process 0 is the master. Executors inherit `environment`."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.environment, self.port = folder, environment, free_port()
        self.url = f"spark://127.0.0.1:{self.port}"
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, role: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [str(SPARK_HOME / "bin" / "spark-class"), f"org.apache.spark.deploy.{role}", "--host", "127.0.0.1"]
        with self.log(len(self.processes)).open("wb") as log:
            process = subprocess.Popen(
                [*command, *arguments], env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
        self.processes.append(process)
        return process

    def log(self, number: int) -> Path:
        return self.folder / f"{number}.log"

    def says(self, number: int, pattern: str, seconds: float = 90) -> None:
        deadline = time.monotonic() + seconds
        while not re.search(pattern, self.log(number).read_text(errors="replace")):
            assert time.monotonic() < deadline, f"{pattern!r} is not in {self.log(number).read_text()[-2000:]}"
            time.sleep(0.1)

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """Kill a process with its executors: they are of its session."""
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=30)


@contextmanager
def running_cluster(folder: Path, memory: str, environment: dict[str, str]) -> Iterator[Cluster]:
    """Start a master and two workers of one core and so much memory each; kill them in the end."""
    cluster = Cluster(folder, environment)
    try:
        cluster.start("master.Master", "--port", str(cluster.port), "--webui-port", str(free_port()))
        cluster.says(0, "I have been elected leader")
        for number in (1, 2):
            web, work = str(free_port()), str(folder / f"work{number}")
            sizes = ["--cores", "1", "--memory", memory, "--webui-port", web, "--work-dir", work]
            cluster.start("worker.Worker", *sizes, cluster.url)
        for number in (1, 2):
            cluster.says(number, "Successfully registered with master")
        yield cluster
    finally:
        for process in cluster.processes:
            cluster.kill(process)

"""A real cluster on this machine: a standalone master and two workers as processes of their own, one of them killed."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyspark
import pytest

import matinee
from matinee.registry import Registry

pytestmark = [pytest.mark.xdist_group("cluster"), pytest.mark.timeout(300)]  # processes of its own: on either worker

SPARK_HOME = Path(pyspark.__file__).parent
CONF = ["spark.executor.memory=512m", "spark.driver.memory=512m", "spark.cores.max=2", "spark.executor.cores=1"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment() -> dict[str, str]:
    """What Spark's own scripts need."""
    return os.environ | {
        "SPARK_HOME": str(SPARK_HOME), "SPARK_SCALA_VERSION": "2.13", "SPARK_DAEMON_MEMORY": "256m",
        "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable,
    }  # fmt: skip


class Cluster:
    """A master and workers, by Spark's own launcher."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"spark://127.0.0.1:{self.port}"
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, role: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [str(SPARK_HOME / "bin" / "spark-class"), f"org.apache.spark.deploy.{role}", "--host", "127.0.0.1"]
        with self.log(len(self.processes)).open("wb") as log:
            process = subprocess.Popen(
                [*command, *arguments], env=environment(), stdout=log, stderr=log, start_new_session=True
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


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    cluster = Cluster(folder)
    try:
        cluster.start("master.Master", "--port", str(cluster.port), "--webui-port", str(free_port()))
        cluster.says(0, "I have been elected leader")
        for number in (1, 2):
            web, work = str(free_port()), str(folder / f"work{number}")
            sizes = ["--cores", "1", "--memory", "600m", "--webui-port", web, "--work-dir", work]
            cluster.start("worker.Worker", *sizes, cluster.url)
        for number in (1, 2):
            cluster.says(number, "Successfully registered with master")
        yield cluster
    finally:
        for process in cluster.processes:
            cluster.kill(process)


MODEL = ["--rank", "4", "--iterations", "12", "--no-biases", "--regularization", "0.1", "--test", "0", "--no-picks"]
PLAIN = matinee.ALS(rank=4, iterations=12, biases=False, regularization=0.1)


class Data(NamedTuple):
    """A file of ratings, the same ratings, and others of the same people and films."""

    file: Path
    train: matinee.Ratings
    test: matinee.Ratings

    def check(self, home: Path) -> None:
        """The model in the home is as good as one that is trained here."""
        model = Registry(home / "models").read().stars
        ours = matinee.rmse(PLAIN.fit(self.train), self.test)
        assert abs(matinee.rmse(model, self.test) - ours) < 0.02
        assert ours < 0.75


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    rng = np.random.default_rng(5)
    taste, films = rng.normal(size=(150, 3)), rng.normal(size=(80, 3))
    users, items = np.nonzero(rng.random((150, 80)) < 0.4)
    stars = np.clip(np.round(2 * (3.3 + 0.6 * np.einsum("ij,ij->i", taste[users], films[items]))) / 2, 0.5, 5)
    ratings = matinee.Ratings.from_arrays(users, items, stars)
    held_out = rng.random(len(ratings)) < 0.2
    train, test = ratings.select(~held_out), ratings.select(held_out)
    file = tmp_path_factory.mktemp("data") / "r.csv"
    rows = zip(train.user_ids, train.item_ids, train.stars, strict=True)
    file.write_text("user,item,rating\n" + "\n".join(f"{u},{i},{s}" for u, i, s in rows) + "\n")
    return Data(file, train, test)


def test_a_plain_script_for_spark_submit(cluster: Cluster, data: Data, tmp_path: Path) -> None:
    """The script of docs/scaling.md, with the master and the settings that spark-submit was given."""
    page = (Path(__file__).resolve().parents[2] / "docs/scaling.md").read_text("utf-8")
    [script] = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "job.py").write_text(script)
    conf = [flag for pair in CONF for flag in ("--conf", pair)]
    command = [SPARK_HOME / "bin" / "spark-submit", "--master", cluster.url, *conf, tmp_path / "job.py"]
    arguments = ["train", data.file, "--engine", "spark", "--home", tmp_path / "home", *MODEL]
    done = subprocess.run([*command, *arguments], env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "promoted: model" in done.stdout
    data.check(tmp_path / "home")


def test_a_worker_dies_and_the_model_is_as_good(cluster: Cluster, data: Data, tmp_path: Path) -> None:
    program = Path(sys.executable).parent / "matinee"
    conf = [flag for pair in CONF for flag in ("--conf", pair)]
    command = [program, "train", data.file, "--engine", "spark", "--master", cluster.url, "--home", tmp_path / "home"]
    killed, said = False, []
    with subprocess.Popen(
        [*command, *conf, *MODEL], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as job:
        assert job.stderr is not None
        for line in job.stderr:
            said.append(line)
            if "ratings on Spark" in line:  # read and numbered: now it trains
                time.sleep(2)
                assert job.poll() is None
                cluster.kill(cluster.processes[2])
                killed = True
    assert job.returncode == 0, "".join(said)[-2000:]
    assert killed
    cluster.says(0, "Removing worker|Lost|disassociated|Received unregister")
    data.check(tmp_path / "home")

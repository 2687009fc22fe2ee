"""A real cluster on this machine: a standalone master and two workers as processes of their own, one of them killed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from bench.loopback import QUICK_START, SPARK_HOME, Cluster, environment, running_cluster

import matinee
from matinee.registry import Registry

pytestmark = [pytest.mark.xdist_group("cluster"), pytest.mark.timeout(300)]  # processes of its own: on either worker

SETTINGS = {
    "spark.executor.memory": "512m", "spark.driver.memory": "512m", "spark.executor.cores": "1",
    "spark.shuffle.io.retryWait": "1s", "spark.eventLog.enabled": "true", "spark.eventLog.compress": "false",
}  # fmt: skip
ENVIRONMENT = environment() | {"JDK_JAVA_OPTIONS": QUICK_START}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster"), "600m", ENVIRONMENT) as cluster:
        yield cluster


class Events:
    """Spark's own log of a job, written as it works."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def flags(self, **conf: str) -> list[str]:
        settings = SETTINGS | {"spark.eventLog.dir": self.folder.as_uri()} | conf
        return [flag for name, value in settings.items() for flag in ("--conf", f"{name}={value}")]

    def of(self, kind: str) -> list[str]:
        lines = [line for file in self.folder.rglob("events*") for line in file.read_text("utf-8").splitlines()]
        return [line for line in lines if line.startswith(f'{{"Event":"SparkListener{kind}"')]

    def await_factors(self, iteration: int, job: subprocess.Popen[str]) -> None:
        """Wait until a stage has ended that made the films' factors of an iteration, a checkpoint of Spark's ALS."""
        while not any(f'"itemFactors-{iteration}"' in line for line in self.of("StageCompleted")):
            assert job.poll() is None
            time.sleep(0.1)


MODEL = ["--rank", "4", "--iterations", "8", "--no-biases", "--regularization", "0.1", "--test", "0", "--no-picks"]
PLAIN = matinee.ALS(rank=4, iterations=8, biases=False, regularization=0.1)


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
    events, java = Events(tmp_path / "events"), "-Dmatinee.given=yes"
    conf = events.flags(**{"spark.cores.max": "1", "spark.executor.extraJavaOptions": java, "spark.ui.enabled": "true"})
    command = [SPARK_HOME / "bin" / "spark-submit", "--master", cluster.url, *conf, tmp_path / "job.py"]
    arguments = ["train", data.file, "--engine", "spark", "--home", tmp_path / "home", *MODEL]
    done = subprocess.run([*command, *arguments], env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "promoted: model" in done.stdout
    data.check(tmp_path / "home")
    settings = json.loads(events.of("EnvironmentUpdate")[0])["Spark Properties"]
    assert settings["spark.executor.extraJavaOptions"].endswith(f"-Xss32m {java}")  # ours beside what was given
    assert settings["spark.ui.enabled"] == "true"


def test_a_worker_dies_and_the_model_is_as_good(cluster: Cluster, data: Data, tmp_path: Path) -> None:
    program = Path(sys.executable).parent / "matinee"
    events = Events(tmp_path / "events")
    command = [program, "train", data.file, "--engine", "spark", "--master", cluster.url, "--home", tmp_path / "home"]
    conf = events.flags(**{"spark.cores.max": "2"})
    with subprocess.Popen(
        [*command, *conf, *MODEL], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    ) as job:
        events.await_factors(0, job)
        assert len(events.of("ExecutorAdded")) == 2
        cluster.kill(cluster.processes[2])
        assert '"itemFactors-5"' not in "".join(events.of("StageCompleted"))  # it was in the midst of training
        _, said = job.communicate()
    assert job.returncode == 0, said[-2000:]
    assert len(events.of("ExecutorRemoved")) == 1
    data.check(tmp_path / "home")

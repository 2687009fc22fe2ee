"""`matinee train --engine spark` on a cluster of this machine, people in shards: time, memory, shuffle, then lists.

    python -m bench.spark_cluster RATINGS USERS FILMS [ITERATIONS] [EXECUTOR_MEMORY] [RANK]

A standalone master and two workers of one core each. Stars by ALS with biases, nothing held out, no ranking model.
Beside what was measured stands what docs/scaling.md computes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.common import Check, report
from bench.loopback import environment, running_cluster
from bench.spark_engine import descendants_of, write
from matinee.engines.spark.frames import RATINGS_PER_PARTITION
from matinee.recommend.recommender import Recommender
from matinee.registry import Registry

CORES = 2


class Watched:
    """The processes of a session, looked at again and again: the most memory of each, the processors' time of all."""

    def __init__(self) -> None:
        self.peaks: dict[tuple[str, str], int] = {}
        self.ticks: dict[str, int] = {}

    def look(self, roots: set[str]) -> None:
        for process in descendants_of(roots):
            with suppress(OSError, KeyError):
                fields = (process / "stat").read_text().rsplit(")", 1)[1].split()
                self.ticks[process.name] = int(fields[11]) + int(fields[12])
                status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
                role = _role((process / "cmdline").read_text())
                self.peaks[role, process.name] = int(status["VmHWM"].split()[0]) * 1024

    def most(self) -> dict[str, int]:
        """The most memory that a process of each role took."""
        most: dict[str, int] = {}
        for (role, _), peak in sorted(self.peaks.items()):
            most[role] = max(peak, most.get(role, 0))
        return most


def _role(command: str) -> str:
    for part, role in (
        ("CoarseGrained", "executor"), ("deploy.SparkSubmit", "driver, Java"), ("deploy.master", "master"),
        ("deploy.worker", "worker"), ("pyspark", "executor, Python"), ("matinee", "driver, Python"),
    ):  # fmt: skip
        if part in command:
            return role
    return "others"


def shuffled(events: Path) -> dict[str, int]:
    """Add up what tasks wrote for shuffles and to disk for want of memory, by Spark's own log of events."""
    found: Counter[str] = Counter()
    for file in (path for path in events.rglob("*") if path.is_file()):
        for line in file.open(encoding="utf-8"):
            if line.startswith('{"Event":"SparkListenerTaskEnd"'):
                task = json.loads(line).get("Task Metrics") or {}
                found["shuffled_bytes"] += task.get("Shuffle Write Metrics", {}).get("Shuffle Bytes Written", 0)
                found["spilled_bytes"] += task.get("Disk Bytes Spilled", 0)
    return dict(found)


def trained(file: str, home: Path, folder: Path, memory: str, *model: str) -> dict[str, Any]:
    events = folder / "events"
    events.mkdir()
    conf = {
        "spark.executor.memory": memory, "spark.executor.cores": "1", "spark.cores.max": str(CORES),
        "spark.driver.memory": "1g",
        "spark.eventLog.enabled": "true", "spark.eventLog.compress": "false", "spark.eventLog.dir": events.as_uri(),
    }  # fmt: skip
    with running_cluster(folder, "8g", environment()) as cluster:
        flags = [flag for name, value in conf.items() for flag in ("--conf", f"{name}={value}")]
        program = [str(Path(sys.executable).parent / "matinee"), "train", file, "--engine", "spark"]
        watched, start = Watched(), time.perf_counter()
        with subprocess.Popen([*program, "--master", cluster.url, *flags, *model, "--home", str(home)]) as job:
            while job.poll() is None:
                watched.look({str(process.pid) for process in (job, *cluster.processes)})
                time.sleep(0.5)
        seconds = time.perf_counter() - start
    if job.returncode:
        raise SystemExit(f"matinee train ended with {job.returncode}")
    ticks = sum(watched.ticks.values()) / os.sysconf("SC_CLK_TCK")
    times = {"seconds": round(seconds, 1), "processor_seconds": round(ticks, 1)}
    return times | {"peak_bytes": watched.most(), **shuffled(events)}


def served(home: Path) -> dict[str, Any]:
    """List films for people of all shards, each read for the first time, and again."""
    registry = Registry(home / "models")
    recommender, people = Recommender.of(registry.read()), []
    ids = recommender.stars.users.ids
    for user in ids[:: max(len(ids) // 40, 1)].tolist():
        start = time.perf_counter()
        recommender.recommend(recommender.ratings_of(user), user_id=user)
        between = time.perf_counter()
        recommender.recommend(recommender.ratings_of(user), user_id=user)
        people.append((between - start, time.perf_counter() - between))
    first, again = (sorted(times)[len(times) // 2] for times in zip(*people[1:], strict=True))
    files = [path for path in (home / "models").rglob("*") if path.is_file()]
    shards = sum(path.stat().st_size for path in files if path.suffix == ".parquet" and "shard=" in str(path))
    return {"first_ms": round(1e3 * first, 2), "again_ms": round(1e3 * again, 2), "shards_bytes": shards}


def computed(n: int, users: int, films: int, rank: int, iterations: int) -> dict[str, int]:
    """What docs/scaling.md says."""
    blocks = CORES * max(1, -(-n // (RATINGS_PER_PARTITION * CORES)))
    return {
        "shuffled_bytes": 4 * rank * (users + films) * blocks * iterations + 47 * n,
        "shards_bytes": 4 * (rank + 1) * users + 3 * n,
    }


def main() -> None:
    n, users, films, iterations = (int(value) for value in [*sys.argv[1:5], "10"][:4])
    memory, rank = [*sys.argv[5:7], *("2g", "16")[max(0, len(sys.argv) - 5) :]]
    model = ("--no-picks", "--test", "0", "--shards", "--rank", rank, "--iterations", str(iterations))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        file = write(n, users, films, str(folder / "ratings.parquet"))
        raw: dict[str, Any] = {
            "ratings": n,
            "users": users,
            "films": films,
            "rank": int(rank),
            "iterations": iterations,
        }
        raw |= {"executor_memory": memory, "train": trained(file, folder / "home", folder, memory, *model)}
        raw |= {"serve": served(folder / "home"), "computed": computed(n, users, films, int(rank), iterations)}
    print(json.dumps(raw, indent=1))
    found = raw["train"] | raw["serve"]
    checks = [
        Check(f"{name} beside what is computed", found[name] / size, 1.2, at_least=False)
        for name, size in raw["computed"].items()
    ]
    report(f"spark_cluster_{n / 1e6:g}m", checks, raw)


if __name__ == "__main__":
    main()

"""The Spark engine beside plain Spark on the same Parquet file: time, memory and shuffle.

    python -m bench.spark_engine RATINGS USERS FILMS [RANK] [MEMORY]

Both sides run in one `local[2]` session of MEMORY (2g), after a warm-up of everything on 50,000 ratings. Compared are

- `ALS.fit`: a bare `pyspark.ml.recommendation.ALS.fit` on `spark.read.parquet`, its reading included, its factors
  counted. It checks nothing, keeps repeated pairs and takes ids for numbers.
- `read`: ours reads the same file, checks every row, numbers the ids, looks for repeated pairs and keeps the ratings.
- `train, plain` and `train, biases`: ours learns from those, same rank, iterations, blocks and checkpoints, and
  brings the factors to the driver; biases take three sweeps over the cluster before.
- `gather`: ratings to the driver, for the model folder.

Seconds of the processors say more than the clock where others use the machine too.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from pyspark.ml.recommendation import ALS as SparkALS  # noqa: N811
from pyspark.sql import SparkSession

from bench.common import Check, report
from matinee import ALS
from matinee.data.synthetic import synthetic
from matinee.engines.spark.fit import fit_stars
from matinee.engines.spark.frames import gathered, read_ratings
from matinee.engines.spark.session import spark_session

ITERATIONS = 10


def children() -> list[Path]:
    """The Java processes that this one started."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = status.read_text().partition(") ")
        except OSError:
            continue
        if "java" in name and int(rest.split()[1]) == os.getpid():
            found.append(status.parent)
    return found


def peak_bytes() -> int:
    """The most memory that they have taken, by /proc."""
    lines = [line for child in children() for line in (child / "status").read_text().splitlines()]
    return max((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), default=0)


def processor_seconds() -> float:
    """What they and this process have used; on a busy machine it says more than the clock."""
    ticks = 0
    for child in children():
        fields = (child / "stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK") + time.process_time()


def shuffled_bytes(session: SparkSession) -> int:
    """What all executors have written for shuffles since the session began."""
    executors = session._jsc.sc().statusStore().executorList(True)
    return sum(executors.apply(number).totalShuffleWrite() for number in range(executors.size()))


def measured(session: SparkSession, work: Callable[[], Any], into: dict[str, Any]) -> Any:
    """Do the work; note seconds by the clock and of the processors, and bytes shuffled."""
    before = time.perf_counter(), processor_seconds(), shuffled_bytes(session)
    done = work()
    into["seconds"] = round(time.perf_counter() - before[0], 2)
    into["processor_seconds"] = round(processor_seconds() - before[1], 2)
    into["shuffled_bytes"] = shuffled_bytes(session) - before[2]
    return done


def both(session: SparkSession, file: str, rank: int) -> dict[str, dict[str, Any]]:
    """Read and train, Spark and we."""
    plain = ALS(rank=rank, regularization=0.1, iterations=ITERATIONS, biases=False)
    bare = SparkALS(
        rank=rank, regParam=0.1, seed=5, maxIter=ITERATIONS, numUserBlocks=2, numItemBlocks=2, ratingCol="rating",
        checkpointInterval=5,
    )  # fmt: skip
    steps: dict[str, dict[str, Any]] = {
        name: {} for name in ("ALS.fit", "read", "train, plain", "train, biases", "gather")
    }
    measured(session, lambda: bare.fit(session.read.parquet(file)).userFactors.count(), steps["ALS.fit"])
    ratings = measured(session, lambda: read_ratings(session, file), steps["read"])
    factors = measured(session, lambda: fit_stars(ratings, plain), steps["train, plain"])
    biased = ALS(rank=rank, regularization=0.1, iterations=ITERATIONS)
    measured(session, lambda: fit_stars(ratings, biased), steps["train, biases"])
    measured(session, lambda: factors.stars_model(gathered(ratings), plain), steps["gather"])
    ratings.frame.unpersist()
    return steps


def write(n: int, users: int, films: int, file: str) -> str:
    drawn = synthetic(n, users, films)
    columns = {"user": drawn.user_ids.astype(np.int32), "item": drawn.item_ids.astype(np.int32)}
    pl.DataFrame(columns | {"rating": drawn.stars}).write_parquet(file)
    return file


def main() -> None:
    n, users, films, rank = (int(value) for value in [*sys.argv[1:5], "16"][:4])
    memory = sys.argv[5] if len(sys.argv) > 5 else "2g"
    with (
        tempfile.TemporaryDirectory() as folder,
        spark_session("local[2]", {"spark.driver.memory": memory}) as session,
    ):
        both(session, write(50_000, 2_000, 1_000, str(Path(folder, "small.parquet"))), rank)
        steps = both(session, write(n, users, films, str(Path(folder, "ratings.parquet"))), rank)
        peak = peak_bytes()
    beside = ratios(steps)
    raw = {
        "ratings": n, "users": users, "films": films, "rank": rank, "iterations": ITERATIONS, "memory": memory,
        "peak_bytes": peak, "steps": steps, "beside ALS.fit": beside,
    }  # fmt: skip
    report(f"spark_engine_{n / 1e6:g}m", checks(beside), raw)


def checks(beside: dict[str, dict[str, float]]) -> list[Check]:
    """Hold what training takes of the processors, and reading with it, against what is asked of training."""
    return [
        Check(f"{name} beside ALS.fit, processors", value, 1.15, at_least=False)
        for name, value in beside["processor_seconds"].items()
    ]


def ratios(steps: dict[str, dict[str, Any]]) -> dict[str, dict[str, float]]:
    """What training, and reading and training, take of what `ALS.fit` takes."""
    found = {}
    for unit in ("seconds", "processor_seconds"):
        bare, read = steps["ALS.fit"][unit], steps["read"][unit]
        parts = {name: steps[name][unit] for name in ("train, plain", "train, biases")}
        whole = {f"read and {name}": read + part for name, part in parts.items()}
        found[unit] = {name: round(value / bare, 2) for name, value in (parts | whole).items()}
    return found


if __name__ == "__main__":
    main()

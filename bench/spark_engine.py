"""The Spark engine beside plain Spark on the same Parquet file: time, memory and shuffle.

    python -m bench.spark_engine RATINGS USERS FILMS [RANK] [MEMORY] [ROUNDS]

Both sides run in one `local[2]` session of MEMORY (2g), in turn, ROUNDS (3) times after a round that warms Java up;
medians are kept. Compared are

- `ALS.fit`: `pyspark.ml.recommendation.ALS.fit` on the ratings, which Spark keeps in memory, and its factors brought
  to the driver; `train, plain` and `train, biases`: ours on the same ratings, which we keep, same rank, iterations,
  blocks, checkpoints, its factors and biases brought to the driver;
- `Spark, file to factors`: Spark reads the file, fits and writes the factors as Parquet. It checks nothing, keeps
  repeated pairs and takes ids for numbers. `read`: ours reads the same file, checks every row, numbers the ids, keeps
  one rating of every pair; `gather and save`: ratings to the driver, and a model folder.

Seconds of the processors, those of Python's workers included, say more than the clock where others use the machine too.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import polars as pl
from pyspark.ml.recommendation import ALS as SparkALS  # noqa: N811
from pyspark.sql import DataFrame, SparkSession

from bench.common import Check, report
from matinee import ALS, save
from matinee.data.synthetic import synthetic
from matinee.engines.spark.fit import Factors, fit_stars
from matinee.engines.spark.frames import SparkRatings, blocks_for, gathered, read_ratings
from matinee.engines.spark.session import spark_session

ITERATIONS = 10
UNITS = ("seconds", "processor_seconds", "shuffled_bytes")
STEPS = ("ALS.fit", "train, plain", "train, biases", "Spark, file to factors", "read", "gather and save")


def descendants_of(roots: set[str]) -> list[Path]:
    """Processes and all that they started: Java, and its workers in Python."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[status.parent.name] = status.read_text().rsplit(")", 1)[1].split()[1]
    ours, before = set(roots), 0
    while len(ours) > before:
        before = len(ours)
        ours |= {child for child, parent in parents.items() if parent in ours}
    return [Path("/proc", child) for child in ours]


def peak_bytes() -> int:
    """The most memory that Java has taken, by /proc."""
    peaks = [0]
    for child in descendants_of({str(os.getpid())}):
        status = dict(line.split(":", 1) for line in (child / "status").read_text().splitlines())
        if status["Name"].strip() == "java":
            peaks.append(int(status["VmHWM"].split()[0]) * 1024)
    return max(peaks)


def processor_seconds() -> float:
    """What they have used, and what those did that have ended."""
    ticks = 0
    for child in descendants_of({str(os.getpid())}):
        fields = (child / "stat").read_text().rsplit(")", 1)[1].split()
        ticks += sum(int(field) for field in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def shuffled_bytes(session: SparkSession) -> int:
    """What all executors have written for shuffles since the session began."""
    executors = session._jsc.sc().statusStore().executorList(True)
    return sum(executors.apply(number).totalShuffleWrite() for number in range(executors.size()))


def measured(session: SparkSession, work: Callable[[], Any], into: dict[str, list[float]]) -> Any:
    """Do the work; note seconds by the clock and of the processors, and bytes shuffled."""
    before = time.perf_counter(), processor_seconds(), shuffled_bytes(session)
    done = work()
    after = time.perf_counter(), processor_seconds(), shuffled_bytes(session)
    for unit, start, end in zip(UNITS, before, after, strict=True):
        into.setdefault(unit, []).append(end - start)
    return done


def both(session: SparkSession, file: str, rank: int, folder: Path, rounds: int) -> dict[str, dict[str, float]]:
    """Read and train, Spark and we, in turn; medians of all rounds."""
    plain = ALS(rank=rank, regularization=0.1, iterations=ITERATIONS, biases=False)
    biased = replace(plain, biases=True)
    blocks = blocks_for(session, pl.scan_parquet(file).select(pl.len()).collect().item())
    bare = SparkALS(
        rank=rank, regParam=0.1, seed=5, maxIter=ITERATIONS, numUserBlocks=blocks, numItemBlocks=blocks,
        ratingCol="rating", checkpointInterval=5,
    )  # fmt: skip
    steps: dict[str, dict[str, list[float]]] = {name: {} for name in STEPS}
    for _ in range(rounds):
        kept = session.read.parquet(file).persist()
        kept.count()
        measured(session, partial(on_driver, bare, kept), steps["ALS.fit"])
        kept.unpersist(True)
        ratings = measured(session, partial(read_ratings, session, file), steps["read"])
        measured(session, partial(trained, ratings, plain), steps["train, plain"])
        factors = measured(session, partial(trained, ratings, biased), steps["train, biases"])
        measured(session, partial(saved, factors, ratings, biased, folder / "model"), steps["gather and save"])
        ratings.packed.unpersist(True)
        measured(session, partial(written, bare, session, file, folder / "factors"), steps["Spark, file to factors"])
    return {name: {unit: round(median(taken), 2) for unit, taken in step.items()} for name, step in steps.items()}


def on_driver(bare: SparkALS, ratings: DataFrame) -> None:
    """Let Spark fit, and bring its factors here."""
    model = bare.fit(ratings)
    for side in (model.userFactors, model.itemFactors):
        side.toArrow()


def written(bare: SparkALS, session: SparkSession, file: str, folder: Path) -> None:
    """Let Spark read, fit and write its factors."""
    model = bare.fit(session.read.parquet(file))
    for side in (model.userFactors, model.itemFactors):
        side.write.mode("overwrite").parquet(str(folder))


def trained(ratings: SparkRatings, params: ALS) -> Factors:
    """Train as we do, and bring people's factors here too; those of films are."""
    factors = fit_stars(ratings, params)
    factors.people.toArrow()
    return factors


def saved(factors: Factors, ratings: SparkRatings, params: ALS, folder: Path) -> None:
    """Gather all of it and write a model folder."""
    here = gathered(ratings)
    save(factors.stars_model(here, params), path=folder, ratings=here)


def write(n: int, users: int, films: int, file: str) -> str:
    drawn = synthetic(n, users, films)
    columns = {"user": drawn.user_ids.astype(np.int32), "item": drawn.item_ids.astype(np.int32)}
    pl.DataFrame(columns | {"rating": drawn.stars}).write_parquet(file)
    return file


def main() -> None:
    n, users, films, rank = (int(value) for value in [*sys.argv[1:5], "16"][:4])
    memory, rounds = [*sys.argv[5:7], *("2g", "3")[max(0, len(sys.argv) - 5) :]]
    with (
        tempfile.TemporaryDirectory() as scratch,
        spark_session("local[2]", {"spark.driver.memory": memory}) as session,
    ):
        folder = Path(scratch)
        both(session, write(50_000, 2_000, 1_000, str(folder / "small.parquet")), rank, folder, 2)
        steps = both(session, write(n, users, films, str(folder / "ratings.parquet")), rank, folder, int(rounds))
        peak = peak_bytes()
    beside = ratios(steps)
    raw = {
        "ratings": n, "users": users, "films": films, "rank": rank, "iterations": ITERATIONS, "memory": memory,
        "rounds": int(rounds), "peak_bytes": peak, "steps": steps, "beside Spark": beside,
    }  # fmt: skip
    report(f"spark_engine_{n / 1e6:g}m", checks(beside), raw)


def checks(beside: dict[str, dict[str, float]]) -> list[Check]:
    """Hold what training takes of the clock and of the processors against what is asked of it."""
    return [
        Check(f"{name} beside ALS.fit, {unit}", beside[unit][name], 1.15, at_least=False)
        for unit in UNITS[:2]
        for name in ("train, plain", "train, biases")
    ]


def ratios(steps: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """What training takes of what `ALS.fit` takes, and all of ours of what Spark takes from file to factors."""
    found = {}
    for unit in UNITS[:2]:
        taken = {name: step[unit] for name, step in steps.items()}
        whole = taken["read"] + taken["train, biases"] + taken["gather and save"]
        found[unit] = {name: round(taken[name] / taken["ALS.fit"], 2) for name in ("train, plain", "train, biases")}
        found[unit] |= {"file to model folder": round(whole / taken["Spark, file to factors"], 2)}
    return found


if __name__ == "__main__":
    main()

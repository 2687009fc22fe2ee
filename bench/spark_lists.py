"""Everybody's lists on Spark beside Spark's own `recommendForAllUsers`, from the same factors to Parquet files.

    python -m bench.spark_lists RATINGS USERS FILMS [RANK]

Prints one JSON document. Both sides run in the same session, one after the other, after a warm-up on fewer people.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from pyspark.ml.recommendation import ALSModel as SparkModel
from pyspark.sql import SparkSession

from matinee import ALS
from matinee.data.synthetic import synthetic
from matinee.engines.spark.exchange import export_model
from matinee.engines.spark.lists import write_lists
from matinee.engines.spark.session import spark_session
from matinee.models.als import ALSModel

LENGTH = 10


def main() -> None:
    n, users, films, rank = (int(value) for value in [*sys.argv[1:], "64"][:4])
    small = ALS(rank=rank, iterations=1, biases=False).fit(synthetic(5_000, 500, 300))
    model = ALS(rank=rank, iterations=3, biases=False).fit(synthetic(n, users, films))
    conf = {"spark.driver.memory": "4g", "spark.sql.crossJoin.enabled": "true"}
    with tempfile.TemporaryDirectory() as folder, spark_session("local[2]", conf) as session:
        for name, one in (("warm-up", small), ("all", model)):
            seconds = _both(session, one, Path(folder, name))
        document = {
            "users": len(model.users), "films": len(model.items), "rank": rank, "seconds": seconds,
            "times_faster": round(seconds["recommendForAllUsers"] / seconds["matinee"], 2),
            **_compared(Path(folder, "all")), "spark": session.version,
        }  # fmt: skip
    print(json.dumps(document))


def _both(session: SparkSession, model: ALSModel, folder: Path) -> dict[str, float]:
    theirs = SparkModel.load(str(export_model(model, folder / "model")))
    sides: dict[str, Callable[[], Any]] = {
        "matinee": lambda: write_lists(session, str(folder / "ours"), model, model, limit=LENGTH, include_seen=True),
        "recommendForAllUsers": lambda: theirs.recommendForAllUsers(LENGTH).write.parquet(str(folder / "theirs")),
    }
    seconds = {}
    for name, work in sides.items():
        start = time.perf_counter()
        work()
        seconds[name] = round(time.perf_counter() - start, 2)
    return seconds


def _compared(folder: Path) -> dict[str, float]:
    """How many of the films are the same, and how far the scores of the same places are apart."""
    ours = pl.read_parquet(folder / "ours/*.parquet").sort("user_id", "rank")
    theirs = (
        pl.read_parquet(folder / "theirs/*.parquet").sort("user").explode("recommendations").unnest("recommendations")
    )
    same = ours.join(theirs, left_on=["user_id", "movie_id"], right_on=["user", "item"])
    apart = np.abs(ours["score"].to_numpy() - theirs["rating"].to_numpy())
    return {"same_films": round(len(same) / len(theirs), 6), "most_apart": float(apart.max())}


if __name__ == "__main__":
    main()

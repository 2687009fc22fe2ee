"""The Spark engine beside plain Spark: reading and training beside `ALS.fit`.

    python -m bench.spark_engine RATINGS USERS FILMS [RANK]

Prints one JSON document. Both sides run in the same session, one after the other.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
from pyspark.ml.recommendation import ALS as SparkALS  # noqa: N811

from matinee import ALS
from matinee.data.synthetic import synthetic
from matinee.engines.spark.fit import fit_stars
from matinee.engines.spark.frames import gathered, read_ratings
from matinee.engines.spark.session import spark_session

ITERATIONS = 10


def peak_bytes() -> int:
    """The most memory that the Java processes started here have taken, by /proc."""
    peaks = [0]
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
            command = (status.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if b"org.apache.spark.deploy.SparkSubmit" in command and b"matinee-bench" in command:
            peaks.append(int(fields["VmHWM"].split()[0]) * 1024)
    return max(peaks)


def main() -> None:
    n, users, films, rank = (int(value) for value in [*sys.argv[1:], "16"][:4])
    seconds = {}

    def timed(name: str, start: float) -> None:
        seconds[name] = round(time.perf_counter() - start, 2)

    conf = {"spark.driver.memory": "2g", "spark.app.name": "matinee-bench"}
    with tempfile.TemporaryDirectory() as folder, spark_session("local[2]", conf) as session:
        drawn = synthetic(n, users, films)
        file = str(Path(folder, "ratings.parquet"))
        columns = {"user": drawn.user_ids.astype(np.int32), "item": drawn.item_ids.astype(np.int32)}
        pl.DataFrame(columns | {"rating": drawn.stars}).write_parquet(file)
        frame = session.read.parquet(file)
        plain = SparkALS(
            rank=rank, regParam=0.1, seed=5, numUserBlocks=2, numItemBlocks=2, ratingCol="rating", checkpointInterval=5
        )
        plain.copy({plain.maxIter: 1}).fit(frame)  # the JVM compiles while this runs
        start = time.perf_counter()
        model = plain.copy({plain.maxIter: ITERATIONS}).fit(frame)
        model.userFactors.count()
        timed("ALS.fit", start)
        start = time.perf_counter()
        ratings = read_ratings(session, file)
        timed("read, check, number", start)
        start = time.perf_counter()
        params = ALS(rank=rank, regularization=0.1, iterations=ITERATIONS, biases=False)
        factors = fit_stars(ratings, params)
        timed("ours, plain", start)
        start = time.perf_counter()
        fit_stars(ratings, ALS(rank=rank, regularization=0.1, iterations=ITERATIONS))
        timed("ours, biases", start)
        start = time.perf_counter()
        factors.stars_model(gathered(ratings), params)
        timed("gather", start)
        document = {
            "ratings": n, "users": users, "films": films, "rank": rank, "iterations": ITERATIONS, "seconds": seconds,
            "training": round(seconds["ours, plain"] / seconds["ALS.fit"], 3),
            "training, biases": round(seconds["ours, biases"] / seconds["ALS.fit"], 3),
            "peak_bytes": peak_bytes(), "spark": session.version,
        }  # fmt: skip
    print(json.dumps(document))


if __name__ == "__main__":
    main()

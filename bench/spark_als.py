"""One Spark job, told by JSON in its argument: seconds per ALS iteration, or predictions of a test set."""

from __future__ import annotations

import json
import sys
import time

from pyspark.ml.recommendation import ALS
from pyspark.sql import SparkSession


def main() -> None:
    job = json.loads(sys.argv[1])
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.driver.memory", job.get("memory", "9g"))
        .config("spark.ui.enabled", "false")
        # the lineage of fifteen iterations, sent to the executors, overflows an ordinary stack
        .config("spark.driver.extraJavaOptions", "-Xss32m")
        .config("spark.executor.extraJavaOptions", "-Xss32m")
        .config("spark.sql.shuffle.partitions", "8")
        .getOrCreate()
    )
    train = spark.read.parquet(job["train"]).cache()
    train.count()
    columns = {"userCol": "user", "itemCol": "item", "ratingCol": "rating"}
    als = ALS(rank=job["rank"], regParam=0.1, numUserBlocks=2, numItemBlocks=2, **columns)
    result: dict[str, object] = {"spark": spark.version}
    if "iterations" in job:
        few, many = job["iterations"]
        als.copy({als.maxIter: 1}).fit(train)  # the JVM compiles while this runs
        seconds = []
        for iterations in (few, many):
            start = time.perf_counter()
            als.copy({als.maxIter: iterations, als.seed: 5}).fit(train)
            seconds.append(time.perf_counter() - start)
        result |= {"seconds_per_iteration": (seconds[1] - seconds[0]) / (many - few), "fits": seconds}
    if "test" in job:
        test = spark.read.parquet(job["test"])
        errors = []
        for seed in job["seeds"]:
            model = als.copy({als.maxIter: job["max_iter"], als.seed: seed, als.coldStartStrategy: "drop"}).fit(train)
            predicted = model.transform(test)
            row = predicted.selectExpr("sqrt(avg(pow(rating - prediction, 2))) as rmse", "count(*) as n").first()
            errors.append({"seed": seed, "rmse": row["rmse"], "pairs": row["n"]})
        result["test"] = errors
    spark.stop()
    print(json.dumps(result))


if __name__ == "__main__":
    main()

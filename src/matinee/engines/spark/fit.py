"""Alternating least squares by `pyspark.ml.recommendation.ALS`, with our biases around it.

Spark's objective knows no biases. With ``biases=True`` damped biases (`matinee.models.bias`) are found first, in passes
over the cluster, and ALS factors what they leave; locally both are solved together, with a second regularization term,
which errs a little less. Without biases, and for implicit feedback, the objectives are the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.ml.recommendation import ALS as SparkALS  # noqa: N811
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from matinee.data.ratings import Bools, Float32, Ratings
from matinee.engines.spark.frames import SparkRatings
from matinee.errors import ParameterError
from matinee.models.als import ALS, ALSModel
from matinee.models.bias import DampedBias
from matinee.models.implicit_als import ImplicitALS, ImplicitModel

BIAS_SWEEPS = 3
"""Passes over users and films; more move the test error by less than a thousandth of a star."""
CHECKPOINT_EVERY = 5


@dataclass(frozen=True, eq=False)
class Factors:
    """What was learned, on the driver: a row per id of the vocabularies, zeros where the training part lacks it.

    Attributes
    ----------
    user_factors, item_factors
        Shapes ``(n_users, rank)`` and ``(n_items, rank)``.
    user_biases, item_biases
        Shapes ``(n_users,)`` and ``(n_items,)``; zeros without biases.
    mean
        0 without biases.
    users_known, items_known
        Shapes ``(n_users,)`` and ``(n_items,)``: what the training part had.
    usual_stars
        Mean, and what each film gets more, for pairs that are not known.
    """

    user_factors: Float32
    item_factors: Float32
    user_biases: Float32
    item_biases: Float32
    mean: float
    users_known: Bools
    items_known: Bools
    usual_stars: tuple[float, Float32]

    def without_factors(self) -> Factors:
        """Return the biases alone, a model of rank 0."""
        x, y = self.user_factors[:, :0], self.item_factors[:, :0]
        return replace(self, user_factors=x, item_factors=y)

    def stars_model(self, ratings: Ratings, params: ALS) -> ALSModel:
        """Make the model of these factors; `ratings` are those of the training, all ids known."""
        return ALSModel(params=params, **self._shared(ratings))

    def picks_model(self, ratings: Ratings, params: ImplicitALS) -> ImplicitModel:
        """Make the ranking model of these factors."""
        return ImplicitModel(params=params, **self._shared(ratings))

    def _shared(self, ratings: Ratings) -> dict[str, Any]:
        names = ("user_factors", "item_factors", "user_biases", "item_biases", "mean")
        seen = {"users": ratings.users, "items": ratings.items, "seen": ratings.by_user, "scale": ratings.scale}
        return {name: getattr(self, name) for name in names} | seen


def on_spark(params: ALS, ratings: SparkRatings) -> ALS:
    """Return the parameters in Spark's terms, which are also how new people are placed.

    Spark has one regularization, in proportion to a row's ratings. The second one of ours, the same for every row, is
    added to it at the row of mean length: ``damping / sqrt(ratings per user * ratings per film)``.
    """
    if not params.biases:
        return params
    lengths = ratings.count / math.sqrt(len(ratings.users) * len(ratings.items))
    regularization = params.regularization + params.damping / lengths
    return replace(params, regularization=regularization, damping=0.0, bias_damping=float(DampedBias.damping))


def fit_stars(ratings: SparkRatings, params: ALS) -> Factors:
    """Learn a rating model on the cluster, with parameters of `on_spark`."""
    counts, sums = ratings.film_totals()
    mean = float(sums.sum() / len(ratings))
    frame = ratings.frame.withColumn("target", F.col("stars"))
    if params.biases:
        item_biases, user_biases, frame = _biases(ratings, mean)
    als = SparkALS(
        rank=params.rank, regParam=params.regularization, maxIter=params.iterations, seed=params.seed,
        ratingCol="target", **_blocks(ratings),
    )  # fmt: skip
    x, y, users, items = _factored(als, frame, ratings)
    if params.biases:
        return Factors(x, y, user_biases, item_biases, mean, users, items, (mean, item_biases))
    usual = mean, ((sums - counts * mean) / (counts + params.bias_damping)).astype(np.float32)
    return Factors(x, y, np.zeros(len(x), np.float32), np.zeros(len(y), np.float32), 0.0, users, items, usual)


def fit_biases(ratings: SparkRatings) -> Factors:
    """Learn damped biases alone: the baseline, a model of rank 0."""
    counts, sums = ratings.film_totals()
    mean = float(sums.sum() / len(ratings))
    item_biases, user_biases, _ = _biases(ratings, mean)
    none = np.zeros((len(user_biases), 0), np.float32), np.zeros((len(item_biases), 0), np.float32)
    return Factors(*none, user_biases, item_biases, mean, ratings.present("user"), counts > 0, (mean, item_biases))


def fit_popularity(ratings: SparkRatings) -> Factors:
    """Count the ratings of every film: a model of rank 0 that ranks them alike for everyone."""
    counts = ratings.film_totals()[0].astype(np.float32)
    none = np.zeros((len(ratings.users), 0), np.float32), np.zeros((len(counts), 0), np.float32)
    people = np.zeros(len(ratings.users), np.float32), ratings.present("user")
    return Factors(*none, people[0], counts, 0.0, people[1], counts > 0, (0.0, counts))


def fit_picks(ratings: SparkRatings, params: ImplicitALS) -> Factors:
    """Learn a ranking model on the cluster.

    Raises
    ------
    ParameterError
        If the objective is not Spark's.
    """
    if params.objective != "spark" or params.nu != 1:
        raise ParameterError(f"objective={params.objective!r}, nu={params.nu:g}: Spark learns objective='spark', nu=1")
    als = SparkALS(
        rank=params.rank, regParam=params.regularization or 0.1, maxIter=params.iterations, seed=params.seed,
        implicitPrefs=True, alpha=params.alpha, ratingCol="stars", **_blocks(ratings),
    )  # fmt: skip
    x, y, users, items = _factored(als, ratings.frame, ratings)
    zeros = np.zeros(len(x), np.float32), np.zeros(len(y), np.float32)
    return Factors(x, y, *zeros, 0.0, users, items, (0.0, zeros[1]))


def _blocks(ratings: SparkRatings) -> dict[str, Any]:
    return {
        "numUserBlocks": ratings.partitions,
        "numItemBlocks": ratings.partitions,
        "checkpointInterval": CHECKPOINT_EVERY,  # does nothing without spark.checkpoint.dir
    }


def _factored(als: SparkALS, frame: DataFrame, ratings: SparkRatings) -> tuple[Float32, Float32, Bools, Bools]:
    model = als.fit(frame)
    x, users = _dense(model.userFactors, len(ratings.users), model.rank)
    y, items = _dense(model.itemFactors, len(ratings.items), model.rank)
    return x, y, users, items


def _dense(frame: DataFrame, n_rows: int, rank: int) -> tuple[Float32, Bools]:
    """Gather (id, features) as a matrix and say which rows were there."""
    table = frame.toArrow().combine_chunks()
    matrix, known = np.zeros((n_rows, rank), np.float32), np.zeros(n_rows, np.bool_)
    if table.num_rows:
        ids = table["id"].to_numpy()
        matrix[ids] = table["features"].combine_chunks().flatten().to_numpy().reshape(-1, rank)
        known[ids] = True
    return matrix, known


def _biases(ratings: SparkRatings, mean: float) -> tuple[Float32, Float32, DataFrame]:
    """Find damped biases; return those of films, those of users, and the ratings with what is left."""
    frame, damping = ratings.frame, float(DampedBias.damping)
    user_biases = np.zeros(len(ratings.users), np.float32)
    item_biases = np.zeros(len(ratings.items), np.float32)
    for _ in range(BIAS_SWEEPS):
        item_biases = _damped(_less(frame, mean, user=user_biases), "item", len(item_biases), damping)
        user_biases = _damped(_less(frame, mean, item=item_biases), "user", len(user_biases), damping)
    return item_biases, user_biases, _less(frame, mean, user=user_biases, item=item_biases)


def _less(frame: DataFrame, mean: float, **biases: Float32) -> DataFrame:
    """Add `target`: the stars less the mean and the given biases."""
    target = F.col("stars") - F.lit(mean)
    for side, values in biases.items():
        columns = {side: np.arange(len(values), dtype=np.int32), f"{side}_bias": values}
        frame = frame.join(frame.sparkSession.createDataFrame(pa.table(columns)), side)
        target = target - F.col(f"{side}_bias")
    return frame.withColumn("target", target.cast("float"))


def _damped(frame: DataFrame, side: str, n_rows: int, damping: float) -> Float32:
    table = frame.groupBy(side).agg((F.sum("target") / (F.count("*") + damping)).alias("bias")).toArrow()
    biases = np.zeros(n_rows, np.float32)
    biases[table[side].to_numpy()] = table["bias"].to_numpy()
    return biases

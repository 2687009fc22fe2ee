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
from pyspark import StorageLevel
from pyspark.ml.recommendation import ALS as SparkALS  # noqa: N811
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from matinee.data.ratings import Bools, Float32, Ratings
from matinee.engines.spark.biases import LEFT, PEOPLE, Biases
from matinee.engines.spark.blocks import added, features_of, mapped
from matinee.engines.spark.frames import SparkRatings
from matinee.errors import ParameterError
from matinee.models.als import ALS, ALSModel
from matinee.models.bias import DampedBias
from matinee.models.implicit_als import ImplicitALS, ImplicitModel

BIAS_SWEEPS = 2
"""Passes over users and films; more move the test error by less than a thousandth of a star."""
CHECKPOINT_EVERY = 5
MOST_SENT = 1_000_000
"""So many people's biases are sent to every executor rather than sorted beside their factors."""


@dataclass(frozen=True, eq=False)
class Factors:
    """What was learned: people on the cluster, films on the driver, a row per film of the vocabulary.

    Attributes
    ----------
    people
        Columns ``user`` (row of the vocabulary), ``features`` (as many numbers as the rank) and ``bias`` of everybody
        in the training part.
    item_factors, item_biases
        Shapes ``(n_items, rank)`` and ``(n_items,)``; zeros for films that the training part lacks, and without biases.
    mean
        0 without biases.
    items_known
        Shape ``(n_items,)``: what the training part had.
    usual_stars
        Mean, and what each film gets more, for pairs that are not known.
    """

    people: DataFrame
    item_factors: Float32
    item_biases: Float32
    mean: float
    items_known: Bools
    usual_stars: tuple[float, Float32]

    def without_factors(self) -> Factors:
        """Return the biases alone, a model of rank 0."""
        return replace(self, people=_of_rank_0(self.people, "bias"), item_factors=self.item_factors[:, :0])

    def stars_model(self, ratings: Ratings, params: ALS) -> ALSModel:
        """Gather the model of these factors; `ratings` are those of the training, all ids known."""
        return ALSModel(params=params, **self._gathered(ratings))

    def picks_model(self, ratings: Ratings, params: ImplicitALS) -> ImplicitModel:
        """Gather the ranking model of these factors."""
        return ImplicitModel(params=params, **self._gathered(ratings))

    def _gathered(self, ratings: Ratings) -> dict[str, Any]:
        table = self.people.toArrow().combine_chunks()
        rank, rows = self.item_factors.shape[1], table["user"].to_numpy()
        x, biases = np.empty((len(ratings.users), rank), np.float32), np.empty(len(ratings.users), np.float32)
        x[rows], biases[rows] = features_of(table, rank), table["bias"].to_numpy()
        sides = {"user_factors": x, "user_biases": biases, "item_factors": self.item_factors}
        seen = {"users": ratings.users, "items": ratings.items, "seen": ratings.by_user, "scale": ratings.scale}
        return sides | {"item_biases": self.item_biases, "mean": self.mean} | seen


def on_spark(params: ALS, ratings: SparkRatings) -> ALS:
    """Return the parameters in Spark's terms, which are also how new people are placed.

    Spark has one regularization, in proportion to a row's ratings. The second one of ours, the same for every row, is
    added to it at the row of mean length: ``damping / sqrt(ratings per user * ratings per film)``.
    """
    if not params.biases:
        return params
    lengths = len(ratings) / math.sqrt(len(ratings.users) * len(ratings.items))
    regularization = params.regularization + params.damping / lengths
    return replace(params, regularization=regularization, damping=0.0, bias_damping=float(DampedBias.damping))


def fit_stars(ratings: SparkRatings, params: ALS) -> Factors:
    """Learn a rating model on the cluster, with parameters of `on_spark`."""
    als = SparkALS(
        rank=params.rank, regParam=params.regularization, maxIter=params.iterations, seed=params.seed,
        ratingCol="target", **_blocks(ratings),
    )  # fmt: skip
    if not params.biases:
        people, y, known = _factored(als, ratings.frame.withColumnRenamed("stars", "target"), len(ratings.items))
        return Factors(_unbiased(people), y, np.zeros(len(y), np.float32), 0.0, known, _usual(ratings, params))
    biases = damped_biases(ratings)
    people, y, known = _factored(als, mapped(ratings.packed, biases.left, LEFT), len(ratings.items))
    theirs = mapped(ratings.packed, biases.people, PEOPLE)
    people = people.join(F.broadcast(theirs) if len(ratings.users) <= MOST_SENT else theirs, "user")
    return Factors(people, y, biases.films, biases.mean, known, (biases.mean, biases.films))


def fit_biases(ratings: SparkRatings) -> Factors:
    """Learn damped biases alone: the baseline, a model of rank 0."""
    biases = damped_biases(ratings)
    people = _of_rank_0(mapped(ratings.packed, biases.people, PEOPLE), "bias")
    none, usual = np.zeros((len(biases.films), 0), np.float32), (biases.mean, biases.films)
    return Factors(people, none, biases.films, biases.mean, ratings.film_counts > 0, usual)


def fit_popularity(ratings: SparkRatings) -> Factors:
    """Count the ratings of every film: a model of rank 0 that ranks them alike for everyone."""
    counts = ratings.film_counts.astype(np.float32)
    none = np.zeros((len(counts), 0), np.float32)
    return Factors(_of_rank_0(ratings.people(), "0"), none, counts, 0.0, counts > 0, (0.0, counts))


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
    people, y, known = _factored(als, ratings.frame, len(ratings.items))
    zeros = np.zeros(len(y), np.float32)
    return Factors(_unbiased(people), y, zeros, 0.0, known, (0.0, zeros))


def damped_biases(ratings: SparkRatings) -> Biases:
    """Find mean and damped biases of the films, in passes over the cluster; those of people follow from them."""
    counts, sums = ratings.film_counts, ratings.film_sums
    mean, damping = float(sums.sum() / len(ratings)), float(DampedBias.damping)
    weights = np.where(counts > 0, 1 / (counts + damping), 0)
    biases = (sums - counts * mean) * weights
    for _ in range(BIAS_SWEEPS - 1):
        before = Biases(mean, biases.astype(np.float32), damping)
        biases = added(ratings.packed, before.rest_of_films) * weights
    return Biases(mean, biases.astype(np.float32), damping)


def _usual(ratings: SparkRatings, params: ALS) -> tuple[float, Float32]:
    """Return what is said of pairs that are not known where the model has no biases."""
    counts, sums = ratings.film_counts, ratings.film_sums
    mean = float(sums.sum() / len(ratings))
    return mean, ((sums - counts * mean) / (counts + params.bias_damping)).astype(np.float32)


def _of_rank_0(people: DataFrame, bias: str) -> DataFrame:
    return people.selectExpr("user", "cast(array() as array<float>) as features", f"cast({bias} as float) as bias")


def _unbiased(people: DataFrame) -> DataFrame:
    return people.selectExpr("user", "features", "cast(0 as float) as bias")


def _blocks(ratings: SparkRatings) -> dict[str, Any]:
    return {
        "numUserBlocks": ratings.partitions,
        "numItemBlocks": ratings.partitions,
        "checkpointInterval": CHECKPOINT_EVERY,  # does nothing without spark.checkpoint.dir
    }


def _factored(als: SparkALS, frame: DataFrame, n_items: int) -> tuple[DataFrame, Float32, Bools]:
    """Return people as ``user`` and ``features``, the films' factors, and which films were there.

    Spark looks at one row before it takes them all; kept, they are made once, and no worker is cut off as it writes.
    """
    kept = frame.persist(StorageLevel.MEMORY_AND_DISK)
    model = als.fit(kept)
    kept.unpersist()
    table = model.itemFactors.toArrow().combine_chunks()
    matrix, known = np.zeros((n_items, model.rank), np.float32), np.zeros(n_items, np.bool_)
    rows = table["id"].to_numpy()
    matrix[rows], known[rows] = features_of(table, model.rank), True
    return model.userFactors.withColumnRenamed("id", "user"), matrix, known

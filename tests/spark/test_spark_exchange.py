"""Spark loads what we write, and we serve what Spark trained."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner
from pyspark.ml.recommendation import ALS as SparkALS  # noqa: N811
from pyspark.ml.recommendation import ALSModel as SparkModel
from pyspark.sql import SparkSession

import matinee
from matinee.cli import cli
from matinee.engines.spark.exchange import export_model, import_model
from matinee.models.factors import RatingModel
from matinee.registry import Registry

pytestmark = [pytest.mark.xdist_group("spark"), pytest.mark.timeout(300)]  # a timeout would break the session for all


@pytest.fixture(scope="module")
def ratings() -> matinee.Ratings:
    rng = np.random.default_rng(2)
    users, items = np.divmod(rng.choice(40 * 30, 500, replace=False), 30)
    stars = np.clip(np.round(2 * rng.normal(3.5, 1, 500)) / 2, 0.5, 5)
    return matinee.Ratings.from_arrays(users + 1, items + 1, stars)


def table(ratings: matinee.Ratings) -> pl.DataFrame:
    return pl.DataFrame(
        {"user": ratings.user_ids, "item": ratings.item_ids, "rating": ratings.stars},
        {"user": pl.Int32, "item": pl.Int32, "rating": pl.Float32},
    )


def test_spark_predicts_what_we_predict(spark: SparkSession, ratings: matinee.Ratings, tmp_path: Path) -> None:
    model = matinee.ALS(rank=3, iterations=3).fit(ratings)
    export_model(model, tmp_path / "m")
    loaded = SparkModel.load(str(tmp_path / "m"))
    assert loaded.rank == 5  # two factors carry the biases
    predicted = pl.from_arrow(loaded.transform(spark.createDataFrame(table(ratings).to_arrow())).toArrow())
    assert isinstance(predicted, pl.DataFrame)
    ours = np.asarray(model.predict(predicted["user"].to_numpy(), predicted["item"].to_numpy()))
    theirs = np.clip(predicted["prediction"].to_numpy(), *model.scale)
    assert len(theirs) == len(ratings)
    assert np.abs(ours - theirs).max() < 1e-5


def test_mllib_predicts_what_we_predict(spark: SparkSession, ratings: matinee.Ratings, tmp_path: Path) -> None:
    model = matinee.ALS(rank=3, iterations=3).fit(ratings)
    export_model(model, tmp_path / "m", layout="mllib")
    jvm = spark._jvm.org.apache.spark.mllib.recommendation.MatrixFactorizationModel
    loaded = jvm.load(spark._jsc.sc(), str(tmp_path / "m"))
    for user, item in ((1, 1), (7, 30), (40, 12)):
        assert np.clip(loaded.predict(user, item), *model.scale) == pytest.approx(model.predict(user, item), abs=1e-5)


def test_a_model_that_spark_trained_is_served_here(
    spark: SparkSession, ratings: matinee.Ratings, tmp_path: Path
) -> None:
    frame = spark.createDataFrame(table(ratings).to_arrow())
    trained = SparkALS(rank=4, regParam=0.2, maxIter=3, numUserBlocks=2, numItemBlocks=2).fit(frame)
    trained.write().save(str(tmp_path / "theirs"))
    table(ratings).write_parquet(tmp_path / "ratings.parquet")
    arguments = ["models", "import", str(tmp_path / "theirs"), "--regularization", "0.2", "--format", "spark"]
    data = ["--data", str(tmp_path / "ratings.parquet"), "--item-column", "item"]
    result = CliRunner().invoke(cli, [*arguments, *data, "--home", str(tmp_path / "home"), "--json"])
    assert result.exit_code == 0, result.stderr
    artifact = Registry(tmp_path / "home" / "models").read(json.loads(result.stdout)["model_id"])
    predicted = pl.from_arrow(trained.transform(frame).toArrow())
    assert isinstance(predicted, pl.DataFrame)
    ours = np.asarray(artifact.stars.predict(predicted["user"].to_numpy(), predicted["item"].to_numpy()))
    assert np.abs(ours - np.clip(predicted["prediction"].to_numpy(), *artifact.stars.scale)).max() < 1e-5
    mine = dict(zip(ratings.items.ids[ratings.by_user.row(0)[0]].tolist(), ratings.by_user.row(0)[1], strict=True))
    folded, known = artifact.stars.fold_in(mine), artifact.stars.person(1)
    np.testing.assert_allclose(folded.factors, known.factors, atol=1e-3)  # users last, in Spark as here
    assert set(folded.recommend(30)[0].tolist()).isdisjoint(mine)


def test_round_trip_through_spark(spark: SparkSession, ratings: matinee.Ratings, tmp_path: Path) -> None:
    """Ours, loaded and saved by Spark, read again."""
    plain = matinee.ALS(rank=3, iterations=2, biases=False)
    model = plain.fit(ratings)
    SparkModel.load(str(export_model(model, tmp_path / "ours"))).write().save(str(tmp_path / "theirs"))
    back = import_model(tmp_path / "theirs", plain, ratings)
    assert isinstance(back, RatingModel)
    difference = np.subtract(
        back.predict(ratings.user_ids, ratings.item_ids), model.predict(ratings.user_ids, ratings.item_ids)
    )
    assert np.abs(difference).max() < 1e-5

"""Trained on Spark, as good as here: parity of models and of their measures, and a folder that is served."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from pyspark.sql import SparkSession

import matinee
from matinee import ALS, ImplicitALS
from matinee.cli import cli
from matinee.data.splits import hash_split as local_split
from matinee.engines.spark.fit import Factors, fit_biases, fit_picks, fit_stars, on_spark
from matinee.engines.spark.frames import SparkRatings, from_ratings
from matinee.engines.spark.people import measured_over_people
from matinee.engines.spark.session import spark_session
from matinee.engines.spark.splits import cold_counts, hash_split
from matinee.errors import EngineError, ParameterError
from matinee.evaluation.distributed import measured
from matinee.evaluation.metrics import cold_counts as local_cold_counts
from matinee.evaluation.metrics import star_metrics
from matinee.evaluation.ranking import rank_everything
from matinee.evaluation.sums import list_metrics_of, list_part, star_metrics_of, star_part
from matinee.models.als import ALSModel
from matinee.models.implicit_als import ImplicitModel
from matinee.registry import Registry

pytestmark = [pytest.mark.xdist_group("spark"), pytest.mark.timeout(300)]  # a timeout would break the session for all

Parts = tuple[SparkRatings, SparkRatings, matinee.Ratings, matinee.Ratings]


@pytest.fixture(scope="module")
def parts(spark: SparkSession) -> Parts:
    """Training and test part of the sample, on the cluster and here."""
    ratings = matinee.load("sample").ratings
    train, test = hash_split(from_ratings(spark, ratings), 0.2, 0)
    return train, test, *local_split(ratings, 0.2, 0)


def here(factors: Factors, train: matinee.Ratings, params: ALS | ImplicitALS) -> ALSModel | ImplicitModel:
    """The model of what the training part has."""
    users, items = factors.users_known, factors.items_known
    known = Factors(
        factors.user_factors[users], factors.item_factors[items], factors.user_biases[users],
        factors.item_biases[items], factors.mean, users[users], items[items], factors.usual_stars,
    )  # fmt: skip
    return known.stars_model(train, params) if isinstance(params, ALS) else known.picks_model(train, params)


def test_stars_err_as_little_as_here_and_are_measured_alike(parts: Parts) -> None:
    train, test, local_train, local_test = parts
    errors = []
    for seed in (1, 2, 3):
        params = ALS(rank=8, regularization=0.1, iterations=10, seed=seed, biases=False)
        factors = fit_stars(train, params)
        ours, theirs = params.fit(local_train), here(factors, local_train, params)
        assert isinstance(theirs, ALSModel)
        errors.append((matinee.rmse(theirs, local_test), matinee.rmse(ours, local_test)))
    spark_rmse, local_rmse = np.mean(errors, axis=0)
    assert abs(spark_rmse - local_rmse) < 0.005
    assert cold_counts(train, test) == local_cold_counts(local_train, local_test)
    on_cluster = star_metrics_of(measured(star_part, factors, test))
    assert on_cluster == pytest.approx(star_metrics(theirs, local_test), abs=1e-6)


def test_biases_beat_the_baseline_and_are_measured_alike(parts: Parts) -> None:
    train, test, local_train, local_test = parts
    params = on_spark(ALS(rank=8, iterations=8), train)
    factors = fit_stars(train, params)
    model = here(factors, local_train, params)
    assert isinstance(model, ALSModel)
    on_cluster = star_metrics_of(measured(star_part, factors, test))
    assert on_cluster == pytest.approx(star_metrics(model, local_test), abs=1e-6)
    damped = matinee.damped_bias().fit(local_train)
    assert on_cluster["rmse"] is not None
    assert on_cluster["rmse"] < matinee.rmse(damped, local_test) - 0.005
    biases = star_metrics_of(measured(star_part, factors.without_factors(), test))
    assert biases["rmse"] == pytest.approx(matinee.rmse(damped, local_test), abs=0.002)  # 3 sweeps, not 10


def test_lists_are_as_good_as_here_and_measured_alike(parts: Parts) -> None:
    train, test, local_train, local_test = parts
    params = ImplicitALS(rank=16, iterations=8, objective="spark", regularization=0.1)
    factors = fit_picks(train, params)
    ours = rank_everything(params.fit(local_train), local_test, local_train).means
    theirs = rank_everything(here(factors, local_train, params), local_test, local_train).means
    assert theirs["ndcg@10"] == pytest.approx(ours["ndcg@10"], rel=0.02)
    assert list_metrics_of(measured(list_part, factors, test, train)) == pytest.approx(theirs, abs=1e-6)


def test_only_sparks_objective_is_learned_there(parts: Parts) -> None:
    for params in (ImplicitALS(), ImplicitALS(objective="spark", nu=0.5)):
        with pytest.raises(ParameterError, match="Spark learns objective='spark', nu=1"):
            fit_picks(parts[0], params)


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, [*arguments, "--home", str(home)])


QUICK = ["--engine", "spark", "--rank", "4", "--iterations", "2", "--picks-rank", "4", "--picks-iterations", "2"]


def test_a_model_folder_like_any_other(spark: SparkSession, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    users, items = np.divmod(rng.choice(50 * 40, 800, replace=False), 40)
    lines = [f"{u},{i},{s}" for u, i, s in zip(users, items, rng.integers(1, 6, 800), strict=True)]
    (tmp_path / "r.csv").write_text("user,item,rating\n" + "\n".join(lines) + "\n")
    result = run(tmp_path, "train", str(tmp_path / "r.csv"), *QUICK, "--json")
    assert result.exit_code == 0, result.stderr
    assert "800 ratings on Spark; the driver will gather" in result.stderr
    document = json.loads(result.stdout)
    assert document["engine"] == "spark"
    assert document["protocol"]["split"] == "hash"
    assert document["stars"].keys() == document["baselines"]["damped bias"].keys()
    assert 0 < document["picks"]["ndcg@10"] < 1
    artifact = Registry(tmp_path / "models").read()
    assert artifact.model_id == document["model_id"]
    assert artifact.manifest["data"]["fingerprint"] == matinee.load(tmp_path / "r.csv").ratings.fingerprint
    answered = json.loads(run(tmp_path, "recommend", "--user", "3", "--json").stdout)
    seen = set(items[users == 3].tolist())
    assert len(answered["recommendations"]) == min(10, 40 - len(seen))
    assert seen.isdisjoint(film["movie_id"] for film in answered["recommendations"])
    folded = run(tmp_path, "predict", "5", "--rate", "3=5", "--rate", "4=1")
    assert folded.exit_code == 0, folded.stderr
    for wrong in (["--quality", "best"], ["--picks-alpha0", "0.2"]):
        refused = run(tmp_path, "train", str(tmp_path / "r.csv"), *QUICK, *wrong)
        assert refused.exit_code == 2
        assert f"{wrong[0]}" in refused.stderr


def test_what_spark_throws_is_one_line(parts: Parts) -> None:
    def fail(model: object, test: object) -> bytes:  # in here, so that it travels by value
        raise ValueError("no such film")

    train, test = parts[:2]
    broken = replace(train, frame=train.frame.selectExpr("user", "item", "raise_error('lost') as stars", "rated_at"))
    with pytest.raises(EngineError, match=r"Spark gave up: .*lost") as raised, spark_session():
        fit_stars(broken, ALS(rank=2, iterations=1, biases=False))
    assert "\n" not in str(raised.value)
    factors = fit_biases(train)
    with pytest.raises(EngineError, match="Spark gave up: ValueError: no such film"), spark_session():
        measured_over_people(test, factors, fail)

"""What is Spark's own: its biases, its objective, its errors in one line, and a folder that is served."""

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
from matinee.engines.spark.fit import BIAS_SWEEPS, fit_biases, fit_picks, fit_stars
from matinee.engines.spark.frames import SparkRatings, from_ratings
from matinee.engines.spark.people import measured_over_people
from matinee.engines.spark.session import spark_session
from matinee.errors import EngineError, ParameterError
from matinee.registry import Registry

pytestmark = [pytest.mark.xdist_group("spark"), pytest.mark.timeout(300)]  # a timeout would break the session for all


@pytest.fixture(scope="module")
def here() -> matinee.Ratings:
    rng = np.random.default_rng(4)
    users, items = np.divmod(rng.choice(40 * 30, 500, replace=False), 30)
    stars = np.clip(np.round(2 * (rng.normal(0, 0.6, 30)[items] + rng.normal(3.5, 0.8, 500))) / 2, 0.5, 5)
    return matinee.Ratings.from_arrays(users, items, stars)


@pytest.fixture(scope="module")
def ratings(spark: SparkSession, here: matinee.Ratings) -> SparkRatings:
    return from_ratings(spark, here)


def test_damped_biases_are_those_of_here(here: matinee.Ratings, ratings: SparkRatings) -> None:
    ours, theirs = matinee.damped_bias(sweeps=BIAS_SWEEPS).fit(here), fit_biases(ratings)
    assert theirs.mean == pytest.approx(ours.mean, abs=1e-6)
    people = theirs.people.orderBy("user").toArrow()
    assert people["user"].to_pylist() == list(range(len(here.users)))
    np.testing.assert_allclose(people["bias"], ours.user_biases, atol=1e-5)
    np.testing.assert_allclose(theirs.item_biases, ours.item_biases, atol=1e-5)


def test_only_sparks_objective_is_learned_there(ratings: SparkRatings) -> None:
    for params in (ImplicitALS(), ImplicitALS(objective="spark", nu=0.5)):
        with pytest.raises(ParameterError, match="Spark learns objective='spark', nu=1"):
            fit_picks(ratings, params)


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


def test_what_the_driver_cannot_hold_stays_in_shards_or_is_refused(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "r.csv").write_text("user,item,rating\n" + "".join(f"{u},{i},{i}\n" for u in range(9) for i in (1, 2)))
    monkeypatch.setattr("matinee.cli.train.free_bytes", lambda: 500)
    assert "leave --no-shards out" in run(tmp_path, "train", str(tmp_path / "r.csv"), *QUICK, "--no-shards").stderr
    chosen = run(tmp_path, "train", str(tmp_path / "r.csv"), *QUICK, "--test", "0")
    assert chosen.exit_code == 0, chosen.stderr
    assert "people stay in Parquet shards" in chosen.stderr
    monkeypatch.setattr("matinee.cli.train.free_bytes", lambda: 100)
    refused = run(tmp_path, "train", str(tmp_path / "r.csv"), *QUICK)
    assert refused.exit_code == 1
    assert "the driver would gather 0.0 GB of ids and films, 0.0 GB are free here" in refused.stderr
    assert len(Registry(tmp_path / "models").list()) == 1


def test_what_spark_throws_is_one_line(ratings: SparkRatings) -> None:
    def fail(model: object, test: object) -> bytes:  # in here, so that it travels by value
        raise ValueError("no such film")

    lost = ratings.packed.selectExpr("user", "item", "cast(raise_error('lost') as binary) as stars", "rated_at")
    with pytest.raises(EngineError, match=r"Spark gave up: .*lost") as raised, spark_session():
        fit_stars(replace(ratings, packed=lost), ALS(rank=2, iterations=1, biases=False))
    assert "\n" not in str(raised.value)
    factors = fit_biases(ratings)
    with pytest.raises(EngineError, match="Spark gave up: ValueError: no such film"), spark_session():
        measured_over_people(ratings, factors, fail)

"""Everybody's lists made on Spark are the ones that are made here."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner, Result
from pyspark.sql import SparkSession

import matinee
from matinee.cli import cli
from matinee.engines.spark import lists
from matinee.engines.spark.lists import write_lists
from matinee.errors import ArtifactError, ParameterError
from matinee.registry import Registry

pytestmark = [pytest.mark.xdist_group("spark"), pytest.mark.timeout(300)]  # a timeout would break the session for all


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, [*arguments, "--home", str(home)])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    data = matinee.load("sample")
    stars = matinee.ALS(rank=4, iterations=2).fit(data.ratings)
    picks = matinee.ImplicitALS(rank=8, iterations=2).fit(data.ratings)
    Registry(folder / "models").publish(stars, picks, movies=data.movies, ratings=data.ratings)
    return folder


def test_the_same_lists_as_here(
    spark: SparkSession, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "PEOPLE_PER_BLOCK", 100)  # several blocks, several jobs
    monkeypatch.setattr(lists, "BLOCKS_PER_CORE", 1)
    filters = ["--genre-any", "Drama", "--exclude", "318", "--year-from", "1980", "-n", "7"]
    here = run(home, "recommend", "--all", "--out", str(tmp_path / "here.parquet"), *filters)
    assert here.exit_code == 0, here.stderr
    there = run(home, "recommend", "--all", "--out", str(tmp_path / "there"), *filters, "--engine", "spark", "--json")
    assert there.exit_code == 0, there.stderr
    document = json.loads(there.stdout)
    assert (document["users"], document["out"]) == (671, str(tmp_path / "there"))
    ours, theirs = (pl.read_parquet(tmp_path / path) for path in ("here.parquet", "there/*.parquet"))
    assert theirs.sort("user_id", "rank").equals(ours)
    assert not (tmp_path / "there.parts").exists()
    again = run(home, "recommend", "--all", "--out", str(tmp_path / "there"), "--engine", "spark")
    assert again.exit_code == 1
    assert "is there already" in again.stderr


def test_text_ids_and_what_people_have_seen(spark: SparkSession, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    users, items = np.divmod(rng.choice(50 * 30, 400, replace=False), 30)
    names = np.array([f"ü{user}" for user in users]), np.array([f"film {item}" for item in items])
    ratings = matinee.Ratings.from_arrays(*names, rng.integers(1, 6, 400).astype(float))
    model = matinee.ALS(rank=3, iterations=2).fit(ratings)
    steps: list[tuple[int, int]] = []
    write_lists(session=spark, out=str(tmp_path / "new"), ranker=model, stars=model, limit=30,
                progress=lambda *step: steps.append(step))  # fmt: skip
    assert steps == [(50, 50)]
    new = pl.read_parquet(tmp_path / "new/*.parquet")
    seen = pl.DataFrame({"user_id": ratings.user_ids, "movie_id": ratings.item_ids})
    assert len(new) == 50 * 30 - 400
    assert new.join(seen, on=["user_id", "movie_id"]).is_empty()
    write_lists(spark, str(tmp_path / "all"), model, model, limit=30, include_seen=True)
    everything = pl.read_parquet(tmp_path / "all/*.parquet").sort("user_id", "rank")
    assert len(everything) == 50 * 30
    first = everything.filter(pl.col("user_id") == "ü7")
    assert first["movie_id"].to_list() == model.recommend("ü7", 30, include_seen=True)[0].tolist()
    with pytest.raises(ArtifactError, match="is there already"):
        write_lists(spark, str(tmp_path / "all"), model, model)


def test_what_cannot_be_asked_of_spark(spark: SparkSession, home: Path, tmp_path: Path) -> None:
    ratings = matinee.load("sample").ratings.select(np.arange(100_004) < 500)
    bayesian = matinee.BayesianMF(rank=2, iterations=4, burn_in=1, samples=2).fit(ratings)
    with pytest.raises(ParameterError, match=r"on Spark stars are those of ALS.*--quality fast"):
        write_lists(spark, str(tmp_path / "none"), bayesian, bayesian)
    alone = run(home, "recommend", "--user", "1", "--engine", "spark")
    assert alone.exit_code == 2
    assert "--engine spark is for the lists of --all" in alone.stderr

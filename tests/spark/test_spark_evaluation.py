"""`matinee evaluate` and `tune` on Spark: the documents of one machine, the same numbers for the same model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner, Result
from pyspark.sql import SparkSession

from matinee.cli import cli

pytestmark = [pytest.mark.xdist_group("spark"), pytest.mark.timeout(300)]  # a timeout would break the session for all


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV of 90 people's stars for 60 films, with two tastes and times."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(90, 2)), rng.normal(size=(60, 2))
    user, item = np.divmod(rng.choice(90 * 60, 1500, replace=False), 60)
    stars = np.round(np.clip(3.5 + (x[user] * y[item]).sum(axis=1), 0.5, 5) * 2) / 2
    path = tmp_path_factory.mktemp("data") / "ratings.csv"
    columns = {"userId": user + 1, "movieId": item + 1, "rating": stars, "timestamp": rng.integers(1, 9999, 1500)}
    pl.DataFrame(columns).write_csv(path)
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def asked(*arguments: str | Path) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_stars_are_examined_as_here(spark: SparkSession, data: Path) -> None:
    flags = ("--protocol", "last", "--last", "3", "--rank", "2", "--iterations", "4")
    here = asked("evaluate", data, *flags, "--models", "als")
    there = asked("evaluate", data, *flags, "--engine", "spark")
    assert there.pop("engine") == "spark"
    assert there["protocol"] == here["protocol"] | {"data": str(data)}
    assert there["model"].keys() == here["model"].keys()
    theirs, ours = (document["baselines"]["damped bias"]["rmse"] for document in (there, here))
    assert theirs == pytest.approx(ours, abs=0.01)  # 3 sweeps, not 10
    assert there["model"]["rmse"] < theirs - 0.1


def test_lists_are_examined_as_here(spark: SparkSession, data: Path) -> None:
    flags = ("--task", "ranking", "--protocol", "hash", "-k", "5", "--rank", "2", "--iterations", "3")
    here, there = (
        asked("evaluate", data, *flags),
        asked("evaluate", data, *flags, "--engine", "spark", "--repeats", "1"),
    )
    assert there["protocol"] == here["protocol"] | {"data": str(data)}
    assert there["model"].keys() == here["model"].keys()
    assert list(there["baselines"]) == ["popularity", "tutorial's list"]
    ours, theirs = (document["baselines"]["popularity"] for document in (here, there))
    assert ours.pop("fit_seconds") >= 0
    assert theirs.pop("fit_seconds") >= 0
    assert theirs == pytest.approx({name: ours[name] for name in theirs}, abs=1e-6)


def test_a_grid_is_tried_as_here(spark: SparkSession, data: Path) -> None:
    flags = ("--ranks", "1,2", "--regularization", "0.05", "--iterations", "6", "--biases")
    here = asked("tune", data, *flags, "--protocol", "hash")
    there = asked("tune", data, *flags, "--engine", "spark")
    assert there.pop("engine") == "spark"
    assert there["protocol"] == here["protocol"]
    for ours, theirs in zip(here["trials"], there["trials"], strict=True):
        assert theirs.keys() == ours.keys()
        assert theirs["params"] == ours["params"]
    assert there["best"]["params"] == here["best"]["params"] == there["trials"][1]["params"]
    assert there["test"]["rmse"] < there["baselines"]["damped bias"]["test"]["rmse"] - 0.1
    assert not there["trials"][0]["within_noise"]  # one taste explains far less than two


def test_lists_are_tuned(spark: SparkSession, data: Path) -> None:
    flags = ("--task", "ranking", "--ranks", "2", "--regularization", "0.1,1000", "--iterations", "2", "--alpha", "1")
    there = asked("tune", data, *flags, "--engine", "spark")
    values = [trial["ndcg@10"] for trial in there["trials"]]
    assert there["best"]["ndcg@10"] == max(values)
    assert there["trials"][0]["params"]["alpha"] == 1
    assert {tuple(trial["curve"]) for trial in there["trials"]} == {("2",)}
    here = asked("tune", data, "--task", "ranking", "--ranks", "2", "--iterations", "2", "--protocol", "hash")
    theirs, ours = (document["baselines"]["popularity"] for document in (there, here))
    assert theirs["test"] == pytest.approx(ours["test"], abs=1e-6)
    assert theirs["validation"] == pytest.approx(ours["validation"], abs=1e-6)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["evaluate", "--protocol", "random"], 1, "hash, last, time are allowed on Spark"),
        (["evaluate", "--models", "bayesian"], 2, "which has ALS alone"),
        (["evaluate", "--protocol", "time", "--repeats", "2"], 1, "it cannot be repeated"),
        (
            ["evaluate", "--task", "ranking", "--relevant-from", "6", "--rank", "2", "--iterations", "1"],
            1,
            "nobody liked anything that was held out",
        ),
        (["tune", "--protocol", "random"], 2, "hash is the only one"),
        (["tune", "--damping", "2"], 2, "--damping has no meaning here"),
    ],
)
def test_what_cannot_be_asked_of_spark(
    spark: SparkSession, data: Path, arguments: list[str], code: int, said: str
) -> None:
    command, *flags = arguments
    result = run(command, data, *flags, "--engine", "spark")
    assert result.exit_code == code
    assert said in result.stderr

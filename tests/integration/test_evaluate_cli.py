"""`matinee tune` and `matinee evaluate`, from a file to tables, JSON and plots."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner, Result

from matinee.cli import cli, evaluate
from matinee.cli.tune import SPACES, chosen_space
from matinee.evaluation.splitting import PROTOCOLS


@pytest.fixture(scope="module")
def ratings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV of 120 people's stars for 80 films, with two tastes and times."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(120, 2)), rng.normal(size=(80, 2))
    cell = rng.permutation(120 * 80)[:3000]
    user, item = cell // 80, cell % 80
    stars = np.round(np.clip(3.5 + (x[user] * y[item]).sum(axis=1), 0.5, 5) * 2) / 2
    path = tmp_path_factory.mktemp("data") / "ratings.csv"
    columns = {"userId": user + 1, "movieId": item + 1, "rating": stars, "timestamp": rng.integers(1, 9999, 3000)}
    pl.DataFrame(columns).write_csv(path)
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def asked(*arguments: str | Path) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_the_tutorials_setting(ratings: Path) -> None:
    document = asked("tune", ratings, "--tutorial")
    assert [trial["params"] for trial in document["trials"]] == [
        {"rank": rank, "regularization": 0.1, "iterations": 10, "biases": False, "seed": 5} for rank in (4, 8, 12)
    ]
    assert document["protocol"]["split"] == "6:2:2"
    assert document["protocol"]["split_seed"] == 0
    best = min(document["trials"], key=lambda trial: trial["rmse"])
    assert document["best"] == {"params": best["params"], "rmse": best["rmse"]}
    assert 0 < document["test"]["rmse"] < document["baselines"]["damped bias"]["test"]["rmse"]


def test_the_tutorials_second_part(ratings: Path) -> None:
    document = asked("tune", ratings, "--tutorial", "--split", "7:3", "--ranks", "8")
    assert document["trials"] == []
    assert document["protocol"]["pairs"] == 900
    table = run("tune", ratings, "--tutorial", "--split", "7:3", "--ranks", "8").stdout
    assert f"{document['test']['rmse']:.4f}" in table


def test_a_grid_with_repeats_as_a_table(ratings: Path) -> None:
    grid = ("--ranks", "2,4", "--regularization", "0.05,0.1", "--iterations", "5", "--repeats", "2")
    result = run("tune", ratings, *grid)
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].startswith("split 6:2:2, seed 0, 2 splits; ")
    assert lines[2].split()[:4] == ["rank", "regularization", "iterations", "seed"]
    assert [line.split()[0] for line in lines[3:8]] == ["2", "2", "4", "4", "damped"]
    assert lines[9].startswith("best: rank ")
    assert lines[10].startswith("test rmse of rank ")


def test_lists_are_tuned_with_early_stopping(ratings: Path, tmp_path: Path) -> None:
    flags = ("--ranks", "2,4", "--shrinkage", "0.4", "--alpha0", "0.3", "--iterations", "4")
    document = asked("tune", ratings, "--task", "ranking", *flags, "--plot", tmp_path / "plot.png")
    assert document["protocol"]["metric"] == "ndcg@10"
    assert {tuple(trial["curve"]) for trial in document["trials"]} == {("2", "4")}
    assert set(document["baselines"]) == {"popularity"}
    assert (tmp_path / "plot.png").stat().st_size > 1000


def test_optuna_searches_between_the_values(ratings: Path) -> None:
    flags = ("--ranks", "2", "--regularization", "0.01,1", "--iterations", "3", "--trials", "3")
    trials = asked("tune", ratings, *flags)["trials"]
    values = [trial["params"]["regularization"] for trial in trials]
    assert len(set(values)) == 3
    assert all(0.01 <= value <= 1 for value in values)


def test_stars_stand_beside_the_baseline(ratings: Path, tmp_path: Path) -> None:
    plot = tmp_path / "plot.svg"
    document = asked("evaluate", ratings, "--rank", "2", "--iterations", "5", "--plot", plot)
    assert list(document) == ["protocol", "engine", "model", "baselines"]
    assert document["engine"] == "local"
    assert document["protocol"]["test"] == 600
    assert {"rmse", "mae", "auc", "auc_per_user"} <= set(document["model"])
    assert document["model"]["rmse"] < document["baselines"]["damped bias"]["rmse"]
    assert plot.read_text().startswith("<?xml")


def test_every_rating_model_stands_in_one_table(ratings: Path, tmp_path: Path) -> None:
    plot = tmp_path / "reliability.svg"
    result = run("evaluate", ratings, "--plot", plot)
    assert result.exit_code == 0, result.stderr
    heads, *rows = result.stdout.splitlines()[2:6]
    assert heads.split()[-2:] == ["fit", "s"]
    assert [row[:11].strip() for row in rows] == ["ALS", "BayesianMF", "damped bias"]
    assert re.search(r"^BayesianMF +10 +\d", result.stdout, re.MULTILINE)  # the last tenth by width
    assert plot.read_text().startswith("<?xml")
    document = asked("evaluate", ratings, "--models", "bayesian", "--seed", "3")
    assert document["model"]["name"] == "BayesianMF"
    assert set(document["baselines"]) == {"damped bias"}
    assert 0.5 < document["model"]["intervals"]["coverage"]["0.9"] < 1


def test_of_large_data_the_slow_model_is_left_out(monkeypatch: pytest.MonkeyPatch, ratings: Path) -> None:
    monkeypatch.setattr(evaluate, "MOST_RATINGS", 100)
    result = run("evaluate", ratings, "--rank", "2", "--iterations", "1")
    assert "BayesianMF is left out" in result.stderr
    assert "BayesianMF" not in result.stdout


def test_lists_stand_beside_three_baselines(ratings: Path) -> None:
    result = run("evaluate", ratings, "--task", "ranking", "--rank", "4", "--iterations", "2", "-k", "5")
    assert result.exit_code == 0, result.stderr
    heads, *rows = result.stdout.splitlines()[2:]
    assert heads.split()[:3] == ["model", "NDCG", "recall"]
    assert [row[:15].strip() for row in rows] == ["ImplicitALS", "popularity", "tutorial's list", "item-item"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_protocol_cuts_as_it_says(ratings: Path, protocol: str) -> None:
    flags = (
        "--task",
        "ranking",
        "--rank",
        "2",
        "--iterations",
        "1",
        "--protocol",
        protocol,
        "--folds",
        "3",
        "--last",
        "2",
    )
    document = asked("evaluate", ratings, *flags)["protocol"]
    assert document["protocol"] == protocol
    assert document["splits"] == (3 if protocol == "k-fold" else 1)
    sizes = {"random": 600, "per-user": 600, "k-fold": 1000, "last": 240, "hash": 600, "time": 600, "strong": 300}
    assert document["test"] == pytest.approx(sizes[protocol], rel=0.15)


def test_the_commands_offer_every_protocol() -> None:
    assert evaluate.PROTOCOLS == PROTOCOLS


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("tune", "DATA", "--split", "7:3", "--ranks", "4,8"), "need a validation part"),
        (("tune", "DATA", "--ranks", "0"), "at least 1"),
        (("tune", "DATA", "--plot", "plot.txt"), ".png, .svg or .pdf"),
        (("tune", "nowhere.csv"), "nowhere.csv"),
        (("evaluate", "DATA", "--test", "1.5"), "between 0 and 1"),
        (("evaluate", "DATA", "--repeats", "2", "--protocol", "time"), "cannot be repeated"),
        (("evaluate", "DATA", "--regularization", "-1"), "above 0"),
        (("evaluate", "DATA", "--task", "ranking", "--k", "0"), "at least one place"),
        (("evaluate", "DATA", "--task", "ranking", "--relevant-from", "6"), "no held-out rating has 6 stars"),
    ],
)
def test_what_cannot_be_done_is_one_line(ratings: Path, arguments: tuple[str, ...], message: str) -> None:
    result = run(*(ratings if part == "DATA" else part for part in arguments))
    assert result.exit_code == 1, result.output
    assert result.stderr.count("\n") == 1
    assert message in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("tune", "DATA", "--ranks", "4,eight"),
        ("tune", "DATA", "--split", "6:2:2:1"),
        ("tune", "DATA", "--split", "6:x"),
        ("tune", "DATA", "--tutorial", "--task", "ranking"),
        ("tune", "DATA", "--alpha0", "0.1"),
        ("tune", "DATA", "--task", "ranking", "--no-biases"),
        ("tune", "DATA", "--trials", "3", "--split", "7:3"),
        ("evaluate", "DATA", "--protocol", "strong"),
        ("evaluate", "DATA", "--task", "ranking", "--no-biases"),
        ("evaluate", "DATA", "--task", "ranking", "--damping", "4"),
        ("evaluate", "DATA", "--task", "ranking", "--models", "als"),
        ("evaluate", "DATA", "--protocol", "leave-one-out"),
    ],
)
def test_wrong_usage_ends_with_two(ratings: Path, arguments: tuple[str, ...]) -> None:
    assert run(*(ratings if part == "DATA" else part for part in arguments)).exit_code == 2


@pytest.mark.parametrize(
    ("defaults", "flags", "space"),
    [
        ("stars", {}, SPACES["stars"]),
        ("ranking", {"iterations": [4]}, SPACES["ranking"] | {"iterations": [4]}),
        ("stars", {"rank": [8]}, {"rank": [8], "iterations": [15]}),
        (
            "stars",
            {"damping": [1.0, 2.0], "biases": True},
            {"damping": [1.0, 2.0], "iterations": [15], "biases": [True]},
        ),
        ("ranking", {"activity": [0.5]}, {"activity": [0.5], "iterations": [10]}),
        ("tutorial", {"rank": [8]}, SPACES["tutorial"] | {"rank": [8]}),
    ],
)
def test_flags_name_what_is_tried(defaults: str, flags: dict[str, Any], space: dict[str, Any]) -> None:
    names = ("rank", "regularization", "damping", "iterations", "biases", "alpha0", "shrinkage", "activity", "alpha")
    assert chosen_space(defaults, dict.fromkeys(names) | flags) == space

"""`matinee train --quality best` on the sample, and everything that its intervals reach, as people meet it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient

import matinee
from matinee import BayesianMF
from matinee.cli import cli
from matinee.cli.evaluate import star_models
from matinee.models.bayesian import BayesianModel
from matinee.registry import Registry
from matinee.settings import Settings
from matinee.store.ratings import RatingStore
from matinee.web.app import create_app
from matinee.web.serving import Models, RegistrySource

QUICK = (
    "--quality", "best", "--rank", "4", "--iterations", "12", "--burn-in", "4", "--samples", "8",
    "--picks-rank", "8", "--picks-iterations", "2",
)  # fmt: skip


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, [*arguments, "--home", str(home)])


def asked(home: Path, *arguments: str) -> dict[str, Any]:
    result = run(home, *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a quickly sampled model, which tests must not change."""
    folder = tmp_path_factory.mktemp("home")
    result = run(folder, "train", "sample", *QUICK)
    assert result.exit_code == 0, result.stderr
    assert "stars by BayesianMF: quality is best" in result.stderr
    return folder


@pytest.fixture(scope="module")
def client(home: Path) -> Iterator[FlaskClient]:
    store, models = RatingStore("sqlite://"), Models(RegistrySource(home / "models"))
    models.refresh()
    yield create_app(Settings(home=home), store, models).test_client()
    store.close()


def test_the_manifest_says_which_and_why(home: Path) -> None:
    artifact = Registry(home / "models").read()
    assert isinstance(artifact.stars, BayesianModel)
    assert artifact.stars.params == BayesianMF(rank=4, iterations=12, burn_in=4, samples=8)
    metrics = artifact.manifest["metrics"]
    assert "BayesianMF" in metrics["choice"]
    assert metrics["stars"]["rmse"] < metrics["baselines"]["damped bias"]["rmse"]


def test_fast_is_the_default_and_says_so(tmp_path: Path) -> None:
    result = run(tmp_path, "train", "sample", "--rank", "4", "--iterations", "1", "--test", "0", "--no-picks")
    assert "stars by ALS: quality is fast" in result.stderr
    assert "ALS" in Registry(tmp_path / "models").read().manifest["metrics"]["choice"]


def test_a_time_budget_is_kept_to_and_told(tmp_path: Path) -> None:
    flags = ("train", "sample", "--no-picks", "--quality", "best", "--time-budget")
    result = run(tmp_path, *flags, "0.001")
    assert "stars by damped biases: quality is best, but BayesianMF would take about" in result.stderr
    assert "0.001 s are allowed" in result.stderr
    assert re.search(r"RMSE 0\.8\d+ on 20001 held-out ratings\n", result.stdout)
    metrics = Registry(tmp_path / "models").read().manifest["metrics"]
    assert (metrics["quality"], metrics["time_budget"]) == ("best", 0.001)
    for wrong in ("0", "-3", "soon"):
        assert run(tmp_path, *flags, wrong).exit_code == 2
    assert run(tmp_path, *flags, "nan").exit_code == 1
    on_spark = run(tmp_path, *flags[:3], "--engine", "spark", "--time-budget", "9")
    assert on_spark.exit_code == 2
    assert "--time-budget: not with --engine spark" in on_spark.stderr


def test_als_knows_intervals_where_training_measured_it(tmp_path: Path) -> None:
    flags = ("train", "sample", "--rank", "8", "--iterations", "4", "--no-picks")
    metrics = asked(tmp_path, *flags)
    sure = asked(tmp_path, "predict", "318", "--user", "42")
    assert sure["stars_low"] < sure["stars_low_50"] < sure["stars"] < sure["stars_high_50"] <= sure["stars_high"]
    assert 0 < sure["probability_4"] < 1
    assert Registry(tmp_path / "models").read().stars.variance[0] < metrics["stars"]["rmse"] ** 2 * 1.2
    asked(tmp_path, *flags, "--test", "0")
    assert asked(tmp_path, "predict", "318", "--user", "42")["stars_low"] is None


def test_ordered_probit_from_training_to_prediction(tmp_path: Path) -> None:
    trained = asked(tmp_path, "train", "sample", *QUICK, "--no-picks", "--output", "probit")
    assert trained["intervals"]["nll"] == trained["intervals"]["nll_steps"] < trained["intervals"]["nll_constant"]
    artifact = Registry(tmp_path / "models").read()
    assert artifact.manifest["models"]["stars"]["params"]["output"] == "probit"
    sure = asked(tmp_path, "predict", "318", "--user", "42")
    assert sure["stars_low"] < sure["stars_low_50"] < sure["stars"] < sure["stars_high_50"] <= sure["stars_high"]
    films = asked(tmp_path, "recommend", "--user", "42", "--rank-by", "stars", "--limit", "5")["recommendations"]
    again = [asked(tmp_path, "predict", str(film["movie_id"]), "--user", "42")["stars"] for film in films]
    assert [film["stars"] for film in films] == pytest.approx(again, abs=0.01)
    refused = run(tmp_path, "train", "sample", "--output", "probit")
    assert "--output: not a parameter of --quality fast" in refused.stderr


def test_both_outputs_can_be_measured_side_by_side() -> None:
    models = star_models(("probit", "bayesian"), matinee.load("sample"), {"seed": 3, "rank": 9})
    assert list(models) == ["BayesianMF probit", "BayesianMF", "damped bias"]
    assert [models[name].learner.output for name in list(models)[:2]] == ["probit", "normal"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--quality", "best", "--regularization", "1"), "--regularization: not a parameter of --quality best"),
        (("--samples", "4"), "--samples: not a parameter of --quality fast"),
        (("--quality", "great"), "great"),
    ],
)
def test_flags_of_the_other_quality_are_wrong_usage(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    result = run(tmp_path, "train", "sample", *arguments)
    assert result.exit_code == 2
    assert says in result.stderr


def test_more_samples_than_sweeps_is_one_line(tmp_path: Path) -> None:
    result = run(tmp_path, "train", "sample", "--quality", "best", "--iterations", "10")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "as many iterations behind the burn-in" in result.stderr


def test_a_prediction_says_how_sure_it_is(home: Path) -> None:
    document = asked(home, "predict", "Quiz Show (1994)", "--user", "42")
    wide, narrow = ([document[f"stars_{end}{level}"] for end in ("low", "high")] for level in ("", "_50"))
    assert 0.5 <= wide[0] < narrow[0] < document["stars"] < narrow[1] < wide[1] <= 5
    assert 0 < document["probability_4"] < 1
    text = run(home, "predict", "Quiz Show (1994)", "--user", "42").stdout
    assert re.search(rf"{narrow[0]:.1f} to {narrow[1]:.1f} with 50 %, {wide[0]:.1f} to {wide[1]:.1f} with 90 %", text)
    assert f"4 stars or more with {document['probability_4']:.0%}" in text


def test_the_film_is_an_argument_or_an_option_and_one(home: Path) -> None:
    named = asked(home, "predict", "--user", "42", "--movie", "Quiz Show (1994)")
    assert named == asked(home, "predict", "Quiz Show (1994)", "--user", "42")
    for films in ([], ["318", "--movie", "318"]):
        refused = run(home, "predict", *films, "--user", "42")
        assert refused.exit_code == 2
        assert "Give one film" in refused.stderr


def test_who_likes_everything_likes_this_more_probably(home: Path) -> None:
    kind, harsh = (
        asked(home, "predict", "318", *(f"--rate={movie}={stars}" for movie in (260, 1, 858, 50, 527, 593)))
        for stars in (5, 1)
    )
    assert kind["probability_4"] > harsh["probability_4"] + 0.2


def test_lists_by_the_low_end_prefer_what_is_certain(home: Path) -> None:
    films = asked(home, "recommend", "--user", "42", "--rank-by", "stars_low", "--limit", "40")["recommendations"]
    lows = [film["stars_low"] for film in films]
    assert lows == sorted(lows, reverse=True)
    by_stars = asked(home, "recommend", "--user", "42", "--rank-by", "stars", "--limit", "40")["recommendations"]
    assert [film["movie_id"] for film in by_stars] != [film["movie_id"] for film in films]


def test_the_service_folds_people_in_and_shows_intervals(client: FlaskClient) -> None:
    user = client.post("/api/v1/users", json={}).json["user_id"]
    ratings = [{"movie_id": movie, "stars": stars} for movie, stars in ((260, 4.5), (1, 3), (858, 5), (50, 4))]
    answered = client.post(f"/api/v1/users/{user}/ratings", json={"ratings": ratings, "recommend": 5}).json
    for film in answered["recommendations"]:
        assert 0.5 <= film["stars_low"] < film["stars"] < film["stars_high"] <= 5 or film["stars"] in (0.5, 5)
    again = client.get(f"/api/v1/users/{user}/recommendations?limit=5").json
    assert again["recommendations"] == answered["recommendations"]

"""Which rating model is learned: by quality, memory and time, and by what held-out ratings say."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import small_world

import matinee
from matinee import ALS, BayesianMF, Ratings, damped_bias
from matinee.data.dataset import Dataset
from matinee.errors import ParameterError
from matinee.evaluation.choice import Choice, choose, prefer, simpler
from matinee.evaluation.costs import bytes_of, seconds_of
from matinee.models.bayesian.params import InformedBayesianMF
from matinee.registry import Registry
from matinee.training import train

PLENTY = 10**12
OVERFITTED = ALS(rank=64, regularization=1e-3, damping=0.0, iterations=10)
QUICK = BayesianMF(rank=2, iterations=12, burn_in=4, samples=4)


def takes(**seconds: float) -> Callable[..., float]:
    """A clock that knows beforehand how long each learner takes."""
    return lambda learner, ratings, movies: seconds[type(learner).__name__]


def chosen(quality: str, **options: Any) -> Choice:
    return choose(quality, small_world.ratings(), **{"free": PLENTY, **options})


def test_without_limits_the_quality_decides() -> None:
    assert chosen("fast").learner == ALS()
    best = chosen("best", params={"seed": 3})
    assert best.learner == BayesianMF(seed=3)
    assert best.why.startswith("stars by BayesianMF: quality is best: ")
    assert isinstance(chosen("best", movies=small_world.movies()).learner, InformedBayesianMF)


@pytest.mark.parametrize(
    ("budget", "learner", "says"),
    [
        (100, BayesianMF(), "about 90 of 100 s"),
        (89, ALS(), "but BayesianMF would take about 90 s, 89 s are allowed; about 3.6 of 89 s"),
        (3, damped_bias(), "ALS would take about 3.6 s, 3 s are allowed"),
    ],
)
def test_a_budget_takes_the_best_that_keeps_to_it(budget: float, learner: Any, says: str) -> None:
    choice = chosen("best", time_budget=budget, seconds=takes(BayesianMF=50, ALS=2))  # two fits, one on four fifths
    assert choice.learner == learner
    assert says in choice.why
    assert (choice.quality, choice.time_budget) == ("best", budget)


def test_without_a_hold_out_there_is_one_fit() -> None:
    seconds = takes(BayesianMF=50, ALS=2)
    assert chosen("best", time_budget=60, test=0, seconds=seconds).learner == BayesianMF()
    assert chosen("best", time_budget=60, test=0.5, seconds=seconds).learner == ALS(seed=BayesianMF.seed)


def test_memory_decides_before_anything_is_timed() -> None:
    ratings = small_world.ratings()
    room = bytes_of(BayesianMF(), ratings) - 1
    choice = chosen("best", free=room, time_budget=10, seconds=takes(ALS=1))
    assert choice.learner == ALS()
    assert "BayesianMF would take about" in choice.why
    assert "of memory" in choice.why
    assert chosen("best", free=room + 1).learner == BayesianMF()
    assert chosen("best", free=0).learner == damped_bias()


@pytest.mark.parametrize("budget", [0, -1, float("nan")])
def test_no_time_at_all_is_no_budget(budget: float) -> None:
    with pytest.raises(ParameterError, match="give a number of seconds above 0"):
        chosen("best", time_budget=budget)


def test_a_wrong_quality_or_parameter_is_refused() -> None:
    with pytest.raises(ParameterError, match="'great': fast and best are allowed"):
        chosen("great")
    with pytest.raises(ParameterError, match="rank=0"):
        chosen("best", params={"rank": 0})


def test_ones_own_parameters_bind() -> None:
    assert chosen("best", params={"rank": 4, "seed": 1}).quality is None
    assert chosen("best", params={"seed": 1}).quality == "best"
    assert chosen("best", params={"rank": 4}, free=0).quality == "best"  # not what was asked for any more


def test_what_is_simpler() -> None:
    assert simpler(BayesianMF(seed=9, threads=1)) == [ALS(seed=9, threads=1), damped_bias()]
    assert simpler(BayesianMF().about(small_world.movies())) == [ALS(), damped_bias()]
    assert simpler(ALS()) == [damped_bias()]
    assert simpler(damped_bias()) == []


@cache
def noisy() -> Ratings:
    """Biases and a lot of chance: nothing for factors to find."""
    rng = np.random.default_rng(0)
    users, items = np.divmod(rng.choice(100 * 50, 2000, replace=False), 50)
    biases = rng.normal(size=100)[users] * 0.5 + rng.normal(size=50)[items] * 0.5
    return Ratings.from_arrays(users, items, np.clip(3 + biases + rng.normal(size=2000), 0.5, 5))


def parts() -> tuple[Ratings, Ratings]:
    return matinee.random_split(noisy(), test=0.2, seed=0)


def test_what_errs_more_beyond_noise_gives_way() -> None:
    train_part, held_out = parts()
    preferred = prefer(Choice(OVERFITTED, quality="fast"), train_part, held_out)
    assert preferred.choice.learner == damped_bias()
    assert preferred.choice.why.startswith("stars by damped biases: ALS errs ")
    assert preferred.choice.quality == "fast"  # the next training tries again
    assert preferred.metrics["rmse"] == matinee.rmse(preferred.model, held_out)
    assert preferred.baselines["ALS"]["rmse"] > preferred.metrics["rmse"]


def test_ones_own_learner_stays_and_is_measured_beside_biases() -> None:
    preferred = prefer(Choice(OVERFITTED), *parts())
    assert preferred.choice == Choice(OVERFITTED)
    behind = preferred.baselines["damped bias"]
    assert behind["behind"] == pytest.approx(behind["rmse"] - preferred.metrics["rmse"])
    assert behind["behind"] < -2 * behind["behind_standard_error"]


def test_a_difference_within_noise_changes_nothing() -> None:
    preferred = prefer(Choice(ALS(), "because", "fast"), *parts())
    gap = preferred.baselines["damped bias"]
    assert -2 * gap["behind_standard_error"] <= gap["behind"] < 0  # it wins by luck
    assert preferred.choice == Choice(ALS(), "because", "fast")


def test_a_difference_that_nobody_sees_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Choice(OVERFITTED, "because", "fast")
    behind = prefer(asked, *parts()).metrics["rmse"] - matinee.rmse(OVERFITTED.fit(parts()[0]), parts()[1])
    for least, stays in ((-behind - 1e-6, False), (-behind + 1e-6, True)):
        monkeypatch.setattr("matinee.evaluation.choice.LEAST_GAIN", least)
        assert (prefer(asked, *parts()).choice == asked) is stays


def test_of_two_that_are_better_the_best_is_taken() -> None:
    worse = BayesianMF(rank=64, iterations=1, burn_in=0, samples=1)  # one draw from nowhere
    preferred = prefer(Choice(worse, quality="best"), *parts())
    assert preferred.baselines.keys() | {"ALS", "damped bias"} == {"BayesianMF", "ALS", "damped bias"}
    others = [row["rmse"] for row in preferred.baselines.values()]
    assert preferred.metrics["rmse"] < min(others)


def a_table() -> pl.DataFrame:
    films = small_world.movies().head(len(noisy().items))
    return films.with_columns(pl.Series("movie_id", noisy().items.ids))


def test_training_leaves_the_better_model_and_says_so(tmp_path: Path) -> None:
    registry, dataset = Registry(tmp_path), Dataset("noisy", a_table(), noisy())
    trained = train(dataset, registry, stars=Choice(OVERFITTED, "stars by ALS", "fast", 60.0))
    artifact = registry.read()
    assert artifact.stars.params == damped_bias()
    assert artifact.manifest["metrics"]["choice"] == trained.metrics["choice"]
    assert (artifact.manifest["metrics"]["quality"], artifact.manifest["metrics"]["time_budget"]) == ("fast", 60.0)
    train(dataset, registry, stars=OVERFITTED)
    assert registry.read().stars.params == OVERFITTED
    assert "quality" not in registry.read().manifest["metrics"]


@pytest.mark.parametrize("learner", [QUICK, ALS(rank=8, iterations=4), damped_bias()])
def test_a_part_is_timed_for_the_whole(learner: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ratings = small_world.ratings()
    asked: list[Ratings] = []
    select = Ratings.select

    def noted(ratings: Ratings, chosen: Any) -> Ratings:
        asked.append(select(ratings, chosen))
        return asked[-1]

    monkeypatch.setattr(Ratings, "select", noted)
    assert seconds_of(learner, ratings) > 0
    assert not asked
    monkeypatch.setattr("matinee.evaluation.costs.TIMED_RATINGS", 500)
    assert seconds_of(learner, ratings) > 0
    assert 250 < len(asked[0]) < 1000


def test_more_ratings_take_more_memory() -> None:
    ratings = small_world.ratings()
    fewer = ratings.select(np.arange(len(ratings)) % 2 == 0)
    for learner in (BayesianMF(), ALS(), damped_bias()):
        assert bytes_of(learner, fewer) < bytes_of(learner, ratings)
    assert bytes_of(damped_bias(), ratings) < bytes_of(ALS(), ratings) < bytes_of(BayesianMF(), ratings)

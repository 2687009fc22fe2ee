"""Training leaves in the manifest what a model card shows."""

from __future__ import annotations

from pathlib import Path

import pytest
import small_world

from matinee.data.dataset import Dataset
from matinee.evaluation.calibration import LEVELS
from matinee.models.als import ALS
from matinee.models.implicit_als import ImplicitALS
from matinee.registry import Registry
from matinee.training import History, measure_intervals, train

STARS, PICKS = ALS(rank=4, iterations=4), ImplicitALS(rank=4, iterations=3)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "models")


def small_dataset() -> Dataset:
    return Dataset("small", small_world.movies(), small_world.ratings())


def test_the_manifest_has_intervals_and_the_course_of_the_training(registry: Registry) -> None:
    train(small_dataset(), registry, stars=STARS, picks=PICKS)
    metrics = registry.read().manifest["metrics"]
    assert list(metrics["intervals"]["coverage"]) == [f"{level:g}" for level in LEVELS]
    assert all(0 <= share <= 1 for share in metrics["intervals"]["coverage"].values())
    assert metrics["intervals"]["coverage"]["0.9"] == pytest.approx(0.9, abs=0.1)
    assert len(metrics["history"]["stars"]) == STARS.iterations
    assert len(metrics["history"]["picks"]) == PICKS.iterations
    for course in metrics["history"].values():
        assert course[-1] < course[0]


def test_what_was_not_measured_is_not_made_up(registry: Registry) -> None:
    train(small_dataset(), registry, stars=ALS(rank=4, iterations=2, biases=False), test=0)
    assert registry.read().manifest["metrics"].keys() == {"history"}
    ratings = small_world.ratings()
    without = ALS(rank=4, iterations=2, biases=False).fit(ratings)
    assert measure_intervals(without, ratings, 0.9, seed=0) == {}


def test_intervals_of_many_ratings_are_measured_on_some(monkeypatch: pytest.MonkeyPatch) -> None:
    ratings = small_world.ratings()
    model = STARS.fit(ratings)
    whole = measure_intervals(model, ratings, 0.9, seed=0)
    monkeypatch.setattr("matinee.training.INTERVAL_PAIRS", 200)
    some = measure_intervals(model, ratings, 0.9, seed=0)
    assert some == measure_intervals(model, ratings, 0.9, seed=0)
    assert some["intervals"]["nll"] != whole["intervals"]["nll"]


def test_a_history_passes_on_what_it_takes_down() -> None:
    told: list[object] = []
    history = History(told.append)
    STARS.fit(small_world.ratings(), progress=history)
    assert len(told) >= len(history.values) == STARS.iterations

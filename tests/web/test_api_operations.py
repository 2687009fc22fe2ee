"""Models and counts for whoever runs the service."""

from __future__ import annotations

from pathlib import Path

import fakes
import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from matinee.registry import Registry
from matinee.settings import Settings
from matinee.store.jobs import TrainingRuns
from matinee.store.ratings import RatingStore
from matinee.web.app import create_app
from matinee.web.serving import Models, RegistrySource


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "models")


@pytest.fixture
def ids(registry: Registry) -> list[str]:
    return [registry.publish(fakes.stars_model(), movies=fakes.movies(), metrics={"rmse": 0.9}) for _ in range(2)]


@pytest.fixture
def models(registry: Registry, ids: list[str]) -> Models:
    models = Models(RegistrySource(registry.models_dir))
    models.refresh()
    return models


@pytest.fixture
def app(store: RatingStore, models: Models, tmp_path: Path) -> APIFlask:
    return create_app(Settings(home=tmp_path), store, models)


def test_lists_models_and_shows_the_one_that_answers(client: FlaskClient, ids: list[str]) -> None:
    listed = client.get("/api/v1/models").json["models"]
    assert [(model["model_id"], model["current"]) for model in listed] == [(ids[1], True), (ids[0], False)]
    current = client.get("/api/v1/models/current").json
    assert current == listed[0]
    assert current["facts"]["metrics"] == {"rmse": 0.9}
    assert current["facts"]["models"]["stars"]["kind"] == "ALS"
    assert "files" not in current["facts"]


def test_promotes_and_rolls_back(client: FlaskClient, ids: list[str], models: Models) -> None:
    assert client.post(f"/api/v1/models/{ids[0]}/promote").json == {"model_id": ids[0]}
    models.refresh()
    assert client.get("/api/v1/movies").json["model_id"] == ids[0]
    assert client.post("/api/v1/models/rollback").json == {"model_id": ids[1]}
    assert client.post("/api/v1/models/rollback").json == {"model_id": ids[0]}
    refused = client.post("/api/v1/models/rollback")
    assert (refused.status_code, "no earlier model" in refused.json["detail"]) == (409, True)


def test_a_damaged_model_is_not_promoted(client: FlaskClient, registry: Registry, ids: list[str]) -> None:
    (registry.path(ids[0]) / "stars" / "item_factors.npy").write_bytes(b"damage")
    refused = client.post(f"/api/v1/models/{ids[0]}/promote")
    assert (refused.status_code, "the model in use stays" in refused.json["detail"]) == (409, True)
    assert registry.current() == ids[1]
    assert client.post("/api/v1/models/nothing/promote").status_code == 404
    assert client.post("/api/v1/models/..%2F..%2Fetc/promote").status_code == 404


def test_a_model_whose_folder_is_gone_goes_on_answering(
    client: FlaskClient, registry: Registry, ids: list[str]
) -> None:
    registry.path(ids[1]).rename(registry.models_dir / ".gone")
    assert "gone" in client.get("/api/v1/models/current").json["problem"]
    assert client.get("/api/v1/users/1/recommendations").status_code == 200


def test_counts(client: FlaskClient, store: RatingStore, ids: list[str]) -> None:
    store.add_many("ann", {1: 4.0, 260: 3.0})
    assert client.get("/api/v1/stats").json == {
        "model_id": ids[1], "movies": 7, "rated_movies": 6, "data_set": {"users": 40, "ratings": 183},
        "kept": {"users": 1, "ratings": 2},
    }  # fmt: skip


def test_a_training_is_asked_for_once_and_followed(client: FlaskClient, store: RatingStore) -> None:
    asked = client.post("/api/v1/training-runs")
    assert (asked.status_code, asked.json["state"], asked.json["reason"]) == (202, "waiting", "asked for over HTTP")
    assert client.post("/api/v1/training-runs").json["run_id"] == asked.json["run_id"]  # it waits still
    assert client.get(asked.headers["Location"]).json == asked.json
    runs = TrainingRuns(store.database)
    runs.start(asked.json["run_id"])
    runs.finish(asked.json["run_id"], "refused", {"checks": []})
    second = client.post("/api/v1/training-runs").json["run_id"]
    listed = client.get("/api/v1/training-runs").json["training_runs"]
    assert [(run["run_id"], run["state"]) for run in listed] == [(second, "waiting"), (second - 1, "refused")]
    assert listed[1]["report"] == {"checks": []}
    assert client.get(f"/api/v1/training-runs?before={second}&limit=1").json["training_runs"] == listed[1:]


@pytest.mark.parametrize("number", ["999", "0", "-1", "x", "9" * 18, "9" * 40])
def test_a_training_that_never_was(client: FlaskClient, number: str) -> None:
    refused = client.get(f"/api/v1/training-runs/{number}")
    assert (refused.status_code, refused.content_type) == (404, "application/problem+json")

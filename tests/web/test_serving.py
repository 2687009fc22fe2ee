"""Which model answers, and how one takes the place of another."""

from __future__ import annotations

import logging
import threading
import time

import fakes
import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from matinee.errors import StoreError
from matinee.store.ratings import RatingStore
from matinee.web.serving import Models, RegistrySource, Serving


def test_healthy_without_anything(client: FlaskClient, models: Models) -> None:
    models.serving = None
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})


def test_ready(client: FlaskClient) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json == {"status": "ready", "missing": {}, "model_id": "tiny", "warning": None}


def test_not_ready_says_what_is_missing(
    client: FlaskClient, source: fakes.FakeSource, models: Models, store: RatingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    models.serving, source.wanted = None, None
    models.refresh()

    def refuse() -> None:
        raise StoreError("no space left")

    monkeypatch.setattr(store, "ping", refuse)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json["status"] == "not ready"
    assert "matinee train" in answer.json["missing"]["model"]
    assert answer.json["missing"]["database"] == "no space left"


def test_a_model_promoted_later_answers_later(source: fakes.FakeSource) -> None:
    source.wanted = None
    models = Models(source)
    models.refresh()
    assert models.serving is None
    source.wanted = "first"
    models.refresh()
    assert isinstance(models.serving, Serving)
    assert (models.serving.model_id, models.problem) == ("first", None)


def test_the_same_model_is_loaded_once(source: fakes.FakeSource, models: Models) -> None:
    before = models.serving
    models.refresh()
    assert models.serving is before
    assert source.loaded == ["tiny"]


def test_answers_name_the_model_that_gave_them(client: FlaskClient, source: fakes.FakeSource, models: Models) -> None:
    source.wanted = "second"
    models.refresh()
    assert client.get("/api/v1/users/1/recommendations").json["model_id"] == "second"


def test_a_broken_model_leaves_the_old_one_answering(
    client: FlaskClient, source: fakes.FakeSource, models: Models, caplog: pytest.LogCaptureFixture
) -> None:
    source.broken, source.wanted = {"broken"}, "broken"
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            models.refresh()
    assert source.loaded == ["tiny", "broken"]
    assert caplog.text.count("cannot be loaded") == 1
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json["model_id"] == "tiny"
    assert "manifest.json is not JSON" in answer.json["warning"]
    source.wanted = "third"
    models.refresh()
    assert client.get("/readyz").json == {"status": "ready", "missing": {}, "model_id": "third", "warning": None}


def test_a_model_that_vanishes_keeps_answering(source: fakes.FakeSource, models: Models) -> None:
    source.wanted = None
    models.refresh()
    assert models.serving is not None
    assert models.serving.model_id == "tiny"


def test_swapping_under_load_fails_no_request(app: APIFlask, source: fakes.FakeSource, models: Models) -> None:
    stop, answers = threading.Event(), []

    def ask() -> None:
        client = app.test_client()
        while not stop.is_set():
            answers.append(client.get("/api/v1/users/1/recommendations?limit=3"))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for swap in range(10):
        source.wanted = f"model {swap}"
        models.refresh()
        seen = len(answers)
        deadline = time.monotonic() + 5
        while len(answers) < seen + 3 and time.monotonic() < deadline:
            time.sleep(0.001)
    stop.set()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json["model_id"] for answer in answers} >= {f"model {swap}" for swap in range(9)}
    assert len({str(answer.json["recommendations"]) for answer in answers}) == 1


def test_watching_picks_up_a_new_model(source: fakes.FakeSource) -> None:
    models = Models(source)
    models.watch(interval_s=0.01)
    source.wanted = "second"
    deadline = time.monotonic() + 10
    while (models.serving is None or models.serving.model_id != "second") and time.monotonic() < deadline:
        time.sleep(0.01)
    assert models.serving is not None
    assert models.serving.model_id == "second"


def test_reads_the_registry(tmp_path) -> None:
    from matinee.registry import Registry

    source = RegistrySource(tmp_path / "models")
    assert source.current() is None
    published = Registry(tmp_path / "models").publish(fakes.stars_model(), movies=fakes.movies())
    assert source.current() == published
    models = Models(source)
    models.refresh()
    assert models.serving is not None
    assert models.serving.model_id == published
    assert models.serving.catalogue.movie(858).title == fakes.title(858)

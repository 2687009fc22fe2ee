"""What operators see: counters and state for Prometheus, a line of JSON per request, an id that goes with it."""

from __future__ import annotations

import io
import json
import logging
import logging.config
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import fakes
import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from matinee.errors import StoreError
from matinee.recommend.recommender import Recommender
from matinee.settings import Settings
from matinee.store.jobs import TrainingRuns
from matinee.store.kept import KeptOf
from matinee.store.ratings import RatingStore
from matinee.web.app import create_app
from matinee.web.logs import JsonFormatter, configuration
from matinee.web.metrics import Metrics
from matinee.web.serving import Models


class WatchedSource(fakes.FakeSource):
    """The tiny model, watched."""

    def __init__(self, counters: Metrics) -> None:
        super().__init__()
        self._counters = counters

    def load(self, model_id: str) -> Recommender:
        bare = super().load(model_id)
        return Recommender(bare.catalogue, bare.stars, model_id=model_id, observer=self._counters)


@pytest.fixture
def client(store: RatingStore, tmp_path: Path) -> FlaskClient:
    counters = Metrics()
    models = Models(WatchedSource(counters))
    models.refresh()
    return create_app(Settings(home=tmp_path, log_format="json"), store, models, counters).test_client()


def numbers(client: FlaskClient) -> dict[tuple[str, ...], float]:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.content_type.startswith("text/plain; version=")
    return {
        (sample.name.removeprefix("matinee_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_requests_are_counted_by_route_and_status(client: FlaskClient) -> None:
    route = "/api/v1/movies/<movie_id>"
    for movie_id in (1, 260, 999):
        client.get(f"/api/v1/movies/{movie_id}")
    client.get("/nowhere/at/all")
    client.open("/healthz", method="BREW")
    got = numbers(client)
    assert got["requests_total", "GET", route, "200"] == 2
    assert got["requests_total", "GET", route, "404"] == 1
    assert got["requests_total", "GET", "none", "404"] == 1
    assert got["requests_total", "other", "none", "405"] == 1
    assert got["request_seconds_count", route] == 3
    assert 0 < got["request_seconds_sum", route] < 5


def test_lists_are_counted_with_what_emptied_them(client: FlaskClient, store: RatingStore) -> None:
    store.add_many("ann", {1: 4.0})
    before = numbers(client)
    client.get("/api/v1/users/ann/recommendations?limit=2")
    client.get("/api/v1/users/ann/recommendations?year_from=1990&year_to=1990")
    client.get("/api/v1/users/ann/recommendations?offset=100")
    got = numbers(client)
    assert got["fold_in_seconds_count",] - before["fold_in_seconds_count",] == 1  # into the one model there is
    assert got["list_length_count",] - before["list_length_count",] == 3
    assert got["list_length_sum",] - before["list_length_sum",] == 2
    assert got["lists_emptied_total", "year_to"] == 1
    assert got["lists_emptied_total", "include_seen"] == 1
    assert sum(value for name, value in got.items() if name[0] == "lists_emptied_total") <= 4


def test_the_state_is_read_when_asked(client: FlaskClient, store: RatingStore, tmp_path: Path) -> None:
    got = numbers(client)
    assert got["model_serving", "tiny"] == 1
    assert ("model_age_seconds",) not in got  # no such folder
    assert got["ratings_stored",] == 0
    folder = tmp_path / "models" / "tiny"
    folder.mkdir(parents=True)
    (folder / "manifest.json").touch()
    os.utime(folder / "manifest.json", (time.time() - 3600,) * 2)
    store.add_many("ann", {1: 4.0, 260: None})
    runs = TrainingRuns(store.database)
    runs.finish(runs.request("by hand"), "refused", {})
    got = numbers(client)
    assert 3600 <= got["model_age_seconds",] < 3700
    assert got["ratings_stored",] == 1
    assert got["training_runs", "refused"] == 1


def test_a_database_that_does_not_answer_does_not_hide_the_rest(
    client: FlaskClient, store: RatingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> int:
        raise StoreError("no space left")

    monkeypatch.setattr(store, "count", refuse)
    got = numbers(client)
    assert ("ratings_stored",) not in got
    assert got["model_serving", "tiny"] == 1


def test_answers_carry_an_id(client: FlaskClient) -> None:
    first, second = (client.get("/healthz").headers["X-Request-Id"] for _ in range(2))
    assert first != second
    assert client.get("/healthz", headers={"X-Request-Id": "from-the-proxy_1.2"}).headers["X-Request-Id"] == (
        "from-the-proxy_1.2"
    )
    for bad in ("a b", "x" * 65, '"}', "Zoë"):
        assert client.get("/healthz", headers={"X-Request-Id": bad}).headers["X-Request-Id"] != bad
    assert client.get("/nowhere").headers["X-Request-Id"]


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Logging as the service configures it, to be read here."""
    names = ("_granian", "matinee")
    before = {name: (logging.getLogger(name).handlers[:], logging.getLogger(name).propagate) for name in names}
    written = io.StringIO()
    logging.config.dictConfig(configuration("json", "INFO"))
    for handler in logging.getLogger("matinee").handlers:
        assert isinstance(handler, logging.StreamHandler)
        handler.setStream(written)
    yield written
    for name, (handlers, propagate) in before.items():
        logging.getLogger(name).handlers, logging.getLogger(name).propagate = handlers, propagate
        logging.getLogger(name).setLevel(logging.NOTSET)


def test_every_request_is_a_line_of_json_without_anything_personal(
    client: FlaskClient, store: RatingStore, log: io.StringIO
) -> None:
    store.add_many("ann-who-is-private", {1: 4.0})
    answer = client.get(
        "/api/v1/users/ann-who-is-private/recommendations?limit=3", headers={"Authorization": "Bearer s3cret"}
    )
    (line,) = [json.loads(line) for line in log.getvalue().splitlines()]
    assert line["request_id"] == answer.headers["X-Request-Id"]
    assert (line["method"], line["route"], line["status"]) == (
        "GET", "/api/v1/users/<user_id>/recommendations", 200
    )  # fmt: skip
    assert line["milliseconds"] >= 0
    assert (line["level"], line["logger"]) == ("info", "matinee.requests")
    assert "private" not in log.getvalue()
    assert "s3cret" not in log.getvalue()


def test_a_mistake_of_ours_is_one_line_with_its_traceback_and_the_requests_id(
    app: APIFlask, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KeptOf, "__call__", lambda *_: 1 / 0)
    answer = app.test_client().get("/api/v1/users/1/recommendations")
    assert answer.status_code == 500
    (line,) = [json.loads(line) for line in log.getvalue().splitlines()]
    assert "ZeroDivisionError" in line["traceback"]
    assert line["request_id"] == answer.headers["X-Request-Id"]


def test_text_is_for_people_and_quiet(app: APIFlask, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        app.test_client().get("/healthz")
    assert caplog.records == []


def test_whatever_is_logged_becomes_one_line() -> None:
    record = logging.LogRecord("x", logging.ERROR, "f.py", 1, "a\n%s", ("\x00\ud800",), None)
    record.fields = {"path": Path("/tmp")}
    line = JsonFormatter().format(record)
    assert "\n" not in line
    assert json.loads(line)["path"] == "/tmp"
    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError:
        record.exc_info = sys.exc_info()
    assert "\n" not in JsonFormatter().format(record)


@pytest.mark.parametrize("odd", ["half \ud800", 2**80, {1: "a key that is no text"}, object()])
def test_nothing_in_a_line_can_cost_the_line(log: io.StringIO, odd: object) -> None:
    logging.getLogger("matinee.requests").info("found %s", "something", extra={"fields": {"odd": odd}})
    (line,) = [json.loads(line) for line in log.getvalue().splitlines()]
    assert line["message"] == "found something"
    assert line["odd"]

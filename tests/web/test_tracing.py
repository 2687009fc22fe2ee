"""Traces: which spans a request has, that they do not say whose it was, and that nothing is loaded without them."""

from __future__ import annotations

import builtins
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import fakes
import pytest
from apiflask import APIFlask
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from matinee.errors import MissingExtraError
from matinee.settings import Settings
from matinee.store.ratings import RatingStore
from matinee.web import tracing
from matinee.web.app import create_app
from matinee.web.metrics import Metrics
from matinee.web.server import serve
from matinee.web.serving import Models

RATING = {"ratings": [{"movie_id": 260, "stars": 4.5}], "recommend": 2}


class TracedSource(fakes.FakeSource):
    """Models whose lists are told of."""

    def __init__(self, observer: tracing.TracingObserver) -> None:
        super().__init__()
        self.observer = observer

    def load(self, model_id: str) -> Any:
        from matinee.recommend.recommender import Recommender

        plain = super().load(model_id)
        return Recommender(plain.catalogue, plain.stars, model_id=model_id, observer=self.observer)


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def provider(spans: InMemorySpanExporter) -> TracerProvider:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    return provider


@pytest.fixture
def store(provider: TracerProvider) -> Iterator[RatingStore]:
    store = RatingStore("sqlite://", tracing.trace_waits(nullcontext, provider))
    yield store
    store.close()


@pytest.fixture
def traced(
    store: RatingStore, tmp_path: Path, spans: InMemorySpanExporter, provider: TracerProvider
) -> Iterator[APIFlask]:
    counters = Metrics()
    spans.clear()
    models = Models(TracedSource(tracing.TracingObserver(counters, provider)))
    models.refresh()
    tracing.trace_sql(store.database, provider)
    app = create_app(Settings(home=tmp_path), store, models, counters)
    tracing.trace_requests(app, provider)
    yield app
    SQLAlchemyInstrumentor().uninstrument()


def named(spans: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in spans.get_finished_spans()}


def test_a_request_its_statements_the_fold_in_and_the_list_are_one_trace(
    traced: APIFlask, spans: InMemorySpanExporter
) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    path = "/api/v1/users/ann-who-is-private/ratings"
    answer = traced.test_client().post(path, json=RATING, headers={"traceparent": parent})
    assert answer.status_code == 200, answer.json
    found = named(spans)
    request = found["POST /api/v1/users/<user_id>/ratings"]
    assert request.attributes
    assert request.attributes["http.response.status_code"] == 200
    assert request.attributes["matinee.request_id"] == answer.headers["X-Request-Id"]
    assert f"{request.context.trace_id:x}" == "af7651916cd43dd8448eb211c80319c"
    assert request.parent
    assert f"{request.parent.span_id:x}" == "b7ad6b7169203331"
    inside = [span for name, span in found.items() if span is not request]
    assert {"fold in", "list", "wait for the database"} <= {span.name for span in inside}
    for span in inside:
        assert span.parent
        assert span.context.trace_id == request.context.trace_id
        assert request.start_time <= span.start_time <= span.end_time <= request.end_time
    assert (found["list"].attributes or {})["matinee.films"] == 2
    assert "private" not in "".join(span.to_json() for span in spans.get_finished_spans())


def test_statements_are_spans_without_their_values(traced: APIFlask, spans: InMemorySpanExporter) -> None:
    answer = traced.test_client().put("/api/v1/users/ann-who-is-private/watchlist/260")
    assert answer.status_code == 204, answer.json
    statements = [str((span.attributes or {}).get("db.statement", "")) for span in spans.get_finished_spans()]
    assert any(statement.startswith("INSERT INTO marks") for statement in statements)
    assert "private" not in "".join(span.to_json() for span in spans.get_finished_spans())


def test_refusals_mistakes_and_what_machines_ask(
    traced: APIFlask, store: RatingStore, spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = traced.test_client()
    client.get("/api/v1/users/1/recommendations", headers={"Host": "evil.example"})
    monkeypatch.setattr(store, "add_many", lambda *_: 1 / 0)
    client.post("/ann/ratings", data="260,4")
    client.get("/nowhere/at/all/here")
    for path in ("/healthz", "/readyz", "/metrics"):
        client.get(path)
    asked = [span for span in spans.get_finished_spans() if span.kind.name == "SERVER"]
    statuses = [(span.attributes or {})["http.response.status_code"] for span in asked]
    assert statuses == [400, 500, 404]
    assert [span.status.status_code.name for span in asked] == ["UNSET", "ERROR", "UNSET"]


def test_without_the_setting_nothing_is_loaded(tmp_path: Path) -> None:
    code = """
import sys
from matinee.settings import Settings
from matinee.web.server import build_app
build_app(Settings(home=sys.argv[1])).test_client().get("/healthz")
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_missing_extra_is_one_line_before_anything_is_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **options: Any) -> Any:
        if name.startswith("opentelemetry"):
            raise ModuleNotFoundError(name)
        return real(name, *args, **options)

    monkeypatch.delitem(sys.modules, "matinee.web.tracing")
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"pip install 'matinee\[otel\]'"):
        serve(Settings(home=tmp_path, tracing=True, port=0))

"""Traces by OpenTelemetry, for whoever asks for them: requests, SQL, placing a person in a model, making a list.

Nothing of OpenTelemetry is loaded otherwise. Its own variables say where spans go and under which name
(OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SERVICE_NAME). As in the log, a route is named by its pattern: spans do not say whose
list it was. We begin spans of requests ourselves since OpenTelemetry's way with Flask notes whole addresses.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from flask import Flask, Response, g, request

from matinee.errors import MissingExtraError
from matinee.recommend.observing import Observer
from matinee.store.database import Database

try:
    from opentelemetry import context, trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
    from opentelemetry.propagate import extract
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
except ModuleNotFoundError as error:
    raise MissingExtraError("Tracing", "otel") from error

_UNSEEN = ("health", "metrics")
"""Blueprints that machines ask every few seconds."""


def to_collector() -> TracerProvider:
    """Return what sends spans by OTLP over HTTP, in a thread of its own, to where OpenTelemetry's variables say."""
    os.environ.setdefault("OTEL_SERVICE_NAME", "matinee")
    provider = TracerProvider(resource=Resource.create())
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def trace_requests(app: Flask, provider: TracerProvider) -> None:
    """Let every request be a span, part of the trace that its `traceparent` names."""
    tracer = provider.get_tracer("matinee")

    def begin() -> None:
        if request.blueprint in _UNSEEN:
            return
        route = request.url_rule.rule if request.url_rule else "none"
        attributes = {"http.request.method": request.method, "http.route": route}
        span = tracer.start_span(
            f"{request.method} {route}", extract(request.headers), trace.SpanKind.SERVER, attributes
        )
        g.span = span, context.attach(trace.set_span_in_context(span))

    def answered(response: Response) -> Response:
        if "span" in g:
            g.span[0].set_attribute("http.response.status_code", response.status_code)
            g.span[0].set_attribute("matinee.request_id", g.request_id)
            if response.status_code >= 500:
                g.span[0].set_status(trace.StatusCode.ERROR)
        return response

    def end(_error: BaseException | None) -> None:
        if "span" in g:
            span, token = g.pop("span")
            context.detach(token)
            span.end()

    app.before_request_funcs.setdefault(None, []).insert(0, begin)  # before anybody can refuse the request
    app.after_request(answered)
    app.teardown_request(end)


def trace_sql(database: Database, provider: TracerProvider) -> None:
    """Let statements be spans, without the values that they are run with."""
    # Of SQLAlchemy 2.1 it does not know yet that it works with it, and would silently do nothing.
    SQLAlchemyInstrumentor().instrument(engine=database.engine, tracer_provider=provider, skip_dep_check=True)


def trace_waits(
    waiting: Callable[[], AbstractContextManager[None]], provider: TracerProvider
) -> Callable[[], AbstractContextManager[None]]:
    """Let what the store waits for be spans, as it tells `waiting`: locks and commits, of ratings the whole writing."""
    tracer = provider.get_tracer("matinee")

    @contextmanager
    def traced() -> Iterator[None]:
        with tracer.start_as_current_span("wait for the database"), waiting():
            yield

    return traced


class TracingObserver:
    """An `Observer` that makes a span of what another one counts."""

    def __init__(self, counting: Observer, provider: TracerProvider) -> None:
        self._counting, self._tracer = counting, provider.get_tracer("matinee")

    def placed(self, seconds: float) -> None:
        """Note a person who was placed in a model."""
        self._counting.placed(seconds)
        self._note("fold in", seconds, {})

    def listed(self, length: int, removed: Mapping[str, int], seconds: float) -> None:
        """Note a list."""
        self._counting.listed(length, removed, seconds)
        self._note("list", seconds, {"matinee.films": length})

    def _note(self, name: str, seconds: float, attributes: Mapping[str, int]) -> None:
        ended = time.time_ns()
        span = self._tracer.start_span(name, attributes=attributes, start_time=ended - int(seconds * 1e9))
        span.end(ended)

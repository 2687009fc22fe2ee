"""What operators watch, as Prometheus wants it: one answer for all processes of a service.

The processes share counters through files in a folder (PROMETHEUS_MULTIPROC_DIR, made by `matinee serve`); without it a
process counts for itself. What the database and the models say is read when somebody asks.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from apiflask import APIBlueprint
from flask import Flask, Response, current_app
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from matinee.errors import MatineeError
from matinee.models.folder import MANIFEST
from matinee.web import SHARED
from matinee.web.services import services

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_FOLD_IN_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25)
_LENGTHS = (0, 1, 5, 10, 20, 50, 100, 1000)
_KEY = "matinee.metrics"
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

_ANSWERS: dict[int | str, dict[str, str | dict[str, dict[str, Any]]]] = {
    200: {"description": "Counters and state", "content": {"text/plain": {"schema": {"type": "string"}}}}
}

bp = APIBlueprint("metrics", __name__, tag="Operations")


class Metrics:
    """Counters of one process; a `matinee.recommend.observing.Observer` too."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "matinee_requests", "Requests answered.", ["method", "route", "status"], registry=registry
        )
        self._seconds = Histogram(
            "matinee_request_seconds", "Time from a request to its answer.", ["route"], buckets=_SECONDS,
            registry=registry,
        )  # fmt: skip
        self._answered: dict[tuple[str, str, str], tuple[Counter, Histogram]] = {}
        self._fold_in = Histogram(
            "matinee_fold_in_seconds", "Time to place a person in a model.", buckets=_FOLD_IN_SECONDS, registry=registry
        )
        self._lengths = Histogram(
            "matinee_list_length", "Films on a list that was asked for.", buckets=_LENGTHS, registry=registry
        )
        self._emptied = Counter(
            "matinee_lists_emptied",
            "Lists of which filters left nothing, by filters that had a part in it.",
            ["filter"],
            registry=registry,
        )

    def placed(self, seconds: float) -> None:
        """Count a person who was placed in a model."""
        self._fold_in.observe(seconds)

    def listed(self, length: int, removed: Mapping[str, int], seconds: float) -> None:
        """Count a list and, where they left nothing, the filters that had a part in it."""
        self._lengths.observe(length)
        for name, count in removed.items():
            if count:
                self._emptied.labels(name).inc()

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request; `route` is its pattern, so that there are few."""
        key = method if method in _METHODS else "other", route, str(status)
        counted = self._answered.get(key)
        if counted is None:
            counted = self._answered[key] = self._requests.labels(*key), self._seconds.labels(route)
        counted[0].inc()
        counted[1].observe(seconds)

    def text(self, state: Collector) -> bytes:
        """Return the counters of all processes, and a state, in Prometheus's format."""
        registry = self._registry
        if SHARED in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        stated = CollectorRegistry()
        stated.register(state)
        return generate_latest(registry) + generate_latest(stated)


class State(Collector):
    """What the database and the models say at this moment; what does not answer is left out."""

    def __init__(self, models_dir: Path) -> None:
        self._models_dir = models_dir

    def collect(self) -> Iterator[Metric]:
        """Yield gauges."""
        serving = services().models.serving
        ready = GaugeMetricFamily("matinee_model_serving", "The model that answers.", labels=["model_id"])
        age = GaugeMetricFamily("matinee_model_age_seconds", "Seconds since the model that answers was made.")
        if serving is not None:
            ready.add_metric([serving.model_id], 1.0)
            if made := self._made(serving.model_id):
                age.add_metric([], max(time.time() - made, 0.0))
        yield from (ready, age)
        try:
            yield from self._of_database()
        except MatineeError:
            return

    def _made(self, model_id: str) -> float | None:
        try:
            return (self._models_dir / model_id / MANIFEST).stat().st_mtime
        except OSError:
            return None

    @staticmethod
    def _of_database() -> list[Metric]:
        ratings = GaugeMetricFamily("matinee_ratings_stored", "Current ratings of people.", services().store.count())
        runs = GaugeMetricFamily("matinee_training_runs", "Trainings by what came of them.", labels=["state"])
        for state, count in services().runs.counts().items():
            runs.add_metric([state], count)
        return [ratings, runs]


def install(app: Flask, metrics: Metrics, models_dir: Path) -> None:
    """Let `app` answer Prometheus."""
    app.extensions[_KEY] = metrics, State(models_dir)
    app.register_blueprint(bp)


@bp.get("/metrics")
@bp.doc(responses=_ANSWERS)
def text() -> Response:
    """Say in Prometheus's format what was counted in all processes, and how things stand."""
    metrics, state = current_app.extensions[_KEY]
    return Response(metrics.text(state), content_type=CONTENT_TYPE_LATEST)

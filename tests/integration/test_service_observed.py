"""The running service under observation: one set of numbers for all its processes, logs that machines read."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from test_service_process import Service, _workers, eventually, home, running, trained

__all__ = ["home", "trained"]  # fixtures


def requests_of(service: Service, route: str) -> float:
    with urllib.request.urlopen(f"{service.url}/metrics", timeout=20) as answer:
        text = answer.read().decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return sum(s.value for s in samples if s.name == "matinee_requests_total" and s.labels["route"] == route)


def test_numbers_are_those_of_all_processes_and_outlive_them(home: Path) -> None:
    with running(home, workers=2) as service:
        for _ in range(30):
            service.ask("/api/v1/movies/1001")
        assert {requests_of(service, "/api/v1/movies/<movie_id>") for _ in range(10)} == {30}
        for pid in _workers(service):
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: service.ask("/readyz"))
        service.ask("/api/v1/movies/1001")
        assert requests_of(service, "/api/v1/movies/<movie_id>") == 31


def test_the_log_is_json_from_the_first_line_to_the_last(
    home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MATINEE_LOG_FORMAT", "json")
    with running(home) as service:
        service.ask("/0/ratings", "260,4\n")
        service.stop()
        time.sleep(0.1)
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    (asked,) = [line for line in lines if line.get("route") == "/<user_id>/ratings"]
    assert (asked["method"], asked["status"]) == ("POST", 200)
    assert {line["logger"] for line in lines} >= {"_granian", "matinee.requests"}

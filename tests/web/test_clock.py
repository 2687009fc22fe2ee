"""A clock that is turned back while people use the service: what was said last counts, and nobody is locked out."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from matinee.settings import Settings
from matinee.store.ratings import RatingStore
from matinee.web.app import create_app
from matinee.web.serving import Models

KEY = "keeps-its-own-time"


def turn_back(monkeypatch: pytest.MonkeyPatch, hours: float) -> None:
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() - int(hours * 3600e9))


def test_what_was_said_last_counts(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    path = "/api/v1/users/ann/ratings"
    client.post(path, json={"ratings": [{"movie_id": 260, "stars": 1.0}, {"movie_id": 1, "stars": 4.0}]})
    turn_back(monkeypatch, 48)
    client.post(path, json={"ratings": [{"movie_id": 260, "stars": 5.0}], "recommend": 2})
    stars = {rating["movie_id"]: rating["stars"] for rating in client.get(path).json["ratings"]}
    assert stars == {260: 5.0, 1: 4.0}
    assert client.put(f"{path}/260", json={"stars": 2.0}).json["saved"] == 1
    assert client.post("/ann/ratings", data="1,3.5").json == [["ann", 1, 3.5]]
    assert client.delete(f"{path}/1").status_code == 204
    assert {rating["movie_id"]: rating["stars"] for rating in client.get(path).json["ratings"]} == {260: 2.0}


def test_tokens_links_keys_and_limits_go_on(
    tmp_path: Path, store: RatingStore, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = create_app(Settings(home=tmp_path, operator_key=KEY), store, models).test_client(use_cookies=False)
    user_id, token = client.post("/api/v1/users").json.values()
    mine = {"Authorization": f"Bearer {token}"}
    path = f"/api/v1/users/{user_id}"
    code = client.post(f"{path}/links", headers=mine).json["code"]
    body, once = {"ratings": [{"movie_id": 260, "stars": 4.0}]}, mine | {"Idempotency-Key": "k"}
    first = client.post(f"{path}/ratings", json=body, headers=once)
    turn_back(monkeypatch, 48)
    again = client.post(f"{path}/ratings", json=body, headers=once)
    assert (again.json, again.headers["Idempotency-Replayed"]) == (first.json, "true")
    assert client.get(f"{path}/ratings", headers=mine).status_code == 200
    taken = client.post("/api/v1/links", json={"code": code})
    assert taken.status_code == 201
    assert client.get(f"{path}/ratings", headers={"Authorization": f"Bearer {taken.json['token']}"}).status_code == 200
    assert client.post("/api/v1/users").status_code == 201

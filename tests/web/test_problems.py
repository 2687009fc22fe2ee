"""Every error has one shape, whatever went wrong and wherever."""

from __future__ import annotations

import logging
import re

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from matinee.errors import StoreError
from matinee.store.ratings import RatingStore

KEYS = {"type", "title", "status", "detail", "instance"}


def check(answer, status: int, path: str) -> dict:
    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    assert answer.json.keys() >= KEYS
    assert (answer.json["status"], answer.json["instance"], answer.json["type"]) == (status, path, "about:blank")
    assert len(answer.json["detail"]) > 10
    return answer.json


def test_every_route_answers_a_wrong_method_with_405(app: APIFlask) -> None:
    client = app.test_client()
    tried = 0
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<int[^>]*>", "3", rule.rule).replace("<user_id>", "0").replace("<movie_id>", "260")
        answer = client.patch(path)
        check(answer, 405, path)
        assert set(answer.headers["Allow"].split(", ")) >= rule.methods - {"OPTIONS", "HEAD"}
        tried += 1
    assert tried >= 12


@pytest.mark.parametrize(
    "path", ["/nothing", "/api", "/api/v1/nothing", "/static/nothing.js", "/static/../app.py", "/0/ratings", "/a/b/c/d"]
)
def test_unknown_paths(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    if answer.status_code == 405:  # /0/ratings takes POST
        check(answer, 405, path)
    else:
        check(answer, 404, path)


@pytest.mark.parametrize("path", ["/0/ratings", "/api/v1/users/0/ratings"])
def test_large_bodies(client: FlaskClient, store: RatingStore, path: str) -> None:
    answer = client.post(path, data=b"260,4\n" * 20_000, content_type="application/json")
    assert "larger than the 100000 bytes" in check(answer, 413, path)["detail"]
    assert store.count() == 0


def test_a_mistake_of_ours_shows_nothing_of_itself(app: APIFlask, caplog: pytest.LogCaptureFixture) -> None:
    @app.get("/broken")
    def broken() -> str:
        raise RuntimeError("secret detail")

    with caplog.at_level(logging.ERROR):
        problem = check(app.test_client().get("/broken"), 500, "/broken")
    assert "secret" not in str(problem)
    assert "secret detail" in caplog.text


def test_a_database_that_refuses(app: APIFlask, store: RatingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise StoreError("database is locked")

    monkeypatch.setattr(store, "add_many", refuse)
    answer = app.test_client().post("/0/ratings", data="260,4")
    check(answer, 503, "/0/ratings")
    assert answer.headers["Retry-After"] == "1"


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/api/v1/movies", "/api/openapi.json", "/nothing", "/0/ratings/top/5"]
)
def test_security_headers_are_everywhere(client: FlaskClient, path: str) -> None:
    with client.get(path) as answer:
        headers = answer.headers
    assert "script-src 'self'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/healthz?a=1", "/healthz?b", "/api/v1/users/1/ratings?="])
def test_query_parameters_that_nobody_asked_for(client: FlaskClient, path: str) -> None:
    check(client.get(path), 422, path.split("?")[0])


def test_the_openapi_document_describes_what_there_is(app: APIFlask, client: FlaskClient) -> None:
    document = client.get("/api/openapi.json").json
    assert document["openapi"] == "3.1.0"
    described = {(path, method.upper()) for path, item in document["paths"].items() for method in item}
    there = {
        (re.sub(r"<(?:\w+(?:\([^)]*\))?:)?(\w+)>", r"{\1}", rule.rule), method)
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if rule.endpoint.partition(".")[0] not in ("static", "page", "openapi", "docs")
    }
    assert described == there
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert operation["responses"], (path, method)
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    kind = "json" if (path, status) == ("/readyz", "503") else "problem+json"
                    assert list(response["content"]) == [f"application/{kind}"], (path, status)
    query = {p["name"]: p["schema"] for p in document["paths"]["/api/v1/movies"]["get"]["parameters"]}
    assert query["limit"]["maximum"] == 1000

"""Text that breaks services, in every place of the API that takes text, on both databases: refused, or kept as text."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from flask.testing import FlaskClient
from httpx import WSGITransport

from matinee.client import Client
from matinee.errors import ParameterError
from matinee.settings import Settings
from matinee.store.ratings import RatingStore
from matinee.web.app import create_app
from matinee.web.serving import Models

HOSTILE = {
    "sql": "'; DROP TABLE ratings; --",
    "html": "<script>alert(1)</script><img src=x onerror='alert(1)'>",
    "nul": "a\0b",
    "surrogate": "a\ud800b",
    "long": "a" * 10_000,
    "rtl": "\u202eretsgnirts \u0634\u0643\u0631",
    "lines": "a\r\nSet-Cookie: b=c",
    "template": "{{7*7}}${7*7}%s%00%2e%2e/../..",
}
KNOWN = {"user_id": "ann", "movie_id": "260", "import_id": "none", "model_id": "tiny", "kind": "popular", "run_id": "1"}
"""What stands in an address where another part of the request is tried."""
Place = tuple[str | int, ...]
BOB = {1: 4.0, 858: 2.5}


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.xdist_group("postgres"))])
def store(request: pytest.FixtureRequest) -> Iterator[RatingStore]:
    store = RatingStore("sqlite://" if request.param == "sqlite" else request.getfixturevalue("postgres_url"))
    store.add_many("ann", {260: 4.5})
    store.add_many("bob", BOB)
    yield store
    assert store.ratings_of("bob") == BOB
    store.close()


@pytest.fixture
def client(store: RatingStore, models: Models, tmp_path: Path) -> FlaskClient:
    return create_app(Settings(home=tmp_path), store, models).test_client()


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference; of alternatives, take the one that is text or holds some."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    kinds = [resolved(document, option) for option in schema.get("anyOf", [])]
    return next((kind for kind in kinds if kind.get("type") in ("string", "array", "object")), schema)


def places(document: dict[str, Any], schema: dict[str, Any]) -> Iterator[Place]:
    """Yield where a schema takes text."""
    schema = resolved(document, schema)
    if schema.get("type") == "string":
        yield ()
    for name, part in schema.get("properties", {}).items():
        yield from ((name, *place) for place in places(document, part))
    if "items" in schema:
        yield from ((0, *place) for place in places(document, schema["items"]))


def filled(document: dict[str, Any], schema: dict[str, Any], place: Place, text: str) -> Any:
    """Return the smallest value of a schema with the text at a place."""
    if place == ():
        return text
    schema, (step, *rest) = resolved(document, schema), place
    if isinstance(step, int):
        return [filled(document, schema["items"], tuple(rest), text)]
    needed = {name: example(document, schema["properties"][name]) for name in schema.get("required", ())}
    return needed | {str(step): filled(document, schema["properties"][step], tuple(rest), text)}


def example(document: dict[str, Any], schema: dict[str, Any]) -> Any:
    """Return a value that a schema allows."""
    schema = {**resolved(document, schema), **schema}
    if "examples" in schema or "enum" in schema:
        return copy.copy((schema.get("examples") or schema["enum"])[0])
    if schema.get("type") == "object":
        return {name: example(document, schema["properties"][name]) for name in schema.get("required", ())}
    return {"array": [], "integer": 1, "number": 4.0, "boolean": True}.get(schema.get("type", ""), "text")


def requests(document: dict[str, Any]) -> Iterator[tuple[str, str, str, Place]]:
    """Yield every place of the API that takes text: method, path, which part of the request, where in it."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            for parameter in operation.get("parameters", ()):
                if list(places(document, parameter["schema"])) or parameter["in"] == "path":
                    yield method, path, parameter["in"], (parameter["name"],)
            for kind, body in operation.get("requestBody", {}).get("content", {}).items():
                wanted = places(document, body["schema"]) if kind == "application/json" else [()]
                yield from ((method, path, kind, place) for place in wanted)


def ask(client: FlaskClient, document: dict[str, Any], at: tuple[str, str, str, Place], text: str) -> Any:
    method, path, part, place = at
    values = KNOWN | ({str(place[0]): text} if part == "path" else {})
    for name, value in values.items():
        path = path.replace(f"{{{name}}}", quote(value.encode("utf-8", "surrogatepass"), safe=""))
    headers = {place[0]: text} if part == "header" else {}
    if part == "query":
        path += "?" + urlencode({place[0]: text.encode("utf-8", "surrogatepass")})
    data: str | bytes | None = None
    if part == "application/json":
        body = document["paths"][at[1]][method]["requestBody"]["content"][part]["schema"]
        data = json.dumps(filled(document, body, place, text))
    elif "/" in part:
        data = text.encode("utf-8", "surrogatepass")
    return client.open(path, method=method, data=data, headers=headers, content_type=part if "/" in part else None)


@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_in_any_place_of_the_api_breaks_it(client: FlaskClient, name: str) -> None:
    document = client.get("/api/openapi.json").json
    asked, broken = 0, []
    for at in requests(document):
        if at[2] == "header" and not HOSTILE[name].isprintable():
            continue  # no HTTP client can send it
        answer = ask(client, document, at, HOSTILE[name])
        asked += 1
        told = answer.get_data(as_text=True)
        could_be_page = bool(told) and answer.content_type.startswith("text/html")
        if answer.status_code >= 500 or could_be_page or "Set-Cookie" in answer.headers:
            broken.append((*at, answer.status_code, told[:200]))
    assert broken == []
    assert asked > 100


NAMES = [
    HOSTILE["sql"],
    "<b onclick=alert(1)>",
    "\u0634\u0643\u0631\u0627",
    "{{7*7}}${7*7}%s",
    "a%2Fb",
    "a?b#c&d=e;f+g h",
]


@pytest.mark.parametrize("user_id", NAMES)
def test_names_come_back_as_they_went_in(client: FlaskClient, store: RatingStore, user_id: str) -> None:
    path = f"/api/v1/users/{quote(user_id, safe='')}"
    saved = client.post(f"{path}/ratings", json={"ratings": [{"movie_id": 260, "stars": 4.5}], "recommend": 2})
    assert saved.status_code == 200, saved.json
    shown = client.get(f"{path}/ratings")
    assert shown.json["user_id"] == user_id
    assert shown.content_type == "application/json"
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert client.post(f"/{quote(user_id, safe='')}/ratings", data="1,3").json == [[user_id, 1, 3.0]]
    assert store.ratings_of(user_id) == {260: 4.5, 1: 3.0}
    members = {"members": [{"user_id": user_id}, {"user_id": "bob"}]}
    assert client.post("/api/v1/groups/recommendations", json=members).status_code == 200
    if user_id.isascii():  # httpx asks WSGI applications wrongly otherwise
        with Client(transport=WSGITransport(client.application)) as typed:
            assert typed.ratings(user_id).total == 2
    assert client.delete(path).status_code == 204
    assert not store.has_user(user_id)


@pytest.mark.parametrize("user_id", ["a/b", "/", "..", ".", "a/../bob"])
def test_names_that_no_address_can_hold_are_nobodys(client: FlaskClient, store: RatingStore, user_id: str) -> None:
    with pytest.raises(ParameterError, match="no / and not dots alone"):
        store.add_many(user_id, {1: 3.0})
    for path in (f"/api/v1/users/{quote(user_id, safe='')}/ratings", f"/{quote(user_id, safe='')}/ratings"):
        answer = client.post(path, json={"ratings": [{"movie_id": 260, "stars": 4.5}]})
        assert (answer.status_code in (400, 404, 405, 422), answer.content_type) == (True, "application/problem+json")
    member = client.post("/api/v1/groups/recommendations", json={"members": [{"user_id": user_id}]})
    assert member.status_code == 404


@pytest.mark.parametrize("name", ["sql", "html", "rtl", "template"])
def test_titles_and_names_of_files_come_back_as_they_went_in(client: FlaskClient, name: str) -> None:
    text = HOSTILE[name]
    content = f'Date,Name,Year,Letterboxd URI,Rating\n2020-01-01,"{text}",1994,https://boxd.it/4,4\n'
    path = "/api/v1/users/ann/imports"
    done = client.post(f"{path}?{urlencode({'name': text})}", data=content.encode()).json
    [line] = done["not_matched"]
    assert (line["file"], line["line"]) == (text, 2)
    assert text in json.dumps(line, ensure_ascii=False)
    choice = {"choices": [{"file": text, "line": 2, "movie_id": 858}]}
    assert client.post(f"{path}/{done['import_id']}/resolve", json=choice).json["saved"] == 1

"""Who is let in: on this machine everybody, with an operator's key those who prove who they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from matinee.errors import ParameterError
from matinee.settings import Settings
from matinee.store.ratings import RatingStore
from matinee.web.access import NEEDS, check_exposure
from matinee.web.app import create_app
from matinee.web.serving import Models

KEY = "an operator's-key".replace(" ", "-")
OPERATOR = {"Authorization": f"Bearer {KEY}"}
RATING = {"ratings": [{"movie_id": 260, "stars": 4.5}]}


def made(tmp_path: Path, store: RatingStore, models: Models, **settings: object) -> APIFlask:
    return create_app(Settings(home=tmp_path, **settings), store, models)


@pytest.fixture
def protected(tmp_path: Path, store: RatingStore, models: Models) -> APIFlask:
    return made(tmp_path, store, models, operator_key=KEY, host="0.0.0.0")


@pytest.fixture
def guest(protected: APIFlask) -> FlaskClient:
    """Somebody without a cookie."""
    return protected.test_client(use_cookies=False)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def joined(client: FlaskClient) -> tuple[str, str]:
    answer = client.post("/api/v1/users").json
    return answer["user_id"], answer["token"]


def status(answer) -> int:
    if answer.status_code >= 400:
        assert answer.content_type == "application/problem+json"
    return answer.status_code


def test_this_machine_alone_needs_no_token(client: FlaskClient) -> None:
    assert status(client.post("/api/v1/users/ann/ratings", json=RATING)) == 200
    assert status(client.get("/api/v1/users/1/recommendations")) == 200
    assert status(client.get("/1/ratings/top/3")) == 200


def test_a_person_needs_their_token(guest: FlaskClient) -> None:
    (ann, token), (bob, other) = joined(guest), joined(guest)
    path = f"/api/v1/users/{ann}/ratings"
    assert status(guest.post(path, json=RATING)) == 401
    assert guest.post(path, json=RATING).headers["WWW-Authenticate"] == "Bearer"
    assert status(guest.post(path, json=RATING, headers=bearer(other))) == 403
    assert status(guest.post(path, json=RATING, headers=bearer("x"))) == 403
    assert status(guest.post(path, json=RATING, headers={"Authorization": f"Basic {token}"})) == 401
    assert status(guest.post(path, json=RATING, headers=bearer(token))) == 200
    assert status(guest.post(f"/api/v1/users/{bob}/ratings", json=RATING, headers=bearer(token))) == 403
    assert status(guest.get(f"/api/v1/users/{ann}/recommendations", headers=bearer(token))) == 200
    assert status(guest.get(path, headers=OPERATOR)) == 200


def test_unknown_and_foreign_people_look_the_same(guest: FlaskClient) -> None:
    ann, _ = joined(guest)
    answers = [guest.get(f"/api/v1/users/{user}/ratings", headers=bearer("guess")) for user in (ann, "nobody", "1")]
    assert {(status(answer), answer.json["detail"]) for answer in answers} == {(403, answers[0].json["detail"])}


def test_a_cookie_that_scripts_cannot_read_is_a_token(protected: APIFlask) -> None:
    browser = protected.test_client()
    answer = browser.post("/api/v1/users")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Secure" not in cookie  # the test speaks http
    assert answer.headers["Cache-Control"] == "no-store"
    path = f"/api/v1/users/{answer.json['user_id']}"
    assert status(browser.post(f"{path}/ratings", json=RATING)) == 200
    assert status(browser.delete(path)) == 204
    assert status(browser.get(f"{path}/ratings")) == 401  # the cookie went with the person


def test_behind_a_tls_proxy_the_cookie_is_secure(tmp_path: Path, store: RatingStore, models: Models) -> None:
    client = made(tmp_path, store, models, operator_key=KEY, proxies=1).test_client()
    answer = client.post("/api/v1/users", headers={"X-Forwarded-Proto": "https"})
    assert "Secure" in answer.headers["Set-Cookie"]


@pytest.mark.parametrize("path", ["/1/ratings/top/3", "/1/ratings/260", "/api/v1/users/1/recommendations"])
def test_the_data_sets_people_and_the_tutorials_routes_need_the_key(guest: FlaskClient, path: str) -> None:
    _, token = joined(guest)
    assert status(guest.get(path)) == 401
    assert status(guest.get(path, headers=bearer(token))) == 403
    assert status(guest.get(path, headers=OPERATOR)) == 200
    assert status(guest.post("/1/ratings", data="260,4", headers=bearer(token))) == 403


def test_the_catalogue_needs_nothing(guest: FlaskClient) -> None:
    assert status(guest.get("/api/v1/movies")) == 200
    assert status(guest.get("/healthz")) == 200


def test_a_route_that_nobody_thought_of_needs_the_key(protected: APIFlask) -> None:
    open_to_all = {name for name, need in NEEDS.items() if need == "nothing"}
    assert open_to_all == {"health", "docs", "page", "openapi", "movies", "stateless"}
    for rule in protected.url_map.iter_rules():
        if rule.endpoint != "static" and rule.endpoint.partition(".")[0] not in (*open_to_all, "joining"):
            path = re.sub("<int[^>]*>", "3", rule.rule)
            method = sorted(rule.methods - {"HEAD", "OPTIONS"})[0]
            assert protected.test_client().open(path, method=method).status_code == 401, rule


def test_nobody_elses_token_opens_any_route_of_a_person(protected: APIFlask, store: RatingStore) -> None:
    guest = protected.test_client(use_cookies=False)
    (ann, _), (_, other) = joined(guest), joined(guest)
    store.add_many(ann, {260: 4.5})
    asked = 0
    for rule in protected.url_map.iter_rules():
        if "<user_id>" not in rule.rule:
            continue
        path = rule.rule.replace("<user_id>", ann).replace("<movie_id>", "260")
        path = re.sub("<int[^>]*>", "3", path).replace("<import_id>", "x")
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            assert status(guest.open(path, method=method, json=RATING, headers=bearer(other))) == 403, (method, path)
            asked += 1
    members = {"members": [{"user_id": ann}]}
    assert status(guest.post("/api/v1/groups/recommendations", json=members, headers=bearer(other))) == 403
    assert asked > 15
    assert store.ratings_of(ann) == {260: 4.5}


def test_a_link_takes_a_person_to_another_browser(guest: FlaskClient) -> None:
    ann, token = joined(guest)
    made_link = guest.post(f"/api/v1/users/{ann}/links", headers=bearer(token))
    assert status(made_link) == 201
    code = {"code": made_link.json["code"]}
    answer = guest.post("/api/v1/links", json=code)
    assert (status(answer), answer.json["user_id"]) == (201, ann)
    assert status(guest.get(f"/api/v1/users/{ann}/ratings", headers=bearer(answer.json["token"]))) == 200
    assert status(guest.post("/api/v1/links", json=code)) == 404


def test_too_many_requests_are_put_off(tmp_path: Path, store: RatingStore, models: Models) -> None:
    app = made(tmp_path, store, models, operator_key=KEY, requests_per_minute=5, signups_per_hour=2)
    client = app.test_client(use_cookies=False)
    (ann, token), _ = joined(client), joined(client)
    refused = client.post("/api/v1/users")
    assert status(refused) == 429
    assert int(refused.headers["Retry-After"]) > 1000
    path = f"/api/v1/users/{ann}/ratings"
    assert [status(client.get(path, headers=bearer(token))) for _ in range(6)] == [200] * 5 + [429]
    assert [status(client.get("/api/v1/movies")) for _ in range(3)] == [200, 200, 429]  # three were signups
    assert status(client.get(path, headers=OPERATOR)) == 200
    assert status(client.get("/healthz")) == 200


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000"])
def test_answers_under_this_machines_names(client: FlaskClient, host: str) -> None:
    assert status(client.get("/api/v1/movies", headers={"Host": host})) == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "evil.example:8000", "10.0.0.1"])
def test_a_name_that_somebody_elses_dns_points_here_is_refused(
    client: FlaskClient, guest: FlaskClient, tmp_path: Path, store: RatingStore, models: Models, host: str
) -> None:
    answer = client.get("/api/v1/movies", headers={"Host": host})
    assert status(answer) == 400
    assert "MATINEE_ALLOWED_HOSTS" in answer.json["detail"]
    assert status(guest.get("/api/v1/movies", headers={"Host": host})) == 200  # a token is what counts there
    named = made(tmp_path, store, models, operator_key=KEY, allowed_hosts="films.example, 10.0.0.2").test_client()
    assert status(named.get("/api/v1/movies", headers={"Host": host})) == 400
    assert status(named.get("/api/v1/movies", headers={"Host": "films.example:443"})) == 200


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"Origin": "http://localhost"}, True),
        ({"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}, True),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "http://localhost:3000"}, False),
        ({"Origin": "null"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
    ],
)
def test_a_page_elsewhere_cannot_write(
    client: FlaskClient, store: RatingStore, headers: dict[str, str], allowed: bool
) -> None:
    answers = [
        client.post("/api/v1/users/ann/ratings", json=RATING, headers=headers),
        client.post("/0/ratings", data="260,4", content_type="text/plain", headers=headers),
    ]
    assert {status(answer) for answer in answers} == {200 if allowed else 403}
    assert (store.count() == 2) is allowed
    read = client.get("/api/v1/movies", headers=headers)
    assert status(read) == 200
    assert "Access-Control-Allow-Origin" not in read.headers


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "films.example", "::"])
def test_other_machines_are_not_let_in_by_mistake(
    tmp_path: Path, store: RatingStore, models: Models, host: str
) -> None:
    with pytest.raises(ParameterError, match=r"MATINEE_OPERATOR_KEY.*--unprotected"):
        check_exposure(Settings(home=tmp_path, host=host))
    check_exposure(Settings(home=tmp_path, host=host, operator_key=KEY))
    check_exposure(Settings(home=tmp_path, host=host, unprotected=True))
    client = made(tmp_path, store, models, host=host, unprotected=True).test_client()
    assert status(client.get("/api/v1/users/1/recommendations", headers={"Host": "films.example"})) == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.8.8"])
def test_this_machine_is_this_machine(tmp_path: Path, host: str) -> None:
    check_exposure(Settings(home=tmp_path, host=host))


@pytest.mark.parametrize("key", ["short", "with blanks in it, long enough", "ключ-оператора-сервиса"])
def test_a_key_that_is_none_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(ParameterError, match="16 or more") as refused:
        Settings.read(operator_key=key)
    assert key not in str(refused.value)
    assert KEY not in repr(Settings(operator_key=KEY))

"""A repeated request has its effect once."""

from __future__ import annotations

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from matinee.errors import StoreError
from matinee.store.ratings import RatingStore

PATH = "/api/v1/users/ann/ratings"
BODY = {"ratings": [{"movie_id": 260, "stars": 4.5}], "recommend": 3}
KEY = {"Idempotency-Key": "k-1"}


def test_the_same_request_is_answered_again_and_not_done_again(client: FlaskClient, store: RatingStore) -> None:
    first = client.post(PATH, json=BODY, headers=KEY)
    assert "Idempotency-Replayed" not in first.headers
    store.add_many("ann", {260: 1.0})
    second = client.post(PATH, json=BODY, headers=KEY)
    assert (second.status_code, second.json) == (200, first.json)
    assert second.headers["Idempotency-Replayed"] == "true"
    assert store.ratings_of("ann") == {260: 1.0}
    assert len(store.history_of("ann")) == 2
    assert client.post(PATH, json=BODY).status_code == 200  # without the key it is another request
    assert store.ratings_of("ann") == {260: 4.5}


def test_refusals_are_repeated_as_well(client: FlaskClient) -> None:
    bad = {"ratings": [{"movie_id": 7, "stars": 4.5}]}
    answers = [client.post(PATH, json=bad, headers=KEY) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [422, 422]
    assert answers[0].json == answers[1].json
    assert answers[1].content_type == "application/problem+json"
    assert answers[1].headers["Idempotency-Replayed"] == "true"


def test_a_key_belongs_to_one_request_of_one_person(client: FlaskClient) -> None:
    client.post(PATH, json=BODY, headers=KEY)
    other = client.post(PATH, json=BODY | {"recommend": 4}, headers=KEY)
    assert (other.status_code, "belongs to another request" in other.json["detail"]) == (422, True)
    bob = client.post("/api/v1/users/bob/ratings", json=BODY, headers=KEY)
    assert "Idempotency-Replayed" not in bob.headers


def test_after_a_mistake_of_ours_the_request_may_be_made_again(
    app: APIFlask, store: RatingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = app.test_client()
    with monkeypatch.context() as patched:
        patched.setattr(store, "add_many", lambda *_: (_ for _ in ()).throw(StoreError("disk full")))
        assert client.post(PATH, json=BODY, headers=KEY).status_code == 503
    assert client.post(PATH, json=BODY, headers=KEY).status_code == 200


@pytest.mark.parametrize("key", ["", "a" * 129, "tab\tbed", "ключ".encode().decode("latin-1")])
def test_keys_that_are_none(client: FlaskClient, store: RatingStore, key: str) -> None:
    answer = client.post(PATH, json=BODY, headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.content_type) == (422, "application/problem+json")
    assert store.count() == 0


def test_answers_with_secrets_are_not_kept(client: FlaskClient) -> None:
    ann = client.post("/api/v1/users").json["user_id"]
    for path in ("/api/v1/users", "/api/v1/links", f"/api/v1/users/{ann}/links"):
        answer = client.post(path, headers=KEY)
        assert (answer.status_code, "holds a secret" in answer.json["detail"]) == (422, True)


def test_where_nothing_lasts_the_key_changes_nothing(client: FlaskClient) -> None:
    answers = [client.post("/api/v1/recommendations", json={"ratings": []}, headers=KEY) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert "Idempotency-Replayed" not in answers[1].headers

"""Single ratings, and what people say of films beside stars."""

from __future__ import annotations

import fakes
import pytest
from flask.testing import FlaskClient

from matinee.store.ratings import RatingStore

ANN = "/api/v1/users/ann"


def listed(client: FlaskClient, user: str = ANN) -> set[int]:
    return {film["movie_id"] for film in client.get(f"{user}/recommendations").json["recommendations"]}


def test_puts_and_takes_back_one_rating(client: FlaskClient, store: RatingStore) -> None:
    answer = client.put(f"{ANN}/ratings/260", json={"stars": 4.5, "rated_at": "2026-01-02T12:00:00Z"})
    assert (answer.status_code, answer.json) == (200, {"saved": 1, "model_id": "tiny"})
    older = client.put(f"{ANN}/ratings/260", json={"stars": 1, "rated_at": "2025-01-02T12:00:00Z"})
    assert older.json["saved"] == 0
    assert store.ratings_of("ann") == {260: 4.5}
    assert client.delete(f"{ANN}/ratings/260").status_code == 204
    assert client.delete(f"{ANN}/ratings/260").status_code == 204
    assert store.ratings_of("ann") == {}
    assert 260 in listed(client)


def test_takes_a_rating_of_the_data_set_back(client: FlaskClient) -> None:
    assert 260 not in listed(client, "/api/v1/users/30")
    assert client.delete("/api/v1/users/30/ratings/260").status_code == 204
    assert 260 in listed(client, "/api/v1/users/30")


def test_not_interested_is_for_ever_until_it_is_not(client: FlaskClient) -> None:
    assert client.put(f"{ANN}/not-interested/858").status_code == 204
    assert client.put(f"{ANN}/not-interested/858").status_code == 204
    assert 858 not in listed(client)
    assert client.get(f"{ANN}/recommendations").json["removed"]["not_interested"] == 1
    assert [film["movie_id"] for film in client.get(f"{ANN}/not-interested").json["movies"]] == [858]
    assert client.delete(f"{ANN}/not-interested/858").status_code == 204
    assert 858 in listed(client)


def test_the_watchlist_shows_the_latest_first(client: FlaskClient) -> None:
    for movie_id in (1, 858, 260):
        client.put(f"{ANN}/watchlist/{movie_id}")
    client.delete(f"{ANN}/watchlist/1")
    answer = client.get(f"{ANN}/watchlist?limit=1").json
    assert (answer["total"], answer["user_id"], answer["model_id"]) == (2, "ann", "tiny")
    [film] = answer["movies"]
    assert (film["movie_id"], film["title"]) == (260, fakes.title(260))
    assert film["marked_at"].endswith("Z")
    assert 260 in listed(client)


def test_a_rating_that_is_no_seed_counts_as_seen_only(client: FlaskClient) -> None:
    for movie_id, stars in ((260, 4.5), (1, 0.5)):
        client.put(f"{ANN}/ratings/{movie_id}", json={"stars": stars})
    answer = client.put(f"{ANN}/ratings/1/seed", json={"seed": False})
    assert answer.json == {"model_id": "tiny", "movie_id": 1, "seed": False}
    films = client.get(f"{ANN}/recommendations").json["recommendations"]
    scores = fakes.expected_scores({260: 4.5})
    assert {film["movie_id"]: film["score"] for film in films} == pytest.approx(
        {movie: score for movie, score in scores.items() if movie not in (1, 260)}, abs=1e-5
    )
    assert {film["movie_id"]: film["seed"] for film in client.get(f"{ANN}/ratings").json["ratings"]} == {
        260: True, 1: False,
    }  # fmt: skip
    client.put(f"{ANN}/ratings/1/seed", json={"seed": True})
    assert all(film["seed"] for film in client.get(f"{ANN}/ratings").json["ratings"])


def test_marks_go_with_the_person(client: FlaskClient) -> None:
    user_id = client.post("/api/v1/users").json["user_id"]
    client.put(f"/api/v1/users/{user_id}/watchlist/1")
    assert client.delete(f"/api/v1/users/{user_id}").status_code == 204
    assert client.get(f"/api/v1/users/{user_id}/watchlist").status_code == 404
    assert client.delete(f"/api/v1/users/{user_id}").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("PUT", "ratings/7", {"stars": 4}, 404, "no movie 7"),
        ("PUT", "ratings/260", {"stars": 6}, 422, "6 stars"),
        ("PUT", "ratings/260", {}, 422, "body.stars"),
        ("PUT", "ratings/260", {"stars": 4, "rated_at": "9999-01-01T00:00:00Z"}, 422, "in the future"),
        ("PUT", "ratings/260/seed", {"seed": "no"}, 422, "body.seed"),
        ("PUT", "ratings/260/seed", {"seed": False}, 404, "not known"),
        ("DELETE", "ratings/260", None, 404, "not known"),
        ("PUT", "watchlist/7", None, 404, "no movie 7"),
        ("PUT", "not-interested/x", None, 404, "no movie 'x'"),
        ("DELETE", "watchlist/x", None, 404, "no movie 'x'"),
    ],
)
def test_refusals(
    client: FlaskClient, method: str, path: str, body: dict[str, object] | None, status: int, words: str
) -> None:
    answer = client.open(f"{ANN}/{path}", method=method, json=body)
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert words in answer.json["detail"]

"""People, their ratings and their lists over HTTP."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import fakes
import pytest
from flask.testing import FlaskClient

from matinee.store.ratings import RatingStore
from matinee.web.serving import Models

RATINGS = "/api/v1/users/ann/ratings"


def rate(client: FlaskClient, *pairs: tuple[Any, Any], **more: Any):
    return client.post(RATINGS, json={"ratings": [{"movie_id": m, "stars": s} for m, s in pairs], **more})


def test_a_new_user_gets_an_id_and_a_list(client: FlaskClient) -> None:
    answer = client.post("/api/v1/users")
    assert answer.status_code == 201
    user_id = answer.json["user_id"]
    assert not user_id.isdecimal()
    assert answer.location == f"/api/v1/users/{user_id}/ratings"
    assert client.get(answer.location).json["ratings"] == []
    films = client.get(f"/api/v1/users/{user_id}/recommendations").json["recommendations"]
    assert {film["movie_id"] for film in films} == set(fakes.RATED)
    assert client.post("/api/v1/users").json["user_id"] != user_id


def test_saves_and_recommends_in_one_call(client: FlaskClient) -> None:
    answer = rate(client, (260, 4.5), (1, 2), recommend=3)
    assert answer.status_code == 200
    scores = fakes.expected_scores({260: 4.5, 1: 2.0})
    best = sorted((movie for movie in scores if movie not in (260, 1)), key=lambda movie: -scores[movie])[:3]
    assert (answer.json["saved"], answer.json["model_id"]) == (2, "tiny")
    films = answer.json["recommendations"]
    assert [film["movie_id"] for film in films] == best
    assert [film["rank"] for film in films] == [1, 2, 3]
    assert [film["score"] for film in films] == pytest.approx([scores[movie] for movie in best], abs=1e-5)
    assert [film["stars"] for film in films] == pytest.approx(
        [min(max(scores[movie], 0.5), 5.0) for movie in best], abs=1e-5
    )
    name, year, count = fakes.TITLES[best[0]]
    whole = {"title": fakes.title(best[0]), "name": name, "year": year, "ratings_count": count}
    assert whole.items() <= films[0].items()


def test_without_recommend_nothing_is_recommended(client: FlaskClient) -> None:
    assert rate(client, (260, 4.5)).json == {"saved": 1, "model_id": "tiny"}


def test_the_list_is_the_same_when_asked_for_later(client: FlaskClient) -> None:
    at_once = rate(client, (260, 4.5), recommend=4).json["recommendations"]
    later = client.get("/api/v1/users/ann/recommendations?limit=4").json
    assert later["recommendations"] == at_once
    assert later["model_id"] == "tiny"
    assert later["total"] == len(fakes.RATED) - 1


def test_filters_are_obeyed(client: FlaskClient) -> None:
    rate(client, (260, 4.5))

    def ids(query: str) -> set[int]:
        answer = client.get(f"/api/v1/users/ann/recommendations?{query}")
        assert answer.status_code == 200, answer.json
        return {film["movie_id"] for film in answer.json["recommendations"]}

    assert ids("genre_any=Comedy") == {1, 500}
    assert ids("genre_any=Comedy&genre_any=Drama") == set(fakes.RATED) - {260}
    assert ids("genre_none=Drama") == {1, 500}
    assert ids("year_from=1999&year_to=2001") == {1200, 2000}
    assert ids("min_ratings=26") == {1, 500, 858}
    assert ids("include_seen=true") == set(fakes.RATED)
    assert ids("limit=2&offset=2") & ids("limit=2") == set()


def test_lists_ratings_newest_first_then_the_data_sets(client: FlaskClient) -> None:
    noon = "2026-01-02T12:00:00Z"
    body = [{"movie_id": 1, "stars": 2.0, "rated_at": noon}, {"movie_id": 1200, "stars": 5.0}]
    assert client.post("/api/v1/users/30/ratings", json={"ratings": body}).json["saved"] == 2
    answer = client.get("/api/v1/users/30/ratings").json
    assert [(film["movie_id"], film["stars"]) for film in answer["ratings"]] == [
        (1200, 5.0), (1, 2.0), (260, 3.0), (500, 3.0),
    ]  # fmt: skip
    assert [film["rated_at"] for film in answer["ratings"]][1:] == [noon, None, None]
    given = datetime.fromisoformat(answer["ratings"][0]["rated_at"])
    assert abs((datetime.now(UTC) - given).total_seconds()) < 60
    assert answer["total"] == 4
    assert answer["ratings"][0]["title"] == fakes.title(1200)
    page = client.get("/api/v1/users/30/ratings?limit=2&offset=1").json
    assert page["ratings"] == answer["ratings"][1:3]


def test_an_older_rating_does_not_replace(client: FlaskClient) -> None:
    rate(client, (260, 4.5))
    old = {"ratings": [{"movie_id": 260, "stars": 1, "rated_at": "1999-01-01T00:00:00+02:00"}]}
    assert client.post(RATINGS, json=old).json["saved"] == 0
    assert client.get(RATINGS).json["ratings"][0]["stars"] == 4.5


def test_ratings_of_an_earlier_model_are_made_to_fit(client: FlaskClient, store: RatingStore) -> None:
    store.add_many("ann", {260: 10.0, 777: 4.0, "tt0111161": 3.0})
    assert [(film["movie_id"], film["stars"]) for film in client.get(RATINGS).json["ratings"]] == [(260, 5.0)]
    films = client.get("/api/v1/users/ann/recommendations").json["recommendations"]
    scores = fakes.expected_scores({260: 5.0})
    assert {film["movie_id"]: film["score"] for film in films if film["movie_id"] in scores} == pytest.approx(
        {movie: score for movie, score in scores.items() if movie != 260}, abs=1e-5
    )


def one(**fields: Any) -> dict[str, Any]:
    return {"ratings": [{"movie_id": 260, "stars": 4.5} | fields]}


@pytest.mark.parametrize(
    ("body", "where", "words"),
    [
        (None, "body", "an object"),
        ([], "body", "an object"),
        ("text", "body", "an object"),
        ({}, "body.ratings", "Field required"),
        ({"ratings": []}, "body.ratings", "at least 1"),
        ({"ratings": [1]}, "body.ratings.0", "an object"),
        ({"ratings": [{"stars": 4}]}, "body.ratings.0.movie_id", "Field required"),
        (one(stars=0), "body.ratings.0", "0 stars arrived; 0.5 to 5 are allowed"),
        (one(stars=6), "body.ratings.0", "6 stars arrived"),
        (one(stars="five"), "body.ratings.0.stars", "valid number"),
        (one(stars="4"), "body.ratings.0.stars", "valid number"),
        (one(stars=True), "body.ratings.0.stars", "valid number"),
        (one(stars=None), "body.ratings.0.stars", "valid number"),
        (one(movie_id=261), "body.ratings.0", "no movie 261"),
        (one(movie_id="260"), "body.ratings.0", "no movie '260'"),
        (one(movie_id=2**70), "body.ratings.0.movie_id", "whole number of 64 bits"),
        (one(movie_id=1.5), "body.ratings.0.movie_id", "whole number of 64 bits"),
        (one(movie_id=True), "body.ratings.0.movie_id", "whole number of 64 bits"),
        (one(movie_id=""), "body.ratings.0.movie_id", "1 to 200 characters"),
        (one(rated_at="yesterday"), "body.ratings.0.rated_at", "datetime"),
        (one(rated_at="2026-01-01T00:00:00"), "body.ratings.0.rated_at", "timezone"),
        (one(rated_at="9999-01-01T00:00:00Z"), "body.ratings.0", "lies in the future"),
        (one(note="<b>"), "body.ratings.0.note", "Extra inputs"),
        (one() | {"recommend": 0}, "body.recommend", "greater than or equal to 1"),
        (one() | {"user": "ann"}, "body.user", "Extra inputs"),
        ({"ratings": one()["ratings"] * 2}, "body.ratings.1", "occurs twice"),
    ],
)
def test_bad_ratings_are_named_and_nothing_is_kept(
    client: FlaskClient, store: RatingStore, body: Any, where: str, words: str
) -> None:
    answer = client.post(RATINGS, data=json.dumps(body), content_type="application/json")
    assert (answer.status_code, answer.content_type) == (422, "application/problem+json")
    assert answer.json["errors"][0]["where"] == where
    assert words in answer.json["errors"][0]["detail"]
    assert answer.json["detail"].startswith(where)
    assert store.count() == 0


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b'{"ratings": [', "application/json", 400),
        (b"\xff", "application/json", 400),
        (b'{"ratings":[{"movie_id":260,"stars":NaN}]}', "application/json", 422),
        (b'{"ratings":[{"movie_id":260,"stars":4}]}', "text/plain", 415),
        (b"260,4", "application/x-www-form-urlencoded", 415),
        (b"{}", "", 415),
    ],
)
def test_bodies_that_are_not_json(
    client: FlaskClient, store: RatingStore, body: bytes, content_type: str, status: int
) -> None:
    answer = client.post(RATINGS, data=body, content_type=content_type)
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert store.count() == 0


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/api/v1/users/nobody/recommendations", 404, "user 'nobody' is not known"),
        ("/api/v1/users/nobody/ratings", 404, "user 'nobody' is not known"),
        ("/api/v1/users/1/recommendations?limit=0", 422, "query.limit"),
        ("/api/v1/users/1/recommendations?rank_by=price", 422, "query.rank_by"),
        ("/api/v1/users/1/recommendations?genre_any=Comdy", 422, "Comdy"),
        ("/api/v1/users/1/recommendations?genres=Comedy", 422, "query.genres"),
        ("/api/v1/users/1/recommendations?year_from=soon", 422, "query.year_from"),
        ("/api/v1/users/1/recommendations?year_from=2000&year_from=2001", 422, "arrived 2 times"),
        ("/api/v1/users/1/ratings?offset=-1", 422, "query.offset"),
    ],
)
def test_bad_questions(client: FlaskClient, path: str, status: int, words: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert words in answer.json["detail"]


def test_without_a_model_there_is_nothing_to_check_against(
    client: FlaskClient, models: Models, store: RatingStore
) -> None:
    models.serving = None
    answer = rate(client, (260, 4.5))
    assert (answer.status_code, answer.content_type) == (503, "application/problem+json")
    assert store.count() == 0

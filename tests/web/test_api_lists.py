"""Lists over HTTP: every filter and dial, somebody described in the request, several people, and why."""

from __future__ import annotations

from dataclasses import fields
from inspect import signature
from typing import Any

import fakes
import pytest
from flask.testing import FlaskClient

from matinee.recommend.filters import Filters
from matinee.recommend.recommender import Recommender
from matinee.recommend.rerank import Dials
from matinee.recommend.taste import Taste
from matinee.store.ratings import RatingStore
from matinee.web.api import inputs
from matinee.web.serving import Models

ANN = "/api/v1/users/ann"
STARS = {260: 4.5, 1: 2.0}


@pytest.fixture(autouse=True)
def ann(store: RatingStore) -> None:
    store.add_many("ann", STARS)


def get(client: FlaskClient, path: str, **query: Any) -> Any:
    answer = client.get(path, query_string=query)
    assert answer.status_code == 200, answer.json
    assert answer.json["model_id"] == "tiny"
    return answer.json


def ids(answer: Any) -> list[int]:
    return [film["movie_id"] for film in answer["recommendations"]]


def best(stars: dict[int, float]) -> list[int]:
    scores = fakes.expected_scores(stars)
    return sorted((movie for movie in scores if movie not in stars), key=lambda movie: -scores[movie])


@pytest.mark.parametrize(
    ("query", "allowed"),
    [
        ({"genre_all": "drama"}, {858, 1200, 2000}),
        ({"genre_any": ["Comedy", "Drama"]}, {500, 858, 1200, 2000}),
        ({"max_ratings": 25}, {1200, 2000}),
        ({"exclude": ["858", "500"]}, {1200, 2000}),
        ({"only": ["858", "3000", "260"]}, {858, 3000}),
        ({"only": "260", "include_seen": "true"}, {260}),
        ({"what_if": "1:none"}, {1, 500, 858, 1200, 2000}),
        ({"what_if": "858:1"}, {500, 1200, 2000}),
    ],
)
def test_every_filter_is_obeyed(client: FlaskClient, query: dict[str, Any], allowed: set[int]) -> None:
    assert set(ids(get(client, f"{ANN}/recommendations", **query))) == allowed


def test_filters_account_for_what_they_remove(client: FlaskClient) -> None:
    answer = get(client, f"{ANN}/recommendations", genre_any="Comedy", max_ratings=24)
    assert answer["recommendations"] == []
    assert (answer["total"], answer["relax"]) == (0, "max_ratings")
    assert answer["removed"] == {"genre_any": 4, "max_ratings": 5, "include_seen": 2}


def test_dials_reach_the_recommender(client: FlaskClient, models: Models) -> None:
    assert models.serving is not None
    for query in ({"popularity": -1}, {"popularity": 1}, {"diversity": 1}, {"rank_by": "stars"}):
        wanted = models.serving.recommender.recommend(STARS, **query)
        assert ids(get(client, f"{ANN}/recommendations", **query)) == [film.movie_id for film in wanted.recommendations]
    refused = client.get(f"{ANN}/recommendations?rank_by=stars_low")
    assert (refused.status_code, "knows no interval" in refused.json["detail"]) == (422, True)


def test_what_if_is_for_once(client: FlaskClient) -> None:
    answer = get(client, f"{ANN}/recommendations", what_if=["260:none", "2000:5"])
    assert ids(answer) == best({1: 2.0, 2000: 5.0})
    assert ids(get(client, f"{ANN}/recommendations")) == best(STARS)


def test_old_ratings_can_be_left_out_or_fade(client: FlaskClient, store: RatingStore) -> None:
    rated = [("260", 1.0, "2020-01-01T00:00:00Z"), ("2000", 5.0, "2026-01-01T00:00:00Z")]
    body = {"ratings": [{"movie_id": int(m), "stars": s, "rated_at": at} for m, s, at in rated]}
    assert client.post("/api/v1/users/bob/ratings", json=body).status_code == 200
    path = "/api/v1/users/bob/recommendations"
    scores = fakes.expected_scores({2000: 5.0})
    for since in ("2025-01-01", "2020-01-01T00:00:01+00:00"):
        films = get(client, path, since=since)["recommendations"]
        assert 260 not in [film["movie_id"] for film in films]
        assert {film["movie_id"]: film["score"] for film in films} == pytest.approx(
            {movie: score for movie, score in scores.items() if movie not in (260, 2000)}, abs=1e-5
        )
    faded = get(client, path, half_life=1)["recommendations"]
    assert [film["score"] for film in faded] != [film["score"] for film in get(client, path)["recommendations"]]
    refused = client.get("/api/v1/users/1/recommendations?half_life=10")
    assert (refused.status_code, "time of every rating" in refused.json["detail"]) == (422, True)


def test_reasons_add_up(client: FlaskClient) -> None:
    for film in get(client, f"{ANN}/recommendations", explain="true")["recommendations"]:
        total = film["base"] + sum(reason["contribution"] for reason in film["because"]) + film["because_rest"]
        assert total == pytest.approx(film["score"], abs=1e-4)
    assert get(client, f"{ANN}/recommendations")["recommendations"][0]["because"] is None


def test_somebody_in_the_request_gets_the_list_of_somebody_kept(client: FlaskClient, store: RatingStore) -> None:
    body = {"ratings": [{"movie_id": movie, "stars": stars} for movie, stars in STARS.items()]}
    answer = client.post("/api/v1/recommendations", json=body | {"limit": 3})
    assert answer.status_code == 200
    assert answer.json == get(client, f"{ANN}/recommendations", limit=3)
    more = {"exclude": [858], "not_interested": [500], "what_if": [{"movie_id": 1, "stars": None}], "explain": True}
    films = client.post("/api/v1/recommendations", json=body | more).json["recommendations"]
    assert {film["movie_id"] for film in films} == {1, 1200, 2000}
    off = client.post("/api/v1/recommendations", json=body | {"seed_off": [1]}).json
    scores = fakes.expected_scores({260: 4.5})
    assert ids(off) == sorted((movie for movie in scores if movie not in STARS), key=lambda movie: -scores[movie])
    assert client.post("/api/v1/recommendations", json={"ratings": []}).json["total"] == len(fakes.RATED)
    assert store.count() == len(STARS)


def test_predicts_and_explains(client: FlaskClient) -> None:
    scores = fakes.expected_scores(STARS)
    prediction = get(client, f"{ANN}/predictions/500")
    assert prediction["stars"] == pytest.approx(scores[500], abs=1e-5)
    assert (prediction["known"], prediction["title"]) == (True, fakes.title(500))
    assert get(client, f"{ANN}/predictions/3000")["known"] is False
    why = get(client, f"{ANN}/explanations/500", genre_any="Drama", year_to=1980)
    assert why["removed_by"] == ["genre_any", "year_to"]
    assert why["rank_in_list"] is None
    assert {reason["movie_id"] for reason in why["because"]} == set(STARS)
    total = why["base"] + sum(reason["contribution"] for reason in why["because"]) + why["because_rest"]
    assert total == pytest.approx(why["score"], abs=1e-4)
    assert get(client, f"{ANN}/explanations/{best(STARS)[0]}")["rank_in_list"] == 1


def test_taste(client: FlaskClient) -> None:
    taste = get(client, f"{ANN}/taste")
    assert (taste["user_id"], taste["ratings"], taste["mean"], taste["everybody"]) == ("ann", 2, 3.25, 3.0)
    assert [genre["name"] for genre in taste["genres"]] == ["Drama", "Comedy"]
    assert taste["genres"][0]["liking"] == pytest.approx((1.5 + 5 * 0.25) / 6)
    assert {step["stars"]: step["count"] for step in taste["histogram"] if step["count"]} == {2.0: 1, 4.5: 1}
    assert [decade["name"] for decade in taste["decades"]] == ["1970", "1990"]
    off = [abs(film["stars"] - film["expected"]) for film in taste["surprises"]]
    assert off == sorted(off, reverse=True)
    assert taste["error"] == pytest.approx(((off[0] ** 2 + off[1] ** 2) / 2) ** 0.5)
    assert taste["error_of_average"] == pytest.approx(((1 + 1.5**2) / 2) ** 0.5)


def test_onboarding_asks_for_popular_films_first(client: FlaskClient) -> None:
    movies = get(client, f"{ANN}/onboarding", limit=2, not_seen="500")["movies"]
    assert [movie["movie_id"] for movie in movies] == [858, 1200]


def test_groups(client: FlaskClient, store: RatingStore) -> None:
    client.put(f"{ANN}/not-interested/858")
    members = [{"user_id": "ann"}, {"ratings": [{"movie_id": 500, "stars": 5}]}]
    answer = client.post("/api/v1/groups/recommendations", json={"members": members, "mode": "fairness", "veto": 1})
    assert answer.status_code == 200, answer.json
    films = answer.json["recommendations"]
    assert {film["movie_id"] for film in films} == {1200, 2000}
    assert all(len(film["stars"]) == 2 for film in films)
    assert {film["turn"] for film in films} <= {0, 1}
    assert answer.json["removed"]["not_interested"] == 1


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"members": []}, "at least 1"),
        ({"members": [{}]}, "either user_id or ratings"),
        ({"members": [{"user_id": "ann", "ratings": []}]}, "either user_id or ratings"),
        ({"members": [{"ratings": [{"movie_id": 7, "stars": 5}]}]}, "no movie 7"),
        ({"members": [{"user_id": "ann"}], "mode": "loudest"}, "body.mode"),
        ({"members": [{"user_id": "ann"}], "exclude": [7]}, "no movie 7"),
        ({"members": [{"user_id": "ann"}] * 21}, "at most 20"),
    ],
)
def test_groups_that_are_none(client: FlaskClient, body: dict[str, Any], words: str) -> None:
    answer = client.post("/api/v1/groups/recommendations", json=body)
    assert answer.status_code in (404, 422)
    assert words in answer.json["detail"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("exclude=7", "exclude: there is no movie 7"),
        ("only=Alien", "only: there is no movie 'Alien'"),
        ("what_if=260", "movie:stars such as 260:4.5"),
        ("what_if=260:many", "movie:stars such as 260:4.5"),
        ("what_if=260:6", "6 stars arrived"),
        ("what_if=260:nan", "nan stars arrived"),
        ("what_if=7:4", "no movie 7"),
        ("since=yesterday", "query.since"),
        ("since=2024-01-01T10:00:00", "query.since"),
        ("half_life=0", "query.half_life"),
        ("half_life=nan", "query.half_life"),
        ("popularity=2", "query.popularity"),
        ("diversity=-1", "query.diversity"),
        ("year_to=99999999999999999999999", "query.year_to"),
        ("min_ratings=5&max_ratings=4", "the second at least the first"),
        ("year_from=2050", "the catalogue has films of 1972 to 2010"),
        ("popular=1", "Extra inputs"),
    ],
)
def test_bad_questions(client: FlaskClient, query: str, words: str) -> None:
    answer = client.get(f"{ANN}/recommendations?{query}")
    assert (answer.status_code, answer.content_type) == (422, "application/problem+json")
    assert words in answer.json["detail"]


@pytest.mark.parametrize(
    "path", ["recommendations", "ratings", "taste", "onboarding", "predictions/1", "explanations/1", "watchlist"]
)
def test_nobody(client: FlaskClient, path: str) -> None:
    answer = client.get(f"/api/v1/users/nobody/{path}")
    assert (answer.status_code, "is not known" in answer.json["detail"]) == (404, True)


def test_what_is_not_asked_for_is_what_the_recommender_takes_for_granted() -> None:
    """Only what was given is handed on, so that the document and the recommender must agree on the rest."""
    defaults = {field.name: field.default for kind in (Filters, Dials, Taste) for field in fields(kind)}
    defaults |= {name: p.default for name, p in signature(Recommender.recommend).parameters.items()}
    for name, field in inputs.ListQuery.model_fields.items():
        stated = field.get_default()
        if stated == []:
            assert not defaults[name] or name == "what_if", name
        else:
            assert stated == defaults[name], name


@pytest.mark.parametrize("body", [{"exclude": [9]}, {"only": [260, 9]}, {"what_if": [{"movie_id": 9, "stars": 3.0}]}])
def test_a_film_of_the_body_that_is_not_there_is_the_bodys_mistake(client: FlaskClient, body: dict[str, Any]) -> None:
    answer = client.post("/api/v1/recommendations", json={"ratings": [], **body})
    assert (answer.status_code, "there is no movie 9" in answer.json["detail"]) == (422, True)

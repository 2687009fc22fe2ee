"""The catalogue over HTTP."""

from __future__ import annotations

import fakes
import pytest
from flask.testing import FlaskClient


def ids(client: FlaskClient, **query: object) -> list[int]:
    answer = client.get("/api/v1/movies", query_string=query)
    assert answer.status_code == 200, answer.json
    assert answer.json["model_id"] == "tiny"
    return [movie["movie_id"] for movie in answer.json["movies"]]


def test_lists_the_most_rated_films_first(client: FlaskClient) -> None:
    assert ids(client) == [1, 260, 500, 858, 1200, 2000, 3000]
    assert ids(client, limit=2) == [1, 260]
    assert ids(client, q=" ") == ids(client)


def test_searches_titles(client: FlaskClient) -> None:
    assert ids(client, q="godfather")[0] == 858
    assert ids(client, q="toy stroy", limit=1) == [1]


def test_shows_one_film_whole(client: FlaskClient) -> None:
    assert client.get("/api/v1/movies/858").json == {
        "movie_id": 858, "title": "Godfather, The (1972)", "name": "Godfather, The", "year": 1972,
        "genres": ["Drama"], "imdb_id": None, "tmdb_id": None, "ratings_count": 26, "ratings_mean": 3.0,
    }  # fmt: skip
    assert client.get("/api/v1/movies/3000").json["ratings_mean"] is None


def test_titles_are_only_text(client: FlaskClient) -> None:
    assert client.get("/api/v1/movies/1200").json["name"] == fakes.HTML


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/api/v1/movies/7", 404, "no movie 7"),
        ("/api/v1/movies/five", 404, "no movie 'five'"),
        ("/api/v1/movies/٣", 404, "no movie '٣'"),
        ("/api/v1/movies/260?limit=1", 422, "takes no query"),
        ("/api/v1/movies?limit=0", 422, "query.limit: Input should be greater than or equal to 1; '0' arrived"),
        ("/api/v1/movies?limit=1001", 422, "query.limit"),
        ("/api/v1/movies?limit=ten", 422, "query.limit"),
        ("/api/v1/movies?limit=1&limit=2", 422, "query limit arrived 2 times"),
        ("/api/v1/movies?genre=Drama", 422, "query.genre: Extra inputs are not permitted"),
        (f"/api/v1/movies?q={'a' * 201}", 422, "query.q"),
    ],
)
def test_bad_questions(client: FlaskClient, path: str, status: int, words: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert words in answer.json["detail"]

"""The catalogue over HTTP."""

from __future__ import annotations

from pathlib import Path

import fakes
import pytest
from flask.testing import FlaskClient

from matinee.data.personal import TitleIndex
from matinee.data.ratings import Ratings
from matinee.models.als import ALS
from matinee.recommend.recommender import Recommender
from matinee.registry import Registry
from matinee.web.serving import Models, Serving


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
        "model_id": "tiny", "movie_id": 858, "title": "Godfather, The (1972)", "name": "Godfather, The", "year": 1972,
        "genres": ["Drama"], "imdb_id": None, "tmdb_id": None, "ratings_count": 26, "ratings_mean": 3.0,
    }  # fmt: skip
    assert client.get("/api/v1/movies/3000").json["ratings_mean"] is None


def test_filters_and_sorts(client: FlaskClient) -> None:
    assert ids(client, genre_any="comedy") == [1, 500]
    assert ids(client, year_from=1995, year_to=2001) == [1, 1200, 2000]
    assert ids(client, min_ratings=26, q="the") == [858]
    assert ids(client, sort="newest")[:2] == [3000, 2000]
    assert ids(client, sort="oldest")[:2] == [858, 260]
    assert ids(client, sort="title")[1:] == [500, 3000, 2000, 260, 858, 1]  # The Godfather, in its place
    assert ids(client, sort="top") == [1, 260, 500, 858, 1200, 2000, 3000]


def test_pages_follow_each_other(client: FlaskClient, source: fakes.FakeSource, models: Models) -> None:
    seen, cursor = [], None
    for _ in range(4):
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        answer = client.get("/api/v1/movies", query_string=query).json
        seen += [movie["movie_id"] for movie in answer["movies"]]
        assert answer["total"] == 7
        first, cursor = cursor, answer["next_cursor"]
    assert (seen, cursor) == (list(fakes.TITLES), None)
    source.wanted = "second"
    models.refresh()
    for bad in (first, "nonsense", "é", "MSA"):
        answer = client.get("/api/v1/movies", query_string={"cursor": bad})
        assert answer.status_code == 422, bad
        assert "ask for the first page again" in answer.json["detail"]


PATHS = ["/movies", "/movies/260", "/movies/260/similar", "/movies/260/histogram", "/genres", "/lists/top", "/map"]


@pytest.mark.parametrize("path", PATHS)
def test_what_a_browser_has_is_not_sent_again(
    client: FlaskClient, source: fakes.FakeSource, models: Models, path: str
) -> None:
    first = client.get(f"/api/v1{path}")
    assert (first.status_code, first.json["model_id"], first.headers["Cache-Control"]) == (200, "tiny", "no-cache")
    again = client.get(f"/api/v1{path}", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    source.wanted = "second"
    models.refresh()
    assert client.get(f"/api/v1{path}", headers={"If-None-Match": first.headers["ETag"]}).status_code == 200


def test_similar_films_come_from_the_model(client: FlaskClient, models: Models) -> None:
    answer = client.get("/api/v1/movies/260/similar?limit=3").json
    assert models.serving is not None
    wanted = models.serving.recommender.similar(260, 3)
    assert [(film["movie_id"], film["rank"], film["score"]) for film in answer["similar"]] == [
        (film.movie_id, film.rank, pytest.approx(film.score)) for film in wanted
    ]
    assert client.get("/api/v1/movies/3000/similar").json["similar"] == []


def test_histogram_counts_half_stars(tmp_path: Path) -> None:
    ratings = Ratings.from_arrays([1, 2, 3, 4], [10, 10, 10, 20], [0.5, 4.5, 4.5, 5.0])
    model = ALS(rank=2, iterations=1).fit(ratings)
    registry = Registry(tmp_path / "models")
    registry.publish(model, ratings=ratings)
    artifact = registry.read()
    serving = Serving("x", Recommender.of(artifact), TitleIndex(artifact.movies))
    counts = {step["stars"]: step["count"] for step in serving.steps(serving.histogram(10))}
    assert len(counts) == 10
    assert {stars: count for stars, count in counts.items() if count} == {0.5: 1, 4.5: 2}


def test_genres_and_decades(client: FlaskClient) -> None:
    answer = client.get("/api/v1/genres").json
    assert answer["genres"] == [{"genre": "Comedy", "movies": 2}, {"genre": "Drama", "movies": 5}]
    assert answer["decades"] == [1970, 1990, 2000]


def test_lists_that_know_nobody(client: FlaskClient) -> None:
    answer = client.get("/api/v1/lists/popular?genre_none=Comedy&limit=2&offset=1").json
    assert [movie["movie_id"] for movie in answer["movies"]] == [858, 1200]
    for path, words in (("trending", "no times"), ("best", "no list 'best'")):
        refused = client.get(f"/api/v1/lists/{path}")
        assert (refused.status_code, refused.content_type) == (422, "application/problem+json")
        assert words in refused.json["detail"]


def test_the_map_shows_what_somebody_rated(client: FlaskClient) -> None:
    films = client.get("/api/v1/map?limit=1000").json["movies"]
    assert [film["movie_id"] for film in films] == fakes.RATED
    assert all(-1 <= film["x"] <= 1 and -1 <= film["y"] <= 1 for film in films)
    places = {film["movie_id"]: (film["x"], film["y"]) for film in films}
    assert places[858] == places[2000]  # their factors point the same way
    assert len(set(places.values())) == len(films) - 1
    assert len(client.get("/api/v1/map?limit=2").json["movies"]) == 2


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
        ("/api/v1/movies?year_to=99999999999999999999", 422, "query.year_to"),
        ("/api/v1/movies?year_from=1999&year_to=1998", 422, "swap them"),
        ("/api/v1/movies?sort=price", 422, "query.sort"),
        ("/api/v1/movies/7/similar", 404, "no movie 7"),
        ("/api/v1/movies/7/histogram", 404, "no movie 7"),
        ("/api/v1/map?limit=5001", 422, "query.limit"),
        ("/api/v1/genres?limit=1", 422, "takes no query"),
        ("/api/v1/movies?genre=Drama", 422, "query.genre: Extra inputs are not permitted"),
        (f"/api/v1/movies?q={'a' * 201}", 422, "query.q"),
    ],
)
def test_bad_questions(client: FlaskClient, path: str, status: int, words: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert words in answer.json["detail"]

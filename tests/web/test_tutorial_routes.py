"""The tutorial's three routes: its shapes, without its defects."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import fakes
import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from matinee.store.ratings import RatingStore

FORM = "application/x-www-form-urlencoded"  # what curl --data-binary says


def post(client: FlaskClient, body: str | bytes, user: str = "0", content_type: str = FORM):
    return client.post(f"/{user}/ratings", data=body, content_type=content_type)


def expected_list(ratings: dict[int, float]) -> list[list]:
    scores = fakes.expected_scores(ratings)
    allowed = [movie for movie in scores if movie not in ratings and fakes.TITLES[movie][2] >= 25]
    best = sorted(allowed, key=lambda movie: -scores[movie])
    clipped = {movie: min(max(scores[movie], 0.5), 5.0) for movie in best}
    return [[fakes.title(movie), pytest.approx(clipped[movie], abs=1e-5), fakes.TITLES[movie][2]] for movie in best]


def test_post_answers_with_triples(client: FlaskClient) -> None:
    answer = post(client, "260,4\n1,3\n")
    assert answer.status_code == 200
    assert answer.json == [[0, 260, 4.0], [0, 1, 3.0]]
    assert answer.content_type == "application/json"


@pytest.mark.parametrize("content_type", [FORM, "text/csv", "application/json", "multipart/form-data", ""])
@pytest.mark.parametrize("body", ["260,4\n1,3", "\ufeff260,4\r\n\r\n 1 , 3.0 \r\n", "260,4\n1,3\n\n"])
def test_the_body_is_read_raw(client: FlaskClient, body: str, content_type: str) -> None:
    assert post(client, body, content_type=content_type).json == [[0, 260, 4.0], [0, 1, 3.0]]


def test_top_is_ordered_by_predicted_stars_and_has_no_rated_film(client: FlaskClient) -> None:
    ratings = {260: 4.0, 1: 1.5}
    post(client, "260,4\n1,1.5")
    answer = client.get("/0/ratings/top/10")
    assert answer.json == expected_list(ratings)
    assert [row[0] for row in answer.json if row[0] == fakes.title(1200)], "25 ratings are enough"
    assert fakes.title(2000) not in [row[0] for row in answer.json], "24 ratings are not"
    assert client.get("/0/ratings/top/2").json == expected_list(ratings)[:2]


def test_a_new_rating_shows_at_once(client: FlaskClient) -> None:
    post(client, "260,5")
    before = client.get("/0/ratings/top/10").json
    post(client, "858,0.5")
    assert client.get("/0/ratings/top/10").json == expected_list({260: 5.0, 858: 0.5}) != before


def test_predicts_one_film(client: FlaskClient) -> None:
    post(client, "260,4\n1,1.5")
    scores = fakes.expected_scores({260: 4.0, 1: 1.5})
    assert client.get("/0/ratings/500").json == [[fakes.title(500), pytest.approx(scores[500], abs=1e-5), 30]]


def test_a_film_that_nobody_rated_gets_the_fallback(client: FlaskClient) -> None:
    post(client, "260,4")
    ((name, stars, count),) = client.get("/0/ratings/3000").json
    assert (name, count) == (fakes.title(3000), 0)
    assert 0.5 <= stars <= 5


def test_rating_again_replaces(client: FlaskClient, store: RatingStore) -> None:
    post(client, "260,4\n1,1")
    assert post(client, "260,2\n260,3").json == [[0, 260, 3.0]]
    assert store.ratings_of("0") == {260: 3.0, 1: 1.0}


def test_users_of_the_data_set_keep_their_ratings(client: FlaskClient) -> None:
    """User 30 rated everything but the films that fewer people rated."""
    base = {movie: 3.0 for movie, (_, _, count) in fakes.TITLES.items() if count >= 30}
    assert client.get("/30/ratings/top/10").json == expected_list(base)
    post(client, "260,1\n1200,5", user="30")
    assert client.get("/30/ratings/top/10").json == expected_list({**base, 260: 1.0, 1200: 5.0})


def test_a_user_id_may_be_any_text(client: FlaskClient) -> None:
    assert post(client, "260,4", user="Zoë").json == [["Zoë", 260, 4.0]]
    assert client.get("/Zoë/ratings/top/1").status_code == 200


def test_bodies_from_many_threads_lose_nothing(app: APIFlask, store: RatingStore) -> None:
    movies = list(fakes.TITLES)

    def rate(user: int) -> int:
        return sum(post(app.test_client(), f"{movie},4", user=f"u{user % 4}").status_code for movie in movies)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(rate, range(8))) == {200 * len(movies)}
    assert [len(store.ratings_of(f"u{user}")) for user in range(4)] == [len(movies)] * 4
    assert len(store.history_of("u0")) == 2 * len(movies)


@pytest.mark.parametrize(
    ("body", "status", "where", "words"),
    [
        ("", 400, None, "empty"),
        ("\n\n", 400, None, "empty"),
        (b"\xff\xfe", 400, None, "not UTF-8"),
        ("260,4\nnonsense", 400, "line 2", "'nonsense' is not movieId,rating"),
        ("260 4", 400, "line 1", "not movieId,rating"),
        ("260,4,880000000", 400, "line 1", "not movieId,rating"),
        (",4", 400, "line 1", "not movieId,rating"),
        ('{"260": 4}', 400, "line 1", "not movieId,rating"),
        ("260,", 400, "line 1", "not a number"),
        ("\n260,five", 400, "line 2", "'five' is not a number"),
        ("260,0", 422, "line 1", "0 stars arrived; 0.5 to 5 are allowed"),
        ("260,6", 422, "line 1", "6 stars arrived"),
        ("260,-4", 422, "line 1", "-4 stars"),
        ("260,nan", 422, "line 1", "nan stars"),
        ("260,inf", 422, "line 1", "inf stars"),
        ("261,4", 422, "line 1", "no movie 261"),
        ("Toy Story,4", 422, "line 1", "no movie 'Toy Story'"),
        ("99999999999999999999999,4", 422, "line 1", "no movie"),
        ("1,4\n260,6\n260,x", 400, "line 2", "6 stars arrived"),
    ],
)
def test_bad_lines_are_named_and_nothing_is_kept(
    client: FlaskClient, store: RatingStore, body: str | bytes, status: int, where: str | None, words: str
) -> None:
    answer = post(client, body)
    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    assert words in answer.json["detail"]
    assert [part["where"] for part in answer.json.get("errors", [])][:1] == ([where] if where else [])
    assert store.count() == 0


def test_every_bad_line_is_listed_up_to_a_limit(client: FlaskClient) -> None:
    errors = post(client, "260,6\n260,5\n" * 50).json["errors"]
    assert [part["where"] for part in errors] == [f"line {number}" for number in range(1, 40, 2)]


@pytest.mark.parametrize("user", [" ", "a" * 65, "tab%09"])
def test_bad_user_ids_are_refused(client: FlaskClient, user: str) -> None:
    answer = post(client, "260,4", user=user)
    assert (answer.status_code, answer.content_type) == (422, "application/problem+json")


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/nobody/ratings/top/10", 404, "user 'nobody' is not known"),
        ("/41/ratings/500", 404, "user '41' is not known"),
        ("/1/ratings/7", 404, "no movie 7"),
        ("/1/ratings/Toy Story", 404, "did you mean Toy Story (1995) [1]"),
        ("/1/ratings/top/0", 422, "1 to 1000"),
        ("/1/ratings/top/1001", 422, "1 to 1000"),
        ("/1/ratings/top/ten", 404, "nothing at"),
        ("/1/ratings/top/-1", 404, "nothing at"),
        ("/1/ratings/top/5?min_ratings=3", 422, "takes no query"),
    ],
)
def test_bad_questions(client: FlaskClient, path: str, status: int, words: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert words in answer.json["detail"]


@pytest.mark.parametrize("user", ["007", "9" * 30, "\u0663", "-1", "1e3"])
def test_only_plain_numbers_are_answered_as_numbers(client: FlaskClient, store: RatingStore, user: str) -> None:
    assert post(client, "260,4", user=user).json == [[user, 260, 4.0]]
    assert store.ratings_of(user) == {260: 4.0}


def send(client: FlaskClient, sent: bytes, **headers: str):
    """Post bytes as a server passes them on that ends the stream itself, as granian does."""
    environ = {"wsgi.input": io.BytesIO(sent), "wsgi.input_terminated": True}
    return client.post("/0/ratings", environ_overrides=environ | headers)


def test_a_chunked_body_over_the_limit_is_refused_whole(client: FlaskClient, store: RatingStore) -> None:
    limit = client.application.config["MAX_CONTENT_LENGTH"]
    lines = b"260,4\n" * (limit // 6) + b"\n" * (limit % 6)
    assert send(client, lines, HTTP_TRANSFER_ENCODING="chunked").status_code == 200
    answer = send(client, lines + b"1,3\n", HTTP_TRANSFER_ENCODING="chunked")
    assert answer.status_code == 413
    assert answer.content_type == "application/problem+json"
    assert store.ratings_of("0") == {260: 4.0}


def test_a_body_that_breaks_off_is_refused(client: FlaskClient, store: RatingStore) -> None:
    answer = send(client, b"260,4\n1,4", CONTENT_LENGTH="11")
    assert answer.status_code == 400
    assert "9 of 11 bytes arrived" in answer.json["detail"]
    assert not store.ratings_of("0")

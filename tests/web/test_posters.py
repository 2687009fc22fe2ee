"""Posters of TMDb: only with a key, asked for once, never in anybody's way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

import tmdb
from matinee.errors import ParameterError, PosterError
from matinee.settings import Settings
from matinee.store.ratings import RatingStore
from matinee.web import posters
from matinee.web.app import create_app
from matinee.web.posters import Posters
from matinee.web.serving import Models

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def their_service(monkeypatch: pytest.MonkeyPatch) -> Iterator[tmdb.FakeTmdb]:
    with tmdb.running() as server:
        monkeypatch.setattr(posters, "API", server.address)
        yield server


def test_a_poster_is_asked_for_once(their_service: tmdb.FakeTmdb) -> None:
    known = Posters(KEY)
    assert [known.address(11) for _ in range(3)] == ["https://image.tmdb.org/t/p/w342/star-wars.png"] * 3
    assert [known.address(number) for number in (680, 1, 680, 1)] == [None] * 4
    assert their_service.asked == [(f"/movie/{number}?api_key={KEY}", None) for number in (11, 680, 1)]


def test_a_token_travels_in_a_header(their_service: tmdb.FakeTmdb) -> None:
    Posters("eyJhbGciOi.x.y").address(11)
    assert their_service.asked == [("/movie/11", "Bearer eyJhbGciOi.x.y")]


def test_after_a_failure_nothing_is_asked_for_a_while(their_service: tmdb.FakeTmdb) -> None:
    now = [0.0]
    known = Posters(KEY, clock=lambda: now[0])
    known.address(11)
    for number in (tmdb.BROKEN, 680):
        with pytest.raises(PosterError):
            known.address(number)
    assert known.address(11)  # what is known stays known
    assert len(their_service.asked) == 2
    now[0] = posters.REST_S + 1
    assert known.address(680) is None


def test_nobody_there_is_a_poster_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posters, "API", "http://127.0.0.1:9")
    with pytest.raises(PosterError):
        Posters(KEY).address(11)


@pytest.fixture
def shown(store: RatingStore, models: Models, tmp_path: Path, their_service: tmdb.FakeTmdb) -> FlaskClient:
    assert models.serving is not None
    catalogue = models.serving.recommender.catalogue
    assert [catalogue.movie(movie_id).tmdb_id for movie_id in (260, 1)] == [11, None]
    return create_app(Settings(home=tmp_path, tmdb_key=KEY), store, models).test_client()


def test_browsers_are_sent_to_the_picture_and_may_keep_where_it_is(shown: FlaskClient) -> None:
    answer = shown.get("/posters/260")
    assert (answer.status_code, answer.headers["Location"]) == (302, "https://image.tmdb.org/t/p/w342/star-wars.png")
    assert answer.headers["Cache-Control"] == "private, max-age=604800"
    assert "img-src 'self' https://image.tmdb.org;" in answer.headers["Content-Security-Policy"]
    assert shown.get("/posters/1").status_code == 204  # the data set knows no number of it
    assert shown.get("/posters/12345").status_code == 404
    assert 'data-posters="tmdb"' in shown.get("/").text
    assert KEY not in shown.get("/").text


def test_without_a_key_nothing_changes(client: FlaskClient) -> None:
    assert client.get("/posters/260").status_code == 404
    page = client.get("/")
    assert "data-posters" not in page.text
    assert "tmdb" not in page.headers["Content-Security-Policy"]


def test_a_key_that_would_change_the_question_is_refused() -> None:
    with pytest.raises(ParameterError) as refused:
        Settings.read(tmdb_key="abc&language=x")
    assert "abc" not in str(refused.value)

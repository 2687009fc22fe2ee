"""The client asks the application itself; whatever it returns was checked against the documented answer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, get_type_hints

import fakes
import httpx
import pytest
from apiflask import APIFlask

import matinee
from matinee.client import Client, FilmOptions, ListOptions
from matinee.errors import MatineeError, ServiceError
from matinee.settings import Settings
from matinee.store.ratings import RatingStore
from matinee.web.api import inputs
from matinee.web.app import create_app
from matinee.web.serving import Models

KEY = "the-operators-own-key"
HISTORY = b"Date,Name,Year,Letterboxd URI,Rating\n2020-01-01,The Godfather,1972,x,5\n2020-01-02,Nothing,1950,x,2\n"


@pytest.fixture
def asking(app: APIFlask) -> Iterator[Client]:
    with Client(transport=httpx.WSGITransport(app)) as asking:
        yield asking


def ids(answer: Any) -> list[int | str]:
    return [film.movie_id for film in answer.recommendations]


def test_it_is_public() -> None:
    assert matinee.Client is Client


def test_rates_and_lists_in_one_call(asking: Client) -> None:
    then = datetime(2026, 1, 2, tzinfo=UTC)
    saved = asking.rate("ann", {260: 4.5, 1: 2.0}, rated_at={1: then}, recommend=2)
    assert (saved.saved, saved.model_id, len(saved.recommendations or ())) == (2, "tiny", 2)
    assert {film.movie_id: film.rated_at for film in asking.ratings("ann").ratings}[1] == then
    scores = fakes.expected_scores({260: 4.5, 1: 2.0})
    films = asking.recommend("ann").recommendations
    assert {film.movie_id: film.score for film in films} == pytest.approx(
        {movie: score for movie, score in scores.items() if movie not in (260, 1)}, abs=1e-5
    )
    asking.unrate("ann", 1)
    assert [film.movie_id for film in asking.ratings("ann").ratings] == [260]


def test_options_arrive_the_same_for_somebody_kept_and_somebody_described(asking: Client) -> None:
    stars = {260: 4.5, 1: 2.0}
    asking.rate("ann", stars)
    asked: list[ListOptions] = [
        {"limit": 2, "offset": 1},
        {"genre_any": ["Comedy", "Drama"], "exclude": [858], "min_ratings": 25},
        {"only": [858, 3000]},
        {"include_seen": True, "rank_by": "stars", "popularity": 0.5, "diversity": 0.5, "explain": True},
        {"what_if": {260: None, 858: 1.0}},
        {"since": date(2020, 1, 1), "half_life": 100.0},
    ]
    lists = [ids(asking.recommend("ann", **options)) for options in asked]
    assert lists == [ids(asking.recommend(stars, **options)) for options in asked]
    assert lists[4] != lists[0]
    assert set(lists[2]) == {858, 3000}


def test_predicts_explains_and_marks(asking: Client) -> None:
    asking.rate("ann", {260: 4.5})
    assert asking.predict("ann", 500).stars == pytest.approx(fakes.expected_scores({260: 4.5})[500], abs=1e-5)
    asking.mark("ann", "not-interested", 500)
    assert asking.explain("ann", 500).removed_by == ["not_interested"]
    asking.mark("ann", "not-interested", 500, on=False)
    assert asking.explain("ann", 500, genre_none=["Comedy"]).removed_by == ["genre_none"]


def test_the_catalogue(asking: Client) -> None:
    page = asking.movies(limit=3, genre_any=["Drama"])
    rest = asking.movies(limit=3, genre_any=["Drama"], cursor=page.next_cursor)
    assert (len(page.movies), len(rest.movies), page.total) == (3, 2, 5)
    assert asking.movies("godfather").movies[0].movie_id == 858
    assert asking.movie(858).title == fakes.title(858)
    assert len(asking.similar(858, limit=2).similar) == 2


def test_a_history_comes_goes_and_comes_back(asking: Client) -> None:
    assert asking.import_history("ann", HISTORY, dry_run=True).import_id is None
    done = asking.import_history("ann", HISTORY)
    assert (done.saved, done.counts["unknown"], done.not_matched[0].title) == (1, 1, "Nothing")
    exported = asking.export("ann")
    assert asking.undo_import("ann", str(done.import_id)).restored == 1
    assert asking.import_history("ann", exported.encode()).saved == 1
    asking.forget("ann")
    with pytest.raises(ServiceError, match="404 Not Found: user 'ann' is not known here"):
        asking.ratings("ann")


def test_refusals_say_what_was_wrong(asking: Client) -> None:
    with pytest.raises(ServiceError, match=r"422 .*Nothing was kept") as refused:
        asking.rate("ann", {260: 9.0, 4: 1.0})
    assert (refused.value.status, len(refused.value.errors)) == (422, 2)
    assert isinstance(refused.value, MatineeError)


def test_a_token_a_cookie_and_an_operator(store: RatingStore, models: Models, tmp_path: Path) -> None:
    app = create_app(Settings(home=tmp_path, operator_key=KEY), store, models)
    transport = httpx.WSGITransport(app)
    browser = Client("http://films.example", transport=transport)
    ann = browser.join()
    assert browser.rate(ann.user_id, {260: 4.0}).saved == 1  # by the cookie
    assert Client(token=ann.token, transport=transport).ratings(ann.user_id).total == 1
    assert Client(token=KEY, transport=transport).ask("GET", "/api/v1/stats").json()["kept"]["ratings"] == 1
    with pytest.raises(ServiceError, match="401 Unauthorized") as refused:
        Client(transport=transport).ratings(ann.user_id)
    assert refused.value.status == 401


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (httpx.Response(502, text="<html>"), "502 Bad Gateway"),
        (httpx.Response(500, json=["?"]), "500 Internal Server Error"),
        (httpx.Response(200, text="<html>"), "answered something else"),
        (httpx.Response(200, json={"model_id": "m"}), "answered something else"),
    ],
)
def test_what_is_no_matinee_service_is_said_to_be_none(answer: httpx.Response, says: str) -> None:
    stranger = Client(transport=httpx.MockTransport(lambda _: answer))
    with pytest.raises(ServiceError, match=says):
        stranger.recommend("ann")


def test_nobody_there() -> None:
    with pytest.raises(ServiceError, match="does not answer") as refused:
        Client("http://127.0.0.1:9", timeout=5).ready()
    assert refused.value.status is None
    with pytest.raises(ServiceError, match="does not answer"):
        Client("no address").ready()


def test_it_knows_every_option_that_the_service_has() -> None:
    assert get_type_hints(ListOptions).keys() == inputs.ListQuery.model_fields.keys()
    assert get_type_hints(FilmOptions).keys() == inputs.Films.model_fields.keys()


def test_it_loads_no_server() -> None:
    heavy = ("flask", "numba", "polars", "sqlalchemy", "numpy")
    code = f"import sys; from matinee import Client; sys.exit(', '.join(m for m in {heavy!r} if m in sys.modules) or 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

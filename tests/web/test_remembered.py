"""People whose place in the model is kept: never out of date, never somebody else's, never too many."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from apiflask import APIFlask
from fakes import FakeSource
from flask.testing import FlaskClient

from matinee.recommend.placed import Placed
from matinee.recommend.recommender import Recommender
from matinee.settings import Settings
from matinee.store.marks import MarkStore
from matinee.store.people import PeopleStore
from matinee.store.ratings import RatingStore
from matinee.web.app import create_app
from matinee.web.remembered import UNUSED_S, Remembered, RememberedPeople
from matinee.web.serving import Models

LIST = "/api/v1/users/{}/recommendations?limit=100"
KEY = "a-key-of-the-operator"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def somebody() -> Remembered:
    recommender = FakeSource().load("tiny")
    return Remembered(recommender.place({1: 4.0, 260: 2.0}), ())


def test_somebody_is_found_at_their_revision_only(somebody: Remembered) -> None:
    people = RememberedPeople()
    assert people.find("ann", 1) is None
    people.keep("ann", 1, somebody)
    assert people.find("ann", 1) is somebody
    assert people.find("ann", 2) is None
    assert people.find("bob", 1) is None
    people.keep("ann", 2, somebody)
    assert people.find("ann", 1) is None
    people.forget("ann")
    people.forget("ann")
    assert people.find("ann", 2) is None
    assert len(people) == 0


def test_who_asked_longest_ago_makes_room(somebody: Remembered) -> None:
    alone = RememberedPeople()
    alone.keep("0", 0, somebody)
    people = RememberedPeople(most_bytes=3 * alone.bytes)
    for number in range(3):
        people.keep(str(number), 0, somebody)
    people.find("0", 0)
    people.keep("3", 0, somebody)
    assert [people.find(str(number), 0) is somebody for number in range(4)] == [True, False, True, True]
    assert people.bytes == 3 * alone.bytes
    nobody = RememberedPeople(most_bytes=alone.bytes - 1)
    nobody.keep("0", 0, somebody)
    assert (len(nobody), nobody.bytes) == (0, 0)


def test_whom_nobody_can_reach_is_dropped_in_time(somebody: Remembered) -> None:
    clock = Clock()
    people = RememberedPeople(clock=clock)
    people.keep("gone", 0, somebody)
    people.keep("here", 0, somebody)
    clock.now += UNUSED_S - 1
    people.find("here", 0)
    people.find("gone", 1)
    clock.now += 2
    people.keep("new", 0, somebody)
    assert len(people) == 2
    assert people.find("here", 0) is somebody


class Counting:
    """Says who is placed."""

    def __init__(self, models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
        self.placed = 0
        real = Recommender.place

        def place(recommender: Recommender, *given: object, **options: object) -> Placed:
            self.placed += 1
            return real(recommender, *given, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(Recommender, "place", place)


@pytest.fixture
def counting(models: Models, monkeypatch: pytest.MonkeyPatch) -> Counting:
    return Counting(models, monkeypatch)


def test_nobody_is_placed_twice_until_something_changes(
    client: FlaskClient, store: RatingStore, counting: Counting
) -> None:
    """Two processes: what one keeps, the other changes, and the first shows at its next request."""
    store.add_many("ann", {1: 4.0})
    marks = MarkStore(store.database)
    first = client.get(LIST.format("ann")).json
    assert client.get(LIST.format("ann")).json == first
    assert client.get(LIST.format("ann") + "&explain=true").json["total"] == first["total"]
    assert client.get("/api/v1/users/ann/predictions/260").status_code == 200
    assert counting.placed == 1
    for change in (
        lambda: store.add_many("ann", {260: 5.0}),
        lambda: marks.add("ann", "not_interested", 500),
        lambda: marks.add("ann", "seed_off", 260),
        lambda: marks.remove("ann", "not_interested", 500),
        lambda: store.add_many("ann", {1: None, 260: None}),
    ):
        before = counting.placed
        old = client.get(LIST.format("ann")).json
        change()
        new = client.get(LIST.format("ann")).json
        assert new != old
        assert counting.placed == before + 1


def test_a_list_of_other_ratings_keeps_nobody(client: FlaskClient, store: RatingStore, counting: Counting) -> None:
    store.add_many("ann", {1: 4.0, 260: 1.0})
    before = client.get(LIST.format("ann")).json
    for query in ("&what_if=1:none", "&since=2100-01-01", "&half_life=1"):
        assert client.get(LIST.format("ann") + query).status_code == 200
        assert client.get(LIST.format("ann")).json == before
    assert client.get(LIST.format("ann") + "&what_if=1:0.5").json["recommendations"] != before["recommendations"]
    assert counting.placed == 1


def test_a_model_knows_nobody_of_the_one_before(
    client: FlaskClient, store: RatingStore, models: Models, source: FakeSource
) -> None:
    store.add_many("ann", {1: 4.0})
    client.get(LIST.format("ann"))
    assert models.serving is not None
    assert len(models.serving.people) == 1
    source.wanted = "model-b"
    models.refresh()
    assert len(models.serving.people) == 0
    assert client.get(LIST.format("ann")).json["model_id"] == "model-b"


def test_forgetting_drops_them_and_their_name_is_free(client: FlaskClient, store: RatingStore, models: Models) -> None:
    store.add_many("ann", {1: 4.0})
    client.get(LIST.format("ann"))
    assert client.delete("/api/v1/users/ann").status_code == 204
    assert models.serving is not None
    assert len(models.serving.people) == 0
    assert client.get(LIST.format("ann")).status_code == 404
    store.add_many("ann", {260: 4.0})
    assert client.get(LIST.format("ann")).json["removed"] == {"include_seen": 1}


def test_another_process_cannot_reach_whom_one_forgot(store: RatingStore, models: Models, tmp_path: Path) -> None:
    """Everybody is let in by the token that the database has, whatever is kept."""
    app: APIFlask = create_app(Settings(home=tmp_path, operator_key=KEY), store, models)
    client, people = app.test_client(), PeopleStore(store.database)
    (ann, token), (bob, other) = people.join(), people.join()
    for who, stars in ((ann, 5.0), (bob, 0.5)):
        store.add_many(who, {1: stars})

    def scores(who: str, secret: str) -> object:
        answer = client.get(LIST.format(who), headers={"Authorization": f"Bearer {secret}"})
        return (
            [film["score"] for film in answer.json["recommendations"]]
            if answer.status_code == 200
            else answer.status_code
        )

    anns, bobs = scores(ann, token), scores(bob, other)
    assert not np.array_equal(np.array(anns), np.array(bobs))
    assert scores(ann, token) == scores(ann, KEY) == anns
    assert scores(ann, other) == 403
    people.forget(ann)
    assert scores(ann, token) == 403
    assert scores(ann, KEY) == 404
    assert scores(bob, other) == bobs

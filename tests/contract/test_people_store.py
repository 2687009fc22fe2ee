"""Joining, tokens, links, and being forgotten down to the last byte."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from matinee.errors import UnknownIdError, UnknownUserError
from matinee.store import people as people_module
from matinee.store.people import PeopleStore
from matinee.store.ratings import RatingStore


class PeopleContract:
    """Subclass it and give a fixture `store`."""

    @pytest.fixture
    def people(self, store: RatingStore) -> PeopleStore:
        return PeopleStore(store.database)

    def test_a_token_is_its_persons_and_nobody_elses(self, people: PeopleStore) -> None:
        (ann, token), (bob, other) = people.join(), people.join()
        assert ann != bob
        assert people.is_token_of(ann, token)
        assert not people.is_token_of(ann, other)
        assert not people.is_token_of(bob, token)
        assert not people.is_token_of("nobody", token)
        assert not people.is_token_of(ann, "")
        assert people.count() == 2

    def test_a_link_works_once_and_leaves_the_first_token_alone(self, people: PeopleStore) -> None:
        ann, token = people.join()
        code, _ = people.new_link(ann)
        who, second = people.follow_link(code)
        assert who == ann
        assert second != token
        assert people.is_token_of(ann, token)
        assert people.is_token_of(ann, second)
        with pytest.raises(UnknownIdError, match="was used"):
            people.follow_link(code)
        with pytest.raises(UnknownUserError, match="did not join"):
            people.new_link("nobody")

    def test_a_link_expires(self, people: PeopleStore, monkeypatch: pytest.MonkeyPatch) -> None:
        ann, _ = people.join()
        monkeypatch.setattr(people_module, "LINK_LIFETIME", timedelta(0))
        code, _ = people.new_link(ann)
        with pytest.raises(UnknownIdError, match="expired"):
            people.follow_link(code)

    def test_forgetting_takes_everything(self, people: PeopleStore, store: RatingStore) -> None:
        ann, token = people.join()
        bob, _ = people.join()
        store.add_many(ann, {260: 4.0})
        store.add_many(bob, {260: 3.0})
        people.forget(ann)
        assert not people.is_token_of(ann, token)
        assert not store.has_user(ann)
        assert store.history_of(ann) == []
        assert store.ratings_of(bob) == {260: 3.0}
        with pytest.raises(UnknownUserError, match="nothing to forget"):
            people.forget(ann)


class TestSqlitePeople(PeopleContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[RatingStore]:
        store = RatingStore(f"sqlite:///{tmp_path}/matinee.db")
        yield store
        store.close()


def test_no_file_holds_a_forgotten_person_or_any_token(tmp_path: Path) -> None:
    store = RatingStore(f"sqlite:///{tmp_path}/matinee.db")
    people = PeopleStore(store.database)
    others = [people.join()[0] for _ in range(20)]
    ann, token = people.join()
    for number, user_id in enumerate([*others, ann, ann, *others]):
        store.add_many(user_id, {f"film-of-{user_id}-{place}": 4.0 for place in range(number, number + 30)})
    people.new_link(ann)
    held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert ann.encode() in held
    assert token.encode() not in held
    people.forget(ann)
    left = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert [name for name, content in left.items() if ann.encode() in content] == []
    assert others[0].encode() in left["matinee.db"]
    assert store.count() > 0
    store.close()

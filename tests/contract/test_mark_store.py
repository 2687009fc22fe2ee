"""Marks of films."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from matinee.errors import ParameterError
from matinee.store.marks import MarkStore
from matinee.store.people import PeopleStore
from matinee.store.ratings import RatingStore


class MarkContract:
    """Subclass it and give a fixture `store`."""

    @pytest.fixture
    def marks(self, store: RatingStore) -> MarkStore:
        return MarkStore(store.database)

    def test_marks_are_kept_by_kind_the_latest_first(self, marks: MarkStore) -> None:
        marks.add("ann", "watchlist", 260)
        marks.add("ann", "watchlist", "tt0111161")
        marks.add("ann", "watchlist", 260)
        marks.add("ann", "not_interested", 1)
        marks.add("bob", "seed_off", 1)
        of_ann = marks.of("ann")
        assert [mark.movie_id for mark in of_ann["watchlist"]] == ["tt0111161", 260]
        assert [mark.movie_id for mark in of_ann["not_interested"]] == [1]
        assert of_ann["seed_off"] == []
        assert of_ann["watchlist"][0].marked_at >= of_ann["watchlist"][1].marked_at
        marks.remove("ann", "watchlist", 260)
        marks.remove("ann", "watchlist", 260)
        assert [mark.movie_id for mark in marks.of("ann")["watchlist"]] == ["tt0111161"]
        assert marks.of("nobody") == {"not_interested": [], "watchlist": [], "seed_off": []}

    def test_whoever_marks_is_known_until_forgotten(self, marks: MarkStore, store: RatingStore) -> None:
        marks.add("ann", "watchlist", 260)
        assert store.has_user("ann")
        PeopleStore(store.database).forget("ann")
        assert marks.of("ann")["watchlist"] == []

    def test_malformed_user_ids_are_refused(self, marks: MarkStore) -> None:
        with pytest.raises(ParameterError, match="user id"):
            marks.add("", "watchlist", 260)


class TestSqliteMarks(MarkContract):
    @pytest.fixture
    def store(self) -> Iterator[RatingStore]:
        store = RatingStore("sqlite://")
        yield store
        store.close()

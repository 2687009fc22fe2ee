"""Marks of films."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from matinee.errors import ParameterError, StoreError
from matinee.store.kept import Kept, KeptOf
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

    def test_one_statement_says_all_that_a_list_needs(self, marks: MarkStore, store: RatingStore) -> None:
        kept_of, people = KeptOf(store.database), PeopleStore(store.database)
        assert kept_of("ann") == Kept()
        given = {260: 4.5, 1: None, "7": 3.0, "=x": 2.0, "tt1": 1.0, -5: 2.5, 'a"\\:\u00e9\n': 0.5}
        store.add_many("ann", given)
        store.add_many("bob", {858: 1.0})
        marks.add("ann", "not_interested", "7")
        marks.add("ann", "seed_off", 260)
        marks.add("ann", "watchlist", 3)
        assert kept_of("ann") == Kept(given, ["7"], [260], people.revision_of("ann"))
        assert kept_of("ann' OR 'a'='a") == Kept()

    def test_what_the_driver_refuses_is_a_store_error(self, store: RatingStore) -> None:
        kept_of = KeptOf(store.database)
        with store.database.writing() as connection:
            connection.exec_driver_sql("DROP TABLE marks")
        with pytest.raises(StoreError, match="marks"):
            kept_of("ann")

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

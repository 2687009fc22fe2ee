"""Imports that can be undone, and keys that make a request have its effect once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from matinee.errors import ParameterError, UnknownIdError
from matinee.store import replays as replays_module
from matinee.store.imports import ImportStore, OpenLine
from matinee.store.people import PeopleStore
from matinee.store.ratings import RatingStore
from matinee.store.replays import ReplayStore

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)
LINE = OpenLine("ratings.csv", 3, 4.0, 1_600_000_000)


class ImportContract:
    """Subclass it and give a fixture `store`."""

    @pytest.fixture
    def imports(self, store: RatingStore) -> ImportStore:
        return ImportStore(store)

    def test_undoing_gives_every_film_its_rating_back(self, imports: ImportStore, store: RatingStore) -> None:
        store.add_many("ann", {1: 1.0, 2: 2.0, 3: 3.0, 9: 4.0}, dict.fromkeys((1, 2, 3, 9), NOON))
        store.add_many("ann", {9: None}, {9: NOON + DAY})
        before = store.latest_of("ann")
        stars, dates = {1: 5.0, 3: 5.0, 4: 5.0, 9: 5.0}, {1: NOON + DAY, 3: NOON - DAY, 9: NOON + 2 * DAY}
        import_id, saved = imports.add("ann", "letterboxd", stars, dates, [])
        assert saved == 3  # film 3 has a newer rating
        assert store.ratings_of("ann") == {1: 5.0, 2: 2.0, 3: 3.0, 4: 5.0, 9: 5.0}
        assert imports.undo("ann", import_id) == 3
        assert store.latest_of("ann") == before
        with pytest.raises(UnknownIdError, match="it was undone"):
            imports.undo("ann", import_id)

    def test_what_was_rated_since_stays(self, imports: ImportStore, store: RatingStore) -> None:
        import_id, _ = imports.add("ann", "imdb", {1: 5.0, 2: 4.0}, {}, [])
        store.add_many("ann", {1: 2.5})
        assert imports.undo("ann", import_id) == 1
        assert store.ratings_of("ann") == {1: 2.5}

    def test_resolving_adds_to_the_import(self, imports: ImportStore, store: RatingStore) -> None:
        store.add_many("ann", {1: 1.0}, {1: NOON - 2 * DAY})
        import_id, _ = imports.add("ann", "imdb", {1: 5.0}, {1: NOON - DAY}, [LINE, LINE._replace(line=4)])
        assert imports.open_lines("ann", import_id) == [LINE, LINE._replace(line=4)]
        assert imports.resolve("ann", import_id, {1: 3.0, 2: 4.0}, {1: NOON}, [LINE]) == 2
        assert imports.open_lines("ann", import_id) == [LINE]
        assert store.ratings_of("ann") == {1: 3.0, 2: 4.0}
        assert imports.undo("ann", import_id) == 2
        assert store.ratings_of("ann") == {1: 1.0}

    def test_an_import_is_its_persons(self, imports: ImportStore, store: RatingStore) -> None:
        import_id, _ = imports.add("ann", "imdb", {1: 5.0}, {}, [LINE])
        for refused in (
            lambda: imports.undo("bob", import_id),
            lambda: imports.open_lines("bob", import_id),
            lambda: imports.resolve("bob", import_id, {2: 1.0}, {}, []),
        ):
            with pytest.raises(UnknownIdError, match="no import"):
                refused()
        assert store.ratings_of("ann") == {1: 5.0}
        assert not store.has_user("bob")

    def test_all_or_nothing(self, imports: ImportStore, store: RatingStore) -> None:
        with pytest.raises(ParameterError):
            imports.add("ann", "imdb", {1: 5.0, 2: float("nan")}, {}, [])
        assert not store.has_user("ann")


class ReplayContract:
    """Subclass it and give a fixture `store`."""

    @pytest.fixture
    def replays(self, store: RatingStore) -> ReplayStore:
        return ReplayStore(store.database)

    def test_the_first_request_is_answered_and_the_others_get_its_answer(self, replays: ReplayStore) -> None:
        assert replays.claim("ann", "k", "print") is None
        assert replays.claim("ann", "k", "print") == ("print", None, None)
        replays.answer("ann", "k", 200, "{}")
        assert replays.claim("ann", "k", "another") == ("print", 200, "{}")
        assert replays.claim("bob", "k", "print") is None
        replays.release("bob", "k")
        assert replays.claim("bob", "k", "print") is None

    def test_of_many_at_once_one_is_first(self, replays: ReplayStore) -> None:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: replays.claim("ann", "k", "print"), range(16)))
        assert answers.count(None) == 1

    def test_whoever_died_does_not_block_and_old_answers_go(
        self, replays: ReplayStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        replays.claim("ann", "k", "print")
        monkeypatch.setattr(replays_module, "STALE", timedelta(0))
        assert replays.claim("ann", "k", "print") is None
        replays.answer("ann", "k", 200, "{}")
        assert replays.claim("ann", "k", "print") is not None
        monkeypatch.setattr(replays_module, "KEPT", timedelta(0))
        assert replays.claim("ann", "k", "print") is None

    def test_answers_are_forgotten_with_the_person(self, replays: ReplayStore, store: RatingStore) -> None:
        store.add_user("ann")
        replays.claim("ann", "k", "print")
        PeopleStore(store.database).forget("ann")
        assert replays.claim("ann", "k", "another") is None


@pytest.fixture
def store() -> Iterator[RatingStore]:
    store = RatingStore("sqlite://")
    yield store
    store.close()


class TestSqliteImports(ImportContract):
    pass


class TestSqliteReplays(ReplayContract):
    pass

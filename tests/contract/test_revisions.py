"""A person's revision: whoever kept something made of what a person said notices every change of it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from matinee.errors import ParameterError
from matinee.store.imports import ImportStore
from matinee.store.kept import KeptOf
from matinee.store.marks import MarkStore
from matinee.store.people import PeopleStore
from matinee.store.ratings import RatingStore

LONG_AGO = datetime(1999, 1, 2, 12, tzinfo=UTC)


class RevisionContract:
    """Subclass it and give a fixture `store`."""

    @pytest.fixture
    def people(self, store: RatingStore) -> PeopleStore:
        return PeopleStore(store.database)

    def test_every_change_gives_another_one(self, store: RatingStore, people: PeopleStore) -> None:
        marks, imports = MarkStore(store.database), ImportStore(store)
        found = [people.revision_of("ann")]
        import_id = ""

        def bring() -> None:
            nonlocal import_id
            import_id, _ = imports.add("ann", "imdb", {1: 5.0}, {}, [])

        for change in (
            lambda: store.add_many("ann", {260: 4.0}),
            lambda: store.add_many("ann", {260: 4.0}),
            lambda: store.add_many("ann", {260: None}),
            lambda: store.add_many("ann", {260: 1.0}, {260: LONG_AGO}),
            lambda: marks.add("ann", "not_interested", 2),
            lambda: marks.remove("ann", "not_interested", 2),
            lambda: marks.add("ann", "seed_off", 260),
            bring,
            lambda: imports.resolve("ann", import_id, {3: 3.0}, {}, []),
            lambda: imports.undo("ann", import_id),
        ):
            change()
            found.append(people.revision_of("ann"))
            assert KeptOf(store.database)("ann").revision == found[-1]
        assert found[0] is None
        assert None not in found[1:]
        assert len(set(found)) == len(found)

    def test_what_changes_nothing_of_a_person_leaves_it(self, store: RatingStore, people: PeopleStore) -> None:
        ann, token = people.join()
        before = people.revision_of(ann)
        store.add_many("bob", {260: 4.0})
        MarkStore(store.database).remove("nobody", "watchlist", 260)
        people.follow_link(people.new_link(ann)[0])
        with pytest.raises(ParameterError, match="not all finite"):
            store.add_many(ann, {260: float("inf")})
        assert people.revision_of(ann) == before == people.revision_for(ann, token)
        assert people.revision_of("nobody") is None

    def test_comes_with_the_right_token_only(self, people: PeopleStore) -> None:
        (ann, token), (bob, other) = people.join(), people.join()
        second = people.follow_link(people.new_link(ann)[0])[1]
        assert people.revision_for(ann, token) == people.revision_for(ann, second) == people.revision_of(ann)
        assert people.revision_for(ann, other) is None
        assert people.revision_for(bob, token) is None
        assert people.revision_for("nobody", token) is None

    def test_whoever_comes_back_after_being_forgotten_has_a_new_one(
        self, store: RatingStore, people: PeopleStore
    ) -> None:
        met = set()
        for _ in range(20):
            store.add_many("17", {260: 4.0})
            met.add(people.revision_of("17"))
            people.forget("17")
            assert people.revision_of("17") is None
        assert len(met) == 20

    def test_ratings_and_revision_are_of_one_moment(self, store: RatingStore, people: PeopleStore) -> None:
        """While somebody rates, whoever reads one revision twice has read the same ratings twice."""
        kept_of, seen = KeptOf(store.database), list[tuple[int | None, tuple[object, ...]]]()
        store.add_many("ann", {0: 0.5})
        with ThreadPoolExecutor(3) as pool:
            done = [pool.submit(lambda: [store.add_many("ann", {n: 2.0}) for n in range(1, 40)]) for _ in range(2)]
            while not all(one.done() for one in done):
                kept = kept_of("ann")
                seen.append((kept.revision, tuple(sorted(kept.ratings.items(), key=str))))
            for one in done:
                one.result()
        assert len(dict(seen)) == len(set(seen))


class TestSqliteRevisions(RevisionContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[RatingStore]:
        store = RatingStore(f"sqlite:///{tmp_path}/matinee.db")
        yield store
        store.close()

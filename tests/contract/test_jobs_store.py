"""Training runs and the lease, on both databases."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from matinee.errors import UnknownIdError
from matinee.store.database import Database
from matinee.store.jobs import Lease, TrainingRuns
from matinee.store.ratings import RatingStore
from matinee.store.snapshot import live_ratings


class JobsContract:
    """Subclass it and give a fixture `url`."""

    @pytest.fixture
    def database(self, url: str) -> Iterator[Database]:
        opened = Database(url)
        yield opened
        opened.close()

    @pytest.fixture
    def ratings(self, url: str) -> Iterator[RatingStore]:
        store = RatingStore(url)
        yield store
        store.close()

    def test_a_run_from_the_request_to_the_report(self, database: Database) -> None:
        runs = TrainingRuns(database)
        assert runs.next() is None
        number = runs.request("by hand")
        assert runs.request("by hand again") == number == runs.next()
        runs.start(number)
        assert (runs.next(), runs.get(number).state) == (None, "running")
        runs.finish(number, "promoted", {"checks": [{"candidate": np.float64(0.8)}]}, "a-model")
        done = runs.get(number)
        assert (done.state, done.reason, done.model_id) == ("promoted", "by hand", "a-model")
        assert done.report == {"checks": [{"candidate": 0.8}]}
        assert done.started_at is not None
        assert done.finished_at is not None
        assert runs.last_decided() == done
        assert runs.counts() == {"promoted": 1}
        with pytest.raises(UnknownIdError, match="no training run 99"):
            runs.get(99)

    def test_many_ask_at_once_and_one_run_is_made(self, database: Database) -> None:
        with ThreadPoolExecutor(8) as pool:
            numbers = set(pool.map(lambda _: TrainingRuns(database).request("by hand"), range(16)))
        assert len(numbers) == len(TrainingRuns(database).latest()) == 1

    def test_runs_are_listed_newest_first_in_pages(self, database: Database) -> None:
        runs = TrainingRuns(database)
        for place in range(5):
            runs.finish(runs.request(str(place)), "refused", {})
        assert [run.reason for run in runs.latest(2)] == ["4", "3"]
        assert [run.reason for run in runs.latest(9, before=runs.latest(2)[-1].run_id)] == ["2", "1", "0"]

    def test_new_ratings_are_those_since_the_run_began(self, database: Database, ratings: RatingStore) -> None:
        runs = TrainingRuns(database)
        ratings.add_many("ann", {1: 4.0, 2: 3.0})
        number = runs.request("by hand")
        runs.start(number)
        ratings.add_many("ann", {2: 4.0, 3: None})
        assert runs.new_ratings(0) == 4
        assert runs.new_ratings(runs.get(number).history_id or 0) == 2

    def test_what_a_dead_trainer_left_is_abandoned(self, database: Database) -> None:
        runs = TrainingRuns(database)
        number = runs.request("by hand")
        runs.start(number)
        assert [run.run_id for run in runs.abandon(number + 1, "a-model")] == [number]
        assert runs.get(number).state == "abandoned"
        assert runs.abandon(None, None) == []
        assert runs.last_decided() is None

    def test_a_run_whose_model_is_in_use_ended_well(self, database: Database) -> None:
        runs = TrainingRuns(database)
        number = runs.request("by hand")
        runs.start(number)
        runs.abandon(number, "a-model")
        assert (runs.get(number).state, runs.get(number).model_id) == ("promoted", "a-model")

    def test_one_has_the_lease_and_gives_it_back(self, database: Database) -> None:
        mine, other = Lease(database), Lease(database)
        assert mine.take()
        assert mine.take()
        assert not other.take()
        assert mine.beat()
        assert not other.beat()
        other.release()
        assert not other.take()
        mine.release()
        assert other.take()

    def test_a_holder_that_stands_still_loses_the_lease_and_is_told(self, database: Database) -> None:
        now = [0.0]
        dead, heir = Lease(database), Lease(database, expiry_s=10, clock=lambda: now[0])
        assert dead.take()
        assert not heir.take()
        now[0] = 9.0
        assert not heir.take()
        assert dead.beat()  # it lives after all: the watch begins anew
        now[0] = 12.0
        assert not heir.take()
        now[0] = 22.0
        assert heir.take()
        assert not dead.beat()
        assert not dead.take()

    def test_the_lease_does_not_care_about_wall_clocks(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        holder, other = Lease(database), Lease(database)
        assert holder.take()
        assert not other.take()
        for offset in (-(10**9), 10**9):
            turned = time.time_ns() + offset * 10**9
            monkeypatch.setattr(time, "time_ns", lambda turned=turned: turned)
            assert holder.beat()
            assert not other.take()

    def test_of_many_that_want_a_free_lease_one_gets_it(self, database: Database) -> None:
        with ThreadPoolExecutor(8) as pool:
            got = list(pool.map(lambda _: Lease(database).take(), range(8)))
        assert sum(got) == 1

    def test_a_snapshot_has_everybody_up_to_a_weight(self, database: Database, ratings: RatingStore) -> None:
        ratings.add_many("ann", dict.fromkeys(range(10), 1.0))
        ratings.add_many("bob", {"a film": 4.5, 7: None})
        live = live_ratings(database, most_per_user=3)
        assert sorted(live.user_ids.tolist()) == ["ann", "ann", "ann", "bob", "bob"]
        of_bob = {
            movie: stars
            for user, movie, stars in zip(live.user_ids, live.movie_ids, live.stars.tolist(), strict=True)
            if user == "bob"
        }
        assert of_bob["a film"] == 4.5
        assert np.isnan(of_bob[7])
        assert abs(live.rated_at - time.time()).max() < 60
        assert len(live_ratings(database, most_per_user=100)) == 12

    def test_new_accounts_can_be_left_out(self, database: Database, ratings: RatingStore) -> None:
        ratings.add_many("ann", {1: 4.0})
        assert len(live_ratings(database, most_per_user=10, account_age_s=3600)) == 0
        assert len(live_ratings(database, most_per_user=10, account_age_s=1e-6)) == 1


class TestSqliteJobs(JobsContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path}/matinee.db"


@pytest.mark.xdist_group("postgres")
class TestPostgresJobs(JobsContract):
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url

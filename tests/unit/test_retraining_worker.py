"""When the worker trains, what it does with the outcome, and what it makes of every kind of death."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import small_world

from matinee.errors import StoreError
from matinee.registry import Registry
from matinee.retraining.trainer import Outcome, Plan, Teller
from matinee.retraining.worker import Triggers, Worker
from matinee.store.jobs import Lease, TrainingRuns
from matinee.store.ratings import RatingStore
from matinee.training import Step


class FakeProcess:
    exitcode = -9

    def terminate(self) -> None: ...
    def join(self) -> None: ...


class World:
    """A worker whose trainings are decided here."""

    def __init__(self, home: Path) -> None:
        self.store = RatingStore("sqlite://")
        self.runs = TrainingRuns(self.store.database)
        self.registry = Registry(home / "models")
        self.first = self.publish()
        self.now, self.stop = 0.0, threading.Event()
        self.outcome: Callable[[Plan], Outcome | None] = lambda plan: Outcome(self.publish(plan.run_id), {"checks": []})
        self.meanwhile: Callable[[], Any] = lambda: None
        self.steps: list[Step] = []
        self.plans: list[Plan] = []
        self.home = home

    def publish(self, run_id: int = 0) -> str:
        promote = not run_id
        metrics = {"training_run": run_id}
        return self.registry.publish(small_world.stars(), movies=small_world.movies(), metrics=metrics, promote=promote)

    def start(self, plan: Plan) -> Any:
        """Pretend to be a training process: send the outcome, or die."""
        self.plans.append(plan)
        ours, theirs = multiprocessing.Pipe(duplex=False)
        outcome = self.outcome(plan)
        for step in self.steps:
            theirs.send(step)
        self.meanwhile()
        if outcome is not None:
            theirs.send(outcome)
        theirs.close()
        return FakeProcess(), ours

    def worker(self, triggers: Triggers = Triggers(), **options: Any) -> Worker:  # noqa: B008  frozen
        plan = Plan(
            home=self.home, database_url="sqlite://", data=None, margin=0.02, ratings_per_user=10, account_age_s=0
        )
        lease = Lease(self.store.database, clock=lambda: self.now)
        return Worker(
            plan, self.runs, options.pop("lease", lease), triggers=triggers, keep=options.pop("keep", 9),
            stop=self.stop, clock=lambda: self.now, poll_s=0.001, start=self.start,
        )  # fmt: skip

    def rate(self, count: int) -> None:
        self.store.add_many("ann", dict.fromkeys(range(10, 10 * (count + 1), 10), 4.0))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.store.close()


def test_by_hand_trains_promotes_and_says_so(world: World) -> None:
    run = world.worker().once()
    assert (run.state, run.reason, run.report) == ("promoted", "by hand", {"checks": []})
    assert run.model_id == world.registry.current() != world.first
    assert [plan.run_id for plan in world.plans] == [run.run_id]
    assert Lease(world.store.database).take()  # it was given back
    assert world.registry.rollback() == world.first


def test_what_the_gate_refuses_is_not_used(world: World) -> None:
    world.outcome = lambda _: Outcome(None, {"checks": [{"passed": False}]})
    run = world.worker().once()
    assert (run.state, run.model_id, world.registry.current()) == ("refused", None, world.first)


def test_what_fails_says_why(world: World) -> None:
    world.outcome = lambda _: Outcome(None, {}, "the disk is full")
    run = world.worker().once()
    assert (run.state, run.report["problem"], world.registry.current()) == ("failed", "the disk is full", world.first)


def test_a_training_process_that_is_killed_is_a_failure(world: World) -> None:
    world.outcome = lambda _: None
    run = world.worker().once()
    assert run.state == "failed"
    assert "ended with -9; out of memory" in run.report["problem"]


def test_a_model_that_is_damaged_before_it_is_used_is_refused(world: World) -> None:
    def damaged(plan: Plan) -> Outcome:
        model_id = world.publish(plan.run_id)
        (world.registry.path(model_id) / "items.npy").write_bytes(b"")
        return Outcome(model_id, {})

    world.outcome = damaged
    run = world.worker().once()
    assert (run.state, world.registry.current()) == ("failed", world.first)
    assert "items.npy" in run.report["problem"]


def test_people_see_how_far_a_training_is(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.steps = [Step("stars, measuring", 1, 15, "training RMSE 0.9"), Step("picks, measuring", 4, 10)]
    seen: list[Any] = []
    note = world.runs.note

    def noted(run_id: int, report: dict[str, Any]) -> None:
        note(run_id, report)
        seen.append(world.runs.get(run_id).report["progress"])

    monkeypatch.setattr(world.runs, "note", noted)
    run = world.worker().once()
    assert [(step["stage"], step["iteration"], step["iterations"]) for step in seen] == [
        ("stars, measuring", 1, 15), ("picks, measuring", 4, 10),
    ]  # fmt: skip
    assert run.report == {"checks": []}


def test_a_training_goes_on_when_nobody_can_be_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(run_id: int, report: dict[str, Any]) -> None:
        raise StoreError("the database is locked")

    world.steps = [Step("stars, measuring", 1, 15)]
    monkeypatch.setattr(world.runs, "note", refuse)
    assert world.worker().once().state == "promoted"


def test_a_training_tells_of_every_stage_and_else_once_a_second() -> None:
    ours, theirs = multiprocessing.Pipe(duplex=False)
    now = [0.0]
    teller = Teller(theirs, clock=lambda: now[0])
    for moment, step in [(0, Step("a", 1, 3)), (0.5, Step("a", 2, 3)), (0.6, Step("b", 1, 3)), (1.6, Step("b", 2, 3))]:
        now[0] = moment
        teller(step)
    theirs.close()
    told = []
    with suppress(EOFError):
        while True:
            told.append(ours.recv())
    assert told == [Step("a", 1, 3), Step("b", 1, 3), Step("b", 2, 3)]


def test_old_models_are_deleted(world: World) -> None:
    for _ in range(4):
        world.worker(keep=1).once()
    assert len(world.registry.list()) == 2  # the one in use, and the one before it


def looks(world: World, worker: Worker, count: int = 3) -> int:
    """Let the worker look so many times; return how often it trained."""
    before, left = len(world.plans), [count]

    class Watch(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            left[0] -= 1
            if left[0] <= 0:
                self.set()
            return self.is_set()

    worker._stop = Watch()
    worker.run()
    return len(world.plans) - before


def test_trains_after_so_many_ratings_and_then_after_as_many_more(world: World) -> None:
    worker = world.worker(Triggers(ratings=5))
    world.rate(4)
    assert looks(world, worker) == 0
    world.rate(1)
    assert looks(world, worker) == 1
    assert world.runs.latest()[0].reason == "5 new ratings"
    assert looks(world, worker) == 0
    world.rate(5)
    assert looks(world, worker) == 1


def test_a_failing_training_is_not_tried_again_and_again(world: World) -> None:
    world.outcome = lambda _: Outcome(None, {}, "no")
    world.rate(5)
    assert looks(world, world.worker(Triggers(ratings=5)), 5) == 1


def test_trains_after_hours_if_anything_was_rated(world: World) -> None:
    worker = world.worker(Triggers(hours=2))
    world.rate(1)
    assert looks(world, worker) == 0
    world.now += 2 * 3600
    assert looks(world, worker) == 1
    world.now += 3 * 3600
    assert looks(world, worker) == 0  # nothing new
    world.rate(1)
    assert looks(world, worker) == 1


def test_hours_count_from_the_last_run_even_if_the_worker_is_new(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.worker().once()
    world.rate(1)
    hour_ago = world.runs.latest()[0]._replace(finished_at=world.runs.latest()[0].finished_at.replace(year=2020))
    monkeypatch.setattr(TrainingRuns, "last_decided", lambda _: hour_ago)
    assert looks(world, world.worker(Triggers(hours=2)), 1) == 1


def test_a_clock_that_was_turned_back_neither_trains_at_once_nor_never(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.worker().once()
    world.rate(1)
    in_the_future = world.runs.latest()[0]._replace(finished_at=world.runs.latest()[0].finished_at.replace(year=2999))
    monkeypatch.setattr(TrainingRuns, "last_decided", lambda _: in_the_future)
    worker = world.worker(Triggers(hours=2))
    assert looks(world, worker) == 0
    world.now += 2 * 3600
    assert looks(world, worker, 1) == 1


def test_a_second_worker_waits_and_takes_over_when_the_first_is_dead(world: World) -> None:
    dead = Lease(world.store.database)
    assert dead.take()
    world.runs.start(world.runs.request("by hand"))
    heir = world.worker()
    world.runs.request("by hand")
    assert looks(world, heir) == 0
    world.now += 60
    assert looks(world, heir) == 1
    assert [run.state for run in world.runs.latest()] == ["promoted", "abandoned"]


def test_a_run_that_died_after_promoting_counts_as_promoted(world: World) -> None:
    number = world.runs.request("by hand")
    world.runs.start(number)
    model_id = world.publish(number)
    world.registry.promote(model_id)
    assert looks(world, world.worker()) == 0
    run = world.runs.get(number)
    assert (run.state, run.model_id) == ("promoted", model_id)


def test_a_worker_that_was_taken_for_dead_does_not_promote(world: World) -> None:
    mine = Lease(world.store.database)

    def stolen() -> None:
        thief = Lease(world.store.database, expiry_s=0)
        thief.take()
        assert thief.take()

    world.meanwhile = stolen
    world.runs.request("by hand")
    looks(world, world.worker(lease=mine), 1)
    assert len(world.plans) == 1
    assert world.registry.current() == world.first
    assert world.runs.latest()[0].state == "running"  # whoever has the lease sorts it out


def test_stopping_lets_the_run_wait_for_the_next_worker(world: World) -> None:
    ours, theirs = multiprocessing.Pipe(duplex=False)  # a training that goes on
    world.runs.request("by hand")
    worker = world.worker()

    def start(plan: Plan) -> Any:
        world.stop.set()
        return FakeProcess(), ours

    worker._start = start
    worker.run()
    theirs.close()
    assert world.runs.latest()[0].state == "waiting"
    assert world.worker().once().state if world.stop.clear() is None else None
    assert world.runs.latest()[0].state == "promoted"


def test_a_database_that_does_not_answer_is_waited_for(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.runs.request("by hand")
    finish, refusals = world.runs.finish, [1]

    def sometimes(*arguments: Any, **options: Any) -> None:
        if refusals[0]:
            refusals[0] -= 1
            raise StoreError("database is locked")
        finish(*arguments, **options)

    world.runs.finish = sometimes  # type: ignore[method-assign]
    with suppress(StoreError):
        looks(world, world.worker(), 5)
    assert "database is locked" in caplog.text
    assert world.runs.latest()[0].state == "promoted"
    assert world.runs.latest()[0].model_id == world.registry.current()
    assert len(world.plans) == 1

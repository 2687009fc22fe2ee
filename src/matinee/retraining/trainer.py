"""One training, in a process of its own: a snapshot, the gate, a fit on everything, a folder that is not in use yet."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from threadpoolctl import threadpool_limits

from matinee.data.ratings import Ratings
from matinee.errors import ArtifactError, MatineeError, UnknownIdError
from matinee.evaluation.choice import Choice, choose, informed
from matinee.models.artifact import Artifact
from matinee.models.implicit_als import ImplicitALS
from matinee.registry import Registry
from matinee.retraining.gate import HOLD_OUT, Gate, Verdict, fixed_hold_out
from matinee.retraining.union import Union, base_of, unite
from matinee.store.database import Database
from matinee.store.snapshot import live_ratings
from matinee.training import History, Report, Step, staged, with_intervals

if TYPE_CHECKING:
    import polars as pl

NICENESS = 10
"""Training gives way to processes that answer people."""
TELL_S = 1.0
"""How often a training says how far it is."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a training process is told.

    Attributes
    ----------
    home, database_url
        Where models and live ratings are.
    data
        A data set to learn from, as `matinee.load` takes it; None for what the model in use was learned from.
    margin
        How much worse than the model in use a new one may be, as a part.
    ratings_per_user
        How many of one person's live ratings count.
    account_age_s
        People who joined later than so many seconds ago are left out.
    run_id
        Number of the training run, kept in the manifest.
    """

    home: Path
    database_url: str
    data: str | None
    margin: float
    ratings_per_user: int
    account_age_s: float
    run_id: int = 0

    @property
    def registry(self) -> Registry:
        """The models of the home."""
        return Registry(self.home / "models")


@dataclass(frozen=True)
class Outcome:
    """What came of a training.

    `model_id` names a folder that is complete but not in use; None if the gate refused or something went wrong, which
    `problem` then says.
    """

    model_id: str | None
    report: dict[str, Any]
    problem: str | None = None


@dataclass(frozen=True, eq=False)
class _Ground:
    """What the next model stands on: the data set, and the recipe and the numbers of the model before."""

    base: Ratings
    movies: pl.DataFrame
    name: str | None
    picks: Any
    before: Artifact | None

    def stars(self, ratings: Ratings) -> Choice:
        """Choose how stars are learned as the training before was asked to, or take its own learner and parameters."""
        if self.before is None:
            return choose("fast", ratings, test=HOLD_OUT)
        made = self.before.manifest["metrics"]
        if quality := made.get("quality"):
            return choose(quality, ratings, movies=self.movies, time_budget=made["time_budget"], test=HOLD_OUT)
        return Choice(informed(self.before.stars.params, self.movies))


def retrain(plan: Plan, report: Report | None = None) -> Outcome:
    """Take a snapshot, measure, and publish a folder unless the gate refuses; `report` is called meanwhile.

    Raises
    ------
    UnknownIdError
        If there is neither a model nor a data set to start from.
    ArtifactError, StoreError
        If models or ratings cannot be read, or the new folder cannot be written.
    """
    registry = plan.registry
    registry.check_writable()
    with threadpool_limits(1, user_api="blas"):
        ground = _ground(plan, registry)
        with closing(Database(plan.database_url)) as database:
            live = live_ratings(database, most_per_user=plan.ratings_per_user, account_age_s=plan.account_age_s)
        union = unite(ground.base, ground.movies, live)
        verdict = _judge(plan, ground, union, report)
        measured = {"live_ratings": union.live, "ratings": len(union.ratings), **verdict.report}
        if not verdict.passed:
            return Outcome(None, measured)
        return Outcome(_publish(plan, ground, union, verdict, report), measured)


def _ground(plan: Plan, registry: Registry) -> _Ground:
    before = _usable(registry)
    picks: Any = ImplicitALS() if before is None else before.picks and before.picks.params
    if plan.data is not None:
        import matinee

        dataset = matinee.load(plan.data, home=plan.home)
        return _Ground(dataset.ratings, dataset.movies, dataset.label, picks, before)
    if before is None:
        raise UnknownIdError(
            f"no model in {registry.models_dir} can be read: run `matinee train DATA`, or give the worker --data DATA"
        )
    return _Ground(base_of(before), before.movies, before.manifest["data"]["name"], picks, before)


def _usable(registry: Registry) -> Artifact | None:
    """Return the model in use or, if its folder is gone or damaged, the newest one that can be read."""
    current = registry.current()
    others = (info.model_id for info in registry.list() if info.problem is None)
    for model_id in (current, *others):
        try:
            return registry.read(model_id) if model_id else None
        except (ArtifactError, UnknownIdError):
            continue
    return None


def _judge(plan: Plan, ground: _Ground, union: Union, report: Report | None) -> Verdict:
    gate, before = Gate(ground.stars(union.ratings), ground.picks, plan.margin, report), ground.before
    if before is None:
        return gate.judge(union, None, 0, {})
    since = datetime.fromisoformat(before.manifest["created_at"]).timestamp()
    return gate.judge(union, before.stars, int(since), before.manifest["metrics"].get("gate", {}))


def _publish(plan: Plan, ground: _Ground, union: Union, verdict: Verdict, report: Report | None) -> str:
    errors, losses = (History(staged(f"{part}, on everything", report)) for part in ("stars", "picks"))
    stars = with_intervals(verdict.stars.learner.fit(union.ratings, progress=errors), verdict.numbers["rmse"])
    picks = ground.picks.fit(union.ratings, progress=losses) if ground.picks else None
    metrics = {
        "protocol": {"split": "fixed hold-out", "test": HOLD_OUT, "held_out": int(fixed_hold_out(union).sum())},
        "stars": {"rmse": verdict.numbers["rmse"]},
        "picks": {name: number for name, number in verdict.numbers.items() if name != "rmse"},
        **verdict.intervals,
        **verdict.stars.facts,
        "history": {"stars": errors.values, **({"picks": losses.values} if picks else {})},
        "gate": dict(verdict.reference),
        "training_run": plan.run_id,
    }
    return plan.registry.publish(
        union.without_people(stars), None if picks is None else union.without_people(picks),
        movies=union.movies(ground.movies), ratings=union.ratings, metrics=metrics, data=ground.name,
        seen_times=union.base.timestamps, promote=False,
    )  # fmt: skip


def spawn(plan: Plan) -> tuple[multiprocessing.process.BaseProcess, Connection]:
    """Start a training process; some `Step` come through the connection, then, unless it dies, its `Outcome`."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_train, args=(plan, theirs), name="matinee-training")
    process.start()
    theirs.close()
    return process, ours


def _train(plan: Plan, connection: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of the terminal; the worker decides
    threading.Thread(target=_end_with_parent, name="matinee-parent", daemon=True).start()
    os.nice(NICENESS)
    try:
        outcome = retrain(plan, Teller(connection))
    except (MatineeError, OSError) as error:
        outcome = Outcome(None, {}, str(error))
    except MemoryError:
        outcome = Outcome(None, {}, "there is not enough memory to train")
    connection.send(outcome)
    connection.close()


class Teller:
    """Sends what is reported through a connection: the beginning of every stage, and then at most one step a second."""

    def __init__(self, connection: Connection, clock: Callable[[], float] = time.monotonic) -> None:
        self._connection, self._clock = connection, clock
        self._stage, self._sent = "", -math.inf

    def __call__(self, step: Step) -> None:
        """Send a step, or leave it."""
        now = self._clock()
        if step.stage != self._stage or now - self._sent >= TELL_S:
            self._stage, self._sent = step.stage, now
            self._connection.send(step)


def _end_with_parent() -> None:
    """End when the worker is gone: nobody else would use what comes of this."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)

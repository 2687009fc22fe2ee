"""The worker: trains when it is time, puts to use what the gate lets through, and never in two places at once.

Whatever dies, nothing half-done is used: the lease of a dead worker runs out, its training process ends with it, and a
folder is put to use in one step, after the lease was confirmed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from matinee.errors import MatineeError, StoreError
from matinee.retraining.trainer import Outcome, Plan, spawn
from matinee.settings import Settings
from matinee.store.database import Database
from matinee.store.jobs import FAILED, PROMOTED, REFUSED, RUNNING, WAITING, Lease, TrainingRun, TrainingRuns
from matinee.training import Step

POLL_S = 2.0
"""How often the worker looks whether there is something to do, and says that it lives."""
BY_HAND = "by hand"
Spawn = Callable[[Plan], tuple[BaseProcess, Connection]]
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Triggers:
    """When to train without being asked: after so many new ratings, or hours; 0 for never."""

    ratings: int = 0
    hours: float = 0.0

    def __str__(self) -> str:
        after = [f"{self.ratings} new ratings"] if self.ratings else []
        after += [f"{self.hours:g} hours, if there are any"] if self.hours else []
        return "trains after " + " or ".join(after) if after else "trains when asked to"


class Worker:
    """Trains for one home and one database.

    Parameters
    ----------
    plan
        What every training is told.
    runs, lease
        Where trainings are noted, and the right to train.
    triggers
        When to train without being asked.
    keep
        How many models stay.
    stop
        Set it to end, from a signal handler say.
    clock
        Seconds, never going backwards.
    poll_s
        Seconds between two looks; well below the lease's expiry.
    start
        Starts a training process.
    """

    def __init__(
        self,
        plan: Plan,
        runs: TrainingRuns,
        lease: Lease,
        *,
        triggers: Triggers,
        keep: int,
        stop: threading.Event,
        clock: Callable[[], float] = time.monotonic,
        poll_s: float = POLL_S,
        start: Spawn = spawn,
    ) -> None:
        self._plan, self._runs, self._lease, self._triggers, self._keep = plan, runs, lease, triggers, keep
        self._stop, self._clock, self._poll_s, self._start = stop, clock, poll_s, start
        self._holds = False
        self._since: float | None = None

    @classmethod
    def of(cls, settings: Settings, database: Database, stop: threading.Event, data: str | None = None) -> Worker:
        """Make the worker that the settings describe."""
        plan = Plan(
            home=settings.home, database_url=settings.database, data=data, margin=settings.train_margin,
            ratings_per_user=settings.train_ratings_per_user, account_age_s=settings.train_account_hours * 3600,
        )  # fmt: skip
        triggers = Triggers(settings.train_after_ratings, settings.train_after_hours)
        return cls(
            plan, TrainingRuns(database), Lease(database), triggers=triggers, keep=settings.keep_models, stop=stop
        )

    def run(self) -> None:
        """Work until told to stop; a database that does not answer is waited for."""
        _log.info("the worker %s", self._triggers)
        while not self._stop.is_set():
            try:
                self._look()
            except StoreError as error:
                self._holds = False  # what was left undone is sorted out when the lease is ours again
                _log.warning("%s", error)
            self._stop.wait(self._poll_s)
        if self._holds:
            self._lease.release()
            self._holds = False

    def once(self) -> TrainingRun:
        """Ask for a training and return what came of it; if another worker lives, that one does it."""
        run_id = self._runs.request(BY_HAND)
        try:
            while not self._stop.is_set():
                if self._has_lease() and self._runs.next() is not None:
                    self._train(run_id)
                if self._runs.get(run_id).state not in (WAITING, RUNNING):
                    break
                self._stop.wait(self._poll_s)
        finally:
            if self._holds:
                self._lease.release()
        return self._runs.get(run_id)

    def _look(self) -> None:
        if not self._has_lease():
            return
        if reason := self._due():
            self._runs.request(reason)
        run_id = self._runs.next()
        if run_id is not None:
            self._train(run_id)

    def _has_lease(self) -> bool:
        """Keep the lease, or try to get it and sort out what a dead worker left."""
        if self._holds:
            self._holds = self._lease.beat()
        elif self._lease.take():
            self._holds = True
            self._sort_out()
        return self._holds

    def _sort_out(self) -> None:
        """Note what became of runs of a worker that died, perhaps between putting a model to use and saying so."""
        registry = self._plan.registry
        try:
            used = registry.read()
        except MatineeError:
            left = self._runs.abandon(None, None)
        else:
            left = self._runs.abandon(used.manifest["metrics"].get("training_run"), used.model_id)
        for run in left:
            _log.warning("training run %d was left by a worker that died", run.run_id)

    def _due(self) -> str | None:
        """Say why a training is due; None if none is. Hours are counted by a clock that is never turned."""
        last = self._runs.last_decided()
        new = self._runs.new_ratings(last.history_id or 0 if last else 0)
        if self._triggers.ratings and new >= self._triggers.ratings:
            return f"{new} new ratings"
        if self._since is None:
            self._since = self._clock() - self._passed(last)
        hours = (self._clock() - self._since) / 3600
        if self._triggers.hours and hours >= self._triggers.hours and new:
            return f"{self._triggers.hours:g} hours and {new} new ratings"
        return None

    def _passed(self, last: TrainingRun | None) -> float:
        """Return how many seconds before this worker began the last run ended, as far as wall clocks can be trusted."""
        if last is None or last.finished_at is None:
            return 0.0
        passed = (datetime.now(UTC) - last.finished_at).total_seconds()
        return min(max(passed, 0.0), self._triggers.hours * 3600)

    def _train(self, run_id: int) -> None:
        self._runs.start(run_id)
        _log.info("training run %d begins: %s", run_id, self._runs.get(run_id).reason)
        outcome = self._outcome(replace(self._plan, run_id=run_id))
        if outcome is None:
            return
        self._since = self._clock()
        state, problem, model_id = REFUSED, outcome.problem, outcome.model_id
        if model_id is not None:
            if not self._lease.beat():
                _log.warning("another worker took over: model %s of run %d is not put to use", model_id, run_id)
                self._holds = False
                return
            problem = self._put_to_use(model_id)
            state = PROMOTED
        report = outcome.report | ({"problem": problem} if problem else {})
        self._runs.finish(run_id, FAILED if problem else state, report, model_id)
        _log.info("training run %d: %s %s", run_id, FAILED if problem else state, problem or model_id or "")

    def _put_to_use(self, model_id: str) -> str | None:
        """Promote, then clean up; return what went wrong."""
        registry = self._plan.registry
        try:
            registry.promote(model_id)
        except (MatineeError, OSError) as error:
            return str(error)
        try:
            registry.prune(self._keep)
        except (MatineeError, OSError) as error:
            _log.warning("old models could not be deleted: %s", error)
        return None

    def _outcome(self, plan: Plan) -> Outcome | None:
        """Wait for a training, saying meanwhile that we live; None if it was ended: by `stop`, or a lost lease."""
        process, connection = self._start(plan)
        try:
            while True:
                if connection.poll(self._poll_s):
                    sent: Step | Outcome = connection.recv()
                    if isinstance(sent, Outcome):
                        return sent
                    self._note(plan.run_id, sent)
                if self._stop.is_set():
                    self._runs.put_back(plan.run_id)
                    return None
                if not self._still_ours():
                    return None
        except EOFError:
            process.join()
            return Outcome(None, {}, f"the training process ended with {process.exitcode}; out of memory, perhaps")
        finally:
            connection.close()
            process.terminate()
            process.join()

    def _note(self, run_id: int, step: Step) -> None:
        """Let people see how far a training is; it goes on without."""
        try:
            self._runs.note(run_id, {"progress": asdict(step)})
        except StoreError as error:
            _log.warning("%s", error)

    def _still_ours(self) -> bool:
        """Say that we live; a database that does not answer for a while does not end a training."""
        try:
            self._holds = self._lease.beat()
        except StoreError as error:
            _log.warning("%s", error)
        return self._holds

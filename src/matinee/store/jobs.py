"""Trainings as rows: who asked for one, what came of it; and the lease that lets one trainer in at a time.

Nothing here compares clocks: runs are ordered by number, and a lease is dead when its holder's counter stands still for
a while on the watch of whoever wants it. Times are kept for people to read.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Row, Select, bindparam, func, insert, select, update

from matinee.errors import UnknownIdError
from matinee.store.database import Database
from matinee.store.schema import history, leases, runs
from matinee.store.times import now, shown

LEASE = "training"
LEASE_EXPIRY_S = 20.0
"""A trainer that has not been heard of for so long is dead."""
WAITING, RUNNING, PROMOTED, REFUSED, FAILED, ABANDONED = (
    "waiting", "running", "promoted", "refused", "failed", "abandoned"
)  # fmt: skip
"""States of a run: the gate refuses, a training fails, a trainer that died has abandoned it."""
_DECIDED = (PROMOTED, REFUSED, FAILED)
_ONE_AT_A_TIME = select(leases.c.name).where(leases.c.name == LEASE).with_for_update()


class TrainingRun(NamedTuple):
    """One training, asked for or done.

    Times are UTC; `report` is what the gate measured, or why it failed, or while it runs how far it is (``progress``);
    `history_id` the last entry of the history of ratings that it knew of.
    """

    run_id: int
    state: str
    reason: str
    requested_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    history_id: int | None
    model_id: str | None
    report: dict[str, Any]


class TrainingRuns:
    """The trainings of one service.

    Parameters
    ----------
    database
        Where they are kept; every method may raise `StoreError`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def request(self, reason: str) -> int:
        """Ask for a training and return its number; one that waits already is enough for everybody."""
        with self._database.writing() as connection:
            connection.execute(_ONE_AT_A_TIME)
            waiting = connection.execute(_waiting()).first()
            if waiting is not None:
                return int(waiting.run_id)
            row = {"state": WAITING, "reason": reason[:64], "requested_at": now()}
            return int(connection.execute(insert(runs).returning(runs.c.run_id), row).scalar_one())

    def next(self) -> int | None:
        """Return the run that waits, or None."""
        with self._database.reading() as connection:
            waiting = connection.execute(_waiting()).first()
        return None if waiting is None else int(waiting.run_id)

    def start(self, run_id: int) -> None:
        """Note that the holder of the lease begins; what is rated from now on counts for the next run."""
        last = select(func.coalesce(func.max(history.c.id), 0)).scalar_subquery()
        self._set(run_id, state=RUNNING, started_at=now(), history_id=last)

    def note(self, run_id: int, report: dict[str, Any]) -> None:
        """Say how far a run is; `finish` says it better."""
        self._set(run_id, report=_json(report))

    def finish(self, run_id: int, state: str, report: dict[str, Any], model_id: str | None = None) -> None:
        """Note what came of a run."""
        self._set(run_id, state=state, finished_at=now(), report=_json(report), model_id=model_id)

    def put_back(self, run_id: int) -> None:
        """Let a run that was begun wait again."""
        self._set(run_id, state=WAITING, started_at=None, history_id=None, report=None)

    def abandon(self, run_in_use: int | None, model_id: str | None) -> list[TrainingRun]:
        """Sort out what a dead trainer left running, and return it; only for whoever holds the lease.

        Parameters
        ----------
        run_in_use, model_id
            The run whose model is in use, and that model: if it is among those, it ended well without saying so.
        """
        left, ended = runs.c.state == RUNNING, {"finished_at": now()}
        with self._database.writing() as connection:
            found = connection.execute(select(runs).where(left)).all()
            done = update(runs).where(left, runs.c.run_id == run_in_use)
            connection.execute(done.values(state=PROMOTED, model_id=model_id, **ended))
            connection.execute(update(runs).where(left).values(state=ABANDONED, **ended))
        return [_run(row) for row in found]

    def get(self, run_id: int) -> TrainingRun:
        """Return one run.

        Raises
        ------
        UnknownIdError
            If there is none with that number.
        """
        with self._database.reading() as connection:
            row = connection.execute(select(runs).where(runs.c.run_id == run_id)).first()
        if row is None:
            raise UnknownIdError(f"there is no training run {run_id}: GET /api/v1/training-runs lists them")
        return _run(row)

    def latest(self, limit: int = 20, before: int | None = None) -> list[TrainingRun]:
        """Return runs, the newest first, those with numbers below `before` only."""
        query = select(runs).order_by(runs.c.run_id.desc()).limit(limit)
        with self._database.reading() as connection:
            rows = connection.execute(query if before is None else query.where(runs.c.run_id < before)).all()
        return [_run(row) for row in rows]

    def last_decided(self) -> TrainingRun | None:
        """Return the newest run that ended by itself, one way or another."""
        with self._database.reading() as connection:
            row = connection.execute(
                select(runs).where(runs.c.state.in_(_DECIDED)).order_by(runs.c.run_id.desc()).limit(1)
            ).first()
        return None if row is None else _run(row)

    def counts(self) -> dict[str, int]:
        """Return how many runs there are in each state."""
        with self._database.reading() as connection:
            rows = connection.execute(select(runs.c.state, func.count()).group_by(runs.c.state)).all()
        return {str(state): int(count) for state, count in rows}

    def new_ratings(self, since: int) -> int:
        """Return how many ratings were given or taken back after that entry of the history."""
        with self._database.reading() as connection:
            return connection.execute(
                select(func.count()).select_from(history).where(history.c.id > since)
            ).scalar_one()

    def _set(self, run_id: int, **values: Any) -> None:
        with self._database.writing() as connection:
            connection.execute(update(runs).where(runs.c.run_id == run_id).values(**values))


class Lease:
    """The right to train: one process at a time has it, and a process that dies loses it.

    The holder adds to a counter (`beat`). Whoever else wants the lease reads the counter now and then (`take`), and has
    it once the counter stood still for `expiry_s` by that process's own monotonic clock: wrong or turned clocks play no
    part. A holder that was taken for dead is told so by its next beat.

    Parameters
    ----------
    database
        Where it is kept.
    expiry_s
        Seconds without a beat after which the holder counts as dead.
    clock
        Seconds, never going backwards.
    """

    def __init__(
        self, database: Database, *, expiry_s: float = LEASE_EXPIRY_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._expiry_s = expiry_s
        self._clock = clock
        self._seen: tuple[str, int] | None = None
        self._since = 0.0
        self.owner = uuid.uuid4().hex

    def take(self) -> bool:
        """Try once to get the lease; ask again later if it is somebody's."""
        with self._database.reading() as connection:
            held = connection.execute(select(leases.c.owner, leases.c.beats).where(leases.c.name == LEASE)).one()
        seen = (str(held.owner), int(held.beats))
        if seen != self._seen:
            self._seen, self._since = seen, self._clock()
        is_dead = self._clock() - self._since >= self._expiry_s
        return (seen[0] in ("", self.owner) or is_dead) and self._change(seen, self.owner)

    def beat(self) -> bool:
        """Say that the holder lives; False if somebody else has the lease now."""
        mine = (leases.c.name == LEASE) & (leases.c.owner == self.owner)
        with self._database.writing() as connection:
            return connection.execute(update(leases).where(mine).values(beats=leases.c.beats + 1)).rowcount == 1

    def release(self) -> None:
        """Give the lease back, if it is still ours."""
        mine = (leases.c.name == LEASE) & (leases.c.owner == self.owner)
        with self._database.writing() as connection:
            connection.execute(update(leases).where(mine).values(owner=""))

    def _change(self, seen: tuple[str, int], owner: str) -> bool:
        """Change hands unless anything happened to the lease since it was seen."""
        same = (leases.c.name == LEASE) & (leases.c.owner == seen[0]) & (leases.c.beats == seen[1])
        with self._database.writing() as connection:
            changed = connection.execute(update(leases).where(same).values(owner=owner, beats=seen[1] + 1))
            return changed.rowcount == 1


def _waiting() -> Select[tuple[int]]:
    return select(runs.c.run_id).where(runs.c.state == bindparam("state", WAITING)).order_by(runs.c.run_id).limit(1)


def _run(row: Row[Any]) -> TrainingRun:
    return TrainingRun(
        run_id=row.run_id,
        state=row.state,
        reason=row.reason,
        requested_at=shown(row.requested_at),
        started_at=None if row.started_at is None else shown(row.started_at),
        finished_at=None if row.finished_at is None else shown(row.finished_at),
        history_id=row.history_id,
        model_id=row.model_id,
        report={} if row.report is None else orjson.loads(row.report),
    )


def _json(report: dict[str, Any]) -> str:
    return orjson.dumps(report, option=orjson.OPT_SERIALIZE_NUMPY).decode()

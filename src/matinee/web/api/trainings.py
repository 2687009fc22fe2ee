"""Trainings: ask for one, and see what came of those before. `matinee worker` does them, never a request."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import url_for

from matinee.web.api import inputs, operator_outputs
from matinee.web.services import services

bp = APIBlueprint("trainings", __name__, url_prefix="/api/v1/training-runs", tag="Operations")
REASON = "asked for over HTTP"
LARGEST = 2**63 - 1  # what a database counts to


@bp.post("")
@bp.output(operator_outputs.TrainingRun, status_code=202)
def add_training_run() -> Any:
    """Ask for a training; one that waits already is enough for everybody. It begins when a worker is free."""
    run_id = services().runs.request(REASON)
    location = url_for(".get_training_run", run_id=run_id)
    return services().runs.get(run_id)._asdict(), 202, {"Location": location}


@bp.get("")
@bp.input(inputs.TrainingRunsQuery, location="query")
@bp.output(operator_outputs.TrainingRuns)
def list_training_runs(query_data: inputs.TrainingRunsQuery) -> Any:
    """List trainings, the newest first."""
    found = services().runs.latest(query_data.limit, query_data.before)
    return {"training_runs": [run._asdict() for run in found]}


@bp.get(f"/<int(max={LARGEST}):run_id>")
@bp.output(operator_outputs.TrainingRun)
def get_training_run(run_id: int) -> Any:
    """Show one training: whether it waits, runs or ended, what the gate measured, and which model came of it."""
    return services().runs.get(run_id)._asdict()

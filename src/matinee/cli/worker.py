"""`matinee worker`: retraining beside the service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from matinee.cli.common import answer, json_option
from matinee.cli.serve import settings_options

if TYPE_CHECKING:
    from matinee.store.jobs import TrainingRun

SETTINGS = (
    "home", "database_url", "train_after_ratings", "train_after_hours", "train_margin", "train_ratings_per_user",
    "train_account_hours", "keep_models", "log_format", "log_level",
)  # fmt: skip


@click.command()
@click.option("--once", is_flag=True, help="Train now, say what came of it, and end.")
@click.option("--data", metavar="DATA", help="Learn from this data set and the ratings since; the model's by default.")
@json_option
@settings_options(*SETTINGS)
def worker(once: bool, data: str | None, as_json: bool, **flags: str | None) -> None:
    """Retrain on what people rated since, and promote what is not worse.

    A new model is measured on a fixed hold-out and on recent ratings, and used only if it is not worse than the
    current one by more than the margin. Any number of workers may run: one trains, the others take over if it dies.
    --once exits 1 unless the new model is in use.
    """
    from matinee.settings import Settings
    from matinee.web import beside

    with beside.worker(Settings.read(**flags), data) as mine:
        if not once:
            mine.run()
            return
        run = mine.once()
    answer(described(run), lambda: told(run), as_json)
    if run.state != "promoted":
        raise SystemExit(1)


def described(run: TrainingRun) -> dict[str, Any]:
    """Return what JSON says of a training run."""
    return run._asdict()


def told(run: TrainingRun) -> str:
    """Say what came of a training run."""
    lines = [f"training run {run.run_id}: {run.state}" + (f", model {run.model_id}" if run.model_id else "")]
    for check in run.report.get("checks", ()):
        better = "ok" if check["passed"] else f"worse by {check['worse_by']:.1%}, {check['allowed']:.1%} allowed"
        lines.append(f"{check['what']}: {check['candidate']:.4f}, before {check['current']:.4f} ({better})")
    if problem := run.report.get("problem"):
        lines.append(str(problem))
    return "\n".join(lines)

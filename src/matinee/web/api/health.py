"""Is it alive, is it ready: for whoever starts, stops and balances processes."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from matinee.errors import StoreError
from matinee.web.api.outputs import Readiness
from matinee.web.services import services

NOT_READY: dict[int | str, dict[str, str | dict[str, dict[str, Any]]]] = {
    503: {
        "description": "Not ready",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Readiness"}}},
    }
}
bp = APIBlueprint("health", __name__, tag="Health")


@bp.get("/healthz")
@bp.doc(responses={200: "The process answers"})
def healthz() -> dict[str, str]:
    """Say that the process answers, whether or not it can do anything useful."""
    return {"status": "ok"}


@bp.get("/readyz")
@bp.output(Readiness)
@bp.doc(responses=NOT_READY)
def readyz() -> tuple[dict[str, Any], int]:
    """Say whether a model is loaded and warm and the database answers, and what is missing if not."""
    missing, models = {}, services().models
    serving = models.serving
    if serving is None:
        missing["model"] = models.problem
    try:
        services().store.ping()
    except StoreError as error:
        missing["database"] = str(error)
    body: dict[str, Any] = {"status": "not ready" if missing else "ready", "missing": missing}
    if serving is not None:
        body |= {"model_id": serving.model_id, "warning": models.problem}
    return body, 503 if missing else 200

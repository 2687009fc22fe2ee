"""For whoever runs the service: which models there are, which one answers, how much is kept."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from matinee.errors import ArtifactError, UnknownIdError
from matinee.registry import ModelInfo
from matinee.web.api import operator_outputs
from matinee.web.problems import refuse
from matinee.web.services import services

bp = APIBlueprint("operations", __name__, url_prefix="/api/v1", tag="Operations")
SHOWN = ("created_at", "models", "scale", "data", "metrics", "libraries")


@bp.get("/models")
@bp.output(operator_outputs.Models)
def list_models() -> Any:
    """List the models, newest first; damaged ones with their problem."""
    return {"models": [_described(info) for info in services().registry.list()]}


@bp.get("/models/current")
@bp.output(operator_outputs.Model)
def current_model() -> Any:
    """Show the model that answers: what it was trained on, how, and how good it is."""
    serving = services().serving()
    for info in services().registry.list():
        if info.model_id == serving.model_id:
            return _described(info)
    return _described(ModelInfo(serving.model_id, False, {}, "its folder is gone; it answers from memory"))


@bp.post("/models/<model_id>/promote")
@bp.output(operator_outputs.Promoted)
@bp.doc(responses={409: "The model is damaged"})
def promote_model(model_id: str) -> Any:
    """Put a model to use, every byte of it checked first; it answers within about a second, in every process."""
    try:
        services().registry.promote(model_id)
    except ArtifactError as error:
        raise refuse(409, f"{error}; the model in use stays") from error
    return {"model_id": model_id}


@bp.post("/models/rollback")
@bp.output(operator_outputs.Promoted)
@bp.doc(responses={409: "There is no earlier model, or it is damaged"})
def roll_back() -> Any:
    """Put the model to use again that was in use before."""
    try:
        return {"model_id": services().registry.rollback()}
    except (UnknownIdError, ArtifactError) as error:
        raise refuse(409, str(error)) from error


@bp.get("/stats")
@bp.output(operator_outputs.Stats)
def get_stats() -> Any:
    """Count what is kept here, and what the data set brought."""
    serving = services().serving()
    stars = serving.recommender.stars
    return {
        "model_id": serving.model_id,
        "movies": len(serving.catalogue),
        "rated_movies": int(serving.recommender.rated.sum()),
        "data_set": {"users": len(stars.users), "ratings": stars.seen.nnz},
        "kept": {"users": services().people.count(), "ratings": services().store.count()},
    }


def _described(info: ModelInfo) -> dict[str, Any]:
    facts = {name: info.manifest[name] for name in SHOWN if name in info.manifest}
    return {"model_id": info.model_id, "current": info.current, "problem": info.problem, "facts": facts}

"""Becoming somebody: joining, and taking over in another browser."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response, jsonify

from matinee.web.api import inputs, outputs
from matinee.web.services import services

bp = APIBlueprint("joining", __name__, url_prefix="/api/v1", tag="Users")


@bp.post("/users")
@bp.output(outputs.NewUser, status_code=201)
def add_user() -> Response:
    """Make a new person known, under an id that no data set uses; the token proves that it is them."""
    return _entered(*services().people.join())


@bp.post("/links")
@bp.input(inputs.Code)
@bp.output(outputs.NewUser, status_code=201)
@bp.doc(responses={404: "The code was used, has expired or never was"})
def follow_link(json_data: inputs.Code) -> Response:
    """Become the person who made a code; it works once. The answer holds a token of this browser's own."""
    return _entered(*services().people.follow_link(json_data.code))


def _entered(user_id: str, token: str) -> Response:
    response = jsonify({"user_id": user_id, "token": token})
    response.status_code = 201
    response.headers["Location"] = f"/api/v1/users/{user_id}/ratings"
    response.headers["Cache-Control"] = "no-store"
    services().access.let_in(response, token)
    return response

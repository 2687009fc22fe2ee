"""The page for people."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response, current_app

bp = APIBlueprint("page", __name__, enable_openapi=False)


@bp.get("/")
def index() -> Response:
    """Serve the page."""
    return current_app.send_static_file("index.html")


@bp.get("/favicon.ico")
def favicon() -> Response:
    """Serve the icon that browsers ask for unasked."""
    return current_app.send_static_file("favicon.svg")

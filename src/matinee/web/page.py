"""The web app: one page for all its addresses, and the files that it consists of."""

from __future__ import annotations

from functools import cache

from apiflask import APIBlueprint
from flask import Response, abort, request

from matinee.web.assets import Assets

bp = APIBlueprint("page", __name__, enable_openapi=False)
ADDRESSES = (
    "/", "/for-you", "/search", "/film/<path:movie_id>", "/my-films", "/taste", "/movie-night",
    "/import", "/operator", "/join",
)  # fmt: skip
"""What the app's own router knows (static/app/pages.js)."""


@cache
def assets() -> Assets:
    """Return the files of the app, read once."""
    return Assets()


def index(**_: str) -> Response:
    """Serve the page; its scripts read the address."""
    return assets().respond_shell(request)


for _address in ADDRESSES:
    bp.add_url_rule(_address, view_func=index)


@bp.get("/static/<digest>/<path:name>")
def static_file(digest: str, name: str) -> Response:
    """Serve a file of the app."""
    return assets().respond_file(request, digest, name) or abort(404)


@bp.get("/favicon.ico")
def favicon() -> Response:
    """Serve the icon that browsers ask for unasked."""
    return assets().respond_icon(request)

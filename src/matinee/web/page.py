"""The web app: one page for all its addresses, and the files that it consists of."""

from __future__ import annotations

from functools import cache
from typing import cast

from apiflask import APIBlueprint
from flask import Response, abort, redirect, request
from werkzeug.exceptions import HTTPException, NotFound

from matinee.errors import PosterError
from matinee.web.assets import PREFIX, Assets
from matinee.web.problems import MEDIA_TYPE, from_werkzeug
from matinee.web.services import services

bp = APIBlueprint("page", __name__, enable_openapi=False)
ADDRESSES = (
    "/", "/for-you", "/search", "/film/<path:movie_id>", "/my-films", "/taste", "/movie-night",
    "/import", "/operator", "/join",
)  # fmt: skip
"""What the app's own router knows (static/app/pages.js)."""
POSTER_SECONDS = 7 * 86_400
"""How long browsers may keep where a poster is."""


@cache
def assets(*, posters: bool = False) -> Assets:
    """Return the files of the app, read once."""
    return Assets(posters=posters)


def index(**_: str) -> Response:
    """Serve the page; its scripts read the address."""
    return assets(posters=services().posters is not None).respond_shell(request)


for _address in ADDRESSES:
    bp.add_url_rule(_address, view_func=index)


@bp.app_errorhandler(NotFound)
def nothing_there(error: NotFound) -> tuple[Response, int] | Response | HTTPException:
    """Show a browser the page, which says that there is nothing at the address; programs get the problem document."""
    reads = request.accept_mimetypes.best_match((MEDIA_TYPE, "application/json", "text/html"))
    mistyped = reads == "text/html" and not request.path.startswith(("/api/", PREFIX))
    return (index(), 404) if mistyped else from_werkzeug(error)


@bp.get("/static/<digest>/<path:name>")
def static_file(digest: str, name: str) -> Response:
    """Serve a file of the app."""
    return assets().respond_file(request, digest, name) or abort(404)


@bp.get("/posters/<movie_id>")
def poster(movie_id: str) -> Response:
    """Send the browser to a film's poster; 204 where there is none, which is no mistake that a page should report."""
    posters, serving = services().posters, services().serving()
    if posters is None:
        abort(404)
    tmdb_id = serving.catalogue.movie(serving.movie_id(movie_id)).tmdb_id
    try:
        address = None if tmdb_id is None else posters.address(tmdb_id)
    except PosterError:
        return Response(status=204, headers={"Cache-Control": "no-store"})
    response = redirect(address) if address else Response(status=204)
    response.headers["Cache-Control"] = f"private, max-age={POSTER_SECONDS}"
    return cast(Response, response)


@bp.get("/favicon.ico")
def favicon() -> Response:
    """Serve the icon that browsers ask for unasked."""
    return assets().respond_icon(request)

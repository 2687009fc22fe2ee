"""Films that a person does not want to see, or wants to."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response

from matinee.store.marks import Kind
from matinee.web.api import inputs, outputs
from matinee.web.services import services

bp = APIBlueprint("marks", __name__, url_prefix="/api/v1/users/<user_id>", tag="Marks")
DONE = {204: "Done"}


@bp.get("/not-interested")
@bp.input(inputs.Page, location="query")
@bp.output(outputs.Marked)
def get_not_interested(user_id: str, query_data: inputs.Page) -> dict[str, Any]:
    """List the films that are never recommended to a person, the latest first."""
    return _marked(user_id, "not_interested", query_data)


@bp.put("/not-interested/<movie_id>")
@bp.doc(responses=DONE)
def put_not_interested(user_id: str, movie_id: str) -> Response:
    """Never recommend a film to a person."""
    return _mark(user_id, "not_interested", movie_id)


@bp.delete("/not-interested/<movie_id>")
@bp.doc(responses=DONE)
def delete_not_interested(user_id: str, movie_id: str) -> Response:
    """Let a film be recommended again."""
    return _unmark(user_id, "not_interested", movie_id)


@bp.get("/watchlist")
@bp.input(inputs.Page, location="query")
@bp.output(outputs.Marked)
def get_watchlist(user_id: str, query_data: inputs.Page) -> dict[str, Any]:
    """List the films that a person wants to watch, the latest first."""
    return _marked(user_id, "watchlist", query_data)


@bp.put("/watchlist/<movie_id>")
@bp.doc(responses=DONE)
def put_watchlist(user_id: str, movie_id: str) -> Response:
    """Put a film on a person's watchlist."""
    return _mark(user_id, "watchlist", movie_id)


@bp.delete("/watchlist/<movie_id>")
@bp.doc(responses=DONE)
def delete_watchlist(user_id: str, movie_id: str) -> Response:
    """Take a film off a person's watchlist."""
    return _unmark(user_id, "watchlist", movie_id)


def _mark(user_id: str, kind: Kind, movie_id: str) -> Response:
    services().marks.add(user_id, kind, services().serving().movie_id(movie_id))
    return Response(status=204)


def _unmark(user_id: str, kind: Kind, movie_id: str) -> Response:
    services().marks.remove(user_id, kind, services().serving().movie_id(movie_id))
    return Response(status=204)


def _marked(user_id: str, kind: Kind, page: inputs.Page) -> dict[str, Any]:
    serving = services().serving()
    services().ratings_of(serving, user_id)  # refuses people whom nobody knows
    marks = {mark.movie_id: mark.marked_at for mark in services().marks.of(user_id)[kind]}
    rows = [row for row in serving.catalogue.known_rows(marks).tolist() if row >= 0]
    films = serving.catalogue.at(rows[page.offset : page.offset + page.limit])
    movies = [{**vars(film), "marked_at": marks[film.movie_id]} for film in films]
    return {"model_id": serving.model_id, "user_id": user_id, "movies": movies, "total": len(rows)}

"""A person's own history: from other services and back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from apiflask import APIBlueprint
from flask import Response, request

from matinee.data.personal import MatchReport, read_history
from matinee.data.personal.export import export
from matinee.data.personal.matching import believable
from matinee.data.personal.report import described
from matinee.models.factors import Id
from matinee.recommend.people import rated_movies
from matinee.store.imports import OpenLine
from matinee.store.ratings import check_user_id
from matinee.web.api import inputs, outputs
from matinee.web.problems import refuse
from matinee.web.services import services

bp = APIBlueprint("imports", __name__, url_prefix="/api/v1/users/<user_id>", tag="Personal history")
A_FILE: dict[int | str, dict[str, str | dict[str, dict[str, Any]]]] = {
    200: {
        "description": "A file",
        "content": {"text/csv": {"schema": {"type": "string"}}, "application/json": {"schema": {}}},
    }
}
FORMATS = {"csv": "text/csv", "json": "application/json", "letterboxd": "text/csv"}


@bp.post("/imports")
@bp.input(inputs.ImportQuery, location="query")
@bp.output(outputs.Imported)
def add_import(user_id: str, query_data: inputs.ImportQuery) -> dict[str, Any]:
    """Take over the ratings of an export file of Letterboxd, IMDb, TMDb, Trakt, movielens.org or matinee.

    Lines that are clearly one film are kept, all or none; the others are listed with the reason. A rating that is
    newer than the file's stays.
    """
    check_user_id(user_id)
    serving = services().serving()
    report = serving.titles.match(read_history(request.get_data(), query_data.name))
    import_id, saved = None, 0
    if not query_data.dry_run:
        stars, dates = report.to_keep(datetime.now(UTC))
        import_id, saved = services().imports.add(user_id, report.source, stars, dates, _open(report))
    named = {"import_id": import_id, "model_id": serving.model_id, "user_id": user_id}
    return {**named, "dry_run": query_data.dry_run, **described(report), "saved": saved}


def _open(report: MatchReport) -> list[OpenLine]:
    undecided = (match.row for match in report.matches if match.status in ("ambiguous", "unknown"))
    return [OpenLine(row.file, row.line, row.stars, row.rated_at) for row in undecided if row.stars is not None]


@bp.post("/imports/<import_id>/resolve")
@bp.input(inputs.Choices)
@bp.output(outputs.Resolved)
def resolve_import(user_id: str, import_id: str, json_data: inputs.Choices) -> dict[str, Any]:
    """Say which films the lines mean that were not clear; null for none. Each line is decided once."""
    serving, now = services().serving(), datetime.now(UTC)
    waiting = {(line.file, line.line): line for line in services().imports.open_lines(user_id, import_id)}
    known = serving.catalogue.known_rows(choice.movie_id for choice in json_data.choices if choice.movie_id is not None)
    if (known < 0).any():
        raise refuse(422, "body.choices: a movie_id is not in the catalogue")
    stars: dict[Id, float] = {}
    dates: dict[Id, datetime] = {}
    for place, choice in enumerate(json_data.choices):
        line = waiting.pop((choice.file, choice.line), None)
        if line is None:
            raise refuse(422, f"body.choices.{place}: line {choice.line} of {choice.file[:80]!r} is not open")
        if choice.movie_id is not None:
            stars[choice.movie_id] = line.stars
            if moment := believable(line.rated_at, now):
                dates[choice.movie_id] = moment
    saved = services().imports.resolve(user_id, import_id, stars, dates, list(waiting.values()))
    return {"import_id": import_id, "model_id": serving.model_id, "saved": saved, "open": len(waiting)}


@bp.delete("/imports/<import_id>")
@bp.output(outputs.Undone)
def undo_import(user_id: str, import_id: str) -> dict[str, Any]:
    """Give films the rating back that they had before an import; what was rated since stays."""
    restored = services().imports.undo(user_id, import_id)
    return {"import_id": import_id, "restored": restored}


@bp.get("/export")
@bp.input(inputs.ExportQuery, location="query")
@bp.doc(responses=A_FILE)
def get_export(user_id: str, query_data: inputs.ExportQuery) -> Response:
    """Write everything a person rated into a file: what was given here, newest first, then the data set's."""
    serving = services().serving()
    rated = rated_movies(serving.recommender, user_id, services().store)
    if query_data.format == "letterboxd":
        rated = [rating for rating in rated if rating.name]
    response = Response(export(rated, query_data.format), content_type=f"{FORMATS[query_data.format]}; charset=utf-8")
    ending = FORMATS[query_data.format].partition("/")[2]
    response.headers["Content-Disposition"] = f'attachment; filename="matinee-ratings.{ending}"'
    return response

"""What an import says of itself, on the command line and in the service alike."""

from __future__ import annotations

from typing import Any, get_args

from matinee.data.personal.matching import Match, MatchReport, Status


def described(report: MatchReport) -> dict[str, Any]:
    """Return what JSON says of an import: how many lines became what, and every line that did not match."""
    return {
        "source": report.source,
        "lines": len(report.matches),
        "counts": {status: report.count(status) for status in get_args(Status)},
        "ratings": len(report.ratings),
        "not_matched": [line_of(match) for match in report.matches if match.status != "matched"],
    }


def line_of(match: Match) -> dict[str, Any]:
    """Return one line that did not match, with the films that may be meant."""
    row = match.row
    films = [{"movie_id": film.movie_id, "title": film.title} for film in match.candidates]
    return {
        "file": row.file, "line": row.line, "title": row.title, "year": row.year, "kind": row.kind,
        "status": match.status, "why": match.how, "candidates": films,
    }  # fmt: skip

"""Writing a person's ratings for keeping, or for another service."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from matinee.data.personal.titles import main_title
from matinee.errors import ParameterError

FORMATS = ("csv", "json", "letterboxd")


@dataclass(frozen=True)
class RatedMovie:
    """One rating as it is exported; `rated_at` in seconds since 1970."""

    movie_id: int | str
    title: str
    name: str
    year: int | None
    imdb_id: str | None
    tmdb_id: int | None
    stars: float
    rated_at: int | None


def export(ratings: Iterable[RatedMovie], format_name: str) -> str:
    """Write ratings as text.

    Parameters
    ----------
    ratings
        What to write, in order.
    format_name
        `csv` and `json` are matinee's own and come back without loss; `letterboxd` is Letterboxd's import format
        (https://letterboxd.com/about/importing-data/).

    Raises
    ------
    ParameterError
        If there is no such format.
    """
    if format_name == "csv":
        return _csv(_own(rating) for rating in ratings)
    if format_name == "json":
        rows = [asdict(rating) | {"rated_at": _iso(rating.rated_at)} for rating in ratings]
        document = {"format": "matinee ratings", "version": 1, "ratings": rows}
        return json.dumps(document, ensure_ascii=False, indent=1) + "\n"
    if format_name == "letterboxd":
        return _csv(_letterboxd(rating) for rating in ratings)
    raise ParameterError(f"there is no export format {format_name!r}; {', '.join(FORMATS)} are there")


def _own(rating: RatedMovie) -> dict[str, object]:
    row = asdict(rating) | {"rated_at": _iso(rating.rated_at)}
    return {name: row[name] for name in ("movie_id", "imdb_id", "tmdb_id", "title", "stars", "rated_at")}


def _letterboxd(rating: RatedMovie) -> dict[str, object]:
    return {
        "tmdbID": rating.tmdb_id,
        "imdbID": f"tt{rating.imdb_id}" if rating.imdb_id else None,
        "Title": main_title(rating.name),
        "Year": rating.year,
        "Rating10": min(max(1, math.floor(rating.stars * 2 + 0.5)), 10),
        "WatchedDate": _iso(rating.rated_at)[:10],
        "Rewatch": None,
        "Review": None,
    }


def _iso(seconds: int | None) -> str:
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()


def _csv(rows: Iterable[Mapping[str, object]]) -> str:
    out = io.StringIO()
    writer: csv.DictWriter[str] | None = None
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(out, list(row), lineterminator="\n")
            writer.writeheader()
        writer.writerow(row)
    return out.getvalue()

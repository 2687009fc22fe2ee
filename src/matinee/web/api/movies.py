"""The catalogue: the same for everybody, so that browsers may keep it until the model changes."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import numpy as np
from apiflask import APIBlueprint
from flask import Response, request

from matinee.recommend.nobody import Kind, decades, general_list
from matinee.web.api import inputs, outputs
from matinee.web.problems import refuse
from matinee.web.services import services
from matinee.web.serving import Serving

bp = APIBlueprint("movies", __name__, url_prefix="/api/v1", tag="Movies")


@bp.after_request
def tag(response: Response) -> Response:
    """Let whoever has this very answer already go on with it."""
    if response.status_code == 200:
        response.add_etag()
        response.cache_control.no_cache = True  # may be kept, but is asked about each time
        response.make_conditional(request)
    return response


@bp.get("/movies")
@bp.input(inputs.MoviesQuery, location="query")
@bp.output(outputs.Movies)
def list_movies(query_data: inputs.MoviesQuery) -> dict[str, Any]:
    """List films whose title is like `q`, best match first, or all in the order of `sort`, page by page."""
    serving = services().serving()
    start, limit = _start(serving, query_data.cursor), query_data.limit
    filters = query_data.model_dump(exclude_none=True, exclude={"q", "sort", "limit", "cursor"})
    rows = serving.filtered(filters, query_data.q or "", query_data.sort)
    page = rows[start : start + limit]
    return {
        "model_id": serving.model_id, "movies": serving.catalogue.at(page), "total": len(rows),
        "next_cursor": _cursor(serving, start + limit) if start + limit < len(rows) else None,
    }  # fmt: skip


def _cursor(serving: Serving, start: int) -> str:
    return base64.urlsafe_b64encode(f"{start} {serving.model_id}".encode()).decode().rstrip("=")


def _start(serving: Serving, cursor: str | None) -> int:
    if cursor is None:
        return 0
    try:
        start, _, model_id = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition(" ")
        place = int(start)
    except (binascii.Error, ValueError):
        place, model_id = -1, ""
    if place < 0 or model_id != serving.model_id:
        raise refuse(422, f"query cursor {cursor[:80]!r} is not of this model: ask for the first page again")
    return place


@bp.get("/movies/<movie_id>")
@bp.output(outputs.OneMovie)
def get_movie(movie_id: str) -> Any:
    """Show one film."""
    serving = services().serving()
    return {"model_id": serving.model_id, **vars(serving.catalogue.movie(serving.movie_id(movie_id)))}


@bp.get("/movies/<movie_id>/similar")
@bp.input(inputs.SimilarQuery, location="query")
@bp.output(outputs.SimilarMovies)
def get_similar(movie_id: str, query_data: inputs.SimilarQuery) -> Any:
    """List the films most like one; none where nobody rated it."""
    serving = services().serving()
    wanted = serving.movie_id(movie_id)
    similar = serving.recommender.similar(wanted, query_data.limit)
    return {"model_id": serving.model_id, "movie_id": wanted, "similar": similar}


@bp.get("/movies/<movie_id>/histogram")
@bp.output(outputs.Histogram)
def get_histogram(movie_id: str) -> Any:
    """Say how often each half star was given to a film by the data set's people."""
    serving = services().serving()
    movie = serving.catalogue.movie(serving.movie_id(movie_id))
    return {
        "model_id": serving.model_id, "movie_id": movie.movie_id, "ratings_count": movie.ratings_count,
        "ratings_mean": movie.ratings_mean, "histogram": serving.steps(serving.histogram(movie.movie_id)),
    }  # fmt: skip


@bp.get("/genres")
@bp.output(outputs.Genres)
def get_genres() -> Any:
    """List the genres with the number of their films, and the decades that have films."""
    serving = services().serving()
    catalogue = serving.catalogue
    genres = [{"genre": genre, "movies": int(catalogue.has_genre[genre].sum())} for genre in catalogue.genres]
    return {"model_id": serving.model_id, "genres": genres, "decades": decades(catalogue)}


@bp.get("/lists/<kind>")
@bp.input(inputs.GeneralQuery, location="query")
@bp.output(outputs.MovieList)
def get_list(kind: Kind, query_data: inputs.GeneralQuery) -> Any:
    """List films without knowing anybody: most ratings, most of late, or highest damped mean."""
    serving = services().serving()
    options = query_data.model_dump(exclude_none=True)
    return {"model_id": serving.model_id, "movies": general_list(serving.catalogue, kind, **options)}


@bp.get("/map")
@bp.input(inputs.MapQuery, location="query")
@bp.output(outputs.Map)
def get_map(query_data: inputs.MapQuery) -> Any:
    """Place the most rated films in two dimensions; those close to each other please the same people."""
    serving = services().serving()
    rows = serving.by_popularity[: query_data.limit]
    rows = rows[serving.recommender.rated[rows]]
    names = ("movie_id", "title", "name", "year", "genres", "ratings_count")
    places = np.round(serving.places[rows].astype(np.float64), 4).tolist()
    movies = [
        {**{name: getattr(movie, name) for name in names}, "x": x, "y": y}
        for movie, (x, y) in zip(serving.catalogue.at(rows.tolist()), places, strict=True)
    ]
    return {"model_id": serving.model_id, "movies": movies}

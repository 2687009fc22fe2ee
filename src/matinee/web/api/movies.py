"""The catalogue."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from matinee.web.api.schemas import Movie, Movies, MoviesQuery
from matinee.web.services import services

bp = APIBlueprint("movies", __name__, url_prefix="/api/v1/movies", tag="Movies")


@bp.get("")
@bp.input(MoviesQuery, location="query")
@bp.output(Movies)
def list_movies(query_data: MoviesQuery) -> dict[str, Any]:
    """List films whose title is like `q`, best match first, or the most rated ones."""
    serving = services().serving()
    q, limit = query_data.q, query_data.limit
    movies = serving.catalogue.search(q, limit) if q and q.strip() else serving.popular(limit)
    return {"model_id": serving.model_id, "movies": movies}


@bp.get("/<movie_id>")
@bp.output(Movie)
def get_movie(movie_id: str) -> Any:
    """Show one film."""
    serving = services().serving()
    return serving.catalogue.movie(serving.movie_id(movie_id))

"""People: their ratings, and what to watch next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from apiflask import APIBlueprint
from flask import Response

from matinee.models.factors import Id
from matinee.store.ratings import check_user_id
from matinee.web.api import schemas
from matinee.web.problems import refuse
from matinee.web.services import services
from matinee.web.serving import Serving

CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far ahead of ours another machine's clock may be."""

bp = APIBlueprint("users", __name__, url_prefix="/api/v1/users", tag="Users")


@bp.delete("/<user_id>")
@bp.doc(responses={204: "Forgotten"})
def forget_user(user_id: str) -> Response:
    """Forget a person completely: ratings with their history, marks, imports, tokens and links.

    Ratings that came with the data set stay: the data set is not ours to change.
    """
    services().people.forget(user_id)
    response = Response(status=204)
    services().access.forget_browser(response)
    return response


@bp.post("/<user_id>/links")
@bp.output(schemas.Link, status_code=201)
def add_link(user_id: str) -> tuple[dict[str, Any], int]:
    """Make a code with which another browser becomes this person's: `POST /api/v1/links`, once, within 15 minutes."""
    code, expires_at = services().people.new_link(user_id)
    return {"code": code, "expires_at": expires_at}, 201


@bp.get("/<user_id>/recommendations")
@bp.input(schemas.RecommendationsQuery, location="query")
@bp.output(schemas.Recommendations)
def get_recommendations(user_id: str, query_data: schemas.RecommendationsQuery) -> Any:
    """Recommend films, best first."""
    serving = services().serving()
    ratings = services().ratings_of(serving, user_id)
    return serving.recommender.recommend(ratings, user_id=user_id, **query_data.model_dump(exclude_none=True))


@bp.get("/<user_id>/ratings")
@bp.input(schemas.PageQuery, location="query")
@bp.output(schemas.Ratings)
def get_ratings(user_id: str, query_data: schemas.PageQuery) -> dict[str, Any]:
    """List a person's ratings: those given here, newest first, then the data set's."""
    serving = services().serving()
    stars = services().ratings_of(serving, user_id)
    dates = {rating.movie_id: rating.rated_at for rating in services().store.latest_of(user_id)}
    order = [movie_id for movie_id in dates if movie_id in stars] + [m for m in stars if m not in dates]
    page = order[query_data.offset : query_data.offset + query_data.limit]
    rated = [
        {
            "movie_id": film.movie_id, "title": film.title, "name": film.name, "year": film.year,
            "genres": film.genres, "stars": stars[film.movie_id], "rated_at": dates.get(film.movie_id),
        }
        for film in serving.catalogue.at(serving.catalogue.rows(page).tolist())
    ]  # fmt: skip
    return {"model_id": serving.model_id, "user_id": user_id, "ratings": rated, "total": len(order)}


@bp.post("/<user_id>/ratings")
@bp.input(schemas.NewRatings)
@bp.output(schemas.Saved)
def add_ratings(user_id: str, json_data: schemas.NewRatings) -> dict[str, Any]:
    """Keep ratings, all or none; with `recommend`, answer with a list that knows them."""
    check_user_id(user_id)
    serving = services().serving()
    _refuse_bad(serving, json_data)
    stars: dict[Id, float | None] = {rating.movie_id: rating.stars for rating in json_data.ratings}
    dates = {rating.movie_id: rating.rated_at for rating in json_data.ratings if rating.rated_at}
    saved: dict[str, Any] = {"saved": services().store.add_many(user_id, stars, dates), "model_id": serving.model_id}
    if json_data.recommend:
        ratings = services().ratings_of(serving, user_id)
        best = serving.recommender.recommend(ratings, user_id=user_id, limit=json_data.recommend)
        saved["recommendations"] = best.recommendations
    return saved


def _refuse_bad(serving: Serving, new: schemas.NewRatings) -> None:
    known = serving.catalogue.known_rows(rating.movie_id for rating in new.ratings) >= 0
    latest, met = datetime.now(UTC) + CLOCK_TOLERANCE, set()
    problems = []
    for place, (rating, is_known) in enumerate(zip(new.ratings, known.tolist(), strict=True)):
        detail = serving.problem_with(rating.stars)
        if not is_known:
            detail = f"there is no movie {rating.movie_id!r}"
        elif rating.movie_id in met:
            detail = f"movie {rating.movie_id!r} occurs twice"
        elif rating.rated_at and rating.rated_at > latest:
            detail = f"rated_at {rating.rated_at.isoformat()} lies in the future"
        met.add(rating.movie_id)
        if detail:
            problems.append({"where": f"body.ratings.{place}", "detail": detail})
    if problems:
        first = f"{problems[0]['where']}: {problems[0]['detail']}. Nothing was kept."
        raise refuse(422, first, problems[: schemas.MAX_SHOWN])

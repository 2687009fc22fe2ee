"""A person's ratings."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response

from matinee.models.factors import Id
from matinee.store.ratings import check_user_id
from matinee.web import asked
from matinee.web.api import inputs, outputs
from matinee.web.services import services

bp = APIBlueprint("ratings", __name__, url_prefix="/api/v1/users/<user_id>/ratings", tag="Ratings")


@bp.get("")
@bp.input(inputs.Page, location="query")
@bp.output(outputs.Ratings)
def get_ratings(user_id: str, query_data: inputs.Page) -> dict[str, Any]:
    """List a person's ratings: those given here, newest first, then the data set's."""
    serving = services().serving()
    stars = services().ratings_of(serving, user_id)
    dates = {rating.movie_id: rating.rated_at for rating in services().store.latest_of(user_id)}
    off = {mark.movie_id for mark in services().marks.of(user_id)["seed_off"]}
    order = [movie_id for movie_id in dates if movie_id in stars] + [m for m in stars if m not in dates]
    page = order[query_data.offset : query_data.offset + query_data.limit]
    rated = [
        {
            "movie_id": film.movie_id, "title": film.title, "name": film.name, "year": film.year,
            "genres": film.genres, "stars": stars[film.movie_id], "rated_at": dates.get(film.movie_id),
            "seed": film.movie_id not in off,
        }
        for film in serving.catalogue.at(serving.catalogue.rows(page).tolist())
    ]  # fmt: skip
    return {"model_id": serving.model_id, "user_id": user_id, "ratings": rated, "total": len(order)}


@bp.post("")
@bp.input(inputs.NewRatings)
@bp.output(outputs.Saved)
def add_ratings(user_id: str, json_data: inputs.NewRatings) -> dict[str, Any]:
    """Keep ratings, all or none; with `recommend`, answer with a list that knows them."""
    check_user_id(user_id)
    serving = services().serving()
    asked.refuse_bad(serving, json_data.ratings)
    stars: dict[Id, float | None] = {rating.movie_id: rating.stars for rating in json_data.ratings}
    dates = {rating.movie_id: rating.rated_at for rating in json_data.ratings if rating.rated_at}
    saved: dict[str, Any] = {"saved": services().store.add_many(user_id, stars, dates), "model_id": serving.model_id}
    if json_data.recommend:
        person = asked.placed(serving, user_id)
        options: dict[str, Any] = {"not_interested": person.not_interested, "limit": json_data.recommend}
        best = serving.recommender.recommend(person.placed, **options)
        saved["recommendations"] = best.recommendations
    return saved


@bp.put("/<movie_id>")
@bp.input(inputs.OneRating)
@bp.output(outputs.Saved)
def put_rating(user_id: str, movie_id: str, json_data: inputs.OneRating) -> dict[str, Any]:
    """Rate one film."""
    check_user_id(user_id)
    serving = services().serving()
    wanted = serving.movie_id(movie_id)
    rating = inputs.NewRating(movie_id=wanted, stars=json_data.stars, rated_at=json_data.rated_at)
    asked.refuse_bad(serving, [rating])
    dates = {wanted: rating.rated_at} if rating.rated_at else None
    saved = services().store.add_many(user_id, {wanted: rating.stars}, dates)
    return {"saved": saved, "model_id": serving.model_id}


@bp.delete("/<movie_id>")
@bp.doc(responses={204: "Taken back"})
def delete_rating(user_id: str, movie_id: str) -> Response:
    """Take a rating back, also one that came with the data set; the film may be recommended again."""
    serving = services().serving()
    wanted = serving.movie_id(movie_id)
    if wanted in services().ratings_of(serving, user_id):
        services().store.add_many(user_id, {wanted: None})
    return Response(status=204)


@bp.put("/<movie_id>/seed")
@bp.input(inputs.Seed)
@bp.output(outputs.SeedSet)
def put_seed(user_id: str, movie_id: str, json_data: inputs.Seed) -> dict[str, Any]:
    """Say whether a rating shapes lists, or only counts as seen: for the film that was watched with the children."""
    serving = services().serving()
    wanted = serving.movie_id(movie_id)
    services().ratings_of(serving, user_id)  # refuses people whom nobody knows
    change = services().marks.remove if json_data.seed else services().marks.add
    change(user_id, "seed_off", wanted)
    return {"model_id": serving.model_id, "movie_id": wanted, "seed": json_data.seed}

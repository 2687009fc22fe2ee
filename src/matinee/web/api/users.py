"""A person: what to watch next, why, and what their ratings say of them."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response

from matinee.recommend.onboarding import ask_next
from matinee.recommend.profile import profile
from matinee.recommend.surprises import acquaintance
from matinee.web import asked
from matinee.web.api import inputs, outputs
from matinee.web.services import services

bp = APIBlueprint("users", __name__, url_prefix="/api/v1/users", tag="Users")


@bp.delete("/<user_id>")
@bp.doc(responses={204: "Forgotten"})
def forget_user(user_id: str) -> Response:
    """Forget a person completely: ratings with their history, marks, imports, tokens and links.

    Ratings that came with the data set stay: the data set is not ours to change.
    """
    services().people.forget(user_id)
    if serving := services().models.serving:
        serving.people.forget(user_id)
    response = Response(status=204)
    services().access.forget_browser(response)
    return response


@bp.post("/<user_id>/links")
@bp.output(outputs.Link, status_code=201)
def add_link(user_id: str) -> tuple[dict[str, Any], int]:
    """Make a code with which another browser becomes this person's: `POST /api/v1/links`, once, within 15 minutes."""
    code, expires_at = services().people.new_link(user_id)
    return {"code": code, "expires_at": expires_at}, 201


@bp.get("/<user_id>/recommendations")
@bp.input(inputs.ListQuery, location="query")
@bp.output(outputs.Recommendations)
def get_recommendations(user_id: str, query_data: inputs.ListQuery) -> Any:
    """Recommend films, best first; the films marked "not interested" never, rated ones only with `include_seen`."""
    serving = services().serving()
    person, options = asked.asker(serving, user_id, query_data)
    return serving.recommender.recommend(person, **options)


@bp.get("/<user_id>/predictions/<movie_id>")
@bp.output(outputs.Prediction)
def get_prediction(user_id: str, movie_id: str) -> Any:
    """Predict the stars that a person would give a film, and how sure that is."""
    serving = services().serving()
    wanted = serving.movie_id(movie_id)
    person = asked.placed(serving, user_id, services().access.revision_of(user_id))
    return asked.with_model(serving.recommender.predict(person.placed, wanted), serving.model_id)


@bp.get("/<user_id>/explanations/<movie_id>")
@bp.input(inputs.ListQuery, location="query")
@bp.output(outputs.Explanation)
def get_explanation(user_id: str, movie_id: str, query_data: inputs.ListQuery) -> Any:
    """Say why a film is on a person's list, or why not: what removed it, or how much score it lacks."""
    serving = services().serving()
    wanted = serving.movie_id(movie_id)
    person, options = asked.asker(serving, user_id, query_data)
    for of_lists_only in ("offset", "explain"):
        options.pop(of_lists_only, None)
    return serving.recommender.explain(person, wanted, **options)


@bp.get("/<user_id>/taste")
@bp.output(outputs.Taste)
def get_taste(user_id: str) -> Any:
    """Describe a person: what they rate, how, and which genres and decades they like more than everybody does.

    Says too how well the model knows them, and which of their ratings it would not have guessed.
    """
    serving = services().serving()
    ratings = services().ratings_of(serving, user_id)
    found = profile(serving.catalogue, ratings, serving.recommender.stars.scale)
    answer = {**asked.with_model(found, serving.model_id, user_id=user_id)}
    return answer | {"histogram": serving.steps(found.histogram), **vars(acquaintance(serving.recommender, ratings))}


@bp.get("/<user_id>/onboarding")
@bp.input(inputs.OnboardingQuery, location="query")
@bp.output(outputs.MovieList)
def get_onboarding(user_id: str, query_data: inputs.OnboardingQuery) -> Any:
    """Say which films to ask a person about next: those they probably know, and that say something."""
    serving = services().serving()
    ratings = services().ratings_of(serving, user_id)
    not_seen = asked.films(serving, "query.not_seen", query_data.not_seen)
    movies = ask_next(serving.recommender, ratings, not_seen=not_seen, limit=query_data.limit)
    return {"model_id": serving.model_id, "movies": movies}

"""The three routes of the tutorial that matinee surpasses, in its own shapes.

`jadianes/spark-movie-lens` answers with bare lists and takes lines ``movieId,rating`` as curl's ``--data-binary`` sends
them: with the content type of a form, which is why the body is read raw.
"""

from __future__ import annotations

import re

from apiflask import APIBlueprint
from flask import Response, jsonify, request

from matinee.errors import UnknownMovieError
from matinee.models.factors import Id
from matinee.store.ratings import check_user_id
from matinee.web.problems import refuse
from matinee.web.services import services
from matinee.web.serving import Serving

MIN_RATINGS = 25
"""The tutorial lists only films that so many people rated."""
MAX_COUNT = 1000
MAX_PROBLEMS = 20
_PLAIN_NUMBER = re.compile(r"0|[1-9][0-9]{0,14}")  # other ids stay text: as a number they would read differently

bp = APIBlueprint("tutorial", __name__, tag="Tutorial")


@bp.get("/<user_id>/ratings/top/<int:count>")
@bp.doc(responses={200: "[[title, predicted stars, number of ratings], …]", 404: "Unknown user", 422: "Bad count"})
def top_ratings(user_id: str, count: int) -> Response:
    """List the films with the best predicted stars among those that at least 25 people rated and this user did not."""
    if not 1 <= count <= MAX_COUNT:
        raise refuse(422, f"count {count}: 1 to {MAX_COUNT} are allowed")
    serving = services().serving()
    ratings = services().ratings_of(serving, user_id)
    best = serving.recommender.recommend(ratings, limit=count, rank_by="stars", min_ratings=MIN_RATINGS)
    return jsonify([[film.title, film.stars, film.ratings_count] for film in best.recommendations])


@bp.get("/<user_id>/ratings/<movie_id>")
@bp.doc(responses={200: "[[title, predicted stars, number of ratings]]", 404: "Unknown user or movie"})
def movie_rating(user_id: str, movie_id: str) -> Response:
    """Predict the stars that a user would give to one film."""
    serving = services().serving()
    wanted = serving.movie_id(movie_id)
    prediction = serving.recommender.predict(services().ratings_of(serving, user_id), wanted)
    return jsonify([[prediction.title, prediction.stars, prediction.ratings_count]])


@bp.post("/<user_id>/ratings")
@bp.doc(
    responses={
        200: "[[user, movie, stars], …]",
        400: "A line is not `movieId,rating`",
        413: "The body is too large",
        422: "A movie or a rating is not allowed",
    }
)
def add_ratings(user_id: str) -> Response:
    """Keep ratings sent as lines `movieId,rating`, whatever the content type: all of them or, if one is bad, none."""
    check_user_id(user_id)
    stars = _parse(request.get_data(), services().serving())
    services().store.add_many(user_id, stars)
    user = int(user_id) if _PLAIN_NUMBER.fullmatch(user_id) else user_id
    return jsonify([[user, movie_id, value] for movie_id, value in stars.items()])


def _parse(body: bytes, serving: Serving) -> dict[Id, float]:
    """Read the lines; of two for the same film the later counts."""
    try:
        lines = body.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise refuse(400, f"The body is not text: byte {error.start + 1} is not UTF-8") from error
    stars: dict[Id, float] = {}
    problems: list[tuple[int, int, str]] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            movie_id, value = _parse_line(line, serving)
            stars[movie_id] = value
        except _BadLineError as error:
            problems.append((error.status, number, str(error)))
            if len(problems) == MAX_PROBLEMS:
                break
    if problems:
        raise refuse(
            min(status for status, _, _ in problems),
            f"line {problems[0][1]}: {problems[0][2]}. Nothing was kept.",
            [{"where": f"line {number}", "detail": detail} for _, number, detail in problems],
        )
    if not stars:
        raise refuse(400, "The body is empty; send lines movieId,rating such as 260,4.5")
    return stars


class _BadLineError(Exception):
    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


def _parse_line(line: str, serving: Serving) -> tuple[Id, float]:
    fields = [field.strip() for field in line.split(",")]
    shown = repr(line[:80])
    if len(fields) != 2 or not fields[0]:
        raise _BadLineError(400, f"{shown} is not movieId,rating such as 260,4.5")
    try:
        value = float(fields[1])
    except ValueError:
        raise _BadLineError(400, f"{shown}: the rating {fields[1][:80]!r} is not a number") from None
    try:
        movie_id = serving.movie_id(fields[0])
    except UnknownMovieError as error:
        raise _BadLineError(422, str(error)) from None
    if problem := serving.problem_with(value):
        raise _BadLineError(422, f"{shown}: {problem}")
    return movie_id, value

"""Lists for somebody whom only the request knows, and for several people together; nothing is kept."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from matinee.models.factors import Id
from matinee.recommend.groups import recommend_group
from matinee.web import asked
from matinee.web.api import inputs, outputs
from matinee.web.problems import refuse
from matinee.web.services import services
from matinee.web.serving import Serving

bp = APIBlueprint("stateless", __name__, url_prefix="/api/v1", tag="Recommendations")


@bp.post("/recommendations")
@bp.input(inputs.Stateless)
@bp.output(outputs.Recommendations)
def recommend(json_data: inputs.Stateless) -> Any:
    """Recommend films to somebody described by the ratings in the body."""
    serving = services().serving()
    person = asked.described(serving, json_data)
    return serving.recommender.recommend(person.ratings, **person.options, **asked.options(serving, json_data))


@bp.post("/groups/recommendations")
@bp.input(inputs.Group)
@bp.output(outputs.GroupRecommendations)
@bp.doc(responses={404: "A member is unknown"})
def recommend_to_group(json_data: inputs.Group) -> Any:
    """Recommend films to several people together, each known here or described by ratings.

    Where people need a token, the one that arrives must be that of every member named by `user_id`; the operator's key
    is everybody's.
    """
    serving = services().serving()
    members = [_member(serving, place, member) for place, member in enumerate(json_data.members)]
    options = json_data.model_dump(exclude_none=True, exclude={"members", "exclude"})
    return recommend_group(
        serving.recommender,
        [ratings for ratings, _ in members],
        **options,
        exclude=asked.films(serving, "body.exclude", json_data.exclude),
        not_interested=[movie_id for _, unwanted in members for movie_id in unwanted],
    )


def _member(serving: Serving, place: int, member: inputs.Member) -> tuple[dict[Id, float], tuple[Id, ...]]:
    where = f"body.members.{place}"
    if (member.user_id is None) == (member.ratings is None):
        raise refuse(422, f"{where}: give either user_id or ratings")
    if member.ratings is not None:
        asked.refuse_bad(serving, member.ratings, f"{where}.ratings")
        return {rating.movie_id: rating.stars for rating in member.ratings}, ()
    user_id = str(member.user_id)
    if not services().access.may_act_for(user_id):
        raise refuse(403, f"{where}: the token or key that arrived does not allow to ask for {user_id!r}")
    person = asked.known(serving, user_id)
    return person.ratings, person.options["not_interested"]

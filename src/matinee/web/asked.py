"""From what arrived to what the recommender takes: films by their ids, persons with all that bends their lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from matinee.errors import UnknownMovieError
from matinee.models.factors import Id
from matinee.recommend.people import merged, times_of
from matinee.recommend.placed import Placed
from matinee.web.api import inputs
from matinee.web.problems import refuse
from matinee.web.remembered import Remembered
from matinee.web.services import services
from matinee.web.serving import Serving

CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far ahead of ours another machine's clock may be."""
_NOT_OPTIONS = ("ratings", "since", "exclude", "only", "what_if", "not_interested", "seed_off")


@dataclass(frozen=True)
class Asker:
    """Somebody who wants a list: stars by movie id, and the recommender's options that are theirs.

    `revision` is the one that the ratings have, None where nothing is kept of them.
    """

    ratings: dict[Id, float]
    options: dict[str, Any] = field(default_factory=dict)
    revision: int | None = None


def known(serving: Serving, user_id: str) -> Asker:
    """Read what somebody of the data set or of the store has rated and marked.

    Raises
    ------
    UnknownUserError
        If nobody knows them.
    """
    kept = services().kept_of(user_id)
    ratings = merged(serving.recommender, user_id, kept.ratings, known=kept.known)
    options = {"user_id": user_id, "not_interested": tuple(kept.not_interested), "seed_off": tuple(kept.seed_off)}
    return Asker(ratings, options, kept.revision)


def placed(serving: Serving, user_id: str, revision: int | None = None) -> Remembered:
    """Return where somebody of the data set or of the store stands in the models.

    Parameters
    ----------
    serving
        The models.
    user_id
        Who.
    revision
        Theirs, as this request has read it after all that it changed: a place found at the same one is still theirs.
        None has their ratings read and placed anew.

    Raises
    ------
    UnknownUserError
        If nobody knows them.
    """
    found = None if revision is None else serving.people.find(user_id, revision)
    if found is None:
        person = known(serving, user_id)
        unwanted = person.options.pop("not_interested")
        found = Remembered(serving.recommender.place(person.ratings, **person.options), unwanted)
        if person.revision is not None:
            serving.people.keep(user_id, person.revision, found)
    return found


def asker(serving: Serving, user_id: str, asked: inputs.ListQuery) -> tuple[dict[Id, float] | Placed, dict[str, Any]]:
    """Return somebody and all options of the list that they ask for, as `Recommender.recommend` takes them.

    Raises
    ------
    UnknownUserError
        If nobody knows them.
    HTTPError
        As `options`.
    """
    wanted = options(serving, asked)
    if not (asked.since or asked.half_life or asked.what_if):
        found = placed(serving, user_id, services().access.revision_of(user_id))
        return found.placed, {"not_interested": found.not_interested, **wanted} if found.not_interested else wanted
    person = known(serving, user_id)  # other ratings than theirs, or not all of them: placed for this once
    if asked.since or asked.half_life:
        wanted["rated_at"] = times_of(serving.recommender, user_id, services().store)
    return person.ratings, {**person.options, **wanted}


def described(serving: Serving, asked: inputs.Stateless) -> Asker:
    """Return somebody of whom only the request knows.

    Raises
    ------
    HTTPError
        422, if a rating is not allowed.
    """
    now = datetime.now(UTC)
    refuse_bad(serving, asked.ratings)
    return Asker(
        {rating.movie_id: rating.stars for rating in asked.ratings},
        {
            "rated_at": {rating.movie_id: (rating.rated_at or now).timestamp() for rating in asked.ratings},
            "not_interested": tuple(asked.not_interested),
            "seed_off": tuple(asked.seed_off),
        },
    )


def options(serving: Serving, asked: inputs.ListQuery | inputs.Stateless) -> dict[str, Any]:
    """Return what was asked for as options of `Recommender.recommend`.

    Raises
    ------
    HTTPError
        422, if `exclude`, `only` or `what_if` names no film of the catalogue, or no stars.
    """
    given = {name: getattr(asked, name) for name in asked.model_fields_set.difference(_NOT_OPTIONS)}
    found = {name: value for name, value in given.items() if value is not None}  # the recommender's defaults are ours
    if asked.exclude:
        found["exclude"] = films(serving, "exclude", asked.exclude)
    if asked.only:
        found["only"] = films(serving, "only", asked.only)
    if asked.since is not None:
        found["since"] = _seconds(asked.since)
    if asked.what_if:
        found["what_if"] = dict(_changed(serving, asked.what_if))
    return found


def films(serving: Serving, where: str, wanted: Iterable[Id]) -> tuple[Id, ...]:
    """Return ids of films as the catalogue has them; text from an address may stand for a number."""
    try:
        return tuple(serving.movie_id(one) if isinstance(one, str) else _there(serving, one) for one in wanted)
    except UnknownMovieError as error:
        raise refuse(422, f"{where}: {error}") from error


def _there(serving: Serving, movie_id: Id) -> Id:
    if movie_id not in serving.catalogue:
        serving.catalogue.movie(movie_id)  # refuses, with what there is
    return movie_id


def _changed(serving: Serving, asked: Iterable[str | inputs.WhatIf]) -> Iterable[tuple[Id, float | None]]:
    for change in asked:
        wanted, stars = _parsed(change) if isinstance(change, str) else (change.movie_id, change.stars)
        [movie_id] = films(serving, "what_if", [wanted])
        if stars is not None and (problem := serving.problem_with(stars)):
            raise refuse(422, f"what_if: {problem}")
        yield movie_id, stars


def _parsed(change: str) -> tuple[Id, float | None]:
    movie, colon, text = change.rpartition(":")
    try:
        return movie, None if text == "none" and colon else float(text if colon else "")
    except ValueError:
        raise refuse(422, f"what_if {change[:80]!r}: movie:stars such as 260:4.5, or movie:none, is allowed") from None


def _seconds(since: datetime | date) -> float:
    moment = since if isinstance(since, datetime) else datetime(since.year, since.month, since.day, tzinfo=UTC)
    return moment.timestamp()


def refuse_bad(serving: Serving, ratings: Sequence[inputs.NewRating], where: str = "body.ratings") -> None:
    """Refuse ratings of unknown films, off the scale, twice of one film or of the future, each by its place."""
    is_known: list[bool] = (serving.catalogue.known_rows(rating.movie_id for rating in ratings) >= 0).tolist()
    latest, met = datetime.now(UTC) + CLOCK_TOLERANCE, set[Id]()
    problems = []
    for place, rating in enumerate(ratings):
        detail = serving.problem_with(rating.stars)
        if not is_known[place]:
            detail = f"there is no movie {rating.movie_id!r}"
        elif rating.movie_id in met:
            detail = f"movie {rating.movie_id!r} occurs twice"
        elif rating.rated_at and rating.rated_at > latest:
            detail = f"rated_at {rating.rated_at.isoformat()} lies in the future"
        met.add(rating.movie_id)
        if detail:
            problems.append({"where": f"{where}.{place}", "detail": detail})
    if problems:
        first = f"{problems[0]['where']}: {problems[0]['detail']}. Nothing was kept."
        raise refuse(422, first, problems[: inputs.MAX_SHOWN])


def with_model(answer: Any, model_id: str, **more: Any) -> Mapping[str, Any]:
    """Name the model beside the fields of a dataclass."""
    return {"model_id": model_id, **more, **vars(answer)}

"""`matinee onboarding`: which films to rate first, or next."""

from __future__ import annotations

from pathlib import Path

import click

from matinee.cli.common import answer, home_option, json_option
from matinee.cli.lists import shown
from matinee.cli.person import Somebody, gather, model_option, open_recommender, person_options


@click.command()
@person_options
@click.option("--not-seen", multiple=True, metavar="MOVIE", help="A film that the person does not know; repeat.")
@click.option("-n", "--limit", type=click.IntRange(1), default=10, show_default=True, help="How many films at most.")
@model_option
@json_option
@home_option
def onboarding(
    user: str | None,
    rate: tuple[str, ...],
    ratings_file: Path | None,
    not_seen: tuple[str, ...],
    limit: int,
    model_id: str | None,
    as_json: bool,
    home: Path,
) -> None:
    """Say which films to rate next, so that lists fit soon.

    Popular films first, then those that this person probably knows, judged by their ratings so far.
    """
    from matinee.recommend.onboarding import ask_next

    recommender = open_recommender(home, model_id)
    described = user is not None or rate or ratings_file is not None
    person = gather(recommender, home, user, rate, ratings_file) if described else Somebody({})
    unknown = [recommender.catalogue.resolve(movie).movie_id for movie in not_seen]
    movies = ask_next(recommender, person.ratings, not_seen=unknown, limit=limit)
    answer({"model_id": recommender.model_id, "movies": movies}, lambda: shown(movies), as_json)

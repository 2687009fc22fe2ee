"""`matinee explain`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from matinee.cli.common import answer, columns, home_option, json_option
from matinee.cli.filters import filter_options, resolved, taste_options
from matinee.cli.person import gather, model_option, open_recommender, person_options

if TYPE_CHECKING:
    from matinee.recommend.results import Explanation

MOST_SHOWN = 10
"""Ratings that the text names; the others are summed up."""


@click.command()
@click.argument("movie", metavar="[MOVIE]", required=False)
@click.option("--movie", "movie_flag", metavar="MOVIE", help="The film, where no argument names it.")
@person_options
@filter_options
@taste_options
@model_option
@json_option
@home_option
def explain(
    movie: str | None,
    movie_flag: str | None,
    user: str | None,
    rate: tuple[str, ...],
    ratings_file: Path | None,
    model_id: str | None,
    as_json: bool,
    home: Path,
    **options: Any,
) -> None:
    """Say why a film is on a list, or why not.

    MOVIE is an id or a title; the filters are those of `matinee recommend`.

    \b
    matinee explain "Quiz Show (1994)" --user 42
    matinee explain --user 42 --movie 300 --genre-none Drama
    """  # noqa: D301, click reads the character
    named = [name for name in (movie, movie_flag) if name is not None]
    if len(named) != 1:
        raise click.UsageError("name one film: matinee explain MOVIE, or --movie MOVIE")
    recommender = open_recommender(home, model_id)
    film = recommender.catalogue.resolve(named[0])
    person = gather(recommender, home, user, rate, ratings_file)
    given = resolved(recommender, {name: value for name, value in options.items() if name != "offset"})
    explanation = recommender.explain(person.ratings, film.movie_id, **person.taste(given))
    answer(asdict(explanation), lambda: told(explanation), as_json)


def told(explanation: Explanation) -> str:
    """Say where the film stands, what removes it, and what each rating adds."""
    seen = "include_seen" in explanation.removed_by
    place = f"place {explanation.rank} of all films not rated yet"
    lines = [f"{explanation.title}: " + (f"rated already; else it would be {place}" if seen else place)]
    if not explanation.known:
        lines.append("nobody rated it, so the model knows nothing of it")
    if explanation.removed_by:
        lines.append(f"removed from the list by {', '.join(explanation.removed_by)}")
    elif explanation.rank_in_list:
        short = f", short of the list by a score of {explanation.lacks:.3f}" if explanation.lacks else ""
        lines.append(f"place {explanation.rank_in_list} with these filters{short}")
    shown = explanation.because[:MOST_SHOWN]
    rows = [(why.title, f"{why.contribution:+.3f}", f"{why.share:.0%}") for why in shown]
    if len(explanation.because) > MOST_SHOWN:
        others = explanation.because[MOST_SHOWN:]
        adds, share = sum(why.contribution for why in others), sum(why.share for why in others)
        rows.append((f"{len(others)} others (--json has them all)", f"{adds:+.3f}", f"{share:.0%}"))
    lines += ["", columns(rows, ("rating of", "adds", "share"))]
    sums = f"base {explanation.base:.3f}, everything together: score {explanation.score:.3f}"
    return "\n".join([*lines, "", sums])

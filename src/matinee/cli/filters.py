"""Flags that say what may be on a list, how it is ordered, and what counts of a person's ratings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from matinee.cli.person import parse_rate
from matinee.errors import ParameterError

if TYPE_CHECKING:
    from matinee.recommend.recommender import Recommender


FILTERS = (
    click.option(
        "-n", "--limit", type=click.IntRange(1), default=10, show_default=True, help="How many films at most."
    ),
    click.option("--offset", type=click.IntRange(0), help="How many of the best to pass over."),
    click.option("--genre-any", multiple=True, help="Only films with at least one of these genres; repeat."),
    click.option("--genre-all", multiple=True, help="Only films with all of these genres; repeat."),
    click.option("--genre-none", multiple=True, help="Only films with none of these genres; repeat."),
    click.option("--year-from", type=int, help="Only films from this year on."),
    click.option("--year-to", type=int, help="Only films up to this year."),
    click.option("--min-ratings", type=int, help="Only films that so many people rated."),
    click.option("--max-ratings", type=int, help="Only films that at most so many people rated."),
    click.option("--exclude", multiple=True, metavar="MOVIE", help="Leave a film out, by id or title; repeat."),
    click.option("--only", multiple=True, metavar="MOVIE", help="Choose among these films; repeat."),
    click.option("--include-seen", is_flag=True, help="Keep films that the person rated."),
    click.option("--not-interested", multiple=True, metavar="MOVIE", help="A film not to be shown again; repeat."),
    click.option(
        "--rank-by",
        type=click.Choice(["picks", "stars", "stars_low"]),
        help="What one would watch (default), predicted stars, or the low end of their interval.",
    ),
    click.option("--popularity", type=float, help="Dial: -1 obscure films first, 1 popular ones first."),
    click.option("--diversity", type=float, help="Dial: 0 as the model has it, 1 every film unlike the others."),
)


def moment(ctx: click.Context, param: click.Parameter, text: str | None) -> float | None:
    """Read a date, or seconds since 1970; None stays None."""
    if text is None:
        return None
    try:
        return float(text) if text.lstrip("-").isdecimal() else _utc(datetime.fromisoformat(text)).timestamp()
    except (ValueError, OverflowError):
        raise click.BadParameter(f"{text!r}: a date such as 2015-06-30, or seconds since 1970") from None


def _utc(when: datetime) -> datetime:
    return when if when.tzinfo else when.replace(tzinfo=UTC)


TASTE = (
    click.option("--since", callback=moment, metavar="DATE", help="Older ratings count as seen but not as taste."),
    click.option("--half-life", type=float, metavar="DAYS", help="After so many days, a rating counts half as much."),
    click.option("--seed-off", multiple=True, metavar="MOVIE", help="A rating that counts as seen but not as taste."),
    click.option(
        "--what-if", multiple=True, metavar="MOVIE=STARS", help="Change a rating for once; MOVIE= removes it."
    ),
)


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the filters and dials, under the API's names."""
    for option in reversed(FILTERS):
        command = option(command)
    return command


def taste_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what bends a person's ratings, under the API's names."""
    for option in reversed(TASTE):
        command = option(command)
    return command


def resolved(recommender: Recommender, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that were given, with films as ids."""
    given = {name: value for name, value in options.items() if not (value is None or value is False or value == ())}
    for name in {"exclude", "only", "not_interested", "seed_off"} & given.keys():
        given[name] = [recommender.catalogue.resolve(movie).movie_id for movie in given[name]]
    if "what_if" in given:
        given["what_if"] = dict(_changed(text, recommender) for text in given["what_if"])
    return given


def _changed(text: str, recommender: Recommender) -> tuple[int | str, float | None]:
    movie, equals, stars = text.rpartition("=")
    if equals and movie.strip() and not stars.strip():
        return recommender.catalogue.resolve(movie.strip()).movie_id, None
    try:
        return parse_rate(text, recommender.catalogue, recommender.stars.scale)
    except ParameterError as error:
        raise ParameterError(str(error).replace("--rate", "--what-if")) from None

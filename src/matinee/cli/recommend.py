"""`matinee recommend`, `predict` and `similar`: what the current model says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from matinee.cli.common import answer, columns, home_option, json_option, say
from matinee.cli.person import gather, person_options

if TYPE_CHECKING:
    from matinee.recommend.recommender import Recommender
    from matinee.recommend.results import Because, Prediction, Recommendations

model_option = click.option("--model", "model_id", metavar="ID", help="Another model than the current one.")


def open_recommender(home: Path, model_id: str | None = None) -> Recommender:
    """Open the current model of a home, or the one with that id.

    Raises
    ------
    UnknownIdError
        If there is none.
    ArtifactError
        If its folder is damaged.
    """
    from matinee.recommend.recommender import Recommender
    from matinee.registry import Registry

    return Recommender.of(Registry(home / "models").read(model_id))


FILTERS = (
    click.option("--limit", default=10, show_default=True, help="How many films at most."),
    click.option("--offset", default=0, show_default=True, help="How many of the best to pass over."),
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
    click.option(
        "--rank-by",
        type=click.Choice(["picks", "stars", "stars_low"]),
        default="picks",
        show_default=True,
        help="What one would watch, predicted stars, or the low end of their interval.",
    ),
    click.option("--popularity", type=float, help="Dial: -1 obscure films first, 1 popular ones first."),
    click.option("--diversity", type=float, help="Dial: 0 as the model has it, 1 every film unlike the others."),
)


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the filters, under the API's names."""
    for option in reversed(FILTERS):
        command = option(command)
    return command


@click.command()
@person_options
@filter_options
@click.option("--explain", is_flag=True, help="Say which of the person's ratings put each film there.")
@model_option
@json_option
@home_option
def recommend(
    user: str | None,
    rate: tuple[str, ...],
    ratings_file: Path | None,
    model_id: str | None,
    as_json: bool,
    home: Path,
    **filters: Any,
) -> None:
    r"""Print a list of films for a user or for ratings you give.

    \b
    matinee recommend --user 42
    matinee recommend --rate 260=4 --rate "Toy Story (1995)=3" --genre-any Drama
    matinee recommend --ratings user_ratings.file
    """
    recommender = open_recommender(home, model_id)
    ratings = gather(recommender, home, user, rate, ratings_file)
    answered = recommender.recommend(ratings, **resolved(recommender, filters))
    answer(asdict(answered), lambda: listed(answered), as_json)
    if not as_json and not answered.recommendations:
        say(nothing_left(answered))


def resolved(recommender: Recommender, filters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the filters that were given, with the films of `exclude` and `only` as ids."""
    given = {name: value for name, value in filters.items() if value not in (None, ())}
    for name in {"exclude", "only"} & given.keys():
        given[name] = [recommender.catalogue.resolve(movie).movie_id for movie in given[name]]
    return given


def listed(answered: Recommendations) -> str:
    """Lay a list out as text."""
    films = answered.recommendations
    rows: list[tuple[Any, ...]] = [(f.rank, f.title, f"{f.stars:.1f}", f.ratings_count) for f in films]
    if not films or films[0].because is None:
        return columns(rows, ("", "film", "stars", "ratings"))
    why = ["; ".join(because(reason) for reason in film.because or ()) for film in films]
    return columns(
        [(*row, text) for row, text in zip(rows, why, strict=True)], ("", "film", "stars", "ratings", "because of")
    )


def because(reason: Because) -> str:
    """Say how much one rating of the person did."""
    return f"{reason.title} ({reason.share:.0%})"


def nothing_left(answered: Recommendations) -> str:
    """Say why a list is empty and what would help."""
    removed = ", ".join(f"{name} removed {count}" for name, count in answered.removed.items())
    return f"no film is left ({removed})" + (f": relax {answered.relax}" if answered.relax else "")


@click.command()
@click.argument("movie", metavar="MOVIE")
@person_options
@model_option
@json_option
@home_option
def predict(
    movie: str,
    user: str | None,
    rate: tuple[str, ...],
    ratings_file: Path | None,
    model_id: str | None,
    as_json: bool,
    home: Path,
) -> None:
    """Predict the stars of one film.

    MOVIE is an id or a title: matinee predict "Quiz Show (1994)" --user 42
    """
    recommender = open_recommender(home, model_id)
    film = recommender.catalogue.resolve(movie)
    prediction = recommender.predict(gather(recommender, home, user, rate, ratings_file), film.movie_id)
    document = {"model_id": recommender.model_id, **asdict(prediction)}
    answer(document, lambda: predicted(prediction), as_json)


def predicted(prediction: Prediction) -> str:
    """Say in a line or two what one would give a film, and how sure that is."""
    note = "" if prediction.known else ": nobody rated it, so this is what people give on average"
    first = f"{prediction.title}: {prediction.stars:.1f} stars, {prediction.ratings_count} ratings{note}"
    if prediction.probability_4 is None:
        return first
    half = f"{prediction.stars_low_50:.1f} to {prediction.stars_high_50:.1f} with 50 %"
    most = f"{prediction.stars_low:.1f} to {prediction.stars_high:.1f} with 90 % probability"
    return f"{first}\n{half}, {most}; 4 stars or more with {prediction.probability_4:.0%}"


@click.command()
@click.argument("movie", metavar="MOVIE")
@click.option("--limit", type=click.IntRange(0), default=10, show_default=True, help="How many films at most.")
@model_option
@json_option
@home_option
def similar(movie: str, limit: int, model_id: str | None, as_json: bool, home: Path) -> None:
    """Print films similar to one film.

    MOVIE is an id or a title: matinee similar "Toy Story (1995)"
    """
    recommender = open_recommender(home, model_id)
    film = recommender.catalogue.resolve(movie)
    found = recommender.similar(film.movie_id, limit)
    document = {"model_id": recommender.model_id, "movie_id": film.movie_id, "title": film.title, "similar": found}
    answer(document, lambda: columns([(s.title,) for s in found], ("film",)), as_json)

"""`matinee recommend`, `predict` and `similar`: what the current model says."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from matinee.cli import lists
from matinee.cli.common import answer, columns, home_option, json_option, say
from matinee.cli.engine import Cluster, engine_options
from matinee.cli.filters import filter_options, resolved, taste_options
from matinee.cli.person import gather, model_option, open_recommender, person_options

if TYPE_CHECKING:
    from matinee.recommend.groups import Mode
    from matinee.recommend.nobody import Kind
    from matinee.recommend.results import Because, Prediction, Recommendations


@click.command()
@person_options
@filter_options
@taste_options
@click.option("--explain", is_flag=True, help="Say which of the person's ratings put each film there.")
@lists.list_options
@engine_options
@model_option
@json_option
@home_option
def recommend(
    user: str | None,
    rate: tuple[str, ...],
    ratings_file: Path | None,
    everybody: bool,
    out: str | None,
    members: tuple[Path, ...],
    mode: Mode | None,
    veto: float | None,
    general: Kind | None,
    per: str | None,
    engine: str,
    master: str | None,
    conf: tuple[str, ...],
    model_id: str | None,
    as_json: bool,
    home: Path,
    **options: Any,
) -> None:
    """Print a list of films for a user or for ratings you give.

    \b
    matinee recommend --user 42
    matinee recommend --rate 260=4 --rate "Toy Story (1995)=3" --genre-any Drama
    matinee recommend --ratings user_ratings.file
    matinee recommend --with anna.csv --with ben.csv --group least_misery
    matinee recommend --all -n 10 --out recs.parquet
    matinee recommend --all --out recs --engine spark
    matinee recommend --top --per decade -n 3
    """  # noqa: D301, click reads the character
    described = user is not None or bool(rate) or ratings_file is not None
    lists.check(
        described, everybody=everybody, out=out, members=members, mode=mode, veto=veto, general=general, per=per
    )
    cluster = Cluster(master, conf) if engine == "spark" else None  # auto: lists never take much memory
    if not everybody and (cluster or master or conf):
        raise click.UsageError("--engine spark is for the lists of --all")
    recommender = open_recommender(home, model_id)
    if general is not None:
        lists.for_nobody(recommender, general, per, resolved(recommender, options), as_json)
    elif everybody and out is not None:
        lists.for_everybody(recommender, out, resolved(recommender, options), cluster, as_json)
    elif members:
        somebody = gather(recommender, home, user, rate, ratings_file) if described else None
        given = resolved(recommender, options)
        lists.for_a_group(recommender, somebody, members, mode or "mean", veto, given, as_json)
    else:
        person = gather(recommender, home, user, rate, ratings_file)
        answered = recommender.recommend(person.ratings, **person.taste(resolved(recommender, options)))
        answer(asdict(answered), lambda: listed(answered), as_json)
        if not as_json and not answered.recommendations:
            say(lists.nothing_left(answered.total, answered.removed, answered.relax))


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


@click.command()
@click.argument("movie", metavar="MOVIE", required=False)
@click.option("--movie", "named", metavar="MOVIE", help="The film, by id or title, in place of the argument.")
@person_options
@taste_options
@model_option
@json_option
@home_option
def predict(
    movie: str | None,
    named: str | None,
    user: str | None,
    rate: tuple[str, ...],
    ratings_file: Path | None,
    model_id: str | None,
    as_json: bool,
    home: Path,
    **options: Any,
) -> None:
    """Predict the stars of one film.

    MOVIE is an id or a title: matinee predict "Quiz Show (1994)" --user 42
    """
    if (movie is None) == (named is None):
        raise click.UsageError("Give one film, as the argument MOVIE or by --movie.")
    recommender = open_recommender(home, model_id)
    film = recommender.catalogue.resolve(movie or named or "")
    person = gather(recommender, home, user, rate, ratings_file)
    prediction = recommender.predict(person.ratings, film.movie_id, **person.taste(resolved(recommender, options)))
    document = {"model_id": recommender.model_id, **asdict(prediction)}
    answer(document, lambda: predicted(prediction), as_json)


def predicted(prediction: Prediction) -> str:
    """Say in a line or two what one would give a film, and how sure that is."""
    note = "" if prediction.known else ": nobody rated it, so this is what such films get on average"
    first = f"{prediction.title}: {prediction.stars:.1f} stars, {prediction.ratings_count} ratings{note}"
    if prediction.probability_4 is None:
        return first
    half = f"{prediction.stars_low_50:.1f} to {prediction.stars_high_50:.1f} with 50 %"
    most = f"{prediction.stars_low:.1f} to {prediction.stars_high:.1f} with 90 % probability"
    return f"{first}\n{half}, {most}; 4 stars or more with {prediction.probability_4:.0%}"


@click.command()
@click.argument("movie", metavar="MOVIE")
@click.option("-n", "--limit", type=click.IntRange(1), default=10, show_default=True, help="How many films at most.")
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

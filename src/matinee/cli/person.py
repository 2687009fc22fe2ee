"""Who a list is for: a user of the data set, or somebody described by ratings."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from matinee.errors import BadRowError, DataError, ParameterError, UnknownMovieError

if TYPE_CHECKING:
    from matinee.recommend.catalogue import Catalogue
    from matinee.recommend.recommender import Recommender
    from matinee.store.ratings import RatingStore

Id: TypeAlias = int | str
Scale: TypeAlias = tuple[float, float]

model_option = click.option("--model", "model_id", metavar="ID", help="Another model than the current one.")

MOST_BYTES = 10_000_000
"""A file of one person's ratings is smaller than this; a data set given by mistake is not."""


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


def person_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--user`, `--rate` and `--ratings`; the parameters are `user`, `rate` and `ratings_file`."""
    for option in (
        click.option(
            "--ratings",
            "ratings_file",
            type=click.Path(path_type=Path),
            help="File of lines movieId,rating; - for stdin.",
        ),
        click.option("--rate", multiple=True, metavar="MOVIE=STARS", help="A rating, by id or title; repeat for more."),
        click.option("--user", metavar="ID", help="Somebody of the data set, or whose ratings are kept in HOME."),
    ):
        command = option(command)
    return command


@dataclass(frozen=True)
class Somebody:
    """Who a list is for: stars and times (seconds since 1970) by movie id, and the data set's or the home's user id."""

    ratings: dict[Id, float]
    rated_at: dict[Id, float] = field(default_factory=dict)
    user_id: str | None = None

    def taste(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Add to the options what the recommender wants to know of a person."""
        return {"user_id": self.user_id, "rated_at": self.rated_at, **options}


def gather(
    recommender: Recommender, home: Path, user: str | None, rate: tuple[str, ...], ratings_file: Path | None
) -> Somebody:
    """Return the user's ratings, then the file's, then those of the flags, the last winning; the latter are new.

    Raises
    ------
    UnknownUserError, UnknownMovieError
        If neither the data set nor the home has such a user, or the catalogue no such film.
    DataError
        If a line of the file is not ``movieId,rating``.
    ParameterError
        If nobody is described, or a rating is malformed.
    """
    if user is None and not rate and ratings_file is None:
        raise ParameterError('say who this is for: --user ID, --rate "Toy Story (1995)=4" (repeat), or --ratings FILE')
    ratings: dict[Id, float] = {}
    times: dict[Id, float] = {}
    if user is not None:
        from matinee.recommend.people import ratings_of, times_of

        with live_ratings(home) as live:
            ratings, times = ratings_of(recommender, user, live), times_of(recommender, user, live)
    new: dict[Id, float] = {}
    if ratings_file is not None:
        new |= dict(rating_lines(ratings_file, recommender.catalogue, recommender.stars.scale))
    new |= dict(parse_rate(text, recommender.catalogue, recommender.stars.scale) for text in rate)
    return Somebody(ratings | new, times | dict.fromkeys(new, time.time()), user)


@contextmanager
def live_ratings(home: Path) -> Iterator[RatingStore | None]:
    """Open the ratings that are kept for a home; None where there are none, so that asking leaves no file behind."""
    from matinee.settings import Settings

    settings = Settings.read(home=home)
    if not settings.database_url and not settings.database_file.exists():
        yield None
        return
    from matinee.store.ratings import RatingStore

    with closing(RatingStore(settings.database)) as store:
        yield store


def parse_rate(text: str, catalogue: Catalogue, scale: Scale) -> tuple[Id, float]:
    """Turn ``260=4`` or ``Toy Story (1995)=3.5`` into a movie id and stars."""
    movie, equals, stars = text.rpartition("=")
    if not equals or not movie.strip():
        raise ParameterError(f"--rate {text!r}: give MOVIE=STARS, such as 260=4 or 'Toy Story (1995)=3.5'")
    return catalogue.resolve(movie.strip()).movie_id, number_of_stars(stars, f"--rate {text!r}", scale)


def rating_lines(path: Path, catalogue: Catalogue, scale: Scale) -> Iterator[tuple[Id, float]]:
    """Read the lines ``movieId,rating`` of a file, as the tutorial's ``user_ratings.file`` has them."""
    with click.open_file(str(path), "rb") as file:
        raw = file.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        raise DataError(f"{path} is larger than {MOST_BYTES} bytes: --ratings takes one person's ratings")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not text: byte {error.start + 1} is not UTF-8") from error
    if not text.strip():
        raise DataError(f"{path} is empty: give lines movieId,rating such as 260,4.5")
    yield from parse_lines(text, str(path), catalogue, scale)


def parse_lines(text: str, source: str, catalogue: Catalogue, scale: Scale) -> Iterator[tuple[Id, float]]:
    """Yield the ratings of lines ``movieId,rating``; a bad line is named with its number."""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        movie, comma, stars = line.partition(",")
        if not comma:
            raise BadRowError(source, number, f"{line[:80]!r} is not movieId,rating such as 260,4.5")
        try:
            yield catalogue.resolve(movie.strip()).movie_id, number_of_stars(stars, repr(line[:80]), scale)
        except (UnknownMovieError, ParameterError) as error:
            raise BadRowError(source, number, str(error)) from error


def number_of_stars(text: str, where: str, scale: Scale) -> float:
    """Turn text into a number of stars on the scale."""
    low, high = scale
    try:
        stars = float(text)
    except ValueError:
        stars = math.nan
    if not low <= stars <= high:
        raise ParameterError(f"{where}: {text.strip()!r} is not a number of stars; {low:g} to {high:g} is allowed")
    return stars

"""`matinee demo`: everything at once, in a folder of its own."""

from __future__ import annotations

import json
import sys
import textwrap
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import click

from matinee.cli.common import home_option, say, steps_shown
from matinee.cli.person import open_recommender, parse_lines
from matinee.cli.recommend import listed
from matinee.errors import ArtifactError, MatineeError, ParameterError, UnknownIdError

if TYPE_CHECKING:
    from matinee.recommend.recommender import Recommender

PORT = 8000
TUTORIAL_RATINGS = "260,4\n1,3\n16,3\n25,4\n32,4\n335,1\n379,1\n296,3\n858,5\n50,4\n"
"""The new user of the Spark tutorial and their ten ratings: lines movieId,rating."""


@click.command()
@click.option("--serve/--no-serve", "serving", default=True, help="Serve after the list, or only print it.")
@click.option("--port", type=int, help=f"Port to serve on; by default {PORT}, or a free one where that is taken.")
@home_option
def demo(serving: bool, port: int | None, home: Path) -> None:
    """Train on the bundled sample, show a list, serve it.

    Everything stays in HOME/demo, apart from your own models. Without a terminal on standard input it asks itself the
    tutorial's three routes, prints what they answered and ends.
    """
    folder = home / "demo"
    recommender = opened_or_trained(folder)
    ratings = dict(parse_lines(TUTORIAL_RATINGS, "the demo's ratings", recommender.catalogue, recommender.stars.scale))
    rated = "; ".join(f"{recommender.catalogue.movie(movie_id).name} {stars:g}" for movie_id, stars in ratings.items())
    click.echo(textwrap.fill(f"Somebody new rates ten films: {rated}.", 100))
    click.echo("\nTen films for them:\n")
    click.echo(listed(recommender.recommend(ratings, limit=10)))
    if not serving:
        return
    try:
        serve(folder, PORT if port is None else port)
    except ParameterError as taken:
        if port is not None:
            raise
        say(f"{taken}; taking a free port")
        serve(folder, 0)


def opened_or_trained(folder: Path) -> Recommender:
    """Open the demo's model; train it where there is none, or none that this version can read."""
    try:
        return open_recommender(folder)
    except (UnknownIdError, ArtifactError):
        import matinee
        from matinee import training
        from matinee.registry import Registry

        say("training on the bundled sample, once (the first time also compiles the kernels) ...")
        with steps_shown() as report:
            registry, picks = Registry(folder / "models"), matinee.ImplicitALS()
            training.train(matinee.load("sample"), registry, picks=picks, test=0, report=report)
        return open_recommender(folder)


def serve(folder: Path, port: int) -> None:
    """Serve until stopped, or until the routes have answered where nobody sits at the terminal.

    Raises
    ------
    ParameterError
        If the port is taken.
    MatineeError
        If a route did not answer as it should.
    """
    from matinee.settings import Settings
    from matinee.web import server

    attended = sys.stdin.isatty()
    failures: list[Exception] = []

    def ready(url: str) -> bool:
        click.echo(f"\nServing at {url}" + (" until Ctrl-C" if attended else ""))
        if not attended:
            try:
                ask_itself(url)
            except (OSError, ValueError) as error:
                failures.append(error)
        return attended

    settings = Settings.read(home=folder, database_url="", port=port, workers=1, log_level="warning")
    server.serve(settings, on_ready=ready)
    if failures:
        raise MatineeError(f"the demo's own questions failed: {failures[0]}")


def ask_itself(url: str) -> None:
    """Ask the tutorial's three routes and print what they answer."""
    click.echo("\nThe tutorial's three routes, asked over HTTP:")
    ask(f"{url}/0/ratings", TUTORIAL_RATINGS)
    ask(f"{url}/0/ratings/top/5")
    ask(f"{url}/0/ratings/500")


def ask(url: str, body: str | None = None) -> None:
    """Send a request (POST with a body) and print the answer, one row a line."""
    with urllib.request.urlopen(url, body.encode() if body else None, timeout=30) as response:
        rows = json.load(response)
    click.echo(f"\n{'POST' if body else 'GET'} {url}")
    for row in rows:
        click.echo(f"  {json.dumps(row, ensure_ascii=False)}")

"""`matinee import` and `matinee export`: a person's own ratings, from other services and back."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from matinee.cli.common import answer, columns, home_option, json_option, say
from matinee.cli.person import live_ratings, open_recommender
from matinee.errors import DataError, ParameterError

if TYPE_CHECKING:
    import polars as pl

    from matinee.data.personal import MatchReport


@click.command("import")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--user", required=True, metavar="NAME", help="Whose ratings they are: 1 to 64 characters.")
@click.option("--data", metavar="DATA", help="Match to the films of this data set instead of the current model's.")
@click.option("--dry-run", is_flag=True, help="Say what would be stored and store nothing.")
@json_option
@home_option
def import_(file: Path, user: str, data: str | None, dry_run: bool, as_json: bool, home: Path) -> None:
    """Take over your ratings from Letterboxd, IMDb and others.

    FILE is what Letterboxd, IMDb, TMDb, Trakt or movielens.org exports (csv, JSON or the whole zip) or `matinee export`
    wrote; - for stdin. Lines that are not clearly one film are named with the reason and left out. Importing again
    replaces.
    """
    from matinee.data.personal import TitleIndex, read_history
    from matinee.data.personal.report import described
    from matinee.store.ratings import check_user_id

    check_user_id(user)
    history = read_history(content_of(file), file.name)
    report = TitleIndex(movies_of(data, home)).match(history)
    saved = 0 if dry_run else keep(report, user, home)
    document = described(report) | {"user_id": user, "dry_run": dry_run, "saved": saved}
    answer(document, lambda: told(document), as_json)


def content_of(file: Path) -> bytes:
    """Read an export file, unless it is larger than any history."""
    from matinee.data.personal.formats import MAX_BYTES

    with click.open_file(str(file), "rb") as opened:
        content: bytes = opened.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise DataError(f"{file} has more than {MAX_BYTES} bytes: no history is that large; give the service's export")
    return content


def movies_of(data: str | None, home: Path) -> pl.DataFrame:
    """Return the films that a history is matched to."""
    if data is not None:
        import matinee

        return matinee.load(data, home=home).movies
    from matinee.registry import Registry

    return Registry(home / "models").read().movies


def keep(report: MatchReport, user: str, home: Path) -> int:
    """Store the matched ratings in one transaction; return how many are current now.

    Dates before 1970 or in the future cannot be when a film was rated: such a rating counts as given now, as one
    without a date does. A film rated since the file was written keeps its newer rating.
    """
    from matinee.settings import Settings
    from matinee.store.ratings import RatingStore

    stars, dates = report.to_keep(datetime.now(UTC))
    if not stars:
        return 0
    with closing(RatingStore(Settings.read(home=home).database)) as store:
        return store.add_many(user, stars, dates)


def told(document: dict[str, Any]) -> str:
    """Lay the report of an import out as text."""
    counts = ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in document["counts"].items())
    lines = [f"{document['source']}, {document['lines']} lines: {counts}"]
    if document["not_matched"]:
        rows = [shown(line) for line in document["not_matched"]]
        lines += ["", columns(rows, ("file", "line", "film", "", "why", "perhaps")), ""]
    found, saved = document["ratings"], document["saved"]
    if document["dry_run"]:
        lines.append(f"dry run: {found} ratings would be stored for {document['user_id']}, nothing was")
    else:
        newer = f"; {found - saved} films have a newer one already" if found > saved else ""
        lines.append(f"{saved} ratings stored for {document['user_id']}{newer}")
    return "\n".join(lines)


def shown(line: dict[str, Any]) -> tuple[Any, ...]:
    """Return a line that did not match as a row of the table."""
    film = line["title"] if line["year"] is None else f"{line['title']} ({line['year']})"
    perhaps = "; ".join(f"{film['title']} [{film['movie_id']}]" for film in line["candidates"])
    texts = (line["file"], film, line["status"].replace("_", " "), line["why"], perhaps)
    file, film, status, why, perhaps = (harmless(text) for text in texts)
    return file, line["line"], film, status, why, perhaps


def harmless(text: str) -> str:
    """Leave out what would move a terminal's cursor: files of strangers may hold anything."""
    return "".join(char for char in " ".join(text.split()) if char.isprintable())


@click.command()
@click.option("--user", required=True, metavar="NAME", help="Whose ratings.")
@click.option(
    "--format",
    "format_name",
    type=click.Choice(["csv", "json", "letterboxd"]),
    required=True,
    help="csv and json come back with `matinee import` as they were; letterboxd is what Letterboxd imports.",
)
@click.option("--out", type=click.Path(path_type=Path), help="File to write; standard output if not given.")
@home_option
def export(user: str, format_name: str, out: Path | None, home: Path) -> None:
    """Write a person's ratings for keeping, or for Letterboxd.

    Those kept in HOME come first, newest first, then the data set's. A rating of a film that the current model does not
    know keeps its id; Letterboxd has no use for one, so that it is left out there.
    """
    from matinee.data.personal.export import export as written
    from matinee.recommend.people import rated_movies

    with live_ratings(home) as live:
        rated = rated_movies(open_recommender(home), user, live)
    if format_name == "letterboxd":
        nameless = sum(not rating.name for rating in rated)
        rated = [rating for rating in rated if rating.name]
        if nameless:
            say(f"{nameless} ratings were left out: the current model does not know their films")
    text = written(rated, format_name)
    if out is None:
        click.echo(text, nl=False)
        return
    write_whole(out, text)
    say(f"{len(rated)} ratings written to {out}")


def write_whole(path: Path, text: str) -> None:
    """Write a file so that the old one is there until the new one is complete."""
    if path.is_dir():
        raise ParameterError(f"--out {path} is a folder: give the name of a file")
    fresh = path.with_name(f".{path.name}.tmp")
    try:
        fresh.write_text(text, "utf-8", newline="\n")
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)

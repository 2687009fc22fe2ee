"""What every command shares: options, where output goes, progress."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from matinee.data.dataset import Dataset
    from matinee.training import Step

READING = {
    "user_column": click.option("--user-column", metavar="NAME", help="Column of users, if DATA is a table."),
    "item_column": click.option("--item-column", metavar="NAME", help="Column of films, if DATA is a table."),
    "rating_column": click.option("--rating-column", metavar="NAME", help="Column of ratings, if DATA is a table."),
    "time_column": click.option("--time-column", metavar="NAME", help="Column of times, if DATA is a table."),
    "scale": click.option(
        "--scale", type=(float, float), default=(0.5, 5.0), show_default=True, help="Lowest and highest rating allowed."
    ),
    "string_ids": click.option("--string-ids", is_flag=True, help="Take ids as text even if they look like numbers."),
    "skip_bad_rows": click.option("--skip-bad-rows", is_flag=True, help="Leave malformed rows out and count them."),
}
"""Parameters of `matinee.load` that are flags."""


def reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags that say how to read DATA; the command gets them as `reading`, a dictionary."""

    @wraps(command)
    def gathered(*args: Any, **options: Any) -> Any:
        reading = {name: options.pop(name) for name in READING}
        return command(*args, reading=reading, **options)

    for option in reversed(READING.values()):
        gathered = option(gathered)
    return gathered


def data_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add DATA and the flags that say how to read it.

    The command gets `data`, a string, and `reading`: ``matinee.load(data, **reading)``.
    """
    return click.argument("data", metavar="DATA")(reading_options(command))


def loaded(data: str, home: Path, reading: dict[str, Any]) -> Dataset:
    """Load DATA; remark on what is not as one would think: an altered release, rows left out, pairs rated twice."""
    import matinee

    dataset = matinee.load(data, home=home, **reading)
    if dataset.original is False:
        say(f"matinee: {data} calls itself {dataset.name} but is altered: its checksum or counts are not the release's")
    if dataset.skipped_rows:
        say(f"matinee: {dataset.skipped_rows} malformed rows of {data} were left out")
    if dataset.ratings.duplicates:
        say(f"matinee: {dataset.ratings.duplicates} older ratings of films rated twice were left out")
    return dataset


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on standard output.")
"""The parameter is called `as_json`."""

SEED = click.IntRange(min=0)
"""Type of seeds."""


def _home(ctx: click.Context, param: click.Parameter, value: Path | None) -> Path:
    from matinee.settings import Settings

    return Settings.read(home=value).home


home_option = click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    callback=_home,
    help="Folder of data/, models/ and matinee.db (MATINEE_HOME; default: your user data folder).",
)
"""The parameter is called `home`: an absolute `Path` that may not exist yet."""


def answer(document: Any, text: str | Callable[[], str], as_json: bool) -> None:
    """Print an answer: the document as JSON if asked, else the text (or what the function returns)."""
    if not as_json:
        click.echo(text if isinstance(text, str) else text())
        return
    import orjson

    options = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
    click.echo(orjson.dumps(document, option=options, default=str).decode())


def say(message: str) -> None:
    """Print a remark on standard error."""
    click.echo(message, err=True)


def columns(rows: Sequence[Sequence[Any]], headers: Sequence[str]) -> str:
    """Lay a table out as text: numbers to the right, words to the left, nothing ever cut off; None shows as a dash."""
    cells = [["-" if value is None else str(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headers, *cells, strict=True)]
    right = [bool(rows) and all(_is_number(row[i]) for row in cells) for i in range(len(headers))]

    def line(texts: Sequence[str]) -> str:
        placed = (t.rjust(w) if r else t.ljust(w) for t, w, r in zip(texts, widths, right, strict=True))
        return "  ".join(placed).rstrip()

    return "\n".join(line(texts) for texts in [headers, *cells])


def _is_number(text: str) -> bool:
    return text == "-" or text.lstrip("+-").replace(".", "", 1).replace(",", "").rstrip("%").isdigit()


@contextmanager
def steps_shown() -> Iterator[Callable[[Step], None] | None]:
    """Show bars on standard error while models are trained, one per stage; nothing where that is no terminal.

    Yields
    ------
    Callable or None
        To be called with every `matinee.training.Step`.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    parts = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[note]}"))
    with Progress(*parts, console=Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}

        def show(step: Step) -> None:
            if step.stage not in tasks:
                tasks[step.stage] = bars.add_task(step.stage, total=step.iterations, note="")
            bars.update(tasks[step.stage], completed=step.iteration, note=step.note)

        yield show

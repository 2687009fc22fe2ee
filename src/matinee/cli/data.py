"""`matinee data`: which data sets there are, fetching one, and what is in it."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from matinee.cli.common import answer, columns, data_argument, home_option, json_option


@click.group()
def data() -> None:
    """List, fetch and inspect data sets."""


@data.command("list")
@json_option
@home_option
def list_releases(as_json: bool, home: Path) -> None:
    """List the MovieLens releases and which of them are on this machine."""
    from matinee.data.releases import LICENCE, RELEASES

    found = [
        asdict(release) | {"url": release.url, "here": is_here(home, release.name)} for release in RELEASES.values()
    ]
    headers = ("", "ratings", "users", "movies", "MB", "here")
    rows = [
        (r["name"], f"{r['ratings']:,}", r["users"], r["movies"], megabytes(r["bytes"]), "yes" if r["here"] else "")
        for r in found
    ]
    text = f"{columns(rows, headers)}\n\n`sample` ships with matinee. {LICENCE}."
    answer({"releases": found, "licence": LICENCE}, text, as_json)


def is_here(home: Path, name: str) -> bool:
    """Say whether a release's zip or folder lies in the home's data folder."""
    return any((home / "data" / file).exists() for file in (f"{name}.zip", name))


def megabytes(size: int | None) -> str | None:
    """Return a size as the list shows it."""
    return None if size is None else f"{size / 1e6:.0f}"


@data.command()
@click.argument("release", metavar="RELEASE")
@json_option
@home_option
def fetch(release: str, as_json: bool, home: Path) -> None:
    """Download a release into HOME/data, checksum included; nothing happens if it is there already."""
    from matinee.data import fetch as fetching

    with Bar(release) as bar:
        path = fetching.fetch(release, home / "data", progressbar=bar if sys.stderr.isatty() else False)
    answer({"release": release, "path": path}, f"{release} is at {path}", as_json)


class Bar:
    """A progress bar on standard error, as pooch wants one."""

    def __init__(self, label: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

        parts = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        self._bars = Progress(*parts, console=Console(stderr=True), disable=not sys.stderr.isatty())
        self._task = self._bars.add_task(label, total=None)
        self.total = 0

    def __enter__(self) -> Bar:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def update(self, size: int) -> None:
        """Count bytes that arrived."""
        self._bars.update(self._task, total=self.total or None, advance=size)

    def reset(self) -> None:
        """Begin again, as pooch does before it counts the whole file at once."""
        self._bars.reset(self._task)

    def close(self) -> None:
        """Do nothing: leaving the context stops the bar."""


@data.command()
@data_argument
@json_option
@home_option
def show(data: str, reading: dict[str, Any], as_json: bool, home: Path) -> None:
    """Say what a data set holds and whether it is the original release."""
    import matinee

    summary = matinee.load(data, home=home, **reading).summary
    answer(summary, lambda: described(summary), as_json)


def described(summary: dict[str, Any]) -> str:
    """Write the summary, one line a fact."""
    original = {True: "yes, by its checksum", False: "NO: altered", None: "nothing to compare with"}
    words = summary | {"original": original[summary["original"]]}
    return columns([(name.replace("_", " "), value) for name, value in words.items()], ("", "")).lstrip("\n")

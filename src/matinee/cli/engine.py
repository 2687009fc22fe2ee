"""Flags that choose where the work is done, and the work on Spark behind `matinee train`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from matinee.cli.common import loaded, say

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import polars as pl

    from matinee.engines.spark.frames import SparkRatings

OPTIONS = (
    click.option(
        "--engine", type=click.Choice(["local", "spark", "auto"]), default="local", show_default=True,
        help="Where to work: in this process, on Spark, or by the memory that it would take.",
    ),
    click.option("--master", metavar="URL", help="Spark's master: spark://HOST:7077, yarn, ... (default: local[*])."),
    click.option("--conf", multiple=True, metavar="K=V", help="A setting of Spark's; repeat."),
)  # fmt: skip
BYTES_PER_RATING = {"csv": 2, "parquet": 12, "zip": 8}
"""Memory that training takes at its peak, about, for every byte of a file of that kind."""


def engine_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --engine, --master and --conf."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


class Cluster(NamedTuple):
    """Where Spark is: what --master and --conf said."""

    master: str | None
    conf: tuple[str, ...]

    def session(self) -> AbstractContextManager[Any]:
        """Open a session."""
        from matinee.engines.spark.session import parse_conf, spark_session

        return spark_session(self.master, parse_conf(self.conf))


def chosen_cluster(engine: str, data: str, master: str | None, conf: tuple[str, ...]) -> Cluster | None:
    """Return where Spark is, or None for this process; say why if that was left to us.

    Raises
    ------
    click.UsageError
        If flags of Spark's come without it.
    """
    if engine == "local" and (master or conf):
        raise click.UsageError("--master and --conf are for --engine spark")
    if engine == "auto":
        from matinee.models.parallel import free_bytes

        engine, why = by_memory(data, free_bytes())
        say(f"engine {engine}: {why}")
    return Cluster(master, conf) if engine == "spark" else None


def by_memory(data: str, free: int) -> tuple[str, str]:
    """Choose by what the file would take in memory, and say it in words."""
    if "://" in data:
        return "spark", f"{data} is not a file of this machine"
    path = Path(data)
    if not path.is_file():
        return "local", f"{data} is no single file whose size would tell"
    kind = next((name for name in BYTES_PER_RATING if name in path.name.lower()), "csv")
    needed = path.stat().st_size * BYTES_PER_RATING[kind]
    sizes = f"training takes about {needed / 1e9:.1f} GB of the {free / 1e9:.1f} GB that are free"
    return ("spark" if needed > free else "local"), sizes


@contextmanager
def on_spark(
    data: str, home: Path, reading: dict[str, Any], cluster: Cluster
) -> Iterator[tuple[SparkRatings, pl.DataFrame | None, str]]:
    """Open a session and read DATA: ratings on the cluster, the catalogue if DATA has one, and DATA's name."""
    from matinee.data.columns import ColumnNames

    with cluster.session() as session:
        from matinee.engines.spark.frames import from_ratings, is_table, read_ratings

        if not is_table(data):
            dataset = loaded(data, home, reading)
            yield from_ratings(session, dataset.ratings), dataset.movies, dataset.label
            return
        names = ColumnNames(**{name: reading[f"{name}_column"] for name in ("user", "item", "rating", "time")})
        kept = {name: reading[name] for name in ("scale", "string_ids", "skip_bad_rows")}
        ratings = read_ratings(session, data, names, **kept)
        if ratings.skipped or ratings.duplicates:
            say(f"matinee: left out: {ratings.skipped} malformed rows, {ratings.duplicates} older ratings of a pair")
        yield ratings, None, data

"""`load`: from a release, a zip, a folder or a file of ratings to a Dataset."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from matinee.data import movies as tables
from matinee.data.columns import MOVIELENS, ColumnNames
from matinee.data.dataset import Dataset
from matinee.data.parquet import read_parquet
from matinee.data.ratings import STAR_SCALE, Ratings, check_scale
from matinee.data.releases import RELEASES, Release, claimed
from matinee.data.rows import Layout
from matinee.data.sources import Folder, Source, Zip
from matinee.data.tables import RatingColumns, read_ratings_csv, read_rows, read_table
from matinee.errors import DataError

if TYPE_CHECKING:
    import polars as pl

SAMPLE = Path(__file__).with_name("sample")
TABLE_SUFFIXES = (".csv", ".tsv", ".txt", ".inter", ".gz")


@dataclass(frozen=True, kw_only=True)
class _How:
    names: ColumnNames
    scale: tuple[float, float]
    skip_bad_rows: bool
    string_ids: bool


def load(
    source: str | Path,
    *,
    user_column: str | None = None,
    item_column: str | None = None,
    rating_column: str | None = None,
    time_column: str | None = None,
    scale: tuple[float, float] = STAR_SCALE,
    skip_bad_rows: bool = False,
    string_ids: bool = False,
    home: str | Path | None = None,
) -> Dataset:
    """Read a data set.

    Zips are read in place, member by member. Memory: about 20 bytes a rating while reading and 4 more for what comes
    out, blocks of a fixed size, and the tables of movies, links and tags, each refused beyond 1 GiB.

    Parameters
    ----------
    source
        ``"sample"``; a MovieLens zip or folder; a CSV (plain or gz) or Parquet file of ratings; or the name of a
        release (``"ml-32m"``) that lies in ``home/data``.
    user_column, item_column, rating_column, time_column
        Names of the columns in a file with a header; None to find them by their usual names. The time is optional.
    scale
        Lowest and highest rating allowed.
    skip_bad_rows
        Leave malformed rating rows out and count them, instead of stopping at the first.
    string_ids
        Take ids as strings even if they look like integers.
    home
        matinee's folder; None for the one of the settings.

    Raises
    ------
    BadRowError
        If a row is malformed: it names the file and the line.
    DataError
        If there is no such source, or it is damaged, empty, or lacks a file or a column.
    """
    check_scale(scale)
    names = ColumnNames(user=user_column, item=item_column, rating=rating_column, time=time_column)
    how = _How(names=names, scale=scale, skip_bad_rows=skip_bad_rows, string_ids=string_ids)
    if str(source) == "sample":
        return replace(_from_source(Folder(SAMPLE), how), name="sample", original=None)
    path = _located(source, home)
    if path.is_dir():
        return _identified(_from_source(Folder(path), how), Folder(path))
    if _is_zip(path):
        return _identified(_from_source(Zip(path), how), Zip(path))
    return _from_file(path, how)


def _located(source: str | Path, home: str | Path | None) -> Path:
    path = Path(source).expanduser()
    if path.exists():
        return path
    if str(source) not in RELEASES:
        raise DataError(
            f"there is no file or folder {str(source)!r}; give a path, `sample`, or one of {', '.join(RELEASES)}"
        )
    if home is None:
        from matinee.settings import Settings

        home = Settings.read().home
    for path in (Path(home) / "data" / f"{source}.zip", Path(home) / "data" / str(source)):
        if path.exists():
            return path
    raise DataError(f"{source} is not on this machine yet: run `matinee data fetch {source}`")


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return path.suffix.lower() == ".zip" or file.read(4) == b"PK\x03\x04"


def _from_file(path: Path, how: _How) -> Dataset:
    if path.suffix.lower() == ".parquet":
        columns = read_parquet(path, how.names, scale=how.scale, skip_bad_rows=how.skip_bad_rows)
    elif path.suffix.lower() in TABLE_SUFFIXES:
        columns = read_ratings_csv(path, **vars(how))
    else:
        raise DataError(f"{path} is none of: a folder, .zip, .parquet, {', '.join(TABLE_SUFFIXES)}")
    return _dataset(path.name, columns, how.scale)


def _dataset(
    name: str,
    columns: RatingColumns,
    scale: tuple[float, float],
    movies: list[tables.Movie] | None = None,
    links: tables.Links | None = None,
    tags: pl.DataFrame | None = None,
) -> Dataset:
    ratings: Ratings = columns.to_ratings(scale)
    frame = tables.movies_frame(movies or [], links or {}, ratings)
    return Dataset(name, frame, ratings, tags, skipped_rows=columns.skipped)


def _from_source(source: Source, how: _How) -> Dataset:
    for name, read in _DIALECTS.items():
        member = source.find(name)
        if member is not None:
            return read(source, member, how)
    raise DataError(
        f"{source.path} has no file of ratings; one of {', '.join(_DIALECTS)} is needed, it has "
        + (", ".join(source.members[:8]) or "no files at all")
    )


def _beside(source: Source, member: str, name: str) -> str | None:
    """Return the file of that name in the folder of `member`."""
    wanted = member[: member.rfind("/") + 1] + name
    return wanted if wanted in source.members else None


def _table(source: Source, member: str, name: str) -> tuple[bytes, str] | None:
    """Read the file of that name beside `member`: what it holds, and what messages call it."""
    file = _beside(source, member, name)
    return None if file is None else (source.read(file), source.label(file))


def _csv_release(source: Source, member: str, how: _How) -> Dataset:
    movies, links, tags = None, None, None
    if table := _table(source, member, "movies.csv"):
        movies = tables.read_movies(tables.csv_lines(*table, ["movieId", "title", "genres"]), table[1])
    if table := _table(source, member, "links.csv"):
        links = tables.read_links(tables.csv_lines(*table, ["movieId", "imdbId", "tmdbId"]), table[1])
    if table := _table(source, member, "tags.csv"):
        tags = tables.read_tags_csv(*table)
    whole = source.path / member if isinstance(source, Folder) else None
    with source.opened(member) as stream:
        columns = read_table(stream, label=source.label(member), whole=whole, **vars(how))
    return _dataset(source.path.name, columns, how.scale, movies, links, tags)


def _colon_release(source: Source, member: str, how: _How) -> Dataset:
    movies, tags = None, None
    if table := _table(source, member, "movies.dat"):
        movies = tables.read_movies(tables.split_lines(*table, tables.colon_movie, 3), table[1])
    if table := _table(source, member, "tags.dat"):
        tags = tables.read_tags(tables.split_lines(*table, tables.colon_tag, 4), table[1])
    columns = _read_headless(source, member, how, double_colon=True)
    return _dataset(source.path.name, columns, how.scale, movies, None, tags)


def _tab_release(source: Source, member: str, how: _How) -> Dataset:
    movies = None
    if table := _table(source, member, "u.item"):
        width = 5 + len(tables.GENRES_100K)
        lines = tables.split_lines(*table, lambda line: line.split("|"), width)
        movies = tables.read_flagged_movies(lines, table[1])
    return _dataset(source.path.name, _read_headless(source, member, how, double_colon=False), how.scale, movies)


def _read_headless(source: Source, member: str, how: _How, *, double_colon: bool) -> RatingColumns:
    layout = Layout(
        label=source.label(member), places=MOVIELENS, separator="\t", first_line=1, scale=how.scale,
        skip_bad_rows=how.skip_bad_rows, double_colon=double_colon,
    )  # fmt: skip
    with source.opened(member) as stream:
        return read_rows(stream, layout)


def _parquet_folder(source: Source, member: str, how: _How) -> Dataset:
    import polars as pl

    movies: list[tables.Movie] = []
    if file := _beside(source, member, "movies.parquet"):
        with source.opened(file) as stream:
            rows = pl.read_parquet(stream).select("movieId", "title", "genres").iter_rows()
        movies = [(number, title, tables.genres(bars.split("|"))) for number, title, bars in rows]
    with source.opened(member) as stream:
        columns = read_parquet(stream, how.names, label=source.label(member), scale=how.scale,
                               skip_bad_rows=how.skip_bad_rows)  # fmt: skip
    return _dataset(source.path.name, columns, how.scale, movies)


_DIALECTS = {
    "ratings.csv": _csv_release,
    "ratings.dat": _colon_release,
    "u.data": _tab_release,
    "ratings.parquet": _parquet_folder,
}


def _identified(dataset: Dataset, source: Source) -> Dataset:
    """Say which release this is, by checksum, and whether it is the original."""
    path = source.path
    known = _by_checksum(path) if path.is_file() else None
    if known is not None:
        return replace(dataset, name=known.name, original=True)
    names = [path.name, *(member.split("/")[-2] for member in source.members if "/" in member)]
    calls_itself = next(filter(None, map(claimed, names)), None)
    if calls_itself is None or calls_itself.md5 is None:
        return dataset if calls_itself is None else replace(dataset, name=calls_itself.name)
    altered = path.is_file() or _counts_differ(dataset, calls_itself)
    return replace(dataset, name=calls_itself.name, original=False if altered else None)


def _by_checksum(path: Path) -> Release | None:
    size = path.stat().st_size
    for known in RELEASES.values():
        if known.bytes == size:
            with path.open("rb") as file:
                return known if hashlib.file_digest(file, "md5").hexdigest() == known.md5 else None
    return None


def _counts_differ(dataset: Dataset, known: Release) -> bool:
    """Compare what can be compared of a folder, whose zip is not there to take a checksum of."""
    tags = 0 if dataset.tags is None else dataset.tags.height
    counts = (len(dataset.ratings), dataset.movies.height, tags)
    users = known.users is not None and len(dataset.ratings.users) != known.users
    return users or counts != (known.ratings, known.movies, known.tags)

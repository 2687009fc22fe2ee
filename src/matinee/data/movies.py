"""Tables of movies, links and tags, in every dialect of the MovieLens releases."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from matinee.data.dataset import MOVIE_COLUMNS
from matinee.data.ratings import Ratings
from matinee.errors import BadRowError, DataError

if TYPE_CHECKING:
    import polars as pl

Lines: TypeAlias = "Iterator[tuple[int, list[str]]]"  # line number and fields
Movie: TypeAlias = "tuple[int, str, list[str]]"  # id, title, genres
Links: TypeAlias = "dict[int, tuple[str | None, int | None]]"

YEAR = re.compile(r"\s*\(((?:18|19|20)\d\d)(?:\s*[-–]\s*(?:\d{4})?\s*)?\)\s*(?:\((?:V|TV|VG)\)\s*)?$")
"""``(1995)``, ``(1975-1979)``, ``(2006– )`` at the end of a title, and ml-100k's ``(1995) (V)``."""
GENRES_100K = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
    "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip
NO_GENRE = ("", "(no genres listed)", "unknown")


def decoded(data: bytes) -> str:
    """Decode UTF-8 (with or without a mark), or else Latin-1, as the oldest releases are written."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def csv_lines(data: bytes, label: str, header: Sequence[str]) -> Lines:
    """Yield the rows of a csv file whose header begins with these names."""
    reader = csv.reader(io.StringIO(decoded(data), newline=""))
    try:
        first = next(reader, [])
        if [name.strip().lower() for name in first[: len(header)]] != [name.lower() for name in header]:
            raise DataError(f"{label} has the header {','.join(first)[:200]!r}; {','.join(header)!r} is needed")
        before = reader.line_num
        for fields in reader:
            if fields and len(fields) != len(first):
                raise BadRowError(label, before + 1, f"{len(fields)} fields; {len(first)} are needed")
            if fields:
                yield before + 1, fields
            before = reader.line_num
    except csv.Error as error:
        raise BadRowError(label, reader.line_num, str(error)) from error


def split_lines(data: bytes, label: str, split: Callable[[str], list[str]], width: int) -> Lines:
    """Yield the rows of a file without a header, cut by `split`."""
    for number, line in enumerate(decoded(data).replace("\r\n", "\n").split("\n"), 1):
        if line.strip():
            fields = split(line)
            if len(fields) != width:
                raise BadRowError(label, number, f"{len(fields)} fields; {width} are needed")
            yield number, fields


def colon_movie(line: str) -> list[str]:
    """Cut ``id::title::genres``; a title may hold ``::``."""
    number, _, rest = line.partition("::")
    return [number, *rest.rsplit("::", 1)]


def colon_tag(line: str) -> list[str]:
    """Cut ``user::movie::tag::timestamp``; a tag may hold ``::``."""
    user, _, rest = line.partition("::")
    movie, _, rest = rest.partition("::")
    return [user, movie, *rest.rsplit("::", 1)]


def read_movies(lines: Lines, label: str) -> list[Movie]:
    """Read id, title and genres separated by bars."""
    return [
        (_integer(fields[0], "movie id", label, line), fields[1].strip(), genres(fields[2].split("|")))
        for line, fields in lines
    ]


def read_flagged_movies(lines: Lines, label: str) -> list[Movie]:
    """Read ml-100k's u.item: id, title, two dates, an address, and a flag for each of 19 genres."""
    return [
        (
            _integer(fields[0], "movie id", label, line),
            fields[1].strip(),
            genres([genre for genre, flag in zip(GENRES_100K, fields[5:], strict=True) if flag.strip() == "1"]),
        )
        for line, fields in lines
    ]


def genres(names: Sequence[str]) -> list[str]:
    """Leave out repeated genres and those that say there is none."""
    stripped = (name.strip() for name in names)
    return list(dict.fromkeys(name for name in stripped if name not in NO_GENRE))


def read_links(lines: Lines, label: str) -> Links:
    """Read movie id, IMDb id and TMDb id; either may be missing."""
    return {
        _integer(fields[0], "movie id", label, line): (
            fields[1].strip().removeprefix("tt").zfill(7) if fields[1].strip() else None,
            _integer(fields[2], "tmdb id", label, line) if fields[2].strip() else None,
        )
        for line, fields in lines
    }


def _integer(text: str, what: str, label: str, line: int) -> int:
    try:
        return int(text)
    except ValueError:
        raise BadRowError(label, line, f"the {what} is {text!r}; an integer is needed") from None


def read_tags(lines: Lines, label: str) -> pl.DataFrame:
    """Read user, movie, tag and timestamp into a frame."""
    import polars as pl

    users, movies, tags, times = [], [], [], []
    for line, (user, movie, tag, time) in lines:
        users.append(_integer(user, "user id", label, line))
        movies.append(_integer(movie, "movie id", label, line))
        tags.append(tag)
        times.append(_integer(time, "timestamp", label, line))
    columns = {"user_id": users, "movie_id": movies, "tag": tags, "timestamp": times}
    return pl.DataFrame(columns, schema={n: pl.String if n == "tag" else pl.Int64 for n in columns})


def read_tags_csv(data: bytes, label: str) -> pl.DataFrame:
    """Read tags.csv: at once where every row is good, else row by row to name the first that is not."""
    import polars as pl

    header = ["userId", "movieId", "tag", "timestamp"]
    if data[:200].lower().splitlines()[:1] == [",".join(header).lower().encode()]:
        schema = {"user_id": pl.Int64, "movie_id": pl.Int64, "tag": pl.String, "timestamp": pl.Int64}
        try:
            frame = pl.read_csv(data, has_header=False, skip_lines=1, schema=schema)
        except pl.exceptions.PolarsError:
            return read_tags(csv_lines(data, label, header), label)
        if not any(frame[name].null_count() for name in ("user_id", "movie_id", "timestamp")):
            return frame.with_columns(pl.col("tag").fill_null(""))
    return read_tags(csv_lines(data, label, header), label)


def name_and_year(title: str) -> tuple[str, int | None]:
    """Part a title from the year at its end; the first year of a range counts.

    >>> name_and_year("Death Note (2006–2007) ")
    ('Death Note', 2006)
    """
    found = YEAR.search(title)
    return (title[: found.start()], int(found[1])) if found and found.start() else (title, None)


def movies_frame(movies: Sequence[Movie], links: Links, ratings: Ratings) -> pl.DataFrame:
    """Make the catalogue: one row for every movie that is listed or rated, sorted by id, as `MOVIE_COLUMNS` says.

    A movie listed twice counts once, as listed first; one that is rated but not listed is called "Movie" and its id.
    """
    import polars as pl

    if movies and ratings.items.ids.dtype.kind != "i":
        raise DataError("the ids of the ratings' movies are strings, those of the table of movies integers")
    listed = {number: (title, genres) for number, title, genres in reversed(movies)}
    unlisted = [item for item in ratings.items.ids.tolist() if item not in listed]
    listed.update({item: (f"Movie {item}", []) for item in unlisted})
    ids = sorted(listed)
    parted = [name_and_year(listed[number][0]) for number in ids]
    rows = ratings.items.rows(np.array(ids))
    rated = rows >= 0
    means = np.where(rated, ratings.item_means[rows].astype(np.float64), np.nan)
    frame = pl.DataFrame(
        {
            "movie_id": ids,
            "title": [listed[number][0] for number in ids],
            "name": [name for name, _ in parted],
            "year": pl.Series([year for _, year in parted], dtype=pl.Int32),
            "genres": pl.Series(["|".join(listed[number][1]) for number in ids], dtype=pl.String),
            "imdb_id": pl.Series([links.get(number, (None, None))[0] for number in ids], dtype=pl.String),
            "tmdb_id": pl.Series([links.get(number, (None, None))[1] for number in ids], dtype=pl.Int64),
            "ratings_count": np.where(rated, ratings.item_counts[rows], 0),
            "ratings_mean": pl.Series(means).fill_nan(None),
        }
    )
    genres_listed = pl.col("genres").str.split("|").list.eval(pl.element().filter(pl.element() != ""))
    return frame.with_columns(genres_listed).select(MOVIE_COLUMNS)

"""Reading export files of other services into rows of one shape.

Formats are told apart by their header, never by the file's name (Letterboxd's watched, watchlist and likes files share
one header: there the name decides).
"""

from __future__ import annotations

import csv
import io
import json
import math
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any, Literal

from matinee.errors import DataError

Kind = Literal["rating", "watched", "watchlist", "liked"]
MAX_BYTES = 64 << 20
"""Most bytes of text that one history may unpack to; a life of film watching takes about one MiB."""
MAX_ROWS = 200_000
NOT_MOVIES = ("series", "episode", "season", "show", "game", "podcast")


@dataclass(frozen=True)
class HistoryRow:
    """One line of a history file.

    Attributes
    ----------
    file, line
        Where it stood (the header is line 1; in JSON the number of the entry).
    title, year, original_title
        As written; year None where there is none.
    stars
        0.5 to 5 in half steps (in our own export anything above 0), None for a film seen or wanted but not rated.
    rated_at
        Seconds since 1970, UTC; None where the file does not say.
    imdb_id, tmdb_id, movie_id
        Ids where the file has them; imdb without "tt", at least seven digits.
    kind
        rating, watched, watchlist or liked.
    is_movie
        False for series, episodes and games.
    problem
        Why the row cannot be used, empty if it can.
    """

    file: str
    line: int
    title: str
    year: int | None = None
    original_title: str = ""
    stars: float | None = None
    rated_at: int | None = None
    imdb_id: str | None = None
    tmdb_id: int | None = None
    movie_id: int | str | None = None
    kind: Kind = "rating"
    is_movie: bool = True
    problem: str = ""


@dataclass(frozen=True)
class History:
    """What a file held: which service wrote it, and its rows."""

    source: str
    rows: list[HistoryRow]


def read_history(content: bytes, name: str = "history.csv") -> History:
    """Read an export file, whatever service wrote it.

    Parameters
    ----------
    content
        The file: a csv, a JSON document, or a whole export zip.
    name
        Its name, for messages and to tell Letterboxd's watchlist from its watched films.

    Raises
    ------
    DataError
        If the format is none that is known, the file is damaged, or it is larger than any history.
    """
    if content[:2] == b"PK":
        return _read_zip(content, name)
    if len(content) > MAX_BYTES:
        raise DataError(f"{name} has {len(content)} bytes; {MAX_BYTES} are allowed for a history file")
    text = _decode(content, name)
    if text.lstrip()[:1] in ("{", "["):
        return _read_json(text, name)
    return _read_csv(text, name)


def _decode(content: bytes, name: str) -> str:
    if b"\0" in content[:1000] and content[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(f"{name} is not a text file; give the service's csv, JSON or zip as it was exported")
    encodings = ("utf-16",) if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1252")
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise DataError(f"{name} is neither UTF-8 nor Windows-1252 text; export it again")


def _read_zip(content: bytes, name: str) -> History:
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        members = [info for info in archive.infolist() if _is_history(info.filename)]
        if sum(info.file_size for info in members) > MAX_BYTES:
            raise DataError(f"{name} unpacks to more than {MAX_BYTES} bytes; a history export is far smaller")
        parts = []
        for info in members:
            with archive.open(info) as member:
                text = member.read(MAX_BYTES + 1)
            if text.strip():
                parts.append(read_history(text[:MAX_BYTES], info.filename))
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, RuntimeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{name} is not a zip that can be read ({error}); export it again") from error
    if not parts:
        raise DataError(f"{name} holds no ratings.csv, diary.csv, watched.csv, watchlist.csv or ratings-movies.json")
    return History(parts[0].source, _newest([row for part in parts for row in part.rows]))


def _is_history(member: str) -> bool:
    path = PurePosixPath(member)
    if "deleted" in path.parts or "orphaned" in path.parts:
        return False
    wanted = ("ratings.csv", "diary.csv", "watched.csv", "watchlist.csv", "ratings-movies.json", "movies_ratings.json")
    return path.name in wanted or str(path).endswith("likes/films.csv")


def _newest(rows: list[HistoryRow]) -> list[HistoryRow]:
    """Of a film that stands in several files keep its current rating, then whatever else says that it was seen."""
    order = {"ratings.csv": 0, "ratings-movies.json": 0, "diary.csv": 1, "watched.csv": 2, "films.csv": 3}
    best: dict[tuple[object, ...], tuple[tuple[int, int, int], HistoryRow]] = {}
    for row in rows:
        film = (row.kind == "watchlist", row.title, row.year, row.imdb_id, row.tmdb_id)
        place = order.get(PurePosixPath(row.file).name, 4)
        preference = (row.stars is None, place, -(row.rated_at or 0))
        if film not in best or preference < best[film][0]:
            best[film] = (preference, row)
    return [row for _, row in best.values()]


def _read_csv(text: str, name: str) -> History:
    try:
        lines = csv.reader(io.StringIO(text, newline=""), strict=True)
        header = [column.strip() for column in next(lines, [])]
        source, parse = _detect(header, name)
        rows: list[HistoryRow] = []
        for fields in lines:
            if not any(field.strip() for field in fields):
                continue
            if len(rows) == MAX_ROWS:
                raise DataError(f"{name} has more than {MAX_ROWS} rows; split it")
            cells = {column: value.strip() for column, value in zip(header, fields, strict=False)}
            rows.append(_row(parse, cells, name, lines.line_num, complete=len(fields) == len(header)))
    except csv.Error as error:
        raise DataError(f"{name}, line {lines.line_num}: not a well-formed csv ({error}); export it again") from error
    return History(source, rows)


def _row(parse: Parser, cells: Mapping[str, str], file: str, line: int, *, complete: bool) -> HistoryRow:
    if not complete:
        return HistoryRow(
            file, line, cells.get("Name", cells.get("title", "")), problem="has not as many fields as the header"
        )
    try:
        row = replace(parse(cells), file=file, line=line)
    except ValueError as error:
        title = cells.get("Name") or cells.get("Title") or cells.get("title") or ""
        return HistoryRow(file, line, title, problem=str(error))
    if not row.title and row.imdb_id is None and row.tmdb_id is None and row.movie_id is None:
        return replace(row, problem="has neither a title nor an id")
    return row


Parser = Callable[[Mapping[str, str]], HistoryRow]


def _letterboxd(kind: Kind) -> Parser:
    def parse(cells: Mapping[str, str]) -> HistoryRow:
        stars = _stars(cells["Rating"], 5) if cells.get("Rating") else None
        seen_as: Kind = kind if kind != "rating" or stars is not None else "watched"
        day = cells.get("Watched Date") or cells.get("Date", "")
        return HistoryRow("", 0, cells["Name"], _year(cells["Year"]), stars=stars, rated_at=_time(day), kind=seen_as)

    return parse


def _imdb(cells: Mapping[str, str]) -> HistoryRow:
    stars = _stars(cells["Your Rating"], 10) if cells["Your Rating"] else None
    return HistoryRow(
        "", 0, cells["Title"], _year(cells.get("Year", "")), cells.get("Original Title", ""), stars,
        _time(cells.get("Date Rated", "")), _imdb_id(cells["Const"]), kind="watched" if stars is None else "rating",
        is_movie=_is_movie(cells.get("Title Type", "movie")),
    )  # fmt: skip


def _tmdb(cells: Mapping[str, str]) -> HistoryRow:
    return HistoryRow(
        "", 0, cells["Name"], _year(cells["Release Date"][:4]), "", _stars(cells["Your Rating"], 10),
        _time(cells.get("Date Rated", "")), _imdb_id(cells["IMDb ID"]), _number(cells["TMDb ID"]),
        is_movie=_is_movie(cells["Type"]),
    )  # fmt: skip


def _trakt(cells: Mapping[str, str]) -> HistoryRow:
    return HistoryRow(
        "", 0, cells["title"], _year(cells["year"]), "", _stars(cells["rating"], 10), _time(cells["rated_at"]),
        _imdb_id(cells["imdb_id"]), _number(cells["tmdb_id"]), is_movie=_is_movie(cells["type"]),
    )  # fmt: skip


def _movielens(cells: Mapping[str, str]) -> HistoryRow:
    title, year = _title_and_year(cells["title"])
    return HistoryRow(
        "", 0, title, year, "", _stars(cells["rating"], 5), None, _imdb_id(cells["imdb_id"]),
        _number(cells["tmdb_id"]), _movie_id(cells["movie_id"]),
    )  # fmt: skip


def _own(cells: Mapping[str, str]) -> HistoryRow:
    title, year = _title_and_year(cells["title"])
    return HistoryRow(
        "", 0, title, year, "", _stars(cells["stars"], 5, exact=True), _time(cells["rated_at"]),
        _imdb_id(cells["imdb_id"]), _number(cells["tmdb_id"]), _movie_id(cells["movie_id"]),
    )  # fmt: skip


FORMATS: dict[str, tuple[frozenset[str], Parser]] = {
    "matinee": (frozenset(("movie_id", "imdb_id", "tmdb_id", "title", "stars", "rated_at")), _own),
    "movielens": (frozenset(("movie_id", "imdb_id", "tmdb_id", "rating", "average_rating", "title")), _movielens),
    "trakt": (frozenset(("rated_at", "type", "title", "year", "imdb_id", "tmdb_id", "rating")), _trakt),
    "tmdb": (frozenset(("TMDb ID", "IMDb ID", "Type", "Name", "Release Date", "Your Rating")), _tmdb),
    "imdb": (frozenset(("Const", "Your Rating", "Title")), _imdb),
    "letterboxd": (frozenset(("Date", "Name", "Year", "Letterboxd URI", "Rating")), _letterboxd("rating")),
}


def _detect(header: list[str], name: str) -> tuple[str, Parser]:
    columns = set(header)
    for source, (needed, parse) in FORMATS.items():
        if needed <= columns:
            return source, parse
    if {"Date", "Name", "Year", "Letterboxd URI"} <= columns:
        file = PurePosixPath(name).name.lower()
        kind: Kind = "watchlist" if "watchlist" in file else "liked" if "films" in file else "watched"
        return "letterboxd", _letterboxd(kind)
    known = ", ".join(FORMATS)
    raise DataError(f"{name} has the columns {', '.join(header)[:200]!r}, which no known export has; {known} are read")


def _read_json(text: str, name: str) -> History:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name} is not well-formed JSON ({error}); export it again") from error
    if isinstance(document, dict) and isinstance(document.get("ratings"), list):
        return History("matinee", list(_json_rows(document["ratings"], name, _own_entry)))
    if isinstance(document, list):
        return History("trakt", list(_json_rows(document, name, _trakt_entry)))
    raise DataError(f"{name} is JSON, but neither Trakt's ratings-movies.json nor matinee's own export")


def _json_rows(
    entries: list[Any], name: str, cells_of: Callable[[Any], tuple[Parser, dict[str, str]]]
) -> Iterable[HistoryRow]:
    if len(entries) > MAX_ROWS:
        raise DataError(f"{name} has more than {MAX_ROWS} entries; split it")
    for number, entry in enumerate(entries, 1):
        try:
            parse, cells = cells_of(entry)
        except (KeyError, TypeError, AttributeError):
            yield HistoryRow(name, number, "", problem="is not a rating of a film as this service exports it")
            continue
        yield _row(parse, cells, name, number, complete=True)


def _text(value: object) -> str:
    return "" if value is None or isinstance(value, dict | list) else str(value)


def _own_entry(entry: Any) -> tuple[Parser, dict[str, str]]:
    return _own, {column: _text(entry.get(column)) for column in FORMATS["matinee"][0]}


def _trakt_entry(entry: Any) -> tuple[Parser, dict[str, str]]:
    kind = _text(entry.get("type", "movie"))
    film = entry[kind if kind in entry else "movie"]
    cells = {"rated_at": _text(entry.get("rated_at")), "type": kind, "rating": _text(entry["rating"])}
    cells |= {"title": _text(film["title"]), "year": _text(film.get("year"))}
    ids = film.get("ids", {})
    return _trakt, cells | {"imdb_id": _text(ids.get("imdb")), "tmdb_id": _text(ids.get("tmdb"))}


def _stars(text: str, highest: int, *, exact: bool = False) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= highest:
        raise ValueError(f"has the rating {text!r}; a number above 0 up to {highest} is allowed")
    return value if exact else max(0.5, math.floor(value * 10 / highest + 0.5) / 2)


def _year(text: str) -> int | None:
    return int(text) if len(text) == 4 and text.isascii() and text.isdigit() else None


def _time(text: str) -> int | None:
    if text.isascii() and text.isdigit() and len(text) >= 9:
        return min(int(text), 2**40)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _imdb_id(text: str) -> str | None:
    digits = text.removeprefix("tt")
    return digits.lstrip("0").zfill(7) if digits.isascii() and digits.isdigit() and len(digits) < 12 else None


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None


def _movie_id(text: str) -> int | str | None:
    number = _number(text)
    return number if number is not None and str(number) == text else text or None


def _is_movie(kind: str) -> bool:
    folded = kind.casefold().replace(" ", "").replace("_", "")
    return (
        not any(word in folded for word in ("series", "episode", "season", "show", "game", "podcast"))
        and folded != "tv"
    )


def _title_and_year(text: str) -> tuple[str, int | None]:
    stripped = text.strip()
    if len(stripped) > 7 and stripped[-1] == ")" and stripped[-6] == "(":
        year = _year(stripped[-5:-1])
        if year is not None:
            return stripped[:-6].strip(), year
    return stripped, None

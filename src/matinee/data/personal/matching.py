"""Which film of the catalogue a row of a history is: by id where both have one, by title and year where not."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from matinee.data.personal import titles
from matinee.data.personal.formats import History, HistoryRow

if TYPE_CHECKING:
    import polars as pl

Status = Literal["matched", "ambiguous", "unknown", "not_a_movie", "unreadable"]
Id = int | str
CLOSE = 88
"""Least likeness (of 100) of a title that is offered as "did you mean"."""
MOST_CANDIDATES = 5


class Film(NamedTuple):
    """What matching needs to know of a catalogue's movie."""

    movie_id: Id
    name: str
    title: str
    year: int | None
    imdb_id: str | None
    tmdb_id: int | None
    ratings_count: int


@dataclass(frozen=True)
class Match:
    """What became of one row: `movie_id` where it matched, `candidates` (best first) where a person has to choose."""

    row: HistoryRow
    status: Status
    movie_id: Id | None = None
    how: str = ""
    candidates: tuple[Film, ...] = ()


@dataclass(frozen=True)
class MatchReport:
    """All rows of a history with what became of them."""

    source: str
    matches: list[Match]

    def count(self, status: Status) -> int:
        """Say how many rows have a status."""
        return sum(match.status == status for match in self.matches)

    @property
    def ratings(self) -> dict[Id, tuple[float, int | None]]:
        """Stars and time of every matched film that was rated; where two rows are one film, the newest."""
        newest: dict[Id, tuple[float, int | None]] = {}
        for match in self.matches:
            if match.movie_id is None or match.row.stars is None:
                continue
            held = newest.get(match.movie_id)
            if held is None or (match.row.rated_at or 0) >= (held[1] or 0):
                newest[match.movie_id] = (match.row.stars, match.row.rated_at)
        return newest

    def to_keep(self, now: datetime) -> tuple[dict[Id, float], dict[Id, datetime]]:
        """Return stars and times of `ratings`, without the times that cannot be; see `believable`."""
        stars = {movie_id: given for movie_id, (given, _) in self.ratings.items()}
        times = {movie_id: believable(seconds, now) for movie_id, (_, seconds) in self.ratings.items()}
        return stars, {movie_id: moment for movie_id, moment in times.items() if moment is not None}


def believable(seconds: int | None, now: datetime) -> datetime | None:
    """Return when a film was rated; None before 1970 or in the future: such a rating counts as given now."""
    if seconds is None or not 0 <= seconds <= now.timestamp():
        return None
    return datetime.fromtimestamp(seconds, UTC)


class _Rows:
    """Rows of films by a key: two arrays, for a table of Python's with so many texts takes ten times the memory.

    Keys are told apart by their hash. Of 64 bits: that another text has the hash of one of ten thousand titles happens
    once in 10^15 questions, and who asks cannot know the hashes of this process.
    """

    def __init__(self) -> None:
        self._hashes, self._rows = array("q"), array("i")

    def add(self, key: object, row: int) -> None:
        """Add a film; `sort` before asking."""
        self._hashes.append(hash(key))
        self._rows.append(row)

    def sort(self) -> None:
        """Make what was added ready to be asked."""
        hashes, rows = np.array(self._hashes, np.int64), np.array(self._rows, np.int32)
        order = np.argsort(hashes, kind="stable")
        self._hashes, self._rows = array("q", hashes[order].tobytes()), array("i", rows[order].tobytes())

    def of(self, keys: Iterable[object]) -> list[int]:
        """Return the rows of all films with one of these keys, in the order of the keys, then as they were added."""
        rows: list[int] = []
        for wanted in map(hash, keys):
            first = bisect_left(self._hashes, wanted)
            rows += self._rows[first : bisect_right(self._hashes, wanted, first)]
        return rows


class TitleIndex:
    """The catalogue's films by id and by every way in which their titles are written.

    Parameters
    ----------
    movies
        The movies table of a `Dataset`.
    """

    def __init__(self, movies: pl.DataFrame) -> None:
        self._movies = movies.select(Film._fields)
        self._years: list[int | None] = self._movies["year"].to_list()
        self._folded: list[str] = []
        self._by_movie, self._by_imdb, self._by_tmdb, self._by_year = _Rows(), _Rows(), _Rows(), _Rows()
        self._main, self._other, self._squeezed, self._parts = _Rows(), _Rows(), _Rows(), _Rows()
        for row, film in enumerate(map(Film._make, self._movies.iter_rows())):
            self._add(row, film)
        for rows in vars(self).values():
            if isinstance(rows, _Rows):
                rows.sort()

    def renewed(self, movies: pl.DataFrame) -> TitleIndex:
        """Return the index of another table; little work where only ratings were added."""
        table = movies.select(Film._fields)
        if not table.drop("ratings_count").equals(self._movies.drop("ratings_count")):
            return TitleIndex(movies)
        index = copy(self)
        index._movies = table
        return index

    def _add(self, row: int, film: Film) -> None:
        self._by_movie.add(str(film.movie_id), row)
        if film.imdb_id:
            self._by_imdb.add(film.imdb_id, row)
        if film.tmdb_id:
            self._by_tmdb.add(film.tmdb_id, row)
        self._by_year.add(film.year, row)
        main = titles.main_title(film.name)
        folded = titles.key(main)
        self._folded.append(folded)
        self._main.add(folded, row)
        for other in {titles.key(title) for title in titles.alternatives(film.name)} - {folded, ""}:
            self._other.add(other, row)
        self._squeezed.add(titles.squeezed(titles.without_article(folded)), row)
        heads, tails = titles.heads(main), titles.tails(main)
        for part in {*heads, *tails, *(f"{head} {tail}" for head in heads for tail in tails)} - {folded}:
            self._parts.add(part, row)

    def _films(self, rows: Iterable[int]) -> list[Film]:
        """Return films by row, each once."""
        return [Film._make(self._movies.row(row)) for row in dict.fromkeys(rows)]

    def match(self, history: History) -> MatchReport:
        """Match every row; a row is matched only where one film is clearly meant."""
        return MatchReport(history.source, [self.match_row(row) for row in history.rows])

    def match_row(self, row: HistoryRow) -> Match:
        """Match one row."""
        if row.problem:
            return Match(row, "unreadable", how=row.problem)
        if film := self._by_ids(row):
            return Match(row, "matched", film.movie_id, "by id")
        if not row.is_movie:
            return Match(row, "not_a_movie", how="a series, an episode or a game")
        return self._by_title(row)

    def _by_ids(self, row: HistoryRow) -> Film | None:
        same = self._by_imdb.of([row.imdb_id] if row.imdb_id else []) or self._by_tmdb.of(
            [row.tmdb_id] if row.tmdb_id else []
        )
        if same or row.movie_id is None:
            return self._films(same[-1:])[0] if same else None
        same = self._by_movie.of([str(row.movie_id)])
        if not same:
            return None
        [same_place] = self._films(same)
        if _contradicts(row, same_place):
            return None
        written = titles.key(titles.main_title(row.title))
        return same_place if written in ("", titles.key(titles.main_title(same_place.name))) else None

    def _by_title(self, row: HistoryRow) -> Match:
        keys = self._keys(row)
        for how, rows in self._tiers(keys, titles.heads(titles.main_title(row.title)), row.year):
            fitting = [film for film in self._films(rows) if not _contradicts(row, film)]
            if len(fitting) == 1:
                return Match(row, "matched", fitting[0].movie_id, how)
            if fitting:
                return Match(row, "ambiguous", how="several films fit", candidates=_popular_first(fitting))
        close = self._close(row, keys)
        if close:
            return Match(row, "ambiguous", how="no film has exactly this title and year", candidates=close)
        return Match(row, "unknown", how="not in the catalogue")

    @staticmethod
    def _keys(row: HistoryRow) -> list[str]:
        written = [title for title in (row.title, row.original_title) if title]
        folded = [titles.key(titles.main_title(title)) for title in written]
        folded += [titles.key(other) for title in written for other in titles.alternatives(title)]
        return [key for key in dict.fromkeys(folded) if key]

    def _tiers(self, keys: list[str], heads: list[str], year: int | None) -> list[tuple[str, list[int]]]:
        """List the rows of who fits, most certain first: title as written, then less exactly, a year one off last."""
        main, other = self._main.of(keys), self._other.of(keys)
        if year is None:
            return [("by title, the only film of that name", [*main, *other])]
        loose = self._squeezed.of(titles.squeezed(titles.without_article(key)) for key in keys)
        parts = [*self._parts.of(keys[:1]), *self._main.of(heads)]
        sources = (
            (0, "by title and year", main),
            (0, "by another title and year", other),
            (0, "by title and year, without article and spaces", loose),
            (0, "by year and a part of the title", parts),
            (1, "by title and a year one off", main),
            (1, "by another title and a year one off", other),
        )
        return [(how, [row for row in rows if self._apart(row, year) == off]) for off, how, rows in sources]

    def _apart(self, row: int, year: int) -> int:
        written = self._years[row]
        return abs(written - year) if written is not None else 9

    def _close(self, row: HistoryRow, keys: list[str]) -> tuple[Film, ...]:
        from rapidfuzz import fuzz, process

        if not keys:
            return ()
        same_name = [film for film in self._films(self._main.of(keys)) if not _contradicts(row, film)]
        near = self._by_year.of((row.year - 1, row.year, row.year + 1)) if row.year else range(len(self._folded))
        found = process.extract(
            keys[0], [self._folded[place] for place in near], scorer=fuzz.WRatio, limit=MOST_CANDIDATES,
            score_cutoff=CLOSE,
        )  # fmt: skip
        similar = [film for film in self._films(near[place] for _, _, place in found) if not _contradicts(row, film)]
        return tuple(_distinct([*_popular_first(same_name), *similar]))[:MOST_CANDIDATES]


def _distinct(films: list[Film]) -> list[Film]:
    return list({film.movie_id: film for film in films}.values())


def _popular_first(films: list[Film]) -> tuple[Film, ...]:
    return tuple(sorted(films, key=lambda film: -film.ratings_count)[:MOST_CANDIDATES])


def _contradicts(row: HistoryRow, film: Film) -> bool:
    """Whether an id says that this is another film, whatever the title."""
    if row.imdb_id and film.imdb_id:
        return row.imdb_id != film.imdb_id
    return bool(row.tmdb_id and film.tmdb_id and row.tmdb_id != film.tmdb_id)

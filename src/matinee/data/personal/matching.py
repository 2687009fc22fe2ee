"""Which film of the catalogue a row of a history is: by id where both have one, by title and year where not."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, NamedTuple

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


class TitleIndex:
    """The catalogue's films by id and by every way in which their titles are written.

    Parameters
    ----------
    movies
        The movies table of a `Dataset`.
    """

    def __init__(self, movies: pl.DataFrame) -> None:
        columns = ("movie_id", "name", "title", "year", "imdb_id", "tmdb_id", "ratings_count")
        self._films = [Film(*row) for row in movies.select(columns).iter_rows()]
        self._by_movie = {str(film.movie_id): film for film in self._films}
        self._by_imdb = {film.imdb_id: film for film in self._films if film.imdb_id}
        self._by_tmdb = {film.tmdb_id: film for film in self._films if film.tmdb_id}
        self._main: dict[str, list[Film]] = defaultdict(list)
        self._other: dict[str, list[Film]] = defaultdict(list)
        self._squeezed: dict[str, list[Film]] = defaultdict(list)
        self._parts: dict[str, list[Film]] = defaultdict(list)
        self._by_year: dict[int | None, list[tuple[str, Film]]] = defaultdict(list)
        for film in self._films:
            self._add(film)

    def _add(self, film: Film) -> None:
        main = titles.main_title(film.name)
        folded = titles.key(main)
        self._main[folded].append(film)
        for other in {titles.key(title) for title in titles.alternatives(film.name)} - {folded, ""}:
            self._other[other].append(film)
        self._squeezed[titles.squeezed(titles.without_article(folded))].append(film)
        heads, tails = titles.heads(main), titles.tails(main)
        for part in {*heads, *tails, *(f"{head} {tail}" for head in heads for tail in tails)} - {folded}:
            self._parts[part].append(film)
        self._by_year[film.year].append((folded, film))

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
        film = self._by_imdb.get(row.imdb_id or "") or self._by_tmdb.get(row.tmdb_id or -1)
        if film is not None or row.movie_id is None:
            return film
        same_place = self._by_movie.get(str(row.movie_id))
        if same_place is None or _contradicts(row, same_place):
            return None
        written = titles.key(titles.main_title(row.title))
        return same_place if written in ("", titles.key(titles.main_title(same_place.name))) else None

    def _by_title(self, row: HistoryRow) -> Match:
        keys = self._keys(row)
        for how, films in self._tiers(keys, titles.heads(titles.main_title(row.title)), row.year):
            fitting = [film for film in films if not _contradicts(row, film)]
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

    def _tiers(self, keys: list[str], heads: list[str], year: int | None) -> list[tuple[str, list[Film]]]:
        """List who fits, most certain first: title as written, then less exactly, the year exact before one off."""
        main, other = _found(self._main, keys), _found(self._other, keys)
        if year is None:
            return [("by title, the only film of that name", _distinct([*main, *other]))]
        loose = _found(self._squeezed, [titles.squeezed(titles.without_article(key)) for key in keys])
        parts = [*_found(self._parts, keys[:1]), *_found(self._main, heads)]
        sources = (
            (0, "by title and year", main),
            (0, "by another title and year", other),
            (0, "by title and year, without article and spaces", loose),
            (0, "by year and a part of the title", parts),
            (1, "by title and a year one off", main),
            (1, "by another title and a year one off", other),
        )
        return [(how, _distinct([film for film in films if _apart(film, year) == off])) for off, how, films in sources]

    def _close(self, row: HistoryRow, keys: list[str]) -> tuple[Film, ...]:
        from rapidfuzz import fuzz, process

        if not keys:
            return ()
        same_name = [film for film in _found(self._main, keys) if not _contradicts(row, film)]
        years = (row.year - 1, row.year, row.year + 1) if row.year else tuple(self._by_year)
        near = [entry for year in years for entry in self._by_year.get(year, ())]
        found = process.extract(
            keys[0], [key for key, _ in near], scorer=fuzz.WRatio, limit=MOST_CANDIDATES, score_cutoff=CLOSE
        )
        similar = [near[place][1] for _, _, place in found if not _contradicts(row, near[place][1])]
        return tuple(_distinct([*_popular_first(same_name), *similar]))[:MOST_CANDIDATES]


def _found(index: dict[str, list[Film]], keys: list[str]) -> list[Film]:
    return [film for key in keys for film in index.get(key, ())]


def _distinct(films: list[Film]) -> list[Film]:
    return list({film.movie_id: film for film in films}.values())


def _popular_first(films: list[Film]) -> tuple[Film, ...]:
    return tuple(sorted(films, key=lambda film: -film.ratings_count)[:MOST_CANDIDATES])


def _apart(film: Film, year: int) -> int:
    return abs(film.year - year) if film.year is not None else 9


def _contradicts(row: HistoryRow, film: Film) -> bool:
    """Whether an id says that this is another film, whatever the title."""
    if row.imdb_id and film.imdb_id:
        return row.imdb_id != film.imdb_id
    return bool(row.tmdb_id and film.tmdb_id and row.tmdb_id != film.tmdb_id)

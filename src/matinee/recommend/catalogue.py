"""The films there are: by id, by what people type, and as the arrays that filters want."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, cast

import numpy as np

from matinee.data.ratings import Bools, Int32, Int64, Vocabulary
from matinee.errors import UnknownMovieError
from matinee.models.factors import Id
from matinee.recommend.search import TitleIndex, normalise

if TYPE_CHECKING:
    import polars as pl

SUGGESTIONS = 3
MEAN_DIGITS = 4
"""Digits of a mean that are shown; it is kept in 32 bits, which know about six."""
_NUMBERS = frozenset((int,))
_KINDS = _NUMBERS | {str, np.int64, np.int32, np.str_}


@dataclass(frozen=True)
class Movie:
    """One film; see `matinee.data.dataset.MOVIE_COLUMNS`."""

    movie_id: Id
    title: str
    name: str
    year: int | None
    genres: tuple[str, ...]
    imdb_id: str | None
    tmdb_id: int | None
    ratings_count: int
    ratings_mean: float | None


def is_number(text: str) -> bool:
    """Tell whether a text is a whole number that an id can be."""
    return text.isascii() and text.isdecimal() and len(text) < 19


class Catalogue:
    """All films of a model.

    Parameters
    ----------
    movies
        A table with the columns of `matinee.data.dataset.MOVIE_COLUMNS`.
    item_stats
        See `matinee.data.stats.item_stats`; None where nothing is known.

    Attributes
    ----------
    movies
        The table, sorted by movie_id; a film's row in it is its row in every array here.
    ids
        Vocabulary of the movie ids.
    """

    def __init__(self, movies: pl.DataFrame, item_stats: pl.DataFrame | None = None) -> None:
        self.movies = movies.sort("movie_id")
        self.item_stats = item_stats
        self.ids = Vocabulary(self.movies["movie_id"].to_numpy())
        self._titles: list[str] = self.movies["title"].to_list()
        self._films: dict[int, Movie] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, movie_id: object) -> bool:
        return movie_id in self.ids

    def rows(self, movie_ids: Iterable[Id]) -> Int32:
        """Return the rows of films, shape ``(n,)``.

        Raises
        ------
        UnknownMovieError
            Naming the first that is not in the catalogue.
        """
        wanted = list(movie_ids)
        rows = self.known_rows(wanted)
        if (rows < 0).any():
            self._refuse(wanted[int(np.argmin(rows))])
        return rows

    def known_rows(self, movie_ids: Iterable[Id]) -> Int32:
        """Return the rows of films, -1 for ids that are not in the catalogue (or not of its kind)."""
        wanted = list(movie_ids)
        if self.ids.ids.dtype.kind == "i" and _NUMBERS.issuperset(map(type, wanted)):
            with suppress(OverflowError):
                return self.ids.rows(np.array(wanted, np.int64))
        find = self._row_of.get
        # True and 1.0 are no ids, though a table of Python's takes them for 1
        return np.array([find(value, -1) if type(value) in _KINDS else -1 for value in wanted], np.int32)

    @cached_property
    def _row_of(self) -> dict[Id, int]:
        """For ids of any kind; those that are all numbers are looked up without it."""
        return {movie_id: row for row, movie_id in enumerate(self.ids.ids.tolist())}

    def movie(self, movie_id: Id) -> Movie:
        """Return a film by its id.

        Raises
        ------
        UnknownMovieError
            If it is not in the catalogue.
        """
        return self.at([int(self.rows([movie_id])[0])])[0]

    def at(self, rows: Iterable[int]) -> list[Movie]:
        """Return the films in those rows, in that order."""
        return [self._film(int(row)) for row in rows]

    def _film(self, row: int) -> Movie:
        film = self._films.get(row)
        if film is None:
            # One row: gathering several would wake the table library's threads, which costs more where others work too.
            values = self.movies.row(row, named=True)
            mean = values["ratings_mean"]
            shown = {
                "genres": tuple(values["genres"]),
                "ratings_mean": mean if mean is None else round(mean, MEAN_DIGITS),
            }
            film = self._films[row] = Movie(**{**values, **shown})
        return film

    def id_at(self, row: int) -> Id:
        """Return the id of the film in a row."""
        return cast("Id", self.ids.ids[row].item())

    def title_at(self, row: int) -> str:
        """Return the title of the film in a row."""
        return self._titles[row]

    def search(self, text: str, limit: int = 10) -> list[Movie]:
        """Find films by title, best first; words may be cut short, in any order, or mistyped."""
        return self.at(self.find(text, limit))

    def find(self, text: str, limit: int) -> list[int]:
        """Return the rows of the films that `search` finds."""
        return self._search.find(text, limit)

    def resolve(self, text: Id) -> Movie:
        """Return the one film that an id, a title or a name without its year stands for.

        Raises
        ------
        UnknownMovieError
            If there is none, or several; the message suggests.
        """
        if isinstance(text, str):
            rows = self._exact.get(normalise(text), [])
            by_id = self.known_rows([int(text) if is_number(text) else text])
            by_id = by_id if by_id[0] >= 0 else self.known_rows([text])
            if by_id[0] >= 0:
                rows = by_id.tolist()
            if len(rows) == 1:
                return self.at(rows)[0]
            self._refuse(text, self.at(rows))
        return self.movie(text)

    def _refuse(self, wanted: Any, several: Iterable[Movie] = ()) -> NoReturn:
        found = list(several)
        close = found or (self.search(wanted, SUGGESTIONS) if isinstance(wanted, str) else [])
        hint = "; ".join(f"{movie.title} [{movie.movie_id}]" for movie in close)
        problem = f"{wanted!r} names {len(found)} films" if found else f"there is no movie {wanted!r}"
        raise UnknownMovieError(f"{problem}: did you mean {hint}?" if hint else f"{problem} among {len(self)} films")

    @cached_property
    def _search(self) -> TitleIndex:
        return TitleIndex(self._titles, self.ratings_count)

    @cached_property
    def _exact(self) -> dict[str, list[int]]:
        exact: dict[str, list[int]] = {}
        for column in ("name", "title"):
            for row, text in enumerate(self.movies[column]):
                exact.setdefault(normalise(text), []).append(row)
        return {text: sorted(set(rows)) for text, rows in exact.items()}

    @cached_property
    def genres(self) -> tuple[str, ...]:
        """All genres, sorted."""
        return tuple(self.movies["genres"].explode().drop_nulls().unique().sort().to_list())

    @cached_property
    def has_genre(self) -> dict[str, Bools]:
        """Which films have each genre, shapes ``(n_movies,)``."""
        lists = self.movies["genres"].list
        return {genre: lists.contains(genre).fill_null(False).to_numpy() for genre in self.genres}

    @cached_property
    def years(self) -> Int32:
        """Year of each film, shape ``(n_movies,)``; 0 where unknown."""
        return self.movies["year"].fill_null(0).to_numpy().astype(np.int32)

    @cached_property
    def ratings_count(self) -> Int64:
        """How many ratings each film has, shape ``(n_movies,)``."""
        return self.movies["ratings_count"].to_numpy().astype(np.int64)

"""What may be on a list: conditions that hold for every film shown, and an account of what each one removed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

import numpy as np

from matinee.data.ratings import Bools, Int32
from matinee.errors import ParameterError
from matinee.models.factors import Id
from matinee.recommend.catalogue import Catalogue

NOTHING: Int32 = np.empty(0, np.int32)


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Conditions on films; the names are those of the API.

    Parameters
    ----------
    genre_any, genre_all, genre_none
        Genres of which a film has at least one, all, none; upper and lower case are the same.
    year_from, year_to
        First and last year; a film without a year passes neither.
    min_ratings, max_ratings
        Fewest and most ratings.
    exclude
        Films to leave out.
    only
        Films to choose among, those that nobody rated included; None for all that somebody rated.
    include_seen
        Keep films that the person rated.
    not_interested
        Films that the person does not want to see again.

    Raises
    ------
    ParameterError
        If a range is empty, a number negative, or one text arrives where several are expected.
    """

    genre_any: tuple[str, ...] = ()
    genre_all: tuple[str, ...] = ()
    genre_none: tuple[str, ...] = ()
    year_from: int | None = None
    year_to: int | None = None
    min_ratings: int = 0
    max_ratings: int | None = None
    exclude: tuple[Id, ...] = ()
    only: tuple[Id, ...] | None = None
    include_seen: bool = False
    not_interested: tuple[Id, ...] = ()

    def __post_init__(self) -> None:
        for name in ("genre_any", "genre_all", "genre_none", "exclude", "only", "not_interested"):
            value = getattr(self, name)
            if isinstance(value, str | int):
                raise ParameterError(f"{name}={value!r}: give a list, such as [{value!r}]")
            if value is not None:
                object.__setattr__(self, name, tuple(value))
        if self.min_ratings < 0 or (self.max_ratings is not None and self.max_ratings < self.min_ratings):
            raise ParameterError(
                f"min_ratings={self.min_ratings}, max_ratings={self.max_ratings}: "
                "0 or more are allowed, the second at least the first"
            )
        if self.year_from is not None and self.year_to is not None and self.year_from > self.year_to:
            raise ParameterError(f"year_from={self.year_from} is after year_to={self.year_to}: swap them")

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Filters:
        """Make filters from options by name.

        Raises
        ------
        ParameterError
            If there is no such filter.
        """
        return cls(**checked(options, cls))

    def removing(self, catalogue: Catalogue, seen: Int32 = NOTHING) -> dict[str, Bools]:
        """Return, by the name of every filter that is set, which films it removes, shapes ``(n_movies,)``.

        Parameters
        ----------
        catalogue
            The films.
        seen
            Shape ``(k,)``: rows in the catalogue of what the person rated; -1 is passed over.

        Raises
        ------
        ParameterError
            If a genre or a year is not in the catalogue.
        UnknownMovieError
            If `exclude` or `only` names a film that is not in the catalogue.
        """
        masks = {
            name: mask(getattr(self, name), catalogue)
            for name, mask in _MASKS.items()
            if getattr(self, name) != _DEFAULTS[name]
        }
        if not self.include_seen:
            masks["include_seen"] = _among(seen, catalogue)
        return masks


@cache
def names_of(kinds: tuple[Any, ...]) -> frozenset[str]:
    """Return the names of the fields of dataclasses, `ratings` apart, which is no option."""
    return frozenset(field.name for kind in kinds for field in fields(kind)) - {"ratings"}


def checked(options: Mapping[str, Any], *kinds: Any) -> Mapping[str, Any]:
    """Return `options` if each is a field of one of these dataclasses.

    Raises
    ------
    ParameterError
        Naming those that are not, and what there is.
    """
    if unknown := options.keys() - names_of(kinds):
        allowed = ", ".join(sorted(names_of(kinds)))
        raise ParameterError(f"{', '.join(sorted(unknown))}: no such option; there are: {allowed}")
    return options


def _genres(wanted: tuple[str, ...], catalogue: Catalogue) -> list[Bools]:
    by_name = {genre.casefold(): genre for genre in catalogue.genres}
    for genre in wanted:
        if genre.casefold() not in by_name:
            raise ParameterError(f"genre {genre!r} is not in the catalogue; there are: {', '.join(catalogue.genres)}")
    return [catalogue.has_genre[by_name[genre.casefold()]] for genre in wanted]


def _among(rows: Int32, catalogue: Catalogue) -> Bools:
    mask = np.zeros(len(catalogue) + 1, np.bool_)  # -1 marks what no film has
    mask[rows] = True
    return mask[:-1]


def _outside_years(year: int, catalogue: Catalogue, *, first: bool) -> Bools:
    known = catalogue.years[catalogue.years > 0]
    earliest, latest = (int(known.min()), int(known.max())) if len(known) else (0, 0)
    if year > latest if first else year < earliest:
        name = "year_from" if first else "year_to"
        raise ParameterError(f"{name}={year}: the catalogue has films of {earliest} to {latest}")
    outside = catalogue.years < year if first else catalogue.years > year
    return np.asarray(outside | (catalogue.years == 0), np.bool_)


_MASKS: Mapping[str, Callable[..., Bools]] = {
    "genre_any": lambda value, catalogue: ~np.logical_or.reduce(_genres(value, catalogue)),
    "genre_all": lambda value, catalogue: ~np.logical_and.reduce(_genres(value, catalogue)),
    "genre_none": lambda value, catalogue: np.logical_or.reduce(_genres(value, catalogue)),
    "year_from": lambda value, catalogue: _outside_years(value, catalogue, first=True),
    "year_to": lambda value, catalogue: _outside_years(value, catalogue, first=False),
    "min_ratings": lambda value, catalogue: catalogue.ratings_count < value,
    "max_ratings": lambda value, catalogue: catalogue.ratings_count > value,
    "exclude": lambda value, catalogue: _among(catalogue.rows(value), catalogue),
    "only": lambda value, catalogue: ~_among(catalogue.rows(value), catalogue),
    "not_interested": lambda value, catalogue: _among(catalogue.known_rows(value), catalogue),
}
_DEFAULTS = {field.name: field.default for field in fields(Filters)}


def left(pool: Bools, masks: Mapping[str, Bools]) -> Bools:
    """Return what the filters leave of `pool`, shape ``(n_movies,)``."""
    for mask in masks.values():
        pool = pool > mask  # and not, in one pass
    return pool


def count_removed(pool: Bools, masks: Mapping[str, Bools]) -> dict[str, int]:
    """Count how many films of `pool` each filter removes by itself."""
    return {name: int(np.count_nonzero(pool & mask)) for name, mask in masks.items()}


def advise(pool: Bools, masks: Mapping[str, Bools]) -> str | None:
    """Name what to relax so that films are left: the one filter that frees most, or as many as it takes.

    Parameters
    ----------
    pool
        Shape ``(n_movies,)``: what there is to choose among.
    masks
        What each filter removes.

    Returns
    -------
    str or None
        Names of filters joined by " and "; None where films are left already, or none would be in any case.
    """
    kept = dict(masks)
    relaxed: list[str] = []
    while kept and not left(pool, kept).any():
        gains = {name: _gain(pool, kept, name) for name in kept}
        worst = max(gains, key=gains.__getitem__)
        relaxed.append(worst)
        del kept[worst]
    return " and ".join(relaxed) if relaxed and pool.any() else None


def _gain(pool: Bools, masks: Mapping[str, Bools], name: str) -> tuple[int, int]:
    """Count the films left without one filter, and, to choose among those that free none, what it removes."""
    others = {other: mask for other, mask in masks.items() if other != name}
    return int(np.count_nonzero(left(pool, others))), int(np.count_nonzero(pool & masks[name]))

"""A person's taste in words and numbers: what they rate, how much they like it, how far from everybody they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from matinee.recommend.catalogue import Catalogue
from matinee.recommend.scoring import Float64

DAMPING = 5
"""Likings are shrunk as if so many more ratings had said nothing."""


@dataclass(frozen=True)
class Liking:
    """How somebody likes a genre or a decade.

    Attributes
    ----------
    rated, mean
        How many of its films the person rated, and their mean stars.
    liking
        How much more than everybody they give its films, shrunk towards how much more they give any film.
    """

    name: str
    rated: int
    mean: float
    liking: float


@dataclass(frozen=True)
class Profile:
    """What a person's ratings say of them; None where they have none.

    Attributes
    ----------
    ratings
        How many films of the catalogue they rated.
    mean, everybody
        Their mean stars, and what everybody gives the same films.
    popularity
        How many people rated their median film.
    histogram
        How often they gave each half star of the scale, lowest first.
    genres, decades
        The most liked first; decades are named by their first year.
    """

    ratings: int
    mean: float | None
    everybody: float | None
    popularity: float | None
    histogram: tuple[int, ...]
    genres: tuple[Liking, ...]
    decades: tuple[Liking, ...]


def profile(catalogue: Catalogue, ratings: Mapping[Any, float], scale: tuple[float, float]) -> Profile:
    """Describe a person.

    Parameters
    ----------
    catalogue
        The films.
    ratings
        Stars by movie id; films outside the catalogue are passed over.
    scale
        Lowest and highest rating.
    """
    rows = catalogue.known_rows(ratings)
    stars = np.fromiter(ratings.values(), np.float64, len(ratings))[rows >= 0]
    rows = rows[rows >= 0]
    low, high = scale
    steps = np.bincount(np.rint((stars - low) * 2).astype(np.int64), minlength=round((high - low) * 2) + 1)
    if not len(rows):
        return Profile(0, None, None, None, tuple(steps.tolist()), (), ())
    means = catalogue.movies["ratings_mean"].to_numpy()[rows].astype(np.float64)
    means = np.where(np.isnan(means), stars, means)  # a film that nobody else rated says nothing about everybody
    above = stars - means
    genres = ((genre, catalogue.has_genre[genre][rows]) for genre in catalogue.genres)
    years = catalogue.years[rows]
    decades = ((str(decade), years // 10 * 10 == decade) for decade in np.unique(years[years > 0] // 10 * 10))
    return Profile(
        len(rows), float(stars.mean()), float(means.mean()), float(np.median(catalogue.ratings_count[rows])),
        tuple(steps.tolist()), _likings(genres, stars, above), _likings(decades, stars, above),
    )  # fmt: skip


def _likings(groups: Iterable[tuple[str, Any]], stars: Float64, above: Float64) -> tuple[Liking, ...]:
    usual = float(above.mean())
    found = [
        Liking(
            name, int(mask.sum()), float(stars[mask].mean()),
            float((above[mask].sum() + usual * DAMPING) / (mask.sum() + DAMPING)),
        )
        for name, mask in groups
        if mask.any()
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda one: (-one.liking, one.name)))

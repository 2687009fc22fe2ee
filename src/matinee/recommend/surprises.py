"""Where a person departs from what the model expects of them, and how well it knows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from matinee.models.factors import Id
from matinee.recommend.recommender import Recommender
from matinee.recommend.taste import Taste

SURPRISES = 12
"""How many are named."""


@dataclass(frozen=True)
class Surprise:
    """A film that the person likes more, or less, than their other ratings say.

    `expected` are the stars predicted from all their other ratings, clipped to the scale.
    """

    movie_id: Id
    title: str
    name: str
    year: int | None
    genres: tuple[str, ...]
    stars: float
    expected: float


@dataclass(frozen=True)
class Acquaintance:
    """How well the model knows a person; None where they have fewer than two ratings that it knows.

    Attributes
    ----------
    error
        Root mean squared error, in stars, of predicting each rating from all the others.
    error_of_average
        The same for the films' means, which know nothing of the person.
    surprises
        The ratings furthest from what was predicted, the furthest first.
    """

    error: float | None
    error_of_average: float | None
    surprises: tuple[Surprise, ...]


def acquaintance(recommender: Recommender, ratings: Mapping[Any, float], limit: int = SURPRISES) -> Acquaintance:
    """Predict each rating from all the others, and say where that fails most.

    Leaving a rating out is exact for the person's own vector (error / (1 - leverage)); the films' factors stay, also
    where the ratings of a user of the data set shaped them.

    Parameters
    ----------
    recommender
        What predicts.
    ratings
        Stars by movie id.
    limit
        How many surprises at most.
    """
    person = recommender.scorer("stars").place(Taste(ratings=ratings))
    if person.system is None or len(person.stars) < 2:
        return Acquaintance(None, None, ())
    catalogue, stars = recommender.catalogue, person.stars.astype(np.float64)
    expected = recommender.stars.expected_stars(
        person, person.item_rows, recommender.stars.left_out_scores(person)
    )  # fmt: skip
    rows = catalogue.rows(recommender.stars.items.ids[person.item_rows].tolist())
    means = catalogue.movies["ratings_mean"].to_numpy()[rows].astype(np.float64)
    off = np.abs(stars - expected)
    furthest = np.lexsort((person.item_rows, -off))[:limit]
    return Acquaintance(
        _error(stars - expected),
        _error((stars - means)[~np.isnan(means)]),
        tuple(
            Surprise(film.movie_id, film.title, film.name, film.year, film.genres, float(stars[place]), expected_stars)
            for film, place, expected_stars in zip(
                catalogue.at(rows[furthest]), furthest, expected[furthest].tolist(), strict=True
            )
        ),
    )


def _error(errors: np.ndarray[Any, np.dtype[np.float64]]) -> float | None:
    return float(np.sqrt(np.mean(errors**2))) if len(errors) else None

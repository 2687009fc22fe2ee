"""What is known of films beside their ratings: genres and years, which move the prior means of films that have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from matinee.data.ratings import Int32, Vocabulary
from matinee.errors import ParameterError

if TYPE_CHECKING:
    import polars as pl


class Feature(NamedTuple):
    """One kind of property, as pairs of an item and a value that it has."""

    owners: Int32  # (n,): rows of items
    members: Int32  # (n,): values, counted from 0
    n_members: int


def movie_features(movies: pl.DataFrame, items: Vocabulary, *, genres: bool, years: bool) -> list[Feature]:
    """Return what a table of movies says of `items`.

    Parameters
    ----------
    movies
        With ``movie_id`` and, where there are any, ``genres`` (lists of strings) and ``year`` (whole numbers); other
        columns, other movies and nulls say nothing.
    items
        The items of the ratings.
    genres, years
        What is asked for.

    Raises
    ------
    ParameterError
        If the column ``movie_id`` is missing.
    """
    if "movie_id" not in movies.columns:
        raise ParameterError(f"movies: the columns {', '.join(movies.columns)} arrived; movie_id must be among them")
    wanted = [name for name, asked in (("genres", genres), ("year", years)) if asked and name in movies.columns]
    features = []
    for name in wanted:
        pairs = movies.select("movie_id", name)
        pairs = (pairs.explode(name) if name == "genres" else pairs).drop_nulls()
        owners = items.rows(pairs["movie_id"].to_numpy())
        values, members = np.unique(pairs[name].to_numpy()[owners >= 0], return_inverse=True)
        if len(values):
            features.append(Feature(owners[owners >= 0], members.astype(np.int32), len(values)))
    return features

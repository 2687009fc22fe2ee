"""What a ratings table says about each film by itself: counts, means, histograms, and how talked about it is now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from matinee.data.ratings import Ratings

if TYPE_CHECKING:
    import polars as pl

RECENT_HALF_LIFE_DAYS = 90
"""In `recent`, a rating counts half as much for every so many days before the newest one of all."""
_SECONDS_PER_DAY = 86_400


def item_stats(ratings: Ratings) -> pl.DataFrame:
    """Summarise the ratings of each film.

    Returns
    -------
    pl.DataFrame
        One row per item in the order of `ratings.items`: ``movie_id``; ``ratings_count``; ``ratings_mean``;
        ``histogram``, how often each half star of the scale was given, lowest first, stars between rounded to the
        nearest; ``recent``, the number of ratings, each worth 0.5 ** (days before the newest / 90), null where the
        ratings have no times.
    """
    import polars as pl

    low, high = ratings.scale
    n_steps = round((high - low) * 2) + 1
    steps = np.rint((ratings.stars - low) * 2).astype(np.int64)
    histogram = np.bincount(
        ratings.item_rows.astype(np.int64) * n_steps + steps, minlength=len(ratings.items) * n_steps
    )
    return pl.DataFrame(
        {
            "movie_id": ratings.items.ids,
            "ratings_count": ratings.item_counts,
            "ratings_mean": ratings.item_means.astype(np.float64),
            "histogram": pl.Series(histogram.reshape(-1, n_steps), dtype=pl.Array(pl.Int64, n_steps)).arr.to_list(),
            "recent": _recent(ratings),
        },
        schema_overrides={"recent": pl.Float64},
    )


def _recent(ratings: Ratings) -> list[None] | npt.NDArray[np.float64]:
    if ratings.timestamps is None:
        return [None] * len(ratings.items)
    days = (ratings.timestamps.max() - ratings.timestamps) / _SECONDS_PER_DAY
    worth = 0.5 ** (days / RECENT_HALF_LIFE_DAYS)
    return np.bincount(ratings.item_rows, worth, minlength=len(ratings.items)).astype(np.float64)

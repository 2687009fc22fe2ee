"""What a ratings table says about each film by itself: counts, means, histograms, and how talked about it is now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from matinee.data.ratings import Float32, Int64, Ratings, Vocabulary

if TYPE_CHECKING:
    import polars as pl

RECENT_HALF_LIFE_DAYS = 90
"""In `recent`, a rating counts half as much for every so many days before the newest one of all."""
SECONDS_PER_DAY = 86_400


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
    n_steps = steps_of(ratings.scale)
    steps = np.rint((ratings.stars - ratings.scale[0]) * 2).astype(np.int64)
    histogram = np.bincount(
        ratings.item_rows.astype(np.int64) * n_steps + steps, minlength=len(ratings.items) * n_steps
    )
    return stats_table(
        ratings.items, ratings.item_counts, ratings.item_means, histogram.reshape(-1, n_steps), _recent(ratings)
    )


def steps_of(scale: tuple[float, float]) -> int:
    """Return how many half stars a scale has."""
    return round((scale[1] - scale[0]) * 2) + 1


def stats_table(
    items: Vocabulary, counts: Int64, means: Float32, histogram: Int64, recent: npt.NDArray[np.float64] | None
) -> pl.DataFrame:
    """Lay out what `item_stats` returns: shapes ``(n_items,)``, the histogram's ``(n_items, steps)``."""
    import polars as pl

    n_steps = histogram.shape[1]
    return pl.DataFrame(
        {
            "movie_id": items.ids,
            "ratings_count": counts,
            "ratings_mean": means.astype(np.float64),
            "histogram": pl.Series(histogram, dtype=pl.Array(pl.Int64, n_steps)).arr.to_list(),
            "recent": [None] * len(items) if recent is None else recent,
        },
        schema_overrides={"recent": pl.Float64},
    )


def _recent(ratings: Ratings) -> npt.NDArray[np.float64] | None:
    if ratings.timestamps is None:
        return None
    days = (ratings.timestamps.max() - ratings.timestamps) / SECONDS_PER_DAY
    worth = 0.5 ** (days / RECENT_HALF_LIFE_DAYS)
    return np.bincount(ratings.item_rows, worth, minlength=len(ratings.items)).astype(np.float64)

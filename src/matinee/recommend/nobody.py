"""Lists for nobody in particular: popular, trending, best of a genre or a decade."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from matinee.data.ratings import Bools
from matinee.errors import ParameterError
from matinee.recommend.catalogue import Catalogue, Movie
from matinee.recommend.filters import Filters, left
from matinee.recommend.scoring import Float64

DAMPING = 20
"""The best films are ordered by their mean with so many ratings of the overall mean added: one 5 is no triumph."""
Kind = Literal["popular", "trending", "top"]


def general_list(catalogue: Catalogue, kind: Kind, *, limit: int = 10, offset: int = 0, **filters: Any) -> list[Movie]:
    """List films without knowing anybody.

    Parameters
    ----------
    catalogue
        The films.
    kind
        "popular": most ratings; "trending": most ratings of late (see `matinee.data.stats.item_stats`);
        "top": highest mean stars, damped.
    limit, offset
        How many films, and how many of the best to pass over before.
    **filters
        Fields of `Filters`; a decade is ``year_from=1990, year_to=1999``.

    Raises
    ------
    ParameterError
        If a filter is unknown or out of range, there is no such list, or no times are known for "trending".
    """
    if limit < 0 or offset < 0:
        raise ParameterError(f"limit={limit}, offset={offset}: neither may be negative")
    scores = general_scores(catalogue, kind)
    rated: Bools = catalogue.ratings_count > 0
    rows = np.flatnonzero(left(rated, Filters.of(filters).removing(catalogue)))
    order = np.lexsort((rows, -scores[rows]))
    return catalogue.at(rows[order][offset : offset + limit])


def decades(catalogue: Catalogue) -> tuple[int, ...]:
    """Return the first years of the decades that have films which somebody rated, earliest first."""
    years = catalogue.years[(catalogue.ratings_count > 0) & (catalogue.years > 0)]
    return tuple(np.unique(years // 10 * 10).tolist())


def general_scores(catalogue: Catalogue, kind: Kind) -> Float64:
    """Return what `general_list` orders by, shape ``(n_movies,)``.

    Raises
    ------
    ParameterError
        As there.
    """
    counts = catalogue.ratings_count.astype(np.float64)
    if kind == "popular":
        return counts
    if kind == "trending":
        return _recent(catalogue)
    if kind == "top":
        means = catalogue.movies["ratings_mean"].fill_null(0).to_numpy()
        overall = float(np.average(means, weights=counts)) if counts.any() else 0.0
        return np.asarray((means * counts + overall * DAMPING) / (counts + DAMPING), np.float64)
    raise ParameterError(f"there is no list {kind!r}; popular, trending and top are there")


def _recent(catalogue: Catalogue) -> Float64:
    stats = catalogue.item_stats
    if stats is None or stats["recent"].null_count():
        raise ParameterError("nothing is trending: the ratings have no times; ask for 'popular' or 'top'")
    recent = np.zeros(len(catalogue))
    recent[catalogue.rows(stats["movie_id"].to_list())] = stats["recent"].to_numpy()
    return recent

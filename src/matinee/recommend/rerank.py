"""Dials that reorder a list without touching the scores: towards the obscure or the popular, towards variety."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from matinee.data.ratings import Bools, Float32, Int64
from matinee.errors import ParameterError

RankBy = Literal["picks", "stars", "stars_low"]
POOL = 1500
"""So many of the best films are reordered for variety; what comes after them stays as it is."""
YARDSTICK = 500
"""Relevance is measured by the distance from the best film's score to the one at this place."""
PAGE = 10
"""Variety counts within every ten films: each page is a list of its own."""
REPULSION = 0.001
"""Chosen such that half of the dial costs less than 5 % of NDCG@10 (docs/ranking.md has the table)."""
RISE = 2.5
"""How fast the pull towards variety grows within a ten: the first places, which matter most, are left to relevance."""
PULL = 2.0
"""Strength of the popularity dial: standard deviations of the person's scores for one of log popularity."""

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Dials:
    """How a list is ordered.

    Parameters
    ----------
    rank_by
        "picks": by what a person would watch; "stars": by predicted stars; "stars_low": by the low end of their
        interval, so that a film must be a safe choice to come first.
    popularity
        From -1, obscure films first, over 0, as the model has it, to 1, popular ones first.
    diversity
        From 0, as the model has it, to 1, every film unlike those before it.

    Raises
    ------
    ParameterError
        If a dial is out of its range.
    """

    rank_by: RankBy = "picks"
    popularity: float = 0.0
    diversity: float = 0.0

    def __post_init__(self) -> None:
        if self.rank_by not in get_args(RankBy):
            raise ParameterError(f"rank_by={self.rank_by!r}: {', '.join(get_args(RankBy))} are allowed")
        if not -1 <= self.popularity <= 1:
            raise ParameterError(f"popularity={self.popularity}: -1 (obscure) to 1 (popular) is allowed")
        if not 0 <= self.diversity <= 1:
            raise ParameterError(f"diversity={self.diversity}: 0 to 1 is allowed")

    @property
    def keep_scores(self) -> bool:
        """Whether films stand in the order of the scores that they are shown with."""
        return not (self.popularity or self.diversity or self.rank_by == "stars_low")


def popularity_boost(scores: Float32, counts: Int64, allowed: Bools, dial: float) -> Float32:
    """Return what the popularity dial adds to each film, shape ``(n_movies,)``.

    It is the film's log number of ratings, in standard deviations from the mean film, times the spread of the person's
    scores: a dial that means the same for every model and every person.
    """
    log_counts = np.log1p(counts.astype(np.float64))
    spread = float(log_counts[allowed].std()) if allowed.any() else 0.0
    if spread == 0:
        return np.zeros(len(scores), np.float32)
    unit = PULL * dial * float(scores[allowed].std(dtype=np.float64)) / spread
    return np.asarray(unit * (log_counts - log_counts[allowed].mean()), np.float32)


def diversify(keys: Float64, vectors: Float32, n: int, dial: float) -> Int64:
    """Reorder films greedily for relevance and for distance from the films of the same ten (maximal marginal relevance,
    Carbonell and Goldstein 1998, with the sum of likenesses, as in max-sum diversification, Borodin et al. 2012).

    The film for place p of a ten (from 0) is the one with the highest

        (1 - dial) * relevance - dial * REPULSION * p**RISE * (sum of its cosines to the p films before it)

    where relevance is its key, 1 for the best of the pool and 0 for the one at `YARDSTICK`. The order of the first n
    does not depend on n.

    Parameters
    ----------
    keys
        Shape ``(pool,)``: what the films are ordered by, falling.
    vectors
        Shape ``(pool, rank)``.
    n
        How many to choose.
    dial
        From 0 to 1.

    Returns
    -------
    Int64
        Places in `keys`, shape ``(min(n, pool),)``.
    """
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    units = vectors / np.where(norms > 0, norms, 1)
    zero = keys[min(YARDSTICK, len(keys)) - 1] if len(keys) else 0.0
    width = keys[0] - zero if len(keys) else 0.0
    relevance = (1 - dial) * ((keys - zero) / width if width > 0 else np.ones(len(keys)))
    chosen = np.empty(min(n, len(keys)), np.int64)
    likeness = np.zeros(len(keys))
    for place in range(len(chosen)):
        of_page = place % PAGE
        if not of_page:
            likeness[:] = 0
        chosen[place] = np.argmax(relevance - dial * REPULSION * of_page**RISE * likeness)
        relevance[chosen[place]] = -np.inf
        likeness += units @ units[chosen[place]]
    return chosen

"""Films that nobody has rated, told by their genres and years alone.

In every sample a film's factors and bias are drawn around a mean that what it has adds up to (see `sampler`, after
Macau, Simm et al. 2015). For a film without ratings genres and years are all there is to tell it from others, and
nothing has to be drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from matinee.data.ratings import Float32, Ids, Vocabulary
from matinee.models.bayesian.features import Feature, movie_features

if TYPE_CHECKING:
    import polars as pl

    from matinee.models.bayesian.sampler import Side


@dataclass(frozen=True, eq=False)
class Unrated:
    """Films outside of the ratings, and which of the rated films' genres and years they have.

    Attributes
    ----------
    ids
        Shape ``(n,)``: films of which something is known, sorted.
    features
        As the sampler has them, of the same kinds in the same order; the owners are rows of `ids`.
    """

    ids: Ids
    features: list[Feature]

    @classmethod
    def of(cls, movies: pl.DataFrame | None, items: Vocabulary, *, genres: bool, years: bool) -> Unrated:
        """Look for films of the table that are not among `items`; genres that no rated film has say nothing."""
        if movies is None:
            return cls(items.ids[:0], [])
        everything = Vocabulary.of(movies["movie_id"].to_numpy())
        rows = items.rows(everything.ids)
        found = []
        for feature in movie_features(movies, everything, genres=genres, years=years):
            rated = rows[feature.owners] >= 0
            values = np.unique(feature.members[rated])  # as `movie_features` counts those of `items` alone
            known = ~rated & np.isin(feature.members, values)
            members = np.searchsorted(values, feature.members[known]).astype(np.int32)
            if len(values):
                found.append(Feature(feature.owners[known], members, len(values)))
        told = np.unique(np.concatenate([feature.owners for feature in found])) if found else np.empty(0, np.int32)
        numbered = [
            feature._replace(owners=np.searchsorted(told, feature.owners).astype(np.int32)) for feature in found
        ]
        return cls(everything.ids[told], numbered)

    def means(self, items: Side) -> tuple[Float32, Float32]:
        """Return expected factors, shape ``(n, width)``, and biases, in the sampler's present state."""
        mean_factors, mean_bias = average_rating(items)
        factors = np.tile(mean_factors, (len(self.ids), 1))
        biases = np.full(len(self.ids), mean_bias)
        for feature, sets in zip(self.features, items.features, strict=True):
            counts = np.bincount(feature.owners, minlength=len(self.ids))
            weights = 1 / np.sqrt(counts[feature.owners], dtype=np.float32)
            np.add.at(factors, feature.owners, weights[:, None] * sets.rows.factors[feature.members])
            np.add.at(biases, feature.owners, weights * sets.rows.biases[feature.members])
        return factors, biases


def average_rating(items: Side) -> tuple[Float32, float]:
    """Return what the film of the average rating has beyond its genres and years: factors and bias.

    Not the average film's: films that many people see are better liked, and whoever asks is about to see one.
    """
    weights = np.diff(items.indptr) / max(items.indptr[-1], 1)
    told, told_biases = items.featured()
    factors, bias = weights @ (items.rows.factors - told), float(weights @ (items.rows.biases - told_biases))
    return factors.astype(np.float32), bias

"""The catalogue as a map: films that please the same people lie close to each other."""

from __future__ import annotations

import numpy as np

from matinee.data.ratings import Float32
from matinee.models.factors import FactorModel


def landscape(model: FactorModel) -> Float32:
    """Place a model's films in two dimensions.

    Directions of the item factors are projected on the two in which the films differ most (principal components,
    weighted by the films' ratings, so that the many films that few people know do not decide).

    Returns
    -------
    Float32
        Shape ``(n_items, 2)``, from -1 to 1; zeros for a dimension that the model does not have.
    """
    lengths = np.linalg.norm(model.item_factors, axis=1, keepdims=True)
    units = (model.item_factors / np.where(lengths > 0, lengths, 1)).astype(np.float64)
    weights = np.sqrt(model.item_counts.astype(np.float64))
    centred = units - np.average(units, axis=0, weights=weights) if weights.any() else units
    _, axes = np.linalg.eigh((centred * weights[:, None]).T @ centred)
    best = axes[:, ::-1][:, :2]
    best = best * np.sign(best[np.abs(best).argmax(axis=0), np.arange(best.shape[1])])  # the same side up every time
    places = np.zeros((len(units), 2))
    places[:, : best.shape[1]] = centred @ best
    largest = np.abs(places).max(initial=0)
    return np.asarray(places / (largest or 1), np.float32)

"""The metrics of stars and of lists as sums over batches of people, for engines that measure batch by batch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from matinee.data.ratings import Ratings
from matinee.errors import DataError
from matinee.evaluation.metrics import LIKED, StarModel, auc_by_group, cold_counts, known_pairs, predictions
from matinee.evaluation.ranking import Ranker, rank_everything

Sums = dict[str, Any]
BINS = 4096
"""Steps of predicted stars by which pairs of different people are compared for the AUC."""


def star_sums(model: StarModel, test: Ratings, train: Ratings) -> Sums:
    """Add up what `star_metrics_of` needs over one batch of people."""
    predicted = predictions(model, test)
    errors, liked = predicted - test.stars, test.stars >= LIKED
    known = known_pairs(model, test)
    per_user = auc_by_group(liked, predicted, test.user_rows.astype(np.int64))
    low, high = test.scale
    bins = np.minimum((predicted - low) / (high - low) * BINS, BINS - 1).astype(np.int64)
    histograms = [np.bincount(bins[of], minlength=BINS).tolist() for of in (liked, ~liked)]
    cold = cold_counts(train, test, model.users)
    return {
        "pairs": len(test), "squares": float(errors @ errors), "absolutes": float(np.abs(errors).sum()),
        "known": int(known.sum()), "known_squares": float(errors[known] @ errors[known]),
        "aucs": float(np.nansum(per_user)), "auc_users": int(np.isfinite(per_user).sum()),
        "liked": histograms[0], "disliked": histograms[1], "cold_users": cold["cold_users"],
    }  # fmt: skip


def star_metrics_of(sums: Sums) -> dict[str, float | None]:
    """Return what `star_metrics` does; ``auc`` takes predictions for equal that differ by a thousandth of a star."""
    liked, disliked = np.asarray(sums["liked"], np.float64), np.asarray(sums["disliked"], np.float64)
    below = np.cumsum(disliked) - disliked / 2
    pairs = liked.sum() * disliked.sum()
    return {
        "rmse": math.sqrt(sums["squares"] / sums["pairs"]),
        "mae": sums["absolutes"] / sums["pairs"],
        "rmse_known": math.sqrt(sums["known_squares"] / sums["known"]) if sums["known"] else None,
        "auc": float(liked @ below / pairs) if pairs else None,
        "auc_per_user": sums["aucs"] / sums["auc_users"] if sums["auc_users"] else None,
    }


def list_sums(model: Ranker, test: Ratings, train: Ratings) -> Sums:
    """Add up what `list_metrics_of` needs over one batch of people."""
    if not bool((test.stars >= LIKED).any()):
        return {}
    lists = rank_everything(model, test, train)
    return {
        name: [float(np.nansum(values)), int(np.isfinite(values).sum())] for name, values in lists.per_user.items()
    } | {"people": len(lists.user_ids)}


def list_metrics_of(sums: Sums) -> dict[str, float]:
    """Return the means over all people, as `Lists.means`.

    Raises
    ------
    DataError
        If nobody liked anything that was held out.
    """
    if not sums:
        raise DataError(f"no held-out rating has {LIKED:g} stars or more, so no list can be measured")
    return {name: value[0] / value[1] for name, value in sums.items() if name != "people"}

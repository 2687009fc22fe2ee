"""How far predicted stars are from given ones.

Every function scores all the test pairs: a pair whose user or item the model has never met is scored by what the model
falls back on (biases, then the mean) and counted in `cold_counts`; none is dropped.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from matinee.data.ratings import Bools, Float32, Int64, Ratings, Vocabulary
from matinee.errors import DataError

Float64 = npt.NDArray[np.float64]
Int64s = npt.NDArray[np.int64]
LIKED = 4.0
"""Ratings of so many stars or more count as liked."""


class StarModel(Protocol):
    """What the metrics ask of a rating model; every `RatingModel` has it."""

    @property
    def users(self) -> Vocabulary:
        """The training set's users."""

    @property
    def items(self) -> Vocabulary:
        """The training set's items."""

    def predict(self, user_ids: npt.ArrayLike, item_ids: npt.ArrayLike, /) -> Float32 | float:
        """Predict stars of pairs."""


def predictions(model: StarModel, test: Ratings) -> Float64:
    """Predict the stars of every test pair, shape ``(len(test),)``, in the order of ``test.by_user``."""
    return np.asarray(model.predict(test.user_ids, test.item_ids, **times(model, test)), np.float64)


def times(model: StarModel, test: Ratings) -> dict[str, Int64]:
    """Return when the test ratings were given, as a keyword argument, for models that have a use for it."""
    if test.timestamps is None or not getattr(model, "takes_timestamps", False):
        return {}
    return {"timestamps": test.timestamps}


def rmse(model: StarModel, test: Ratings) -> float:
    """Return the root mean squared error over all test pairs, in stars: sqrt(mean((predicted - given)^2))."""
    return root_mean_square(predictions(model, test) - test.stars)


def mae(model: StarModel, test: Ratings) -> float:
    """Return the mean absolute error over all test pairs, in stars."""
    return float(np.mean(np.abs(predictions(model, test) - test.stars)))


def root_mean_square(errors: Float64) -> float:
    """Return sqrt(mean(errors^2))."""
    return float(np.sqrt(np.mean(np.square(errors))))


def auc(liked: Bools, scores: Float64) -> float:
    """Return the chance that a liked pair scores above one that is not liked, ties counting half.

    Parameters
    ----------
    liked, scores
        Shape ``(n,)``.

    Returns
    -------
    float
        NaN where either kind is missing.
    """
    return float(auc_by_group(liked, scores, np.zeros(len(liked), np.int64))[0])


def auc_by_group(liked: Bools, scores: Float64, groups: Int64s) -> Float64:
    """Return the AUC within each group (a user's test pairs, say), exact with ties.

    AUC = (sum of the liked pairs' ranks within the group - m (m + 1) / 2) / (m (n - m)), with m liked pairs of n, equal
    scores sharing the mean of their ranks (Mann and Whitney 1947).

    Parameters
    ----------
    liked, scores
        Shape ``(n,)``.
    groups
        Shape ``(n,)``: numbers from 0.

    Returns
    -------
    Float64
        Shape ``(max(groups) + 1,)``, NaN for groups that lack liked or not liked pairs.
    """
    n = np.bincount(groups)
    m = np.bincount(groups, weights=liked)
    rank_sums = np.bincount(groups, weights=np.where(liked, mean_ranks(scores, groups), 0.0))
    with np.errstate(invalid="ignore"):
        return np.asarray((rank_sums - m * (m + 1) / 2) / (m * (n - m)), np.float64)


def mean_ranks(scores: Float64, groups: Int64s) -> Float64:
    """Rank scores from 1 upwards within their group, shape ``(n,)``; equal scores share the mean of their ranks."""
    order = np.lexsort((scores, groups))
    sorted_scores, sorted_groups = scores[order], groups[order]
    new_group = np.append(True, sorted_groups[1:] != sorted_groups[:-1])
    new_run = new_group | np.append(True, sorted_scores[1:] != sorted_scores[:-1])
    del sorted_scores, sorted_groups
    starts = np.flatnonzero(new_run)
    ends = np.append(starts[1:], len(scores))
    run = np.cumsum(new_run) - 1
    group_start = np.flatnonzero(new_group)[np.cumsum(new_group) - 1]
    ranks = np.empty(len(scores))
    ranks[order] = ((starts + ends + 1) / 2)[run] - group_start
    return ranks


def star_metrics(model: StarModel, test: Ratings, *, liked_from: float = LIKED) -> dict[str, float | None]:
    """Measure a rating model on held-out ratings.

    Returns
    -------
    dict
        ``rmse`` and ``mae`` over all pairs; ``rmse_known`` over those whose user and item the model knows, which is
        what tools that drop the others call RMSE; ``auc`` of liked (``liked_from`` stars or more) against not liked
        over all pairs, and ``auc_per_user``, its mean over the users who have both kinds in the test set. None where
        there is nothing to average.
    """
    predicted = predictions(model, test)
    errors = predicted - test.stars
    liked = test.stars >= liked_from
    per_user = auc_by_group(liked, predicted, test.user_rows.astype(np.int64))
    known = known_pairs(model, test)
    values = {
        "rmse": root_mean_square(errors),
        "mae": float(np.mean(np.abs(errors))),
        "rmse_known": root_mean_square(errors[known]) if known.any() else np.nan,
        "auc": auc(liked, predicted),
        "auc_per_user": float(np.nanmean(per_user)) if np.isfinite(per_user).any() else np.nan,
    }
    return {name: None if np.isnan(value) else value for name, value in values.items()}


def known_pairs(model: StarModel | Ratings, test: Ratings) -> Bools:
    """Tell for every test pair whether both its user and its item are known, shape ``(len(test),)``."""
    users, items = model.users.rows(test.users.ids) >= 0, model.items.rows(test.items.ids) >= 0
    return np.asarray(users[test.user_rows] & items[test.item_rows])


def cold_counts(train: Ratings, test: Ratings, people: Vocabulary | None = None) -> dict[str, int]:
    """Count what the test set has and the training set lacks.

    Parameters
    ----------
    people
        Whom the model can place; None for the training set's users.

    Returns
    -------
    dict
        ``cold_users``, ``cold_items``, and ``cold_pairs``: test ratings whose user or item is cold.
    """
    users = (train.users if people is None else people).rows(test.users.ids) < 0
    items = train.items.rows(test.items.ids) < 0
    pairs = users[test.user_rows] | items[test.item_rows]
    return {"cold_users": int(users.sum()), "cold_items": int(items.sum()), "cold_pairs": int(pairs.sum())}


def refuse_leaks(train: Ratings, test: Ratings) -> None:
    """Refuse a test set that shares a pair with the training set: nobody is examined on what they were taught.

    Raises
    ------
    DataError
        Saying how many pairs are in both.
    """
    users, items = train.users.rows(test.users.ids), train.items.rows(test.items.ids)
    known = known_pairs(train, test)
    width = len(train.items)
    wanted = users[test.user_rows[known]].astype(np.int64) * width + items[test.item_rows[known]]
    taught = train.user_rows.astype(np.int64) * width + train.item_rows  # increasing: by user, then by item
    place = np.minimum(np.searchsorted(taught, wanted), len(taught) - 1)
    shared = int((taught[place] == wanted).sum())
    if shared:
        what = "rating is" if shared == 1 else "ratings are"
        raise DataError(f"{shared} held-out {what} also in the training set: split the ratings so that none is in both")

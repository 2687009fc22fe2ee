"""The metrics of stars and of lists from batches of people, for engines that measure batch by batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from matinee.data.ratings import Ratings
from matinee.errors import DataError
from matinee.evaluation.comparing import Score
from matinee.evaluation.metrics import LIKED, StarModel, auc_by_group, known_pairs, predictions
from matinee.evaluation.ranking import Ranker, rank_everything

Arrays = dict[str, npt.NDArray[Any]]
BINS = 1 << 16
"""Steps of predicted stars by which pairs of different people are compared for the AUC."""


@dataclass(frozen=True, eq=False)
class Part:
    """What was measured of some people, who are named by numbers.

    Attributes
    ----------
    per_user
        ``users``, shape ``(n,)``, increasing, and what was measured of each of them, shapes ``(n, ...)``.
    sums
        What adds up over people.
    """

    per_user: Arrays
    sums: Arrays

    def packed(self) -> bytes:
        """Write the arrays as one binary value."""
        buffer = BytesIO()
        named = {f"user {name}": array for name, array in self.per_user.items()}
        np.savez_compressed(buffer, **cast("dict[str, Any]", named | self.sums))
        return buffer.getvalue()

    @classmethod
    def unpacked(cls, packed: bytes) -> Part:
        """Read what `packed` wrote."""
        with np.load(BytesIO(packed), allow_pickle=False) as arrays:
            per_user = {name[5:]: arrays[name] for name in arrays.files if name.startswith("user ")}
            return cls(per_user, {name: arrays[name] for name in arrays.files if not name.startswith("user ")})


def together(parts: Sequence[Part]) -> Part:
    """Put parts of different people together."""
    measured = [part.per_user for part in parts if part.per_user]  # of a batch in which nobody counts there is none
    per_user: Arrays = {}
    if measured:
        order = np.argsort(np.concatenate([part["users"] for part in measured]))
        per_user = {name: np.concatenate([part[name] for part in measured])[order] for name in measured[0]}
    names = dict.fromkeys(name for part in parts for name in part.sums)
    return Part(per_user, {name: np.sum([part.sums[name] for part in parts], axis=0) for name in names})


def star_part(model: StarModel, test: Ratings, *, liked_from: float = LIKED) -> Part:
    """Measure what `star_metrics_of` needs."""
    predicted = predictions(model, test)
    errors, liked = predicted - test.stars, test.stars >= liked_from
    known, rows = known_pairs(model, test), test.user_rows

    def added(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        return np.bincount(rows, weights=values, minlength=len(test.users)).astype(np.float64)

    low, high = test.scale
    bins = np.clip((predicted - low) / (high - low) * BINS, 0, BINS - 1).astype(np.int64)
    per_user: Arrays = {
        "users": test.users.ids, "pairs": test.by_user.counts, "squares": added(errors**2),
        "absolutes": added(np.abs(errors)), "known": added(known), "known_squares": added(known * errors**2),
        "auc": auc_by_group(liked, predicted, rows.astype(np.int64)),
    }  # fmt: skip
    histograms = {name: np.bincount(bins[of], minlength=BINS) for name, of in (("liked", liked), ("others", ~liked))}
    return Part(per_user, cast("Arrays", histograms))


def star_metrics_of(part: Part) -> dict[str, float | None]:
    """Return what `star_metrics` does; ``auc`` takes predictions for equal that differ by 1 / 65536 of the scale."""
    of, pairs = part.per_user, part.per_user["pairs"].sum()
    liked, others = part.sums["liked"].astype(np.float64), part.sums["others"].astype(np.float64)
    both, known = liked.sum() * others.sum(), of["known"].sum()
    return {
        "rmse": math.sqrt(of["squares"].sum() / pairs),
        "mae": float(of["absolutes"].sum() / pairs),
        "rmse_known": math.sqrt(of["known_squares"].sum() / known) if known else None,
        "auc": float(liked @ (np.cumsum(others) - others / 2) / both) if both else None,
        "auc_per_user": float(np.nanmean(of["auc"])) if np.isfinite(of["auc"]).any() else None,
    }


def star_score_of(part: Part) -> Score:
    """Return what `matinee.evaluation.comparing.star_score` does."""
    metrics = star_metrics_of(part)
    weights = part.per_user["pairs"].astype(np.float64)
    return Score(cast("float", metrics["rmse"]), part.per_user["squares"], weights, True, metrics)


def list_part(model: Ranker, test: Ratings, seen: Ratings, *, k: int = 10, relevant_from: float = LIKED) -> Part:
    """Measure what `list_metrics_of` needs, and keep the lists: ``top``, numbers of items, -1 where one is shorter."""
    if not bool((test.stars >= relevant_from).any()):
        return Part({}, {"skipped_people": np.array(len(test.users))})
    lists = rank_everything(model, test, seen, k=k, relevant_from=relevant_from)
    top = np.where(lists.top >= 0, model.items.ids[lists.top], -1)
    per_user: Arrays = {"users": lists.user_ids, "top": top, **cast("Arrays", lists.per_user)}
    return Part(per_user, {"skipped_people": np.array(lists.skipped_users)})


def list_metrics_of(part: Part) -> dict[str, float]:
    """Return the means over all people, as `matinee.evaluation.ranking.Lists.means`.

    Raises
    ------
    DataError
        If nobody liked anything that was held out.
    """
    if not part.per_user:
        raise DataError("nobody liked anything that was held out, so no list can be measured")
    metrics = {name: values for name, values in part.per_user.items() if name not in ("users", "top")}
    return {
        name: float(np.nanmean(values)) if np.isfinite(values).any() else math.nan for name, values in metrics.items()
    }


def list_score_of(part: Part, k: int) -> Score:
    """Return what `matinee.evaluation.comparing.list_score` does."""
    means, gains = list_metrics_of(part), part.per_user[f"ndcg@{k}"]
    return Score(means[f"ndcg@{k}"], gains, np.ones(len(gains)), False, means)

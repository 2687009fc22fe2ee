"""How models are examined: split, fit on the training part, measure on the rest, beside the baselines.

A model never sees the ratings that it is measured on: every measurement refuses a held-out rating that is also in the
training part.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from matinee.data.ratings import Float32, Ratings, Vocabulary
from matinee.evaluation.calibration import IntervalModel, interval_metrics
from matinee.evaluation.catalogue import catalogue_metrics, genre_vectors
from matinee.evaluation.comparing import standard_error
from matinee.evaluation.metrics import LIKED, cold_counts, refuse_leaks, star_metrics
from matinee.evaluation.ranking import rank_everything
from matinee.evaluation.splitting import Split
from matinee.evaluation.tuning import Estimator

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, eq=False)
class FoldedIn:
    """A ranker for people who are not in the training set: each is placed by `fold_in` of what is known of them."""

    model: Any
    history: Ratings

    @property
    def items(self) -> Vocabulary:
        """The model's items."""
        items: Vocabulary = self.model.items
        return items

    def scores(self, user_ids: npt.ArrayLike) -> Float32:
        """Score every item, shape ``(len(user_ids), n_items)``."""
        return np.stack([self._scores(row) for row in self.history.users.rows(user_ids)])

    def _scores(self, row: int) -> Float32:
        if row < 0:  # none of this person's ratings is known
            return np.asarray(self.model.fold_in({}).scores(), np.float32)
        items, stars = self.history.by_user.row(row)
        known: dict[Any, float] = dict(zip(self.history.items.ids[items].tolist(), stars.tolist(), strict=True))
        return np.asarray(self.model.fold_in(known).scores(), np.float32)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Models measured on the same splits.

    Attributes
    ----------
    protocol
        How the data was split, and what the splits hold.
    results
        By name, the model under examination first: means over the splits of everything measured, with `fit_seconds`,
        and `standard_errors` where there are several splits.
    """

    protocol: dict[str, Any]
    results: dict[str, dict[str, Any]]
    engine: str = "local"

    @property
    def document(self) -> dict[str, Any]:
        """What `matinee evaluate --json` prints."""
        (name, model), *others = self.results.items()
        return {
            "protocol": self.protocol,
            "engine": self.engine,
            "model": {"name": name, **model},
            "baselines": dict(others),
        }


Fitted = Callable[[str], None]


def evaluate_stars(
    models: Mapping[str, Estimator],
    splits: Sequence[Split],
    *,
    protocol: Mapping[str, Any],
    liked_from: float = LIKED,
    report: Fitted | None = None,
    progress: Callable[[Any], None] | None = None,
) -> Evaluation:
    """Measure rating models, the one under examination first.

    Parameters
    ----------
    models
        By name.
    splits
        The metrics are averaged over them.
    protocol
        How the splits were made: goes into the document, with the sizes and the cold pairs of the first split.
    liked_from
        Least stars of a liked film, for the AUC.
    report
        Called with a model's name before it is fitted.
    progress
        Passed to every fit.

    Raises
    ------
    DataError
        If a held-out rating is also in the training part.
    """

    def measure(model: Any, split: Split) -> dict[str, Any]:
        measured: dict[str, Any] = star_metrics(model, split.test, liked_from=liked_from)
        if isinstance(model, IntervalModel) and getattr(model, "knows_intervals", True):
            measured["intervals"] = interval_metrics(model, split.test)
        return measured

    _refuse_leaks(splits)
    return examined(models, splits, measure, {"task": "stars", "liked_from": liked_from, **protocol}, report, progress)


def evaluate_ranking(
    models: Mapping[str, Estimator],
    splits: Sequence[Split],
    *,
    protocol: Mapping[str, Any],
    k: int = 10,
    relevant_from: float = LIKED,
    movies: pl.DataFrame | None = None,
    report: Fitted | None = None,
    progress: Callable[[Any], None] | None = None,
) -> Evaluation:
    """Measure rankers, the one under examination first; see `evaluate_stars` for the other parameters.

    Parameters
    ----------
    k
        Length of the lists.
    relevant_from
        Least stars of a relevant held-out rating.
    movies
        The catalogue, for the diversity of genres; None leaves that out.
    """

    def measure(model: Any, split: Split) -> dict[str, Any]:
        ranker = model if split.history is None else FoldedIn(model, split.history)
        lists = rank_everything(ranker, split.test, split.seen, k=k, relevant_from=relevant_from)
        vectors = None if movies is None else genre_vectors(movies, model.items)
        counts, people = split.train.item_counts, len(split.train.users)
        shown = catalogue_metrics(lists.top, counts, people, item_vectors=vectors)
        return {**lists.means, **shown, "people": len(lists.user_ids), "skipped_people": lists.skipped_users}

    how = {"task": "ranking", "k": k, "relevant_from": relevant_from, **protocol}
    _refuse_leaks(splits)
    return examined(models, splits, measure, how, report, progress)


def _refuse_leaks(splits: Sequence[Split]) -> None:
    for split in splits:
        refuse_leaks(split.train, split.test)


def _cold(split: Split) -> dict[str, int]:
    return cold_counts(split.train, split.test, split.seen.users)


def examined(
    models: Mapping[str, Estimator],
    splits: Sequence[Any],
    measure: Callable[[Any, Any], dict[str, Any]],
    protocol: dict[str, Any],
    report: Fitted | None,
    progress: Callable[[Any], None] | None = None,
    *,
    cold: Callable[[Any], dict[str, int]] = _cold,
    engine: str = "local",
) -> Evaluation:
    """Fit and measure every model on every split, whatever an engine's splits and models are.

    Parameters
    ----------
    splits
        Each with `train` and `test`, of which `len` is the number of ratings.
    measure
        Called with what was fitted, and the split.
    cold
        Counts what the test part of a split has and its training part lacks.
    """
    results = {}
    for name, estimator in models.items():
        rows = []
        for split in splits:
            if report:
                report(name)
            start = time.perf_counter()
            model = estimator.fit(split.train, progress=progress)
            fit_seconds = time.perf_counter() - start
            rows.append(measure(model, split) | {"fit_seconds": fit_seconds})
        results[name] = averaged(rows)
    first = splits[0]
    sizes = {"train": len(first.train), "test": len(first.test), "splits": len(splits)}
    return Evaluation(protocol | sizes | cold(first), results, engine)


def averaged(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Average numbers over splits; anything else is the first split's."""
    if len(rows) == 1:
        return dict(rows[0])
    means, errors = dict(rows[0]), {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        if all(isinstance(value, int | float) for value in values):
            means[name] = float(np.mean(values))
            errors[name] = standard_error(values)
    return means | {"standard_errors": errors}

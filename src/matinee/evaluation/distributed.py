"""Models examined and parameters chosen on a cluster: the protocols and tables of one machine, on Spark's ratings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from matinee.engines.spark.fit import Factors, fit_biases, fit_picks, fit_popularity, fit_stars, on_spark
from matinee.engines.spark.frames import SparkRatings
from matinee.engines.spark.people import measured_over_people
from matinee.engines.spark.splits import cold_counts, hash_fractions, hash_split, joined, last_n, time_split
from matinee.errors import ParameterError
from matinee.evaluation.catalogue import catalogue_metrics, genre_vectors
from matinee.evaluation.comparing import Score
from matinee.evaluation.metrics import LIKED
from matinee.evaluation.protocols import Evaluation, examined
from matinee.evaluation.rankers import TUTORIAL, TutorialList
from matinee.evaluation.sums import (
    Part,
    list_metrics_of,
    list_part,
    list_score_of,
    star_metrics_of,
    star_part,
    star_score_of,
    together,
)
from matinee.evaluation.tuning import Parts, Task, ranking_task, stars_task
from matinee.models.als import ALS
from matinee.models.implicit_als import ImplicitALS

if TYPE_CHECKING:
    import polars as pl

PROTOCOLS = ("hash", "last", "time")
"""Ways to split that give the same parts on any engine; the others are drawn at random on one machine."""


@dataclass(frozen=True)
class OnSpark:
    """Something that learns on the cluster; `learn` takes the ratings."""

    learn: Callable[[SparkRatings], Factors]

    def fit(self, ratings: Any, *, progress: Any = None) -> Factors:
        """Learn; Spark says nothing of iterations."""
        return self.learn(ratings)


def stars_on_spark(**params: Any) -> OnSpark:
    """Learn stars by `ALS` with these parameters."""
    als = ALS(**params)
    return OnSpark(lambda ratings: fit_stars(ratings, on_spark(als, ratings)))


def picks_on_spark(**params: Any) -> OnSpark:
    """Learn lists by `ImplicitALS` with these parameters and Spark's objective."""
    als = ImplicitALS(**params, objective="spark")
    return OnSpark(lambda ratings: fit_picks(ratings, als))


def _tutorials_list(ratings: SparkRatings) -> Factors:
    factors = fit_stars(ratings, TUTORIAL)
    listed = ratings.film_counts >= TutorialList.min_ratings
    return replace(factors, item_biases=np.where(listed, 0, -np.inf).astype(np.float32))


def make_splits(
    ratings: SparkRatings, protocol: str, *, test: float = 0.2, last: int = 5, seed: int = 0, repeats: int = 1
) -> tuple[list[Parts], dict[str, Any]]:
    """Cut by one of `PROTOCOLS`; see `matinee.evaluation.splitting.make_splits`.

    Raises
    ------
    ParameterError
        If a value is not allowed or the ratings cannot be cut that way.
    """
    if protocol not in PROTOCOLS:
        raise ParameterError(
            f"protocol {protocol!r}: {', '.join(PROTOCOLS)} are allowed on Spark; the others draw on one machine"
        )
    if protocol == "hash":
        cuts = [hash_split(ratings, test, seed + repeat) for repeat in range(repeats)]
        how: dict[str, Any] = {"test_share": test, "split_seed": seed, "repeats": repeats}
    elif repeats > 1:
        raise ParameterError(f"{protocol!r} cuts by time, always at the same place: it cannot be repeated")
    else:
        cuts = [last_n(ratings, last) if protocol == "last" else time_split(ratings, test)]
        how = {"last": last} if protocol == "last" else {"test_share": test}
    return [Parts(train, None, held_out) for train, held_out in cuts], {"protocol": protocol, **how}


def tuning_parts(ratings: SparkRatings, fractions: tuple[float, ...], seed: int) -> Parts:
    """Cut into training, validation (if asked for) and test part, as `matinee.data.splits.hash_fractions` does."""
    cut = hash_fractions(ratings, fractions, seed)
    return Parts(cut[0], cut[1] if len(cut) == 3 else None, cut[-1])


def measured(work: Callable[..., Part], factors: Factors, *ratings: SparkRatings) -> Part:
    """Let the cluster measure all people of the held-out part; `work` is one of `matinee.evaluation.sums`."""
    held_out, seen = ratings[0], (ratings[1] if len(ratings) > 1 else None)
    return together(
        [Part.unpacked(part) for part in measured_over_people(held_out, factors, partial(_packed, work), seen)]
    )


def _packed(work: Callable[..., Part], *arguments: Any) -> bytes:
    return work(*arguments).packed()


def evaluate_stars(
    params: Mapping[str, Any],
    splits: Sequence[Parts],
    *,
    protocol: Mapping[str, Any],
    liked_from: float = LIKED,
    report: Callable[[str], None] | None = None,
) -> Evaluation:
    """Measure `ALS` beside damped biases; see `matinee.evaluation.protocols.evaluate_stars`."""
    models = {"ALS": stars_on_spark(**params), "damped bias": OnSpark(fit_biases)}
    work = partial(star_part, liked_from=liked_from)
    how = {"task": "stars", "liked_from": liked_from, **protocol}

    def measure(model: Factors, split: Parts) -> dict[str, Any]:
        return dict(star_metrics_of(measured(work, model, split.test)))

    return examined(models, splits, measure, how, report, cold=_cold, engine="spark")


def evaluate_ranking(
    params: Mapping[str, Any],
    splits: Sequence[Parts],
    *,
    protocol: Mapping[str, Any],
    k: int = 10,
    relevant_from: float = LIKED,
    movies: pl.DataFrame | None = None,
    report: Callable[[str], None] | None = None,
) -> Evaluation:
    """Measure `ImplicitALS` beside popularity and the tutorial's list; see
    `matinee.evaluation.protocols.evaluate_ranking`.
    """
    models = {
        "ImplicitALS": picks_on_spark(**params),
        "popularity": OnSpark(fit_popularity),
        "tutorial's list": OnSpark(_tutorials_list),
    }
    work = partial(list_part, k=k, relevant_from=relevant_from)
    how = {"task": "ranking", "k": k, "relevant_from": relevant_from, **protocol}

    def measure(model: Factors, split: Parts) -> dict[str, Any]:
        part = measured(work, model, split.test, split.train)
        means = list_metrics_of(part)
        skipped = int(part.sums["skipped_people"])
        shown = _shown(part.per_user["top"], split.train, movies)
        return {**means, **shown, "people": len(part.per_user["users"]), "skipped_people": skipped}

    return examined(models, splits, measure, how, report, cold=_cold, engine="spark")


def _shown(top: Any, train: SparkRatings, movies: pl.DataFrame | None) -> dict[str, float | None]:
    """Measure what lists do to the catalogue, the films of the training part."""
    counts = train.film_counts
    known = np.flatnonzero(counts)
    place = np.append(np.cumsum(counts > 0) - 1, -1)  # the last one for the -1 behind a short list
    vectors = None if movies is None else genre_vectors(movies, train.items)
    people = int(train.present("user").sum())
    return catalogue_metrics(
        place[top], counts[known], people, item_vectors=None if vectors is None else vectors[known]
    )


def _cold(split: Parts) -> dict[str, int]:
    return cold_counts(split.train, split.test)


def star_task_on_spark() -> Task:
    """Tune `ALS` on the cluster by the RMSE of predicted stars."""

    def score(model: Factors, part: SparkRatings, seen: SparkRatings) -> Score:
        return star_score_of(measured(star_part, model, part))

    return replace(
        stars_task(), make=stars_on_spark, baseline=OnSpark(fit_biases), score=score, join=joined, cold=cold_counts,
        engine="spark",
    )  # fmt: skip


def ranking_task_on_spark(*, k: int = 10, relevant_from: float = LIKED) -> Task:
    """Tune `ImplicitALS` on the cluster by the NDCG@k of lists among all unseen items."""
    work = partial(list_part, k=k, relevant_from=relevant_from)

    def score(model: Factors, part: SparkRatings, seen: SparkRatings) -> Score:
        return list_score_of(measured(work, model, part, seen), k)

    return replace(
        ranking_task(k=k), make=picks_on_spark, baseline=OnSpark(fit_popularity), score=score, join=joined,
        cold=cold_counts, engine="spark",
    )  # fmt: skip

"""Training on a cluster: measure on a hold-out, refit on everything, gather, save, promote, as `matinee.training`."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from matinee.errors import DataError
from matinee.evaluation.sums import list_metrics_of, list_part, star_metrics_of, star_part
from matinee.registry import Registry
from matinee.training import Report, Step, Trained

if TYPE_CHECKING:
    import polars as pl

    from matinee.engines.spark.fit import Factors
    from matinee.engines.spark.frames import SparkRatings
    from matinee.models.als import ALS
    from matinee.models.implicit_als import ImplicitALS


def gathered_bytes(ratings: SparkRatings, stars: ALS, picks: ImplicitALS | None) -> int:
    """Return what the driver holds in the end: factors and biases in float32, and 24 bytes a rating while gathering."""
    width = stars.rank + 2 + (picks.rank + 2 if picks else 0)
    return 4 * width * (len(ratings.users) + len(ratings.items)) + 24 * len(ratings)


def sharded_bytes(ratings: SparkRatings, stars: ALS, picks: ImplicitALS | None) -> int:
    """Return what the driver holds where people stay in shards: everybody's id, and the films' factors."""
    width = stars.rank + 2 + (picks.rank + 2 if picks else 0)
    return 3 * int(ratings.users.ids.nbytes) + 4 * width * len(ratings.items)


def train(
    ratings: SparkRatings,
    registry: Registry,
    *,
    stars: ALS,
    picks: ImplicitALS | None = None,
    movies: pl.DataFrame | None = None,
    data: str | None = None,
    test: float = 0.2,
    seed: int = 0,
    shards: bool = False,
    report: Report | None = None,
) -> Trained:
    """Measure, refit on everything, save and promote; see `matinee.training.train` for the parameters.

    Ratings are held out by `matinee.data.splits.hash_split`, which draws the same pairs on any engine. With `shards`,
    people and ratings stay on the cluster, which writes them into the model folder; see `matinee.models.shards`.

    Raises
    ------
    EngineError
        If Spark gives up.
    ParameterError, DataError, ArtifactError
        As `matinee.training.train`.
    """
    from matinee.engines.spark.fit import fit_picks, fit_stars, on_spark
    from matinee.engines.spark.frames import gathered
    from matinee.engines.spark.shards import ShardedTraining, check_shared, film_stats

    start = time.perf_counter()
    registry.check_writable()
    if shards:
        check_shared(ratings.packed.sparkSession, registry.models_dir)
    metrics = measure(ratings, stars, picks, test=test, seed=seed, report=report) if test else {}
    params = on_spark(stars, ratings)
    rated = _staged("stars, on everything", report, lambda: fit_stars(ratings, params))
    ranked = _staged("picks, on everything", report, lambda: fit_picks(ratings, picks)) if picks else None
    kept: dict[str, Any] = {"movies": movies, "metrics": {"engine": "spark", **metrics}, "data": data}
    kept["stats"] = film_stats(ratings)
    if shards:
        learned = ShardedTraining(ratings, rated, ranked)
        model_id = registry.publish(*learned.models(params, picks), people=learned.write, **kept)
    else:
        here = gathered(ratings)
        ranking = ranked.picks_model(here, picks) if ranked and picks else None
        model_id = registry.publish(rated.stars_model(here, params), ranking, ratings=here, **kept)
    return Trained(model_id, {"engine": "spark", **metrics}, time.perf_counter() - start)


def measure(
    ratings: SparkRatings,
    stars: ALS,
    picks: ImplicitALS | None,
    *,
    test: float,
    seed: int,
    report: Report | None = None,
) -> dict[str, Any]:
    """Fit on one part of the ratings and measure on the rest, all of it on the cluster."""
    from matinee.engines.spark.fit import fit_biases, fit_picks, fit_stars, on_spark
    from matinee.engines.spark.splits import cold_counts, hash_split
    from matinee.evaluation.distributed import measured

    train_part, held_out = hash_split(ratings, test, seed)
    params = on_spark(stars, ratings)
    factors = _staged("stars, measuring", report, lambda: fit_stars(train_part, params))
    biases = factors.without_factors() if params.biases else fit_biases(train_part)
    result: dict[str, Any] = {
        "protocol": {"split": "hash", "test": test, "seed": seed, "held_out": len(held_out)},
        **cold_counts(train_part, held_out),
        "stars": star_metrics_of(measured(star_part, factors, held_out)),
        "baselines": {"damped bias": star_metrics_of(measured(star_part, biases, held_out))},
    }
    if picks:
        ranking = _staged("picks, measuring", report, lambda: fit_picks(train_part, picks))
        with suppress(DataError):  # nobody liked anything that was held out: lists cannot be measured
            result["picks"] = list_metrics_of(measured(list_part, ranking, held_out, train_part))
    return result


def _staged(stage: str, report: Report | None, work: Callable[[], Factors]) -> Factors:
    """Do one stage; Spark says nothing of iterations, so there is one step."""
    if report:
        report(Step(stage, 0, 1))
    done = work()
    if report:
        report(Step(stage, 1, 1))
    return done

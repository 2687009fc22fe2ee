"""Test error of explicit ALS: beside damped biases, cmfrec's best plain ALS and Spark on the same splits."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

import matinee
from bench import peers
from bench.common import Check, report
from matinee import ALS, Ratings, damped_bias, random_split, rmse

CMFREC_GRID = {
    "k": (8, 16, 32, 64),
    "lambda_": (0.05, 0.1, 0.15, 0.2),
    "scale_lam": (True,),
    "user_bias": (True,),
}
CMFREC_UNSCALED = {"k": (8, 16, 32, 64), "lambda_": (3.0, 6.0, 10.0, 15.0), "scale_lam": (False,), "user_bias": (True,)}


def run(*, quick: bool = False, data: Iterable[str] = ("sample",)) -> list[Check]:
    """Measure every data set of `data` (a name or a file, as `matinee.load` takes it)."""
    seeds = range(1 if quick else 5)
    raw: dict[str, Any] = {}
    checks = []
    for source in data:
        name = Path(source).stem
        ratings = matinee.load(source).ratings
        errors = [_one_split(ratings, seed, quick=quick) for seed in seeds]
        means = {who: float(np.mean([error[who] for error in errors])) for who in errors[0]}
        raw[name] = {"means": means, "splits": errors}
        cmfrec = min(value for who, value in means.items() if who.startswith("cmfrec"))
        below = means["damped bias"] - means["ALS"]
        checks.append(Check(f"{name}: RMSE of default ALS below damped biases", below, 0.009, unit=""))
        above = means["ALS"] - cmfrec
        checks.append(Check(f"{name}: RMSE of default ALS above cmfrec's best", above, 0.001, at_least=False, unit=""))
        if not quick:
            checks += _spark_parity(name, ratings, raw)
    return report("quality_als_quick" if quick else "quality_als", checks, raw)


def _one_split(ratings: Ratings, seed: int, *, quick: bool) -> dict[str, float]:
    train, test = random_split(ratings, test=0.2, seed=seed)
    errors = {"damped bias": rmse(damped_bias().fit(train), test), "ALS": rmse(ALS().fit(train), test)}
    grids = (CMFREC_GRID, CMFREC_UNSCALED)
    for grid in grids:
        for values in product(*grid.values()):
            options = dict(zip(grid, values, strict=True))
            if quick and options["k"] != 64:
                continue
            errors[f"cmfrec {options}"] = _cmfrec_rmse(train, test, options)
    return errors


def _cmfrec_rmse(train: Ratings, test: Ratings, options: dict[str, Any]) -> float:
    from cmfrec import CMF

    model = CMF(method="als", use_cg=False, niter=15, verbose=False, precompute_for_predictions=False, **options)
    model.fit(peers.matrix(train).tocoo())
    users, items = train.users.rows(test.user_ids), train.items.rows(test.item_ids)
    known = (users >= 0) & (items >= 0)
    predicted = np.full(len(test), train.mean)
    predicted[known] = model.predict(users[known], items[known])
    for rows, biases in ((users, model.user_bias_), (items, model.item_bias_)):
        lone = ~known & (rows >= 0)
        predicted[lone] += np.asarray(biases)[rows[lone]]
    return float(np.sqrt(np.mean((np.clip(predicted, *train.scale) - test.stars) ** 2)))


def _spark_parity(name: str, ratings: Ratings, raw: dict[str, Any]) -> list[Check]:
    train, test = random_split(ratings, test=0.2, seed=0)
    known = (train.users.rows(test.user_ids) >= 0) & (train.items.rows(test.item_ids) >= 0)
    warm = test.select(known)
    checks = []
    for rank in (8, 64):
        seeds = [1, 2, 3]
        spark = peers.spark(train, warm, rank=rank, max_iter=15, seeds=seeds)["test"]
        ours = [
            rmse(ALS(rank=rank, regularization=0.1, iterations=15, seed=seed, biases=False).fit(train), warm)
            for seed in seeds
        ]
        theirs = [entry["rmse"] for entry in spark]
        raw[f"{name}, Spark's objective, rank {rank}"] = {"spark": theirs, "matinee": ours, "pairs": len(warm)}
        gap = abs(float(np.mean(theirs)) - float(np.mean(ours)))
        checks.append(Check(f"{name}: RMSE gap to Spark, rank {rank}", gap, 0.005, at_least=False, unit=""))
    return checks

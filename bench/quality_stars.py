"""Accuracy, intervals, fit time and cost of the rating models, beside myFM on the same random splits.

myFM's configurations are "timeSVD++ flipped" (Rendle, Zhang, Koren 2019, "On the Difficulty of Evaluating Baselines"):
rank 10, 200 iterations, implicit sets of the training pairs only, days; and its plain Bayesian matrix factorization.
"""

from __future__ import annotations

import contextlib
import io
import statistics
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

import matinee
from bench.common import Check, alternating_medians, report
from matinee import ALS, BayesianMF, Ratings, damped_bias, random_split
from matinee.data.synthetic import synthetic
from matinee.evaluation.calibration import IntervalModel, interval_metrics
from matinee.models.bayesian.calibration import LeftOut
from matinee.models.bayesian.fit import LEFT_OUT_EVERY
from matinee.models.bayesian.sampler import DAY_S, DAYS_EVERY, Chain

FLIPPED, PLAIN = "myFM timeSVD++ flipped", "myFM plain"
MODELS = {
    "damped bias": damped_bias(),
    "ALS": ALS(),
    "BayesianMF": BayesianMF(),
    "BayesianMF plain": BayesianMF(sets=False, time=False),
}


def run(*, quick: bool = False, data: Iterable[str] = ("sample",)) -> list[Check]:
    """Measure every data set of `data` (a name or a file, as `matinee.load` takes it)."""
    raw: dict[str, Any] = {}
    checks = []
    for source in data:
        name, ratings = Path(source).stem, matinee.load(source).ratings
        raw[name] = accuracy(ratings, splits=1 if quick else 5, seeds=1 if quick else 4)
        raw[name]["seconds"] = fit_times(ratings, runs=1 if quick else 3)
        checks += accuracy_checks(name, raw[name])
    raw["cost"] = cost(quick=quick)
    return report("quality_stars_quick" if quick else "quality_stars", [*checks, *cost_checks(raw["cost"])], raw)


def accuracy(ratings: Ratings, splits: int, seeds: int) -> dict[str, Any]:
    """Fit everything on every split; return the splits' measurements and the means of the errors."""
    return summary([one_split(ratings, split, seeds) for split in range(splits)])


def one_split(ratings: Ratings, split: int, seeds: int) -> dict[str, Any]:
    """Fit everything on one split; myFM with so many seeds."""
    train, test = random_split(ratings, test=0.2, seed=split)
    row: dict[str, Any] = {name: measure(model.fit(train), test) for name, model in MODELS.items()}
    for kind in (PLAIN, FLIPPED):
        errors = [my_fm(train, test, seed, full=kind == FLIPPED)["rmse"] for seed in range(seeds)]
        row[kind] = {"rmse": float(np.mean(errors)), "seeds": errors}
    print("  ", split, {name: round(measured["rmse"], 4) for name, measured in row.items()}, flush=True)
    return row


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return splits' measurements and the means of the errors."""
    return {"splits": rows, "rmse": {name: float(np.mean([row[name]["rmse"] for row in rows])) for name in rows[0]}}


def measure(model: Any, test: Ratings) -> dict[str, Any]:
    """Measure one fitted model."""
    measured: dict[str, Any] = {"rmse": matinee.rmse(model, test)}
    if not isinstance(model, IntervalModel) or not getattr(model, "knows_intervals", True):
        return measured
    intervals = interval_metrics(model, test)
    tenths = intervals["by_width"]
    fifths = [tenths[n : n + 2] for n in range(0, 10, 2)]
    errors = [np.mean([tenth["rmse"] ** 2 for tenth in fifth]) ** 0.5 for fifth in fifths]
    undated = model.predict(test.user_ids, test.item_ids)
    low, high = model.predict_interval(test.user_ids, test.item_ids)
    return measured | {
        "coverage": intervals["coverage"]["0.9"],
        "coverage_50": intervals["coverage"]["0.5"],
        "coverage_by_fifth": [float(np.mean([tenth["coverage"] for tenth in fifth])) for fifth in fifths],
        "nll_gain": intervals["nll_constant"] - intervals["nll"],
        "certain_over_uncertain": errors[0] / errors[-1],
        "rmse_without_day": float(np.sqrt(np.mean((undated - test.stars) ** 2))),
        "coverage_without_day": float(np.mean((low <= test.stars) & (test.stars <= high))),
    }


def my_fm(train: Ratings, test: Ratings, seed: int, *, full: bool) -> dict[str, float]:
    """Fit myFM; `full` with implicit sets and days."""
    import myfm
    import scipy.sparse as sp

    n_users, n_items = len(train.users), len(train.items)

    def one_hot(rows: np.ndarray, n: int) -> sp.csr_matrix:
        known = np.flatnonzero(rows >= 0)
        return sp.csr_matrix((np.ones(len(known)), (known, rows[known])), (len(rows), n))

    def block(owners: np.ndarray, members: np.ndarray, n: int, m: int) -> sp.csr_matrix:
        parts = [sp.identity(n)]
        if full:
            held = sp.csr_matrix((np.ones(len(owners)), (owners, members)), (n, m))
            parts.append(sp.diags(1 / np.sqrt(np.maximum(np.asarray(held.sum(1)).ravel(), 1))) @ held)
        rows = sp.hstack(parts)
        return sp.vstack([rows, sp.csr_matrix((1, rows.shape[1]))]).tocsr()  # the last row stands for the unknown

    users = block(train.user_rows, train.item_rows, n_users, n_items)
    items = block(train.item_rows, train.user_rows, n_items, n_users)

    def relations(part: Ratings) -> list[Any]:
        u, i = train.users.rows(part.user_ids), train.items.rows(part.item_ids)
        pairs = ((u, users, n_users), (i, items, n_items))
        return [myfm.RelationBlock(np.where(rows < 0, n, rows), held) for rows, held, n in pairs]

    days = np.unique(train.timestamps // 86_400) if full else np.empty(0)

    def when(part: Ratings) -> sp.csr_matrix | None:
        if not full:
            return None
        day = part.timestamps // 86_400
        place = np.minimum(np.searchsorted(days, day), len(days) - 1)
        return one_hot(np.where(days[place] == day, place, -1), len(days))

    groups = [len(days), n_users, n_items, n_items, n_users] if full else [n_users, n_items]
    model = myfm.MyFMRegressor(rank=10, random_seed=seed)
    start = time.perf_counter()
    with contextlib.redirect_stderr(io.StringIO()):  # its progress bar
        model.fit(when(train), train.stars, X_rel=relations(train), group_shapes=groups, n_iter=200, n_kept_samples=200)
    seconds = time.perf_counter() - start
    predicted = np.clip(model.predict(when(test), X_rel=relations(test)), *train.scale)
    return {"seconds": seconds, "rmse": float(np.sqrt(np.mean((predicted - test.stars) ** 2)))}


def fit_times(ratings: Ratings, runs: int) -> dict[str, float]:
    """Return seconds of one fit each, medians of alternating runs on the first split."""
    train, test = random_split(ratings, test=0.2, seed=0)

    def seconds(model: Any) -> float:
        start = time.perf_counter()
        model.fit(train)
        return time.perf_counter() - start

    BayesianMF(rank=2, iterations=2, burn_in=0, samples=1).fit(train)  # compiles
    works = {name: (lambda model=model: seconds(model)) for name, model in MODELS.items()}
    peers = {
        kind: (lambda full=kind == FLIPPED: my_fm(train, test, 0, full=full)["seconds"]) for kind in (PLAIN, FLIPPED)
    }
    return alternating_medians(works | peers, runs)


def accuracy_checks(name: str, measured: dict[str, Any]) -> list[Check]:
    """Hold the measurements against what was asked for."""
    ours = [row["BayesianMF"] for row in measured["splits"]]
    error, seconds = measured["rmse"], measured["seconds"]
    fifths = [fifth for row in ours for fifth in row["coverage_by_fifth"]]

    def most(label: str, value: float, target: float, unit: str = "") -> Check:
        return Check(f"{name}: {label}", value, target, at_least=False, unit=unit)

    return [
        most("RMSE above myFM's flipped, means", error["BayesianMF"] - error[FLIPPED], 0.002),
        most("RMSE without sets and days above myFM's plain", error["BayesianMF plain"] - error[PLAIN], 0.001),
        most("fit time over myFM's flipped", seconds["BayesianMF"] / seconds[FLIPPED], 0.5, "x"),
        most(
            "90 % intervals' coverage, worst split, off .90 by", max(abs(row["coverage"] - 0.9) for row in ours), 0.02
        ),
        most("the same in any fifth by width, off .90 by", max(abs(fifth - 0.9) for fifth in fifths), 0.05),
        Check(f"{name}: NLL below constant variance, worst split", min(r["nll_gain"] for r in ours), 0.015, unit=""),
        most("RMSE of most over least certain fifth, worst", max(r["certain_over_uncertain"] for r in ours), 0.7, "x"),
    ]


def cost(*, quick: bool) -> dict[str, Any]:
    """Time a sweep against an iteration of ALS at rank 32, and folding in, and weigh the model.

    What intervals need counts as part of a sweep. Sweeps and iterations are measured in CPU time of all threads, which
    other work on the machine hardly touches.
    """
    n = 100_000 if quick else 1_000_000
    ratings = synthetic(n, n // 150, n // 250, seed=0)

    def als() -> float:
        times: list[float] = []
        ALS(rank=32, iterations=6).fit(ratings, progress=lambda _: times.append(time.process_time()))
        return (times[-1] - times[-6]) / 5

    def sweep(**terms: bool) -> float:
        chain = Chain(ratings, rank=32, seed=1, threads=None, **terms)
        left_out, n = LeftOut(chain), 2 * DAYS_EVERY
        chain.step()
        left_out.add()
        start = time.process_time()
        for number in range(n):
            chain.step()
            if number % LEFT_OUT_EVERY == 0:
                left_out.add()
        return (time.process_time() - start) / n

    works = {
        "ALS iteration": als,
        "sweep": lambda: sweep(sets=True, time=True),
        "sweep without days": lambda: sweep(sets=True, time=False),
        "sweep without sets and days": lambda: sweep(sets=False, time=False),
    }
    seconds = alternating_medians(works, 5)
    model = BayesianMF(iterations=40, burn_in=8).fit(ratings)
    person = {int(item): 0.5 + (int(item) % 10) / 2 for item in model.items.ids[:: len(model.items) // 100][:100]}
    folds = []
    for _ in range(100):
        start = time.perf_counter()
        model.fold_in(person)
        folds.append(time.perf_counter() - start)
    size = sum(array.nbytes for array in model.arrays().values())
    return {
        "ratings": len(ratings), "users": len(ratings.users), "films": len(ratings.items),
        "days": len(np.unique(ratings.timestamps // DAY_S)), "seconds": seconds, "model_mib": size / 2**20,
        "fold_in_ms": {"median": statistics.median(folds) * 1e3, "max": max(folds) * 1e3},
    }  # fmt: skip


def cost_checks(measured: dict[str, Any]) -> list[Check]:
    """Hold the costs against what was asked for."""
    seconds, fold = measured["seconds"], measured["fold_in_ms"]["median"]
    iteration = seconds["ALS iteration"]
    sweeps = [name for name in seconds if name.startswith("sweep")]
    return [
        *(Check(f"rank 32: {name} / ALS iteration", seconds[name] / iteration, 1.6, at_least=False) for name in sweeps),
        Check("fold-in of 100 ratings, 32 samples of rank 16, median", fold, 5, at_least=False, unit="ms"),
    ]

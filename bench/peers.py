"""The peers, each behind one function that returns seconds per iteration on the same matrix."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from matinee import ALS, Ratings


def matrix(ratings: Ratings) -> csr_matrix:
    """Ratings as SciPy has them, values float32."""
    rows = ratings.by_user
    return csr_matrix((rows.values, rows.indices, rows.indptr), shape=(rows.n_rows, rows.n_columns))


def matinee_iteration(ratings: Ratings, rank: int, *, biases: bool = False, iterations: int = 3) -> float:
    """Median time between the ends of our iterations (both sides solved, training error included)."""
    stamps: list[float] = []

    def stamp(progress: Any) -> None:
        if progress.iteration:
            stamps.append(time.perf_counter())

    ALS(rank=rank, iterations=iterations + 1, biases=biases).fit(ratings, progress=stamp)
    return float(np.median(np.diff(stamps)))


def cmfrec_iteration(ratings: Ratings, rank: int, *, use_cg: bool) -> float:
    """Slope between one and three iterations of cmfrec's explicit ALS, no biases, no centring."""
    from cmfrec import CMF

    coo = matrix(ratings).tocoo()

    def seconds(iterations: int) -> float:
        model = CMF(
            k=rank, lambda_=0.1, scale_lam=True, method="als", use_cg=use_cg, finalize_chol=False, user_bias=False,
            item_bias=False, center=False, niter=iterations, precompute_for_predictions=False, verbose=False,
        )  # fmt: skip
        start = time.perf_counter()
        model.fit(coo)
        return time.perf_counter() - start

    return (seconds(3) - seconds(1)) / 2


def irspack_trainer(ratings: Ratings, rank: int, solver: str, **parameters: Any) -> Any:
    """irspack's iALS trainer, ready to run epochs."""
    from irspack import IALSRecommender

    recommender = IALSRecommender(
        matrix(ratings), n_components=rank, alpha0=0.1, reg=0.01, solver_type=solver, n_threads=2, **parameters
    )
    return recommender._create_trainer()


def irspack_iteration(ratings: Ratings, rank: int, solver: str = "CHOLESKY", epochs: int = 2) -> float:
    """Median time of an epoch of irspack's iALS."""
    trainer = irspack_trainer(ratings, rank, solver)
    times = []
    for _ in range(epochs):
        start = time.perf_counter()
        trainer.run_epoch()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def spark(ratings: Ratings, test: Ratings | None = None, **job: Any) -> dict[str, Any]:
    """Run `spark_als.py` in a process of its own on these ratings; return what it printed."""
    import polars as pl

    def write(part: Ratings, path: Path) -> str:
        frame = {"user": part.user_ids.astype(np.int32), "item": part.item_ids.astype(np.int32), "rating": part.stars}
        pl.DataFrame(frame).write_parquet(path)
        return str(path)

    with tempfile.TemporaryDirectory() as folder:
        job["train"] = write(ratings, Path(folder) / "train.parquet")
        if test is not None:
            job["test"] = write(test, Path(folder) / "test.parquet")
        command = [sys.executable, str(Path(__file__).parent / "spark_als.py"), json.dumps(job)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise RuntimeError(f"Spark failed: {run.stderr[-2000:]}")
    return dict(json.loads(run.stdout.strip().splitlines()[-1]))

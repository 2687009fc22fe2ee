"""Reading 32 M synthetic ratings beside polars alone, and the memory that `matinee train` takes on them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.common import DATA, MATINEE, Check, report
from bench.synthetic_data import shaped

MEASURE = """
import sys, time
from pathlib import Path
{imports}
start = time.perf_counter()
{work}
print(time.perf_counter() - start)
"""
WORKS = {
    "polars": ("import polars as pl", "pl.read_csv(sys.argv[1])"),
    "values": ("from matinee.data.tables import read_ratings_csv", "read_ratings_csv(Path(sys.argv[1]))"),
    "ratings": ("import matinee", "matinee.load(sys.argv[1]).ratings"),
}


def run(*, quick: bool = False) -> list[Check]:
    """Measure (quick: a tenth of the ratings)."""
    path = _csv(divide=10 if quick else 1)
    seconds: dict[str, list[float]] = {name: [] for name in WORKS}
    for _ in range(3):
        for name, (imports, work) in WORKS.items():
            command = [sys.executable, "-c", MEASURE.format(imports=imports, work=work), str(path)]
            printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            seconds[name].append(float(printed))
    medians = {name: sorted(times)[1] for name, times in seconds.items()}
    raw: dict[str, Any] = {"seconds": seconds, "bytes": path.stat().st_size}
    checks = [
        Check("reading and checking against polars", medians["values"] / medians["polars"], 1.3, at_least=False),
        Check("... with vocabularies and duplicates", medians["ratings"] / medians["polars"], 2.5, at_least=False),
    ]
    gib, took = _train_memory(path)
    raw["train"] = {"peak_gib": gib, "seconds": took}
    checks.append(Check("memory of matinee train, rank 64", gib * 2**30 / 1e9, 3.0, at_least=False, unit="GB"))
    return report("reading_quick" if quick else "reading", checks, raw)


def _csv(divide: int) -> Path:
    path = DATA / f"ml-32m-{divide}.csv"
    if not path.exists():
        import numpy as np
        import polars as pl

        ratings = shaped("ml-32m", divide=divide)
        times = np.random.default_rng(0).integers(800_000_000, 1_700_000_000, len(ratings))
        columns = {"userId": ratings.user_ids, "movieId": ratings.item_ids, "rating": ratings.stars, "timestamp": times}
        pl.DataFrame(columns).write_csv(path)
    return path


def _train_memory(path: Path) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as home:
        train = ["train", str(path), "--rank", "64", "--iterations", "2", "--home", home]
        command = [MATINEE, *train]
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise RuntimeError(f"{' '.join(command)} ended with status {status}")
        return usage.ru_maxrss / 2**20, time.perf_counter() - start

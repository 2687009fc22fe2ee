"""What a person waits for: fold-in, import, help."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from typing import Any

import numpy as np

from bench.common import MATINEE, Check, report
from bench.synthetic_data import shaped
from matinee import ALS


def run(*, quick: bool = False) -> list[Check]:
    """Measure."""
    ratings = shaped("ml-20m", divide=20)
    model = ALS(rank=64, iterations=1).fit(ratings)
    ids = np.random.default_rng(0).choice(ratings.items.ids, 100, replace=False)
    person = {int(item_id): 0.5 + (int(item_id) % 10) / 2 for item_id in ids}
    times = []
    for _ in range(300):
        start = time.perf_counter()
        model.fold_in(person)
        times.append(time.perf_counter() - start)
    raw: dict[str, Any] = {"fold_in_ms": {"median": statistics.median(times) * 1e3, "max": max(times) * 1e3}}
    imports = _median_process([sys.executable, "-c", "import matinee"])
    shows_help = _median_process([MATINEE, "--help"])
    bare = _median_process([sys.executable, "-c", "pass"])
    raw["seconds"] = {"import matinee": imports, "matinee --help": shows_help, "python -c pass": bare}
    checks = [
        Check("fold-in of 100 ratings at rank 64, median", raw["fold_in_ms"]["median"], 1, at_least=False, unit="ms"),
        Check("import matinee", imports, 0.3, at_least=False, unit="s"),
        Check("matinee --help", shows_help, 0.25, at_least=False, unit="s"),
    ]
    return report("latency_quick" if quick else "latency", checks, raw)


def _median_process(command: list[str]) -> float:
    times = []
    for _ in range(7):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times)

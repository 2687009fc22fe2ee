"""What every bench shares: the machine in words, medians, and results that say pass or fall short."""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results"
DATA = Path(__file__).parent / "data"
MATINEE = str(Path(sys.executable).with_name("matinee"))
PEERS = ("numpy", "scipy", "numba", "polars", "cmfrec", "implicit", "irspack", "myfm", "scikit-surprise", "pyspark")


@dataclass(frozen=True)
class Check:
    """One line of the table: what was measured, what was asked for."""

    name: str
    measured: float
    target: float
    at_least: bool = True
    unit: str = "x"
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return self.measured >= self.target if self.at_least else self.measured <= self.target

    def line(self) -> str:
        sign = ">=" if self.at_least else "<="
        verdict = "pass" if self.passed else "FALLS SHORT"
        return f"{verdict:12} {self.name}: {self.measured:.4g} {self.unit} (asked {sign} {self.target:g})"


def median_seconds(work: Callable[[], Any], runs: int = 3) -> float:
    """Median wall time of `runs` calls."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def alternating_medians(works: dict[str, Callable[[], float]], runs: int = 3) -> dict[str, float]:
    """Let each work measure itself (it returns seconds) in turn, `runs` rounds: drift of the machine hits all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(runs):
        for name, work in works.items():
            seconds[name].append(work())
    return {name: statistics.median(times) for name, times in seconds.items()}


def sgemm_gflops(size: int = 2048) -> float:
    """Rate of this machine's own float32 matrix product on all cores, in GFLOP/s (2 n^3 counted)."""
    a = np.random.default_rng(0).normal(size=(size, size)).astype(np.float32)
    a @ a
    return 2 * size**3 / median_seconds(lambda: a @ a, 5) / 1e9


def machine() -> dict[str, Any]:
    """The machine and the versions, for the record."""
    flags = _cpu_field("flags").split()
    width = 512 if "avx512f" in flags else 256 if "avx2" in flags else 128
    versions = {}
    for name in (*PEERS, "matinee"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "cpu": _cpu_field("model name") or platform.processor(),
        "cores": os.cpu_count(),
        "vector_bits": width,
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
        "python": sys.version.split()[0],
        "versions": versions,
        "commit": _commit(),
    }


def _commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parent)
    return run.stdout.strip()


def _cpu_field(name: str) -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), "")


def peak_memory_gib() -> float:
    """Peak resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def report(name: str, checks: Iterable[Check], raw: dict[str, Any]) -> list[Check]:
    """Print the lines and keep everything as JSON under `bench/results/NAME.json`."""
    lines = list(checks)
    for check in lines:
        print(check.line(), flush=True)
    RESULTS.mkdir(exist_ok=True)
    document = {
        "bench": name,
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": machine(),
        "checks": [asdict(check) | {"passed": check.passed} for check in lines],
        "raw": raw,
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=1, default=float) + "\n")
    return lines

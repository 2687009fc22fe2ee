"""Explicit ALS per iteration on synthetic ratings in the shape of ml-20m, beside cmfrec, irspack, Spark and sgemm."""

from __future__ import annotations

from typing import Any

from bench import peers
from bench.common import Check, alternating_medians, report, sgemm_gflops
from bench.synthetic_data import shaped
from matinee import Ratings

ASKED_OF_SGEMM = {64: 0.40, 128: 0.45}


def run(*, quick: bool = False) -> list[Check]:
    """Measure ranks 8, 64 and 128 (quick: a tenth of the ratings, rank 8 and 64, no Spark)."""
    ratings = shaped("ml-20m", divide=10 if quick else 1)
    runs = 2 if quick else 3
    raw: dict[str, Any] = {"ratings": len(ratings), "users": len(ratings.users), "items": len(ratings.items)}
    checks = _rank_8(ratings, runs, raw, with_spark=not quick)
    for rank in (64,) if quick else (64, 128):
        checks += _large_rank(ratings, rank, runs, raw)
    checks.append(_biases(ratings, runs, raw))
    return report("speed_als_quick" if quick else "speed_als", checks, raw)


def _rank_8(ratings: Ratings, runs: int, raw: dict[str, Any], *, with_spark: bool) -> list[Check]:
    seconds = alternating_medians(
        {
            "matinee": lambda: peers.matinee_iteration(ratings, 8, iterations=5),
            "cmfrec Cholesky": lambda: peers.cmfrec_iteration(ratings, 8, use_cg=False),
            "cmfrec CG": lambda: peers.cmfrec_iteration(ratings, 8, use_cg=True),
        },
        runs,
    )
    best = min(seconds["cmfrec Cholesky"], seconds["cmfrec CG"])
    checks = [Check("rank 8: iteration against cmfrec's best solver", best / seconds["matinee"], 2.2)]
    if with_spark:
        spark = alternating_medians(
            {
                "spark": lambda: peers.spark(ratings, rank=8, iterations=[1, 3])["seconds_per_iteration"],
                "matinee beside spark": lambda: peers.matinee_iteration(ratings, 8, iterations=5),
            },
            runs,
        )
        seconds |= spark
        ratio = spark["spark"] / spark["matinee beside spark"]
        checks.append(Check("rank 8: iteration against Spark local[2]", ratio, 20))
    raw["rank 8, seconds per iteration"] = seconds
    return checks


def _large_rank(ratings: Ratings, rank: int, runs: int, raw: dict[str, Any]) -> list[Check]:
    works = {"matinee": lambda: peers.matinee_iteration(ratings, rank)}
    if rank == 64:
        works["irspack Cholesky epoch"] = lambda: peers.irspack_iteration(ratings, rank, epochs=1)
    before = sgemm_gflops()
    seconds = alternating_medians(works, runs)
    peak = (before + sgemm_gflops()) / 2
    rate = 2 * len(ratings) * rank**2 / seconds["matinee"] / 1e9
    raw[f"rank {rank}, seconds per iteration"] = seconds | {"sgemm GFLOP/s": peak, "matinee GFLOP/s": rate}
    checks = [Check(f"rank {rank}: share of sgemm's rate (nnz*rank² a side)", rate / peak, ASKED_OF_SGEMM[rank])]
    if rank == 64:
        ratio = seconds["irspack Cholesky epoch"] / seconds["matinee"]
        checks.insert(0, Check("rank 64: iteration against irspack's Cholesky epoch", ratio, 1.8))
    return checks


def _biases(ratings: Ratings, runs: int, raw: dict[str, Any]) -> Check:
    seconds = alternating_medians(
        {
            "with": lambda: peers.matinee_iteration(ratings, 64, biases=True),
            "without": lambda: peers.matinee_iteration(ratings, 64),
        },
        runs,
    )
    raw["biases at rank 64, seconds per iteration"] = seconds
    return Check("rank 64: cost of biases", seconds["with"] / seconds["without"], 1.1, at_least=False)

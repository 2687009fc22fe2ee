"""Lists: one person's with filters and reasons, and everybody's beside implicit's and beside bare matrix products."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from bench import peers
from bench.common import Check, alternating_medians, report
from bench.synthetic_data import SHAPES, shaped
from matinee import ALS, ImplicitALS, Ratings
from matinee.data.stats import item_stats
from matinee.data.synthetic import synthetic
from matinee.models.factors import FactorModel
from matinee.models.lists import CANDIDATES, PEOPLE, top_lists
from matinee.models.parallel import run_blocks
from matinee.recommend.catalogue import Catalogue
from matinee.recommend.recommender import Recommender

RANK, LENGTH, RUNS = 64, 10, 200
GENRES = ("Action", "Comedy", "Drama", "Horror", "Western")


def run(*, quick: bool = False) -> list[Check]:
    """Measure with the films of ml-20m (quick: a twentieth of its users and ratings)."""
    n_ratings, n_users, n_items = SHAPES["ml-20m"]
    ratings = synthetic(n_ratings // 20, n_users // 20, n_items, seed=0) if quick else shaped("ml-20m")
    picks = ImplicitALS(rank=RANK, iterations=2).fit(ratings)
    raw: dict[str, Any] = {"users": len(ratings.users), "films": len(ratings.items), "rank": RANK}
    checks = [_one_list(ratings, picks, raw), *_all_lists(ratings, picks, raw)]
    return report("lists_quick" if quick else "lists", checks, raw)


def _one_list(ratings: Ratings, picks: FactorModel, raw: dict[str, Any]) -> Check:
    """A person with 100 ratings; BLAS as it comes, with all its threads."""
    stars = ALS(rank=RANK, iterations=1).fit(ratings)
    catalogue = Catalogue(movies(ratings))
    recommender = Recommender(catalogue, stars, picks)
    rng = np.random.default_rng(0)
    person = {int(item): float(rng.integers(1, 11)) / 2 for item in rng.choice(ratings.items.ids, 100, replace=False)}
    filters = {
        "genre_any": ["Drama", "Comedy"], "genre_none": ["Horror"], "year_from": 1960, "min_ratings": 3,
        "exclude": ratings.items.ids[:3].tolist(),
    }  # fmt: skip
    wall, processor = [], []
    for _ in range(RUNS):
        start, busy = time.perf_counter(), time.process_time()
        answer = recommender.recommend(person, explain=True, **filters)
        wall.append(time.perf_counter() - start)
        processor.append(time.process_time() - busy)
    raw["one list, ms"] = {
        "median": statistics.median(wall) * 1e3,
        "median of processor time": statistics.median(processor) * 1e3,
        "fastest": min(wall) * 1e3,
        "films that pass the filters": answer.total,
    }
    name = "one list, five filters, reasons, rank 64, median"
    return Check(name, raw["one list, ms"]["median"], 5, at_least=False, unit="ms")


def movies(ratings: Ratings) -> pl.DataFrame:
    """A table of films with years from 1930 on and up to three genres each."""
    stats, n = item_stats(ratings), len(ratings.items)
    rng = np.random.default_rng(1)
    names = [f"Film {row}" for row in range(n)]
    return pl.DataFrame(
        {
            "movie_id": ratings.items.ids, "title": names, "name": names,
            "year": pl.Series(rng.integers(1930, 2020, n), dtype=pl.Int32),
            "genres": [sorted(set(rng.choice(GENRES, 3).tolist())) for _ in range(n)],
            "imdb_id": pl.Series([None] * n, dtype=pl.String), "tmdb_id": pl.Series([None] * n, dtype=pl.Int64),
            "ratings_count": stats["ratings_count"], "ratings_mean": stats["ratings_mean"],
        }
    )  # fmt: skip


def _all_lists(ratings: Ratings, picks: FactorModel, raw: dict[str, Any]) -> list[Check]:
    people = np.arange(len(ratings.users))
    works = {
        "matinee": lambda: top_lists(picks, people, LENGTH),
        "implicit": implicit_lists(ratings, picks),
        "sgemm": lambda: products(picks),
    }
    for work in works.values():  # kernels compiled, memory touched
        work()
    seconds = alternating_medians({name: _timed(work) for name, work in works.items()})
    raw["top 10 of everybody, seconds"] = seconds
    ours, theirs, bare = seconds["matinee"], seconds["implicit"], seconds["sgemm"]
    return [
        Check("top 10 of everybody, rank 64: implicit's batch / ours", theirs / ours, 2.5),
        Check("top 10 of everybody, rank 64: ours / the same blocks of sgemm", ours / bare, 2, at_least=False),
    ]


def _timed(work: Callable[[], Any]) -> Callable[[], float]:
    def seconds() -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    return seconds


def implicit_lists(ratings: Ratings, picks: FactorModel) -> Callable[[], Any]:
    """implicit's `recommend` for everybody at once, with our factors, on all processors."""
    from implicit.cpu.als import AlternatingLeastSquares

    with threadpool_limits(1, user_api="blas"):  # it runs threads of its own, and warns of others
        model = AlternatingLeastSquares(factors=RANK)
    model.user_factors, model.item_factors = np.array(picks.user_factors), np.array(picks.item_factors)
    rated, people = peers.matrix(ratings), np.arange(len(ratings.users))

    def lists() -> Any:
        with threadpool_limits(1, user_api="blas"):
            return model.recommend(people, rated, N=LENGTH)

    return lists


def products(picks: FactorModel) -> None:
    """All scores in the blocks that `top_lists` has, thrown away at once: the least that any list of all can cost."""
    items = np.ascontiguousarray(picks.item_factors.T)

    def work(first: int, last: int) -> None:
        factors = np.ascontiguousarray(picks.user_factors[first:last])
        buffer = np.empty((last - first) * CANDIDATES, np.float32)
        for start in range(0, items.shape[1], CANDIDATES):
            block = items[:, start : start + CANDIDATES]
            out = buffer[: len(factors) * block.shape[1]].reshape(len(factors), -1)
            np.matmul(factors, block, out=out)

    with threadpool_limits(1, user_api="blas"):
        n = len(picks.users)
        run_blocks(work, [(first, min(first + PEOPLE, n)) for first in range(0, n, PEOPLE)])

"""BayesianMF on hundreds and thousands of ratings: errors beside damped biases, and what its intervals cover.

Shapes: of a data set, ratings at random, whole people, popular films by active people, and one rating a person; drawn
from a model of biases, three weak factors and noise; `matinee.data.synthetic`. Random 80/20 splits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

import matinee
from bench.common import Check, report
from matinee import BayesianMF, Ratings, damped_bias, random_split
from matinee.data.synthetic import synthetic

SIZES = (300, 500, 1_000, 2_000, 4_000, 10_000)
Shape = Callable[[int, np.random.Generator], Ratings]


def run(*, quick: bool = False, data: Iterable[str] = ("sample",)) -> list[Check]:
    """Measure every shape at every size; the smaller, the more draws, as few held-out ratings say little."""
    shapes: dict[str, Shape] = {"drawn": drawn, "synthetic": with_tastes}
    for source in data:
        shapes |= parts_of(Path(source).stem, matinee.load(source).ratings)
    raw = {}
    for n in SIZES[:2] if quick else SIZES:
        draws = 2 if quick else int(np.clip(6_000 // n, 3, 12))
        raw[str(n)] = {name: measure(shape, n, draws) for name, shape in shapes.items()}
        print("  ", n, {name: [round(x, 3) for x in row.values()] for name, row in raw[str(n)].items()}, flush=True)
    return report("quality_few_ratings_quick" if quick else "quality_few_ratings", checks(raw), raw)


def measure(shape: Shape, n: int, draws: int) -> dict[str, float]:
    """Return means over so many draws."""
    rows = []
    for seed in range(draws):
        train, test = random_split(shape(n, np.random.default_rng(seed)), test=0.2, seed=seed)
        model, plain = BayesianMF().fit(train), damped_bias().fit(train)
        low, high = model.predict_interval(test.user_ids, test.item_ids, timestamps=test.timestamps)
        excess = matinee.rmse(model, test) - matinee.rmse(plain, test)
        rows.append((excess, float(np.mean((low <= test.stars) & (test.stars <= high)))))
    return dict(zip(("rmse_less_damped_bias", "coverage"), np.mean(rows, axis=0).tolist(), strict=True))


def parts_of(name: str, ratings: Ratings) -> dict[str, Shape]:
    """Return the shapes that a data set is cut into."""
    users, items = ratings.user_rows, ratings.item_rows
    active, popular = np.argsort(-ratings.by_user.counts), np.argsort(-ratings.item_counts)

    def at_random(n: int, rng: np.random.Generator) -> Ratings:
        return ratings.select(rng.choice(len(ratings), n, replace=False))

    def whole_people(n: int, rng: np.random.Generator) -> Ratings:
        order = rng.permutation(len(ratings.users))[users]
        return ratings.select(np.argsort(order, kind="stable")[:n])

    def popular_films(n: int, rng: np.random.Generator) -> Ratings:
        side = int(n**0.5) + 1  # about half of these cells are rated
        inside = np.isin(users, active[:side]) & np.isin(items, popular[: 3 * side])
        return ratings.select(rng.permutation(np.flatnonzero(inside))[:n])

    def one_each(n: int, rng: np.random.Generator) -> Ratings:
        order = rng.permutation(len(ratings))
        return ratings.select(order[np.unique(users[order], return_index=True)[1]][:n])

    shapes = (at_random, whole_people, popular_films, one_each)
    return {f"{name}, {shape.__name__.replace('_', ' ')}": shape for shape in shapes}


def drawn(n: int, rng: np.random.Generator) -> Ratings:
    """Draw biases, three weak factors and noise, rounded to half stars."""
    n_users, n_items = n // 8, n // 12
    pairs = rng.choice(n_users * n_items, n, replace=False)
    users, items = pairs // n_items, pairs % n_items
    p, q = rng.normal(0, 0.5, (n_users, 3)), rng.normal(0, 0.5, (n_items, 3))
    score = 3.5 + rng.normal(0, 0.4, n_users)[users] + rng.normal(0, 0.5, n_items)[items] + (p[users] * q[items]).sum(1)
    return Ratings.from_arrays(users, items, np.clip(np.round(2 * (score + rng.normal(0, 0.8, n))) / 2, 0.5, 5))


def with_tastes(n: int, rng: np.random.Generator) -> Ratings:
    """Draw what `synthetic` draws: people who see what they like."""
    return synthetic(n, n // 25, n // 4, seed=int(rng.integers(1 << 30)))


def checks(raw: dict[str, Any]) -> list[Check]:
    """Hold the worst shape of each size against what was asked for."""
    lines = []
    for n, shapes in raw.items():
        covered = [row["coverage"] for row in shapes.values()]
        worst = max(row["rmse_less_damped_bias"] for row in shapes.values())
        lines += [
            Check(f"{n} ratings: least coverage of 90 % intervals, any shape", min(covered), 0.87, unit=""),
            Check(f"{n} ratings: most", max(covered), 0.94, at_least=False, unit=""),
            Check(f"{n} ratings: RMSE above damped biases, worst shape", worst, 0.015, at_least=False, unit=""),
        ]
    return lines

"""Simulation-based calibration: truths drawn from the prior have uniform ranks among draws from the posterior.

After Talts et al. 2018, "Validating Bayesian Inference Algorithms with Simulation-Based Calibration". What is ranked is
what the ratings and the prior tell apart, whatever way factors are turned: predictions, noise, biases, what sets and
features add to them, days, lengths of factors, and cut points. `make soak` draws ten times as often.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare
from test_bayesian_sampler import features, world

from matinee import Ratings
from matinee.models.bayesian.sampler import NOISE_SHAPE, NOISE_SHARE, PRIOR_ROWS, Chain, Rows, Sets

RUNS = [60, pytest.param(600, marks=[pytest.mark.soak, pytest.mark.timeout(1800)])]
DRAWS, BURN_IN = 9, 36
SIDE, MEMBERS = 4.0, 9.0
"""Precisions of rows and of members of sets."""


@dataclass(eq=False)
class GivenRows(Rows):
    """Rows whose mean and precision are known."""

    def draw_hyper(self, *_: object) -> None:
        """Leave both as they are."""


def given(chain: Chain) -> None:
    def known(rows: Rows, precision: float) -> Rows:
        fixed = GivenRows(rows.factors, rows.biases, rows.rank, rows.beforehand)
        fixed.precision[:] = precision
        return fixed

    for side in (chain.users, chain.items, chain.day_side):
        side.rows = known(side.rows, SIDE)
        for sets in side.sets + side.features:
            sets.rows = known(sets.rows, MEMBERS)


@dataclass
class Truth:
    """One draw from the prior: rows are factors and the bias behind them."""

    users: np.ndarray
    items: np.ndarray
    days: np.ndarray
    told: dict[str, np.ndarray]  # what sets and features add to items' rows
    alpha: float
    tau: np.ndarray
    score: np.ndarray
    latent: np.ndarray


def draw_truth(chain: Chain, rng: np.random.Generator) -> Truth:
    """Draw everything from the prior, and stars from that."""

    def rows_of(n: int, precision: float) -> np.ndarray:
        return rng.normal(0, precision**-0.5, (n, chain.rank + 1))

    def sum_of(sets: Sets) -> np.ndarray:
        told = np.zeros((len(sets.weight), chain.rank + 1))
        members = np.repeat(np.arange(len(sets.indptr) - 1), np.diff(sets.indptr))
        np.add.at(told, sets.owners, sets.weight[sets.owners, None] * rows_of(len(sets.indptr) - 1, MEMBERS)[members])
        return told

    users, items = (rows_of(len(side.rows.biases), SIDE) for side in (chain.users, chain.items))
    for sets in chain.users.sets:
        users += sum_of(sets)
    told = {
        "sets": sum((sum_of(sets) for sets in chain.items.sets), np.zeros_like(items)),
        "features": sum((sum_of(sets) for sets in chain.items.features), np.zeros_like(items)),
    }
    items += told["sets"] + told["features"]
    days = rows_of(len(chain.days), SIDE)
    alpha = rng.gamma(PRIOR_ROWS / 2, 2 / (PRIOR_ROWS * NOISE_SHARE * chain.variance))
    tau = rng.gamma(NOISE_SHAPE / 2, 2 / NOISE_SHAPE, len(chain.tau))
    p, q = users[chain.owner], items[chain.users.left]
    e = days[chain.users.right] if len(days) else np.zeros_like(p)
    score = sum((a[:, :-1] * b[:, :-1]).sum(1) for a, b in ((p, q), (p, e), (q, e))) + p[:, -1] + q[:, -1] + e[:, -1]
    latent = score + rng.normal(size=len(score)) / np.sqrt(alpha * tau[chain.owner])
    return Truth(users, items, days, told, alpha, tau, score, latent)


def rate(chain: Chain, stars: np.ndarray) -> None:
    """Let the chain explain other stars than those that it was made of."""
    chain.given = stars.astype(np.float32)
    for side in (chain.users, chain.items, chain.day_side):
        side.targets = chain.given.copy() if side.order is None else chain.given[side.order]


def of_truth(chain: Chain, truth: Truth) -> dict[str, float]:
    """What is ranked, of a draw from the prior."""
    ranked = {
        "score": truth.score[0],
        "alpha": truth.alpha,
        "noise of somebody": truth.alpha * truth.tau[chain.owner[0]],
        "bias of somebody": truth.users[0, -1],
        "bias of a film": truth.items[0, -1],
        "length of a film": np.sum(truth.items[0, :-1] ** 2),
    }
    for kind in ("sets", "features"):
        if getattr(chain.items, kind):
            ranked[f"told by {kind}"] = truth.told[kind][0, -1]
    if len(chain.days):
        ranked["bias of a day"] = truth.days[0, -1]
    return ranked


def of_state(chain: Chain) -> dict[str, float]:
    """The same of the chain's present state."""
    ranked = {
        "score": float((chain.given - chain.errors())[0]),
        "alpha": chain.alpha,
        "noise of somebody": chain.alpha * chain.tau[chain.owner[0]],
        "bias of somebody": chain.users.rows.biases[0],
        "bias of a film": chain.items.rows.biases[0],
        "length of a film": float(np.sum(chain.items.rows.factors[0].astype(np.float64) ** 2)),
        "bias of a day": chain.day_side.rows.biases[0],
    }
    for kind in ("sets", "features"):
        ranked[f"told by {kind}"] = float(sum(sets.told()[1][0] for sets in getattr(chain.items, kind)))
    return ranked


def ranks(
    chain: Chain, truth: dict[str, float], state: Callable[[Chain], dict[str, float]], apart: int
) -> dict[str, int]:
    """Count draws, so many sweeps apart, that are below the truth."""
    below = dict.fromkeys(truth, 0)
    for sweep in range(BURN_IN + apart * DRAWS):
        chain.step()
        if sweep >= BURN_IN and (sweep - BURN_IN) % apart == apart - 1:
            now = state(chain)
            for name, value in truth.items():
                below[name] += int(now[name] < value)
    return below


def assert_uniform(found: list[dict[str, int]]) -> None:
    for name in found[0]:
        counts = np.bincount([one[name] // 2 for one in found], minlength=(DRAWS + 1) // 2)
        assert chisquare(counts).pvalue > 1e-4, (name, counts)


def chain_of(ratings: Ratings, seed: int, **changes: Any) -> Chain:
    options = {"rank": 2, "seed": seed, "sets": True, "time": True, "threads": 1} | changes
    chain = Chain(ratings, **options)
    given(chain)
    return chain


@pytest.mark.parametrize("runs", RUNS)
def test_of_predictions_noise_and_all_terms(runs: int) -> None:
    found = []
    for run in range(runs):
        ratings = world(seed=run, n=60)
        chain = chain_of(ratings, run, features=features(len(ratings.items)))
        truth = draw_truth(chain, np.random.default_rng([7, run]))
        rate(chain, truth.latent)
        found.append(ranks(chain, of_truth(chain, truth), of_state, apart=8))
    assert_uniform(found)


@pytest.mark.parametrize("runs", RUNS)
def test_of_days_too(runs: int) -> None:
    found = []
    for run in range(runs):
        chain = chain_of(world(seed=run, n=60, days=4), run, sets=False)
        truth = draw_truth(chain, np.random.default_rng([8, run]))
        rate(chain, truth.latent)
        found.append(ranks(chain, of_truth(chain, truth), of_state, apart=18))
    assert_uniform(found)


OUTER = np.array([-0.8, 0.9])
"""The cut points that are fixed; what is between them is drawn."""


@pytest.mark.parametrize("runs", RUNS)
def test_of_cut_points_too(runs: int) -> None:
    """Before the ratings, inner cut points are anywhere between the outer ones."""
    found, run = [], 0

    def state(chain: Chain) -> dict[str, float]:
        return of_state(chain) | {"cut 2": chain.latent.cuts[1], "cut 3": chain.latent.cuts[2]}

    while len(found) < runs:
        run += 1
        rng = np.random.default_rng([9, run])
        pairs = rng.permutation(120)[:80]
        chain = chain_of(
            Ratings.from_arrays(pairs // 10, pairs % 10, np.arange(80) % 5 + 1.0), run, sets=False, probit=True
        )
        truth = draw_truth(chain, rng)
        cuts = np.concatenate([OUTER[:1], np.sort(rng.uniform(*OUTER, 2)), OUTER[1:]])
        chain.latent.places = np.searchsorted(cuts, truth.latent)
        if len(np.unique(chain.latent.places)) < 5:
            continue  # steps come from the ratings, so that there are none without any
        chain.latent.cuts = np.linspace(*OUTER, 4)
        wanted = of_truth(chain, truth) | {"cut 2": cuts[1], "cut 3": cuts[2]}
        found.append(ranks(chain, wanted, state, apart=48))  # cut points are drawn in one sweep of four
    assert_uniform(found)

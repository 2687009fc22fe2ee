"""The sampler: known answers, its own model's parameters recovered, and nothing that depends on threads."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import chisquare, kstest

import matinee
from matinee import BayesianMF, Ratings
from matinee.models.bayesian.calibration import LEAST_KEPT, LeftOut, uncertainties
from matinee.models.bayesian.features import Feature
from matinee.models.bayesian.sampler import Chain, Rows
from matinee.models.kernels import gibbs

WIDE = (-1e9, 1e9)


def world(seed: int = 0, users: int = 12, items: int = 10, n: int = 70, days: int = 0) -> Ratings:
    rng = np.random.default_rng(seed)
    pairs = rng.permutation(users * items)[:n]
    times = rng.integers(0, days, n) * 86_400 if days else None
    return Ratings.from_arrays(pairs // items, pairs % items, rng.normal(size=n), times, scale=WIDE)


def chain_of(ratings: Ratings, **changes: object) -> Chain:
    options = {"rank": 3, "seed": 1, "sets": True, "time": True, "threads": 1} | changes
    return Chain(ratings, **options)  # type: ignore[arg-type]


def features(items: int) -> list[Feature]:
    """One or two values of one property for every second item, and a value of another for each."""
    some, every = np.arange(0, items, 2, dtype=np.int32), np.arange(items, dtype=np.int32)
    return [
        Feature(np.append(some, some[::2]), np.append(some % 3, some[::2] % 3 + 1), 4),
        Feature(every, every % 5, 5),
    ]


def test_normals_are_normal_independent_and_counted() -> None:
    key, n = np.uint64(0x9E3779B97F4A7C15), 100_000
    out = np.empty(2 * n, np.float32)
    gibbs.normals(np.uint64(0), key, n, out)
    assert kstest(out.astype(np.float64), "norm").pvalue > 0.01
    assert np.mean(out.astype(np.float64) ** 4) == pytest.approx(3, abs=0.1)
    pairs = np.histogram2d(ndtr(out[:n]), ndtr(out[n:]), bins=8, range=[[0, 1], [0, 1]])[0]
    assert chisquare(pairs.ravel()).pvalue > 0.01
    again = np.empty(20, np.float32)
    gibbs.normals(np.uint64(100), key, 10, again)
    assert np.allclose(again, np.append(out[100:110], out[n + 100 : n + 110]), rtol=1e-6)


def scores(chain: Chain) -> np.ndarray:
    """What the present state says of every rating, in NumPy and double precision."""
    sides = (chain.users, chain.owner), (chain.items, chain.users.left), (chain.day_side, chain.users.right)
    (p, b), (q, c), (e, d) = (
        (side.rows.factors[rows].astype(np.float64), side.rows.biases[rows].astype(np.float64)) for side, rows in sides
    )
    if not len(chain.days):
        return (p * q).sum(1) + b + c
    return (p * q + p * e + q * e).sum(1) + b + c + d


@pytest.mark.parametrize("days", [0, 4])
def test_what_systems_leave_behind_are_the_squared_errors(days: int) -> None:
    chain = chain_of(world(days=days))
    for _ in range(4):
        alpha, tau = chain.alpha, chain.tau
        rmse = chain.step()
    errors = chain.users.targets - scores(chain)
    squares = np.bincount(chain.owner, errors**2)
    assert np.allclose(chain.users.squares, alpha * tau * squares, rtol=1e-4)
    assert rmse == pytest.approx(np.sqrt(np.mean(errors**2)), rel=1e-4)


@pytest.mark.parametrize("days", [0, 4])
def test_left_out_errors_are_divided_by_what_the_noise_leaves(days: int) -> None:
    chain = chain_of(world(days=days))
    left_out, errors, noise = LeftOut(chain), [], []
    for _ in range(8):
        chain.step()
        left_out.add()
        errors.append(chain.users.targets - scores(chain))
        noise.append(1 / (chain.alpha * chain.tau)[chain.owner])
    leverages = np.var(errors, axis=0) / np.mean(noise, axis=0)
    expected = np.mean(errors, axis=0) / np.maximum(1 - leverages, LEAST_KEPT)
    assert np.allclose(left_out.errors()[chain.order], expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("rank", [3, 20, 40])
@pytest.mark.parametrize("days", [0, 4])
def test_errors_are_what_was_given_less_the_scores(days: int, rank: int) -> None:
    chain = chain_of(world(days=days), rank=rank)
    chain.step()
    chain.users.targets = chain.users.targets + np.float32(0.5)  # what is explained may differ from what was given
    sums, squared = np.ones((2, 70), np.float32)
    chain.add_errors(sums, squared)
    errors = chain.given - scores(chain)
    assert np.allclose(sums, 1 + errors, atol=1e-4)
    assert np.allclose(squared, 1 + errors**2, atol=1e-3)
    assert np.allclose(chain.errors(), errors, atol=1e-4)


def test_left_out_errors_are_those_of_a_fit_without_the_rating() -> None:
    """Known hyperparameters and one bias to learn: leaving a rating out has a known answer."""
    rng = np.random.default_rng(0)
    stars, noise, prior = rng.normal(1, 0.8, 12), 0.64, 4.0
    precision = prior + len(stars) / noise
    draws = rng.normal(stars.sum() / noise / precision, precision**-0.5, 4000)
    chain = chain_of(world())
    left_out = LeftOut(chain)
    left_out.n, chain.owner, chain.order = len(draws), np.zeros(len(stars), int), np.arange(len(stars))
    errors = stars[:, None] - draws
    left_out.sums, left_out.squared = errors.sum(1).astype(np.float32), (errors**2).sum(1).astype(np.float32)
    left_out.noise = np.full(1, noise * len(draws))
    without = (stars.sum() - stars) / noise / (precision - 1 / noise)
    assert np.allclose(left_out.errors(), stars - without, atol=0.05)


def test_the_more_ratings_the_less_is_open() -> None:
    expected = np.array([0.5, 0.2, 0.1, 0.05])
    open_ = uncertainties(expected, np.array([0, 1, 10, 10_000]), rank=4)
    assert open_[0] == pytest.approx(0.2 + 0.1 + 0.05)
    assert open_[1] == pytest.approx(1 / (1 / 0.2 + 1 / 0.5) + 1 / (1 / 0.1 + 1 / (4 * 0.5)))
    assert np.all(np.diff(open_) < 0)
    assert open_[-1] < 1e-3


@pytest.mark.parametrize("rank", [3, 20, 40])
def test_sets_move_prior_means_by_their_members(rank: int) -> None:
    chain = chain_of(world(users=30, items=20, n=300), rank=rank, features=features(20))
    for _ in range(3):
        chain.step()
    for side in (chain.users, chain.items):
        rows = side.rows
        prior, bias = np.tile(rows.mean[:-1], (len(rows.biases), 1)), np.full(len(rows.biases), rows.mean[-1])
        for sets in side.sets + side.features:
            members = np.repeat(np.arange(len(sets.indptr) - 1), np.diff(sets.indptr))
            np.add.at(prior, sets.owners, sets.weight[sets.owners, None] * sets.rows.factors[members])
            np.add.at(bias, sets.owners, sets.weight[sets.owners] * sets.rows.biases[members])
            assert np.any(sets.rows.factors[:, rank - 1] != 0)
            assert np.all(sets.rows.factors[:, rank:] == 0)
        assert np.allclose(side.prior, prior, atol=1e-4)
        assert np.allclose(side.prior_bias, bias, atol=1e-4)


def test_the_usual_film_has_the_features_that_films_have_on_average() -> None:
    chain = chain_of(world(users=30, items=20, n=300), features=features(20))
    chain.step()
    without = chain.items.prior - chain.items.rows.mean[:-1]
    bias = chain.items.prior_bias - chain.items.rows.mean[-1]
    for sets in chain.items.sets:
        members = np.repeat(np.arange(len(sets.indptr) - 1), np.diff(sets.indptr))
        np.subtract.at(without, sets.owners, sets.weight[sets.owners, None] * sets.rows.factors[members])
        np.subtract.at(bias, sets.owners, sets.weight[sets.owners] * sets.rows.biases[members])
    factors, usual = chain.items.usual()
    assert np.allclose(factors, chain.items.rows.mean[:-1] + without.mean(axis=0), atol=1e-4)
    assert usual == pytest.approx(chain.items.rows.mean[-1] + bias.mean(), abs=1e-4)


def row_posterior(chain: Chain, row: int) -> tuple[np.ndarray, np.ndarray]:
    """One user's conditional mean and covariance, in NumPy: factors first, the bias last."""
    side, rank = chain.users, chain.rank
    span = slice(side.indptr[row], side.indptr[row + 1])
    q, day = chain.items.rows, chain.day_side.rows
    i, t = side.left[span], side.right[span]
    y = side.targets[span].astype(np.float64) - q.biases[i]
    factors = q.factors[i, :rank].astype(np.float64)
    if len(chain.days):
        e = day.factors[t, :rank]
        y = y - day.biases[t] - (factors * e).sum(1)
        factors = factors + e
    h = np.column_stack([factors, np.ones(len(y))])
    parts = np.append(np.arange(rank), -1)
    prior = np.append(side.prior[row, :rank], side.prior_bias[row])
    precision = side.rows.precision[parts].astype(np.float64)
    weight = chain.alpha * chain.tau[row]
    covariance = np.linalg.inv(weight * h.T @ h + np.diag(precision))
    return covariance @ (weight * h.T @ y + precision * prior), covariance


@pytest.mark.parametrize("days", [0, 4])
def test_conditional_means_and_covariances_are_the_conjugate_ones(days: int) -> None:
    chain = chain_of(world(days=days))
    for _ in range(3):
        chain.step()
    means = Rows.zeros(len(chain.tau), chain.rank)
    chain.draw(chain.users, 0, means=means)
    draws = []
    for sweep in range(4000):
        chain.sweep = sweep
        chain.draw(chain.users, 0)
        draws.append(np.append(chain.users.rows.factors[0, :3], chain.users.rows.biases[0]))
    expected, covariance = row_posterior(chain, 0)
    assert np.allclose(np.append(means.factors[0, :3], means.biases[0]), expected, atol=1e-4)
    error = np.sqrt(np.diag(covariance) / len(draws))
    assert np.all(np.abs(np.mean(draws, axis=0) - expected) < 5 * error)
    assert np.allclose(np.cov(np.array(draws).T), covariance, atol=0.1 * np.diag(covariance).max())


def test_a_member_of_sets_is_drawn_from_its_conjugate_posterior() -> None:
    remainder, bias = np.zeros((2, 16), np.float32), np.array([1.0, 3.0], np.float32)
    remainder[:, 0] = [2.0, 4.0]
    weight, squared = np.array([0.5, 1.0], np.float32), np.array([1.25], np.float32)
    precision, own = np.full(17, 4.0, np.float32), np.full(17, 2.0, np.float32)
    mean, draws = np.zeros(17, np.float32), []
    for counter in range(4000):
        y, y_bias = np.zeros((1, 16), np.float32), np.zeros(1, np.float32)
        r, rb = remainder.copy(), bias.copy()
        gibbs.sample_sets(
            0, 16, np.array([0, 2]), np.array([0, 1], np.int32), weight, squared, r.reshape(-1), rb, 1, 16, precision,
            own, mean, np.uint64(counter * 16), np.uint64(0x9E3779B97F4A7C15), y.reshape(-1), y_bias,
        )  # fmt: skip
        assert np.allclose(r[:, 0] + weight * y[0, 0], remainder[:, 0], atol=1e-5)
        assert np.allclose(rb + weight * y_bias[0], bias, atol=1e-5)
        draws.append([y[0, 0], y_bias[0]])
    total = 4 * 1.25 + 2
    assert np.allclose(np.mean(draws, axis=0), [4 * 5.0 / total, 4 * 3.5 / total], atol=0.03)
    assert np.allclose(np.var(draws, axis=0), 1 / total, rtol=0.1)


def test_hyperparameters_close_in_on_what_the_rows_were_drawn_from() -> None:
    rng = np.random.default_rng(3)
    rows = Rows.zeros(4000, 2)
    rows.factors[:, :2] = rng.normal([1.0, -2.0], [0.5, 2.0], (4000, 2))
    rows.biases[:] = rng.normal(0.3, 1.0, 4000)
    means, precisions = [], []
    for _ in range(50):
        rows.draw_hyper(rng)
        means.append(rows.mean[[0, 1, -1]].copy())
        precisions.append(rows.precision[[0, 1, -1]].copy())
    assert np.allclose(np.mean(means, axis=0), [1.0, -2.0, 0.3], atol=0.1)
    assert np.allclose(np.mean(precisions, axis=0), [4.0, 0.25, 1.0], rtol=0.1)


def test_a_chain_finds_the_factors_in_a_few_sweeps() -> None:
    """Begun at a tenth of what is believed of them, factors say nothing after as many sweeps: the error is .94."""
    chain = chain_of(matinee.load("sample").ratings, rank=10, sets=False, time=False, threads=None)
    errors = [chain.step() for _ in range(10)]
    assert errors[-1] < 0.86


@pytest.mark.parametrize("rank", [3, 40])
def test_the_number_of_threads_changes_nothing_and_the_seed_everything(rank: int) -> None:
    ratings = world(users=60, items=40, n=900, days=5)
    runs = [(1, 1), (2, 1), (2, 2)]
    one, two, other = (chain_of(ratings, rank=rank, threads=threads, seed=seed) for threads, seed in runs)
    for chain in (one, two, other):
        for _ in range(5):
            chain.step()
    for side in ("users", "items", "day_side"):
        assert np.array_equal(getattr(one, side).rows.factors, getattr(two, side).rows.factors)
        assert not np.array_equal(getattr(one, side).rows.factors, getattr(other, side).rows.factors)
    assert one.alpha == two.alpha


@pytest.mark.parametrize("side", ["users", "items"])
def test_sets_hold_training_pairs_and_no_other(side: str) -> None:
    """Every pair of the sets is a training rating: one test pair among them fails this."""
    whole = world(users=30, items=20, n=300)
    keep = np.random.default_rng(0).random(300) < 0.8
    chain = chain_of(train := whole.select(keep))
    (sets,) = getattr(chain, side).sets
    members = np.repeat(np.arange(len(sets.indptr) - 1), np.diff(sets.indptr))
    pairs = (sets.owners, members) if side == "users" else (members, sets.owners)
    inside = set(zip(train.users.ids[pairs[0]].tolist(), train.items.ids[pairs[1]].tolist(), strict=True))
    assert inside == set(zip(train.user_ids.tolist(), train.item_ids.tolist(), strict=True))
    held_out = whole.select(~keep)
    assert not inside & set(zip(held_out.user_ids.tolist(), held_out.item_ids.tolist(), strict=True))
    n = np.bincount(sets.owners)
    assert np.allclose(sets.weight, n**-0.5)


def test_progress_counts_sweeps_and_its_errors_stop_the_fit() -> None:
    seen = []

    def stop(progress: object) -> None:
        seen.append(progress)
        if len(seen) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        BayesianMF(rank=2, iterations=10, burn_in=2, samples=2).fit(world(), progress=stop)
    assert [p.iteration for p in seen] in ([1, 2, 3], [0, 1, 2])
    assert seen[-1].iterations == 10

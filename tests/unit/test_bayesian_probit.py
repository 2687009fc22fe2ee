"""Ordered probit: cut points that stars were drawn with are found, whoever computes them, and everything is served."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import matinee
from matinee import BayesianMF, Ratings
from matinee.errors import ParameterError
from matinee.evaluation.calibration import interval_metrics
from matinee.models.bayesian import BayesianModel
from matinee.models.bayesian.probit import Latent
from matinee.models.bayesian.sampler import Chain

STEPS = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
SKEWED = np.array([-1.2, -0.8, 0.3, 0.5])
"""Cut points that no rounding has, of latent stars around 0."""


def drawn(seed: int, n: int = 6_000, cuts: np.ndarray = SKEWED, steps: np.ndarray = STEPS) -> Ratings:
    rng = np.random.default_rng(seed)
    users, items = np.divmod(rng.choice(150 * 120, n, replace=False), 120)
    liking = 0.4 * (rng.normal(size=150)[users] + rng.normal(size=120)[items]) + 0.6 * rng.normal(size=n)
    return Ratings.from_arrays(users, items, steps[np.searchsorted(cuts, liking)], scale=(steps[0], steps[-1]))


def chain_of(ratings: Ratings, **changes: object) -> Chain:
    options = {"rank": 2, "seed": 1, "sets": False, "time": True, "threads": 1, "probit": True} | changes
    return Chain(ratings, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def split() -> tuple[Ratings, Ratings]:
    return matinee.random_split(matinee.load("sample").ratings, test=0.2, seed=0)


@pytest.fixture(scope="module")
def model(split: tuple[Ratings, Ratings]) -> BayesianModel:
    return BayesianMF(rank=8, iterations=70, burn_in=20, samples=20, output="probit").fit(split[0])


def test_the_cut_points_that_stars_were_drawn_with_are_found() -> None:
    chain, found = chain_of(drawn(0)), []
    for sweep in range(160):
        chain.step()
        if sweep >= 60:
            found.append(chain.latent.cuts)
    middle, spread = np.mean(found, axis=0), np.std(found, axis=0)
    outer = np.polyfit(middle[[0, -1]], SKEWED[[0, -1]], 1)  # origin and unit of latent stars are anybody's
    assert np.allclose(np.polyval(outer, middle), SKEWED, atol=0.06)
    assert np.all(spread[1:-1] > 0)
    assert np.all(spread[[0, -1]] < 1e-9)
    assert chain.latent.accepted > 0.5 * chain.latent.proposed


def test_slope_and_curvature_are_those_of_the_likelihood() -> None:
    ratings = drawn(1, 400)
    latent, rng = Latent(ratings.stars - np.float32(ratings.mean), ratings.mean), np.random.default_rng(0)
    scores, roots = rng.normal(0, 0.4, 400).astype(np.float32), rng.uniform(0.8, 2, 400).astype(np.float32)
    here = latent.slope(latent.cuts, scores, roots, 1)
    for n in range(2):
        off = latent.cuts.copy()
        off[n + 1] += 1e-5
        there = latent.slope(off, scores, roots, 1)
        assert (there.value - here.value) / 1e-5 == pytest.approx(here.gradient[n], rel=1e-3)
        assert np.allclose((here.gradient - there.gradient) / 1e-5, here.curvature[n], rtol=1e-3, atol=1e-2)


def test_latent_stars_lie_in_their_steps_and_in_every_sides_order() -> None:
    ratings = drawn(2, 800)
    timed = Ratings.from_arrays(
        ratings.user_ids, ratings.item_ids, ratings.stars, np.arange(800) % 7 * 86_400, scale=(1, 5)
    )
    chain = chain_of(timed)
    chain.step()
    edges, latent = chain.latent.edges(chain.latent.cuts), chain.users.targets
    assert np.all((edges[chain.latent.places] <= latent) & (latent <= edges[chain.latent.places + 1]))
    for side in (chain.items, chain.day_side):
        assert np.array_equal(side.targets, latent[side.order])
    assert not np.array_equal(latent, chain.given)


def test_the_number_of_threads_changes_nothing() -> None:
    ratings = drawn(3, 17_500)  # more than one chunk of latent stars
    one, two = chain_of(ratings), chain_of(ratings, threads=2)
    for _ in range(6):
        assert one.step() == two.step()
    assert np.array_equal(one.latent.cuts, two.latent.cuts)
    assert np.array_equal(one.users.targets, two.users.targets)


@pytest.mark.parametrize("output", ["normal", "probit"])
def test_steps_come_as_often_as_they_are_said_to(output: str) -> None:
    train, test = matinee.random_split(drawn(4), test=0.3, seed=0)
    found = BayesianMF(rank=2, iterations=60, burn_in=20, samples=20, output=output).fit(train)
    said = found.distribution(test.user_ids, test.item_ids)
    assert np.allclose(said.sum(axis=1), 1)
    assert np.allclose(said.mean(axis=0), [np.mean(test.stars == step) for step in STEPS], atol=0.03)
    if output == "probit":
        assert np.allclose(found.predict(test.user_ids, test.item_ids), said @ STEPS, atol=1e-4)


def test_liked_or_not_is_a_probit_too() -> None:
    ratings = drawn(5, cuts=np.array([0.2]), steps=np.array([0.0, 1.0]))
    train, test = matinee.random_split(ratings, test=0.3, seed=0)
    found = BayesianMF(rank=2, iterations=60, burn_in=20, samples=20, output="probit").fit(train)
    said = found.predict(test.user_ids, test.item_ids)
    assert np.all((said > 0) & (said < 1))
    assert said.mean() == pytest.approx(test.stars.mean(), abs=0.03)
    sure = said > np.quantile(said, 0.8)
    assert said[sure].mean() == pytest.approx(test.stars[sure].mean(), abs=0.06)


def test_it_tells_the_steps_of_the_sample_better_and_stars_as_well(
    split: tuple[Ratings, Ratings], model: BayesianModel
) -> None:
    train, test = split
    normal = BayesianMF(rank=8, iterations=70, burn_in=20, samples=20).fit(train)
    ours, theirs = interval_metrics(model, test), interval_metrics(normal, test)
    assert ours["nll_steps"] < theirs["nll_steps"] - 0.005
    assert ours["nll"] == ours["nll_steps"] < ours["nll_constant"] - 0.015
    assert 0.87 < ours["coverage"]["0.9"] < 0.93
    assert matinee.rmse(model, test) < matinee.rmse(normal, test) + 0.003
    liked = model.probability(test.user_ids, test.item_ids, 4, test.timestamps)
    assert liked.mean() == pytest.approx(np.mean(test.stars >= 4), abs=0.015)


def test_people_folded_in_stand_where_training_put_them(model: BayesianModel) -> None:
    off, apart = [], []
    for user in model.users.ids[:40]:
        rows, stars = model.seen.row(int(model.users.rows([user])[0]))
        folded = model.fold_in(dict(zip(model.items.ids[rows].tolist(), stars.tolist(), strict=True)))
        off.append(np.sqrt(np.mean((folded.scores() - model.person(user).scores()) ** 2)))
        apart.append(np.std(model.person(user).scores()))
        parts = folded.contributions(model.item_factors[:9]).sum(axis=1) + model.item_biases[:9] + model.mean
        assert np.allclose(parts, folded.scores()[:9], atol=1e-4)
        shown = folded.predict(model.items.ids[:20])
        assert np.all((shown >= 0.5) & (shown <= 5))
    assert np.median(off) < 0.25 * np.median(apart)


def test_save_and_load_keep_every_answer(model: BayesianModel, tmp_path: Path) -> None:
    loaded, _ = matinee.load_model(matinee.save(model, path=tmp_path / "m"))
    assert loaded.params == model.params
    assert np.array_equal(loaded.cuts, model.cuts)
    users, items = model.users.ids[:30], model.items.ids[:30]
    assert np.array_equal(loaded.predict(users, items), model.predict(users, items))
    assert np.array_equal(loaded.distribution(users, items), model.distribution(users, items))
    likes = {int(model.items.ids[7]): 4.0, int(model.items.ids[9]): 0.5}
    assert np.array_equal(loaded.fold_in(likes).predict(items), model.fold_in(likes).predict(items))


def test_stars_in_no_steps_are_refused() -> None:
    many = Ratings.from_arrays(np.arange(300), np.arange(300) % 7, np.linspace(1, 5, 300), scale=(1, 5))
    alike = Ratings.from_arrays([1, 2, 3], [1, 2, 1], [3, 3, 3])
    for ratings, n in ((many, 300), (alike, 1)):
        with pytest.raises(ParameterError, match=f"output='probit': ratings of {n} different numbers"):
            BayesianMF(output="probit").fit(ratings)
    with pytest.raises(ParameterError, match="output='logit': normal and probit are allowed"):
        BayesianMF(output="logit")

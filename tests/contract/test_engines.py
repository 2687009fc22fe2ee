"""What every engine does: the same parts, counts and measures as here, models as good, and served by the same code."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from engines import Engine, Local, OnSpark

import matinee
from matinee import ALS, ImplicitALS, Ratings
from matinee.data import splits
from matinee.data.stats import item_stats
from matinee.engines.spark.exchange import export_model, import_model
from matinee.errors import ParameterError
from matinee.evaluation.metrics import star_metrics
from matinee.evaluation.ranking import rank_everything
from matinee.models.als import ALSModel
from matinee.models.factors import FactorModel
from matinee.models.implicit_als import ImplicitModel
from matinee.recommend.catalogue import Catalogue
from matinee.recommend.recommender import Recommender

PLAIN = ALS(rank=8, regularization=0.1, iterations=10, biases=False)
BIASED = ALS(rank=8, iterations=8)
PICKS = ImplicitALS(rank=16, iterations=8, objective="spark", regularization=0.1)
SEEDS = (1, 2, 3)
SPARK = [pytest.mark.xdist_group("spark"), pytest.mark.timeout(300)]  # a timeout would break the session for all


@pytest.fixture(scope="module", params=["local", pytest.param("spark", marks=SPARK)])
def engine(request: pytest.FixtureRequest) -> Engine:
    return Local() if request.param == "local" else OnSpark(request.getfixturevalue("spark"))


class World(NamedTuple):
    """The sample, cut here and there."""

    train: Ratings
    test: Ratings
    on_engine: tuple[Any, Any]


@pytest.fixture(scope="module")
def world(engine: Engine) -> World:
    ratings = matinee.load("sample").ratings
    train, test = engine.cut(engine.bring(ratings), "hash_split", 0.2, 0)
    return World(*splits.hash_split(ratings, 0.2, 0), (train, test))


class Trained(NamedTuple):
    fitted: Any
    model: FactorModel


def trained(engine: Engine, world: World, params: ALS | ImplicitALS) -> Trained:
    fitted = engine.fit(world.on_engine[0], params)
    return Trained(fitted, engine.model(fitted, world.train, params))


@pytest.fixture(scope="module")
def plain(engine: Engine, world: World) -> list[Trained]:
    return [trained(engine, world, ALS(**{**vars(PLAIN), "seed": seed})) for seed in SEEDS]


@pytest.fixture(scope="module")
def biased(engine: Engine, world: World) -> Trained:
    return trained(engine, world, BIASED)


@pytest.fixture(scope="module")
def picks(engine: Engine, world: World) -> Trained:
    return trained(engine, world, PICKS)


def small() -> Ratings:
    """Few moments, so that ratings share them; people with one rating; text ids on one side."""
    rng = np.random.default_rng(0)
    users, items = np.divmod(rng.choice(2000, 600, replace=False), 40)
    users[:20] += np.arange(20) * 50
    names = np.array([f"ü{item}" for item in items])
    return Ratings.from_arrays(users - 7, names, rng.integers(1, 11, 600) / 2, rng.integers(0, 50, 600))


@pytest.mark.parametrize(
    ("how", "arguments"),
    [
        ("hash_split", (0.3, 4)),
        ("hash_fractions", ("6:2:2", 4)),
        ("last_n", (2,)),
        ("time_split", (0.2,)),
        ("time_split", (0.999,)),
        ("time_split", (0.001,)),
    ],
)
def test_parts_are_the_same_on_every_engine(engine: Engine, how: str, arguments: tuple[Any, ...]) -> None:
    here, there = Local().cut(small(), how, *arguments), engine.cut(engine.bring(small()), how, *arguments)
    assert [len(part) for part in there] == [len(part) for part in here]
    for ours, theirs in zip(here, there, strict=True):
        assert engine.brought(theirs).fingerprint == ours.fingerprint
    assert engine.cold(there[0], there[-1]) == Local().cold(here[0], here[-1])
    counts, sums = engine.totals(there[0])
    assert counts.tolist() == here[0].item_counts.tolist()
    np.testing.assert_allclose(sums / counts, here[0].item_means, rtol=1e-6)


def test_the_test_part_does_not_depend_on_a_validation_part(engine: Engine) -> None:
    ratings = engine.bring(small())
    test = engine.cut(ratings, "hash_fractions", "6:2:2", 9)[2]
    assert engine.brought(test).fingerprint == splits.hash_split(small(), 0.2, seed=9)[1].fingerprint


def test_what_cannot_be_split_is_refused(engine: Engine) -> None:
    timeless = engine.bring(Ratings.from_arrays([1, 2], [1, 2], [3, 4]))
    same = engine.bring(Ratings.from_arrays([1, 2], [1, 2], [3, 4], [7, 7]))
    for ratings, how, arguments, said in (
        (same, "hash_split", (1.0, 0), "between 0 and 1"),
        (timeless, "hash_split", (1e-9, 0), "one is empty"),
        (timeless, "hash_fractions", ((1, 0), 0), "proportions"),
        (same, "time_split", (1.0,), "between 0 and 1"),
        (timeless, "time_split", (0.5,), "no times"),
        (same, "time_split", (0.5,), "same time"),
        (timeless, "last_n", (1,), "no times"),
        (same, "last_n", (0,), "give 1 or more"),
        (same, "last_n", (1,), "nobody has more than 1"),
    ):
        with pytest.raises(ParameterError, match=said):
            engine.cut(ratings, how, *arguments)


def test_stars_err_as_little_as_here(world: World, plain: list[Trained]) -> None:
    theirs, ours = [], []
    for seed, one in zip(SEEDS, plain, strict=True):
        assert isinstance(one.model, ALSModel)
        theirs.append(matinee.rmse(one.model, world.test))
        ours.append(matinee.rmse(ALS(**{**vars(PLAIN), "seed": seed}).fit(world.train), world.test))
    assert abs(np.mean(theirs) - np.mean(ours)) < 0.005


def test_biases_beat_the_baseline(world: World, biased: Trained) -> None:
    assert isinstance(biased.model, ALSModel)
    baseline = matinee.rmse(matinee.damped_bias().fit(world.train), world.test)
    assert matinee.rmse(biased.model, world.test) < baseline - 0.005


def test_lists_are_as_good_as_here(world: World, picks: Trained) -> None:
    assert isinstance(picks.model, ImplicitModel)
    ours = rank_everything(PICKS.fit(world.train), world.test, world.train).means
    theirs = rank_everything(picks.model, world.test, world.train).means
    assert theirs["ndcg@10"] == pytest.approx(ours["ndcg@10"], rel=0.02)


def test_models_are_measured_as_here(
    engine: Engine, world: World, plain: list[Trained], biased: Trained, picks: Trained
) -> None:
    train, test = world.on_engine
    for one in (plain[0], biased):
        assert isinstance(one.model, ALSModel)
        ours = star_metrics(one.model, world.test)
        assert engine.star_metrics(one.fitted, test) == pytest.approx(ours, abs=1e-6)
    assert isinstance(picks.model, ImplicitModel)
    lists = rank_everything(picks.model, world.test, world.train).means
    assert engine.list_metrics(picks.fitted, test, train) == pytest.approx(lists, abs=1e-6)


def test_people_folded_in_are_who_they_were(world: World, plain: list[Trained], picks: Trained) -> None:
    """Users were solved last, so that a fold-in repeats the training's last step."""
    for model in (plain[0].model, picks.model):
        for user in model.users.ids[[0, 100, 300]].tolist():
            row = int(model.users.rows([user])[0])
            items, stars = model.seen.row(row)
            folded = model.fold_in(dict(zip(model.items.ids[items].tolist(), stars.tolist(), strict=True)))
            np.testing.assert_allclose(folded.factors, model.user_factors[row], atol=2e-3)


def test_the_recommender_serves_the_engines_own_lists(
    engine: Engine, world: World, plain: list[Trained], picks: Trained, tmp_path: Path
) -> None:
    data = matinee.load("sample")
    catalogue = Catalogue(data.movies, item_stats(data.ratings))
    assert isinstance(plain[0].model, ALSModel)
    assert isinstance(picks.model, ImplicitModel)
    recommender = Recommender(catalogue, plain[0].model, picks.model)
    theirs = engine.lists(picks.fitted, picks.model, 10, tmp_path)
    shared = []
    for user in picks.model.users.ids[::10].tolist():
        served = recommender.recommend(recommender.ratings_of(user), limit=10).recommendations
        shared.append(len({film.movie_id for film in served} & set(theirs[user])))
    assert np.mean(shared) >= 9


def test_a_round_trip_through_sparks_folder_changes_no_prediction(
    world: World, plain: list[Trained], biased: Trained, tmp_path: Path
) -> None:
    for number, (one, params) in enumerate(((plain[0], PLAIN), (biased, BIASED))):
        assert isinstance(one.model, ALSModel)
        back = import_model(export_model(one.model, tmp_path / str(number)), params, world.train)
        assert isinstance(back, ALSModel)
        pairs = world.test.user_ids, world.test.item_ids
        difference = np.subtract(back.predict(*pairs), one.model.predict(*pairs))
        assert np.abs(difference).max() < 1e-5


def test_someone_with_a_single_rating_gets_numbers(engine: Engine) -> None:
    ratings = small()
    params = ALS(rank=3, iterations=3)
    model = engine.model(engine.fit(engine.bring(ratings), params), ratings, params)
    assert isinstance(model, ALSModel)
    stars = model.predict(
        np.repeat(ratings.users.ids, len(ratings.items)), np.tile(ratings.items.ids, len(ratings.users))
    )
    low, high = ratings.scale
    assert ((low <= stars) & (stars <= high)).all()  # and no NaN

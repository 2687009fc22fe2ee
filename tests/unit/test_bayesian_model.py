"""The model that is served: samples side by side, people folded in, intervals that mean what they say."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import small_world
from scipy.special import ndtri

import matinee
from matinee import BayesianMF, Ratings
from matinee.data.stats import item_stats
from matinee.errors import ParameterError
from matinee.evaluation.calibration import interval_metrics
from matinee.models.bayesian import BayesianModel
from matinee.models.intervals import product_variances
from matinee.recommend.catalogue import Catalogue
from matinee.recommend.recommender import Recommender
from matinee.recommend.scoring import Scorer
from matinee.recommend.taste import Taste


@pytest.fixture(scope="module")
def split() -> tuple[Ratings, Ratings]:
    return matinee.random_split(matinee.load("sample").ratings, test=0.2, seed=0)


@pytest.fixture(scope="module")
def model(split: tuple[Ratings, Ratings]) -> BayesianModel:
    return BayesianMF(rank=8, iterations=70, burn_in=20, samples=20).fit(split[0])


def test_it_beats_als_on_the_sample(split: tuple[Ratings, Ratings], model: BayesianModel) -> None:
    als = matinee.ALS(rank=32).fit(split[0])
    assert matinee.rmse(model, split[1]) < matinee.rmse(als, split[1]) - 0.015


def test_without_times_it_beats_als_too(split: tuple[Ratings, Ratings], model: BayesianModel) -> None:
    train, test = split
    undated = model.predict(test.user_ids, test.item_ids)
    dated = model.predict(test.user_ids, test.item_ids, test.timestamps)
    errors = [np.sqrt(np.mean((predicted - test.stars) ** 2)) for predicted in (dated, undated)]
    assert errors[0] < errors[1] < matinee.rmse(matinee.ALS(rank=32).fit(train), test)


def test_intervals_cover_what_they_promise(split: tuple[Ratings, Ratings], model: BayesianModel) -> None:
    measured = interval_metrics(model, split[1])
    assert 0.87 < measured["coverage"]["0.9"] < 0.93
    assert measured["nll"] < measured["nll_constant"] - 0.015
    tenths = measured["by_width"]
    certain, uncertain = (np.mean([t["rmse"] ** 2 for t in part]) ** 0.5 for part in (tenths[:2], tenths[-2:]))
    assert certain < 0.7 * uncertain


def test_ratings_folded_in_give_the_users_own_predictions(model: BayesianModel) -> None:
    differences = []
    for user in model.users.ids[:40]:
        rows, stars = model.seen.row(int(model.users.rows([user])[0]))
        folded = model.fold_in(dict(zip(model.items.ids[rows].tolist(), stars.tolist(), strict=True)))
        differences.append(np.sqrt(np.mean((folded.scores() - model.person(user).scores()) ** 2)))
    assert np.median(differences) < 0.1


def test_parts_sum_to_the_score_of_a_person_folded_in(model: BayesianModel) -> None:
    person = model.fold_in(
        {int(i): s for i, s in zip(model.items.ids[:300:10], np.tile([1.0, 3.0, 4.5], 10), strict=True)}
    )
    parts = person.contributions(model.item_factors[:50])
    assert parts.shape == (50, 30)
    expected = person.scores()[:50] - model.item_biases[:50] - model.mean
    assert np.allclose(parts.sum(axis=1), expected, atol=1e-4)


def test_somebody_and_something_unknown(model: BayesianModel) -> None:
    item, user = model.items.ids[5], model.users.ids[3]
    nobody = model.fold_in({})
    assert nobody.predict(item) == pytest.approx(model.predict(-1, item), abs=1e-4)
    assert model.predict(-1, item) == pytest.approx(model.mean + model.item_biases[5], abs=1e-4)
    assert model.predict(user, -1) == pytest.approx(np.clip(model.mean + model.user_biases[3], 0.5, 5), abs=1e-4)
    assert np.isfinite(model.predict(-1, -1))


def test_a_stranger_gets_wider_intervals(model: BayesianModel) -> None:
    rows = np.arange(100)
    likes = {int(i): float(s) for i, s in zip(model.items.ids[:400:10], np.tile([3.5, 4.0], 20), strict=True)}
    few = dict(list(likes.items())[:2])
    stranger, newcomer, regular = (model.spread(model.fold_in(r), rows) for r in ({}, few, likes))
    assert stranger.mean() > newcomer.mean() > regular.mean()
    assert np.all(model.deviations([-1], [model.items.ids[0]]) > model.deviations([model.users.ids[0]], [-1]) * 0.5)


@pytest.mark.parametrize("n", [400, 3000])
def test_few_ratings_make_honest_intervals_and_no_error_beyond_plain_biases(n: int) -> None:
    """Ratings of a model with biases, weak factors and noise: too few of them to tell factors from noise."""
    inside, errors = [], []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        pairs = rng.choice(n // 8 * (n // 12), n, replace=False)
        users, items = pairs // (n // 12), pairs % (n // 12)
        p, q = rng.normal(0, 0.5, (n, 3)), rng.normal(0, 0.5, (n, 3))
        score = rng.normal(0, 0.4, n)[users] + rng.normal(0, 0.5, n)[items] + (p[users] * q[items]).sum(1)
        stars = np.clip(np.round(2 * (3.5 + score + rng.normal(0, 0.8, n))) / 2, 0.5, 5)
        train, test = matinee.random_split(Ratings.from_arrays(users, items, stars), test=0.2, seed=seed)
        model, plain = BayesianMF(iterations=60, burn_in=20, samples=20).fit(train), matinee.damped_bias().fit(train)
        low, high = model.predict_interval(test.user_ids, test.item_ids)
        inside.append((low <= test.stars) & (test.stars <= high))
        errors.append([matinee.rmse(model, test), matinee.rmse(plain, test)])
    assert np.concatenate(inside).mean() == pytest.approx(0.9, abs=0.04)
    ours, theirs = np.mean(errors, axis=0)
    assert ours < theirs + 0.02


def test_a_film_that_nobody_rated_gets_the_widest_interval() -> None:
    stars = BayesianMF(rank=2, iterations=20, burn_in=4, samples=4).fit(small_world.ratings())
    recommender = Recommender(Catalogue(small_world.movies(), item_stats(small_world.ratings())), stars)
    likes = {10: 4.0, 20: 2.0, 30: 5.0}
    lone, *known = (recommender.predict(likes, movie) for movie in (10 * small_world.N_MOVIES, *stars.items.ids[3:9]))
    assert not lone.known
    assert known[0].known
    width, *widths = (film.stars_high_50 - film.stars_low_50 for film in (lone, *known))
    assert width >= max(widths)
    assert 0 < lone.probability_4 < 1


def test_save_and_load_keep_every_answer(model: BayesianModel, tmp_path: object) -> None:
    loaded, _ = matinee.load_model(matinee.save(model, path=f"{tmp_path}/m"))
    assert isinstance(loaded, BayesianModel)
    assert loaded.params == model.params
    users, items = model.users.ids[:30], model.items.ids[:30]
    when = np.full(30, int(model.days[3]) * 86_400)
    assert np.array_equal(loaded.predict(users, items, when), model.predict(users, items, when))
    for a, b in zip(loaded.predict_interval(users, items), model.predict_interval(users, items), strict=True):
        assert np.array_equal(a, b)
    likes = {int(model.items.ids[7]): 4.0}
    assert np.array_equal(loaded.fold_in(likes).scores(), model.fold_in(likes).scores())


@pytest.mark.parametrize(("iterations", "burn_in", "samples"), [(12, 4, 8), (13, 2, 8), (9, 0, 9), (5, 4, 1)])
def test_every_sample_is_filled(iterations: int, burn_in: int, samples: int) -> None:
    ratings = Ratings.from_arrays([1, 1, 2, 2, 3], [1, 2, 1, 3, 2], [4, 3, 5, 1, 2])
    model = BayesianMF(rank=2, iterations=iterations, burn_in=burn_in, samples=samples).fit(ratings)
    assert model.alphas.shape == (samples,)
    assert np.all(model.alphas > 0)
    assert np.all(model.precisions > 0)


def test_probability_and_interval_agree(model: BayesianModel) -> None:
    users, items = model.users.ids[:50], model.items.ids[:50]
    p = model.probability(users, items, 4)
    assert np.all((p >= 0) & (p <= 1))
    assert np.all(model.probability(users, items, 3) >= p)
    narrow, wide = model.predict_interval(users, items, 0.5), model.predict_interval(users, items, 0.9)
    assert np.all((wide[0] <= narrow[0]) & (narrow[1] <= wide[1]))


def test_on_a_scale_of_whole_stars_4_or_more_comes_as_often_as_promised(split: tuple[Ratings, Ratings]) -> None:
    train, test = (Ratings.from_arrays(r.user_ids, r.item_ids, np.ceil(r.stars), scale=(1, 5)) for r in split)
    model = BayesianMF(rank=8, iterations=30, burn_in=10, samples=10).fit(train)
    promised = model.probability(test.user_ids, test.item_ids, 4)
    assert promised.mean() == pytest.approx(np.mean(test.stars >= 4), abs=0.03)


def test_a_score_beyond_the_scale_has_an_interval_too(model: BayesianModel) -> None:
    users, items = model.users.ids[:50], model.items.ids[:50]
    raised = dataclasses.replace(model, mean=model.mean + 4)
    assert np.all(raised.predict(users, items) == 5)
    low, high = raised.predict_interval(users, items, 0.5)
    assert np.allclose(5 - low, ndtri(0.75) * model.deviations(users, items), rtol=1e-4)
    assert np.all(high == 5)


def test_variances_are_read_off_a_product() -> None:
    rng = np.random.default_rng(0)
    users, items = rng.integers(0, 40, 40_000), rng.integers(0, 30, 40_000)
    true_user, true_item = rng.uniform(0.5, 2, 40), rng.uniform(0.5, 2, 30)
    squares = true_user[users] * true_item[items] * rng.chisquare(1, 40_000)
    mean, user, item = product_variances(squares, users, items, 40, 30, 10)
    product = mean * user[:, None] * item[None, :]
    assert np.allclose(product, true_user[:, None] * true_item[None, :], rtol=0.3)


@pytest.mark.parametrize(
    "bad",
    [{"rank": 0}, {"samples": 0}, {"burn_in": 190}, {"burn_in": -1}, {"shrinkage": 0}, {"seed": -1}, {"threads": 0}],
)
def test_parameters_out_of_range_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ParameterError, match=next(iter(bad))):
        BayesianMF(**bad)


def test_bad_questions_are_refused(model: BayesianModel) -> None:
    with pytest.raises(ParameterError, match="2 users and 1 items"):
        model.predict([1, 2], [3])
    with pytest.raises(ParameterError, match="1 timestamps arrived for 2 pairs"):
        model.predict([1, 2], [3, 4], [5])
    with pytest.raises(ParameterError, match=r"level=1\.5"):
        model.predict_interval([1], [2], 1.5)


def test_what_is_served_covers_what_it_promises(split: tuple[Ratings, Ratings], model: BayesianModel) -> None:
    train, test = split
    scorer = Scorer(model, Catalogue(matinee.load("sample").movies, item_stats(train)))
    inside = []
    for user in test.users.ids[:200].tolist():
        rows, given = test.by_user.row(int(test.users.rows([user])[0]))
        items = model.items.rows(test.items.ids[rows])
        items, given = items[items >= 0], given[items >= 0]
        seen, stars = train.by_user.row(int(train.users.rows([user])[0]))
        likes = dict(zip(train.items.ids[seen].tolist(), stars.tolist(), strict=True))
        person = scorer.place(Taste(ratings=likes, user_id=user))
        low, high = model.output.interval(person.exact_scores(items), model.spread(person, items), 0.9)
        inside.append((low <= given) & (given <= high))
    assert 0.87 < np.concatenate(inside).mean() < 0.93

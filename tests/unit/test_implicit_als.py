"""Implicit ALS: the objective it promises, answers known in advance, and what does not change its result."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

import matinee
from matinee.data.ratings import Ratings
from matinee.errors import ParameterError, UnknownMovieError
from matinee.evaluation.rankers import Popularity, TutorialList
from matinee.evaluation.ranking import rank_everything
from matinee.evaluation.splitting import held_out_per_user
from matinee.models.artifact import load_model, save
from matinee.models.implicit_als import ImplicitALS, ImplicitModel, ImplicitProgress
from matinee.models.likes import first_factors

IALS = ImplicitALS(rank=5, iterations=4)
SPARK = ImplicitALS(rank=5, iterations=4, objective="spark", alpha=0.5, regularization=0.05)
BOTH = pytest.mark.parametrize("estimator", [IALS, SPARK], ids=["ials", "spark"])
EVERY = pytest.mark.parametrize(
    "estimator",
    [IALS, SPARK, dataclasses.replace(IALS, nu=0.5, activity=0.0), dataclasses.replace(SPARK, nu=0.0)],
    ids=["ials", "spark", "ials, other powers", "spark, plain regularization"],
)
NDCG_BAND = {"popularity": 1.9, "the tutorial's list": 3.8}
"""How many times better lists of the sample must be than those of the baselines."""


def some_ratings(n: int = 1500, n_users: int = 90, n_items: int = 70, seed: int = 0) -> Ratings:
    """Random pairs, popular items more often, half-star ratings from planted tastes; ids that are no rows."""
    rng = np.random.default_rng(seed)
    users = rng.integers(0, n_users, n) * 7 + 3
    items = (n_items * rng.random(n) ** 2).astype(int) * 11 + 5
    taste = np.sin(users * 1.7) * np.cos(items * 0.9)
    stars = np.clip(np.round(2 * (3 + taste + 0.5 * rng.normal(size=n))) / 2, 0.5, 5)
    return Ratings.from_arrays(users, items, stars)


def checkerboard(size: int = 40) -> Ratings:
    """Even people like even films, odd people odd films; a tenth of what they like is kept from them."""
    users, items = np.divmod(np.arange(size * size), size)
    kept = ((users + items) % 2 == 0) & ((users * 7 + items) % 10 != 0)
    return Ratings.from_arrays(users[kept], items[kept], np.full(kept.sum(), 5.0), scale=(0.5, 5.0))


def tables(model: ImplicitModel, ratings: Ratings) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Everything that the docstring's objective needs, dense, in float64: for every pair the weight and target of a
    like and the weight of the pair, for every user and item what multiplies the squared factors.
    """
    params, shape = model.params, (len(ratings.users), len(ratings.items))
    stars = np.zeros(shape)
    stars[ratings.user_rows, ratings.item_rows] = ratings.stars
    if params.objective == "spark":
        like, pair = np.where(stars > 0, params.alpha * stars, 0), np.ones(shape)
        target = np.where(stars > 0, (1 + like) / np.where(like > 0, like, 1), 0)
        ridges = [params.regularization * (stars > 0).sum(axis=axis) ** params.nu for axis in (1, 0)]
        return like, target, pair, *ridges
    like = np.maximum(stars - 2.5, 0) / 2.5
    counts = np.maximum((like > 0).sum(axis=1), 1)
    pair = np.tile(params.alpha0 * (counts / params.typical_likes) ** params.activity, (shape[1], 1)).T
    ridges = [params.regularization * (like + pair).sum(axis=axis) ** params.nu for axis in (1, 0)]
    return like, (like > 0) * 1.0, pair, *ridges


def objective(model: ImplicitModel, ratings: Ratings) -> float:
    """The function of the docstring of `ImplicitALS`: (x.y - 1)² over likes, (x.y)² over all pairs, ridges. Spark's
    confidence c = 1 + alpha * stars on (x.y - 1)² is the same up to a constant, which is added.
    """
    like, target, pair, user_ridge, item_ridge = tables(model, ratings)
    x, y = model.user_factors.astype(float), model.item_factors.astype(float)
    scores = x @ y.T
    ridge = user_ridge @ (x**2).sum(axis=1) + item_ridge @ (y**2).sum(axis=1)
    if model.params.objective == "spark":
        return float(((1 + like) * ((like > 0) - scores) ** 2).sum() + ridge)
    return float((like * (scores - target) ** 2).sum() + (pair * scores**2).sum() + ridge)


def dense_step(fixed: np.ndarray, like: np.ndarray, target: np.ndarray, pair: np.ndarray, ridge: np.ndarray):
    """Solve every row of one side the slow way: weighted least squares over all pairs."""
    out = np.zeros((len(like), fixed.shape[1]))
    for row in np.flatnonzero((like > 0).any(axis=1)):
        a = (fixed.T * (like[row] + pair[row])) @ fixed + ridge[row] * np.eye(fixed.shape[1])
        out[row] = np.linalg.solve(a, fixed.T @ (like[row] * target[row]))
    return out


@EVERY
def test_users_are_the_least_of_the_objective_given_the_items(estimator: ImplicitALS) -> None:
    ratings = some_ratings()
    model = estimator.fit(ratings)
    like, target, pair, user_ridge, _ = tables(model, ratings)
    expected = dense_step(model.item_factors.astype(float), like, target, pair, user_ridge)
    np.testing.assert_allclose(model.user_factors, expected, atol=2e-4)


@EVERY
def test_it_alternates_from_random_items(estimator: ImplicitALS) -> None:
    """Users, items, users, ...: one pass of the items per iteration, as the peers count, and the users once more."""
    ratings = some_ratings()
    model = dataclasses.replace(estimator, iterations=2).fit(ratings)
    like, target, pair, user_ridge, item_ridge = tables(model, ratings)
    y = first_factors(np.arange(len(ratings.items)), 5, estimator.seed)[:, :5].astype(float)
    x = dense_step(y, like, target, pair, user_ridge)
    for _ in range(2):
        y = dense_step(x, like.T, target.T, pair.T, item_ridge)
        x = dense_step(y, like, target, pair, user_ridge)
    np.testing.assert_allclose(model.user_factors @ model.item_factors.T, x @ y.T, atol=2e-3)


@BOTH
def test_many_iterations_end_where_a_dense_minimiser_ends(estimator: ImplicitALS) -> None:
    """The objective is not convex, but at rank 1 both find the same least value, whatever they start from."""
    ratings = some_ratings(400, 30, 20)
    model = dataclasses.replace(estimator, rank=1, iterations=60).fit(ratings)
    like, target, pair, user_ridge, item_ridge = tables(model, ratings)
    y = np.ones((len(ratings.items), 1))
    for _ in range(60):
        x = dense_step(y, like, target, pair, user_ridge)
        y = dense_step(x, like.T, target.T, pair.T, item_ridge)
    x = dense_step(y, like, target, pair, user_ridge)
    np.testing.assert_allclose(model.user_factors @ model.item_factors.T, x @ y.T, atol=1e-3)


@EVERY
def test_progress_tells_the_objective_and_it_falls(estimator: ImplicitALS) -> None:
    ratings, told = some_ratings(), []
    model = estimator.fit(ratings, progress=told.append)
    finished = [progress for progress in told if progress.iteration]
    assert [progress.iteration for progress in finished] == [1, 2, 3, 4]
    assert finished[-1].loss == pytest.approx(objective(model, ratings), rel=1e-4)
    losses = [progress.loss for progress in finished]
    assert losses == sorted(losses, reverse=True)


def test_what_is_none_comes_from_the_ratings() -> None:
    ratings = some_ratings()
    params = IALS.fit(ratings).params
    likes = ratings.stars > 2.5
    assert params.typical_likes == pytest.approx(likes.sum() / len(ratings.users))
    twice = dataclasses.replace(IALS, shrinkage=2 * IALS.shrinkage).fit(ratings).params
    assert params.regularization is not None
    assert twice.regularization == pytest.approx(2 * params.regularization)
    assert ImplicitALS(objective="spark", iterations=1).fit(ratings).params.regularization == 0.1


@pytest.mark.parametrize("seed", [0, 1])
def test_regularization_is_the_noise_that_shuffled_likes_show(seed: int) -> None:
    """Likes dealt at random have a strongest direction (the mean apart) about as large as `noise_level` says."""
    rng = np.random.default_rng(seed)
    liked = rng.random((300, 200)) < 0.1
    users, items = np.nonzero(liked)
    ratings = Ratings.from_arrays(users, items, np.full(len(users), 5.0), scale=(0.5, 5.0))
    params = ImplicitALS(rank=2, iterations=1, shrinkage=1.0).fit(ratings).params
    assert params.regularization is not None
    mass = params.pair_weights(liked.sum(axis=1))
    user_mass, item_mass = liked.sum(axis=1) + mass * 200, liked.sum(axis=0) + mass.sum()
    scaled = (liked - liked.mean()) / np.sqrt(np.outer(user_mass, item_mass))
    assert params.regularization == pytest.approx(np.linalg.norm(scaled, 2), rel=0.15)


@EVERY
@pytest.mark.parametrize("rank", [4, 64, 100])
def test_folding_in_a_users_own_ratings_gives_the_user(estimator: ImplicitALS, rank: int) -> None:
    ratings = some_ratings()
    model = dataclasses.replace(estimator, rank=rank).fit(ratings)
    for row in range(0, len(ratings.users), 9):
        items, stars = ratings.by_user.row(row)
        person = model.fold_in(dict(zip(ratings.items.ids[items].tolist(), stars.tolist(), strict=True)))
        np.testing.assert_allclose(person.factors, model.user_factors[row], atol=1e-4)
        assert person.bias == 0


def test_who_likes_nothing_has_zeros_and_so_does_what_nobody_likes() -> None:
    users, items = np.divmod(np.arange(36), 6)
    stars = np.where((users == 2) | (items == 4), 1.5, 4.0)
    model = ImplicitALS(rank=3, iterations=2).fit(Ratings.from_arrays(users, items, stars, scale=(0.5, 5.0)))
    assert not model.user_factors[2].any()
    assert not model.item_factors[4].any()
    assert model.user_factors[1].any()
    assert not model.fold_in({0: 2.0}).factors.any()
    assert not model.fold_in({}).factors.any()


def test_nobody_likes_anything() -> None:
    model = ImplicitALS(rank=3).fit(Ratings.from_arrays([1, 1, 2], [1, 2, 1], [1.0, 2.0, 1.5], scale=(0.5, 5.0)))
    assert not model.user_factors.any()
    assert model.recommend(2)[0].tolist() == [2]


@BOTH
def test_a_checkerboard_is_completed(estimator: ImplicitALS) -> None:
    ratings = checkerboard()
    model = dataclasses.replace(estimator, rank=4).fit(ratings)
    for user in range(40):
        first = model.recommend(user, 2)[0]
        assert ((first + user) % 2 == 0).all(), user
    assert (model.similar_items(6, 15)[0] % 2 == 0).all()


@BOTH
def test_same_seed_same_bits_whatever_the_threads(estimator: ImplicitALS) -> None:
    ratings = some_ratings()
    models = [dataclasses.replace(estimator, rank=20, threads=threads).fit(ratings) for threads in (1, 2, 4, None)]
    for model in models[1:]:
        np.testing.assert_array_equal(models[0].user_factors, model.user_factors)
        np.testing.assert_array_equal(models[0].item_factors, model.item_factors)
    other = dataclasses.replace(estimator, rank=20, seed=6).fit(ratings)
    assert not np.array_equal(models[0].user_factors, other.user_factors)


def test_the_order_of_the_ratings_does_not_matter() -> None:
    ratings = some_ratings()
    mixed = np.random.default_rng(1).permutation(len(ratings))
    again = Ratings.from_arrays(ratings.user_ids[mixed], ratings.item_ids[mixed], ratings.stars[mixed])
    one, other = (IALS.fit(each) for each in (ratings, again))
    np.testing.assert_array_equal(one.user_factors, other.user_factors)


def test_similar_items_are_cosines_shrunk_by_the_number_of_ratings() -> None:
    ratings = some_ratings()
    model = IALS.fit(ratings)
    item = int(ratings.items.ids[3])
    y, counts = model.item_factors.astype(float), ratings.item_counts
    norms = np.maximum(np.linalg.norm(y, axis=1), 1e-30)
    expected = y @ y[3] / norms / norms[3] * counts / (counts + 10)
    expected[3] = -np.inf
    found, scores = model.similar_items(item, 6)
    np.testing.assert_array_equal(found, ratings.items.ids[np.argsort(-expected)[:6]])
    np.testing.assert_allclose(scores, np.sort(expected)[::-1][:6], atol=1e-5)
    with pytest.raises(UnknownMovieError, match="999"):
        model.similar_items(999)


@BOTH
def test_a_saved_model_is_the_same_model(estimator: ImplicitALS, tmp_path: Path) -> None:
    ratings = some_ratings()
    stars, model = matinee.ALS(rank=2, iterations=1).fit(ratings), estimator.fit(ratings)
    loaded = load_model(save(stars, model, path=tmp_path / "m"))[1]
    assert isinstance(loaded, ImplicitModel)
    assert loaded.params == model.params
    user = int(ratings.users.ids[4])
    for one, other in zip(loaded.recommend(user, 5), model.recommend(user, 5), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(loaded.fold_in({5: 4.0}).factors, model.fold_in({5: 4.0}).factors)


def test_compiling_is_told_before_the_first_iteration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("matinee.models.implicit_als.warm", lambda notify: notify())
    told: list[ImplicitProgress] = []
    ImplicitALS(rank=2, iterations=1).fit(some_ratings(300), progress=told.append)
    assert (told[0].iteration, told[0].message) == (0, "compiling kernels, once")
    assert math.isnan(told[0].loss)


@pytest.mark.parametrize(
    "wrong",
    [{"rank": 0}, {"iterations": 0}, {"regularization": 0.0}, {"shrinkage": -1.0}, {"alpha0": math.nan},
     {"typical_likes": 0.0}, {"alpha": math.inf}, {"activity": 1.5}, {"nu": -0.1}, {"objective": "bpr"},
     {"threads": 0}],
)  # fmt: skip
def test_parameters_out_of_range_are_refused_by_name(wrong: dict) -> None:
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        ImplicitALS(**wrong)


def test_unknown_parameters_and_a_threshold_above_the_scale_are_refused() -> None:
    with pytest.raises(TypeError, match="factors"):
        ImplicitALS(factors=8)
    with pytest.raises(ParameterError, match="neutral=5: give fewer stars"):
        ImplicitALS(neutral=5).fit(some_ratings(300))


def test_default_lists_of_the_sample_are_in_the_promised_band() -> None:
    split = held_out_per_user(matinee.load("sample").ratings, 0.2, 0)

    def ndcg(estimator: ImplicitALS | Popularity | TutorialList) -> float:
        return rank_everything(estimator.fit(split.train), split.test, split.train).means["ndcg@10"]

    ours = ndcg(ImplicitALS())
    for name, baseline in {"popularity": Popularity(), "the tutorial's list": TutorialList()}.items():
        assert ours >= NDCG_BAND[name] * ndcg(baseline), name

"""Synthetic ratings: the sizes asked for, MovieLens's shape, the same every time, and tastes that can be learned."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import matinee
from matinee.data.synthetic import _draw, synthetic, write_folder
from matinee.errors import ParameterError
from matinee.evaluation.rankers import Popularity
from matinee.evaluation.ranking import rank_everything
from matinee.evaluation.splitting import held_out_per_user


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 60), st.integers(2, 60), st.integers(0, 5), st.data())
def test_it_has_exactly_the_size_asked_for(n_users: int, n_items: int, seed: int, data) -> None:
    least, most = max(n_users, n_items), n_users * n_items // 2
    if least > most:
        return
    n_ratings = data.draw(st.integers(least, most))
    ratings = synthetic(n_ratings, n_users, n_items, seed=seed)
    assert (len(ratings), len(ratings.users), ratings.duplicates) == (n_ratings, n_users, 0)
    assert len(ratings.items) == n_items
    assert set(np.unique(ratings.stars * 2)) <= set(range(1, 11))


def test_it_has_movielens_shape() -> None:
    ratings = synthetic(300_000, 2_100, 3_000)
    activity, popularity = ratings.by_user.counts, np.sort(ratings.item_counts)[::-1]
    assert activity.min() >= 20
    assert 1.7 < activity.mean() / np.median(activity) < 2.6  # ml-20m: 144 / 68
    assert 0.25 < popularity[:150].sum() / len(ratings) < 0.6  # the most popular twentieth
    assert np.median(popularity) < popularity.mean() / 3
    assert 3.2 < ratings.mean < 3.8
    assert 0.9 < ratings.stars.std() < 1.15
    assert ratings.timestamps is not None


def test_the_same_arguments_give_the_same_ratings_whatever_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("matinee.data.synthetic.BLOCK_CELLS", 20_000)  # many blocks
    first = synthetic(20_000, 300, 400, seed=3).fingerprint
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    assert synthetic(20_000, 300, 400, seed=3).fingerprint == first
    assert synthetic(20_000, 300, 400, seed=4).fingerprint != first


def test_a_ranking_model_and_a_rating_model_find_the_tastes() -> None:
    ratings = synthetic(120_000, 1_200, 1_500)
    split = held_out_per_user(ratings, 0.2, seed=0)
    picks = matinee.ImplicitALS(rank=16).fit(split.train)
    models = (picks, Popularity().fit(split.train))
    ndcg = [rank_everything(m, split.test, split.train).means["ndcg@10"] for m in models]
    assert ndcg[0] > 1.5 * ndcg[1]
    stars = matinee.ALS(rank=8).fit(split.train)
    assert matinee.rmse(stars, split.test) < matinee.rmse(matinee.damped_bias().fit(split.train), split.test) - 0.01


@pytest.mark.parametrize("n", [3, 40])  # by drawing again and again; by a race
def test_films_are_drawn_in_proportion_to_their_weights(n: int) -> None:
    rng = np.random.default_rng(0)
    weights = np.ones(100, np.float32)
    weights[7] = 10
    draws = [_draw(weights, np.cumsum(weights, dtype=np.float64), n, rng) for _ in range(4_000)]
    assert all(len(set(drawn.tolist())) == n for drawn in draws)
    assert all((np.diff(drawn) > 0).all() for drawn in draws)
    misses = np.mean([7 not in drawn for drawn in draws])
    expected = 1.0  # of never being drawn: weights drawn before are 1 each
    for already in range(n):
        expected *= 1 - 10 / (109 - already)
    assert abs(misses - expected) < 5 * np.sqrt(expected * (1 - expected) / 4_000)


def test_a_written_folder_reads_back(tmp_path: Path) -> None:
    ratings = synthetic(3_000, 50, 200)
    data = matinee.load(write_folder(ratings, tmp_path / "made"))
    assert data.ratings.fingerprint == ratings.fingerprint
    assert data.movies.height == 200
    assert data.movies["year"].null_count() == 0
    assert data.movies["genres"].list.len().min() >= 1


@pytest.mark.parametrize("sizes", [(10, 20, 5), (10, 5, 20), (0, 0, 0), (90, 10, 10)])
def test_impossible_sizes_are_refused(sizes: tuple[int, int, int]) -> None:
    with pytest.raises(ParameterError, match="ratings"):
        synthetic(*sizes)
    with pytest.raises(ParameterError, match="beta"):
        synthetic(100, 10, 20, beta=-1)

"""Intervals of ALS: leverages against the readable system, coverage on ratings that the model never saw."""

from __future__ import annotations

import numpy as np
import pytest

import matinee
from matinee import ALS, Ratings
from matinee.errors import ParameterError
from matinee.evaluation.calibration import interval_metrics
from matinee.models.als import ALSModel
from matinee.models.kernels import aligned_zeros, leverages, padded_rank


@pytest.fixture(scope="module")
def split() -> tuple[Ratings, Ratings]:
    return matinee.random_split(matinee.load("sample").ratings, test=0.2, seed=0)


@pytest.fixture(scope="module")
def model(split: tuple[Ratings, Ratings]) -> ALSModel:
    """Calibrated as `matinee train` does it: by the error of a fit that held a part out."""
    inner = matinee.random_split(split[0], test=0.2, seed=1)
    rmse = matinee.rmse(ALS(rank=32).fit(inner[0]), inner[1])
    return ALS(rank=32).fit(split[0]).calibrated(rmse)


@pytest.mark.parametrize("rank", [3, 16, 40])
def test_leverages_agree_with_numpy(rank: int) -> None:
    rng = np.random.default_rng(rank)
    counts = np.array([1, 0, 7, 300, 2])
    indptr = np.concatenate([[0], np.cumsum(counts)])
    indices = rng.integers(0, 50, counts.sum()).astype(np.int32)
    factors = aligned_zeros(50, padded_rank(rank))
    factors[:, :rank] = rng.normal(size=(50, rank))
    ridge = rng.uniform(1, 3, 5).astype(np.float32)
    found = leverages(indptr, indices, factors, ridge, 2.5)
    for row in range(5):
        part = slice(indptr[row], indptr[row + 1])
        x = np.column_stack([factors[indices[part], :rank], np.ones(counts[row])])
        a = x.T @ x + np.diag(np.append(np.full(rank, ridge[row]), 2.5))
        assert np.allclose(found[part], np.einsum("ni,ij,nj->n", x, np.linalg.inv(a), x), atol=2e-4)


def test_intervals_cover_what_they_promise(split: tuple[Ratings, Ratings], model: ALSModel) -> None:
    measured = interval_metrics(model, split[1])
    assert 0.87 < measured["coverage"]["0.9"] < 0.93
    assert measured["nll"] < measured["nll_constant"] - 0.015
    tenths = measured["by_width"]
    certain, uncertain = (np.mean([t["rmse"] ** 2 for t in part]) ** 0.5 for part in (tenths[:2], tenths[-2:]))
    assert certain < 0.7 * uncertain


def test_people_who_were_not_in_training(split: tuple[Ratings, Ratings]) -> None:
    ratings = matinee.load("sample").ratings
    outside = np.isin(ratings.user_ids, ratings.users.ids[::5])
    trained = ALS(rank=32).fit(ratings.select(~outside)).calibrated(0.86)
    rng, inside, widths = np.random.default_rng(0), [], {}
    for n in (0, 3, 30):
        for user in ratings.users.ids[::5]:
            rows, stars = ratings.by_user.row(int(ratings.users.rows([user])[0]))
            order = rng.permutation(len(rows))
            known, asked = order[:n], order[n:]
            likes = dict(zip(ratings.items.ids[rows[known]].tolist(), stars[known].tolist(), strict=True))
            person = trained.fold_in(likes)
            items = trained.items.rows(ratings.items.ids[rows[asked]])
            items, given = items[items >= 0], stars[asked][items >= 0]
            spread = trained.spread(person, items)
            widths.setdefault(n, []).extend(spread)
            inside.append(np.abs(person.exact_scores(items) - given) <= 1.645 * spread)
    assert 0.86 < np.concatenate(inside).mean() < 0.94
    assert np.mean(widths[0]) > np.mean(widths[3]) > np.mean(widths[30])


def test_saved_and_loaded(model: ALSModel, tmp_path: object) -> None:
    loaded, _ = matinee.load_model(matinee.save(model, path=f"{tmp_path}/m"))
    assert loaded.knows_intervals
    users, items = model.users.ids[:30], model.items.ids[:30]
    for a, b in zip(loaded.predict_interval(users, items), model.predict_interval(users, items), strict=True):
        assert np.array_equal(a, b)
    person = loaded.person(int(users[0]))
    assert np.allclose(loaded.spread(person, np.arange(30)), model.deviations(np.repeat(users[0], 30), items))


def test_without_calibration_nothing_is_made_up(split: tuple[Ratings, Ratings]) -> None:
    bare = ALS(rank=2, iterations=1).fit(split[0])
    assert not bare.knows_intervals
    assert bare.spread(bare.fold_in({}), np.arange(3)) is None
    with pytest.raises(ParameterError, match="knows no intervals"):
        bare.predict_interval([1], [1])
    with pytest.raises(ParameterError, match="rmse=0"):
        bare.calibrated(0)
    with pytest.raises(ParameterError, match="biases=False"):
        ALS(rank=2, iterations=1, biases=False).fit(split[0]).calibrated(0.9)

"""So many stars or more, on scales that are not half stars: as often as it was said."""

from __future__ import annotations

import numpy as np
import pytest

import matinee
from matinee import BayesianMF, Ratings


@pytest.mark.parametrize(
    ("middle", "unit", "scale", "stars"), [(3.3, 1, (1, 5), 4), (6, 2, (1, 10), 4), (6, 2, (1, 10), 8)]
)
def test_as_often_as_it_was_said(middle: float, unit: float, scale: tuple[float, float], stars: float) -> None:
    rng = np.random.default_rng(0)
    users, items = np.divmod(rng.choice(100 * 80, 4000, replace=False), 80)
    liking = 0.6 * (rng.normal(size=100)[users] + rng.normal(size=80)[items]) + 0.8 * rng.normal(size=4000)
    given = np.clip(np.round(middle + unit * liking), *scale)
    train, test = matinee.random_split(Ratings.from_arrays(users, items, given, scale=scale), test=0.3, seed=0)
    model = BayesianMF(rank=2, iterations=30, burn_in=10, samples=10).fit(train)
    said = model.probability(test.user_ids, test.item_ids, stars=stars)
    happened = test.stars >= stars
    assert float(said.mean()) == pytest.approx(float(happened.mean()), abs=0.03)
    sure = said > np.median(said)
    for part in (sure, ~sure):
        assert float(said[part].mean()) == pytest.approx(float(happened[part].mean()), abs=0.06)

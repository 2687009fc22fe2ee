"""What rating models say about people and films that they have never met."""

from __future__ import annotations

import numpy as np
import pytest

from matinee.data.ratings import Ratings
from matinee.models.als import ALS

RATINGS = Ratings.from_arrays([1, 1, 2, 2, 3], [10, 20, 10, 30, 20], [5, 3, 4, 2, 3.5])


@pytest.mark.parametrize("biases", [True, False])
def test_a_cold_pair_gets_the_mean(biases):
    model = ALS(rank=2, biases=biases).fit(RATINGS)
    assert model.predict(99, 99) == pytest.approx(3.5)
    assert model.fold_in({}).predict(99) == pytest.approx(3.5)


def test_without_biases_a_new_person_gets_the_damped_mean_of_the_film():
    model = ALS(rank=2, biases=False, bias_damping=5).fit(RATINGS)
    np.testing.assert_allclose(
        model.predict([99, 99, 99], [10, 20, 30]),
        [3.5 + (1.5 + 0.5) / 7, 3.5 + (-0.5 + 0) / 7, 3.5 - 1.5 / 6],
        rtol=1e-6,
    )
    assert model.predict(1, 99) == pytest.approx(3.5)
    assert model.mean == 0


@pytest.mark.parametrize("biases", [True, False])
def test_known_pairs_are_the_product_and_the_biases(biases):
    model = ALS(rank=2, biases=biases).fit(RATINGS)
    users, items = RATINGS.user_rows, RATINGS.item_rows
    wanted = model.mean + model.user_biases[users] + model.item_biases[items]
    wanted = wanted + (model.user_factors[users] * model.item_factors[items]).sum(axis=1)
    found = model.predict(RATINGS.user_ids, RATINGS.item_ids)
    np.testing.assert_allclose(found, np.clip(wanted, 0.5, 5), rtol=1e-5)

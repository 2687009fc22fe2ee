"""How well the model knows a person, and which of their ratings it would not have guessed."""

from __future__ import annotations

import numpy as np
import pytest
import small_world

from matinee.recommend.surprises import acquaintance
from matinee.recommend.taste import Taste

RATINGS = {10: 4.5, 20: 4.0, 30: 1.0, 40: 5.0, 50: 3.0, 60: 0.5}


def test_every_rating_is_predicted_from_all_the_others() -> None:
    found = acquaintance(small_world.recommender(), RATINGS)
    assert len(found.surprises) == len(RATINGS)
    for surprise in found.surprises:
        others = {movie_id: stars for movie_id, stars in RATINGS.items() if movie_id != surprise.movie_id}
        row = small_world.recommender().catalogue.rows([surprise.movie_id])
        without = small_world.recommender().predict_all(Taste(ratings=others))[row]
        # The weight of the ridge follows the number of ratings, which leaving one out changes a little.
        assert surprise.expected == pytest.approx(float(without[0]), abs=0.25)
        assert surprise.stars == RATINGS[surprise.movie_id]


def test_the_furthest_come_first_and_make_the_error() -> None:
    found = acquaintance(small_world.recommender(), RATINGS)
    off = np.array([abs(surprise.stars - surprise.expected) for surprise in found.surprises])
    assert (np.diff(off) <= 0).all()
    assert found.error == pytest.approx(np.sqrt(np.mean(off**2)))
    assert acquaintance(small_world.recommender(), RATINGS, limit=2).surprises == found.surprises[:2]


def test_a_turned_rating_is_the_surprise() -> None:
    person = {int(film): 4.5 if place % 2 else 1.5 for place, film in enumerate(range(10, 410, 10))}
    expected = acquaintance(small_world.recommender(), person, limit=99)
    usual = max(expected.surprises, key=lambda one: one.expected)
    turned = acquaintance(small_world.recommender(), person | {usual.movie_id: 0.5})
    assert turned.surprises[0].movie_id == usual.movie_id


@pytest.mark.parametrize("ratings", [{}, {10: 4.0}, {7: 4.0, 8: 1.0}])
def test_who_said_next_to_nothing_surprises_nobody(ratings: dict[int, float]) -> None:
    found = acquaintance(small_world.recommender(), ratings)
    assert (found.error, found.error_of_average, found.surprises) == (None, None, ())

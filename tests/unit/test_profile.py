"""A person's profile, and the map of films."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import small_world

from matinee.recommend.catalogue import Catalogue
from matinee.recommend.landscape import landscape
from matinee.recommend.profile import DAMPING, profile

SCALE = (0.5, 5.0)


@pytest.fixture
def catalogue() -> Catalogue:
    means = pl.Series([3.0] * small_world.N_RATED + [None] * (small_world.N_MOVIES - small_world.N_RATED))
    return Catalogue(small_world.movies().with_columns(ratings_mean=means.cast(pl.Float64)))


def test_nobody_has_no_profile(catalogue: Catalogue) -> None:
    assert profile(catalogue, {}, SCALE).mean is None
    assert profile(catalogue, {7: 4.0}, SCALE).ratings == 0


def test_likings_are_what_a_person_gives_above_everybody(catalogue: Catalogue) -> None:
    given = {20: 5.0, 40: 4.0, 30: 1.0}  # Comedy; Comedy and Drama; Drama
    found = profile(catalogue, given, SCALE)
    usual = (2 + 1 - 2) / 3
    likings = {one.name: one for one in found.genres}
    assert likings["Comedy"].rated == 2
    assert likings["Comedy"].mean == 4.5
    assert likings["Comedy"].liking == pytest.approx((3 + usual * DAMPING) / (2 + DAMPING))
    assert likings["Drama"].liking == pytest.approx((1 - 2 + usual * DAMPING) / (2 + DAMPING))
    assert [one.liking for one in found.genres] == sorted((one.liking for one in found.genres), reverse=True)
    assert (found.ratings, found.mean, found.everybody) == (3, pytest.approx(10 / 3), 3.0)
    assert sum(found.histogram) == 3
    assert found.histogram[-1] == found.histogram[-3] == found.histogram[1] == 1


def test_a_film_that_nobody_else_rated_says_nothing(catalogue: Catalogue) -> None:
    unrated = 10 * small_world.N_MOVIES
    found = profile(catalogue, {unrated: 5.0}, SCALE)
    assert all(one.liking == 0 for one in found.genres)
    assert found.everybody == found.mean == 5.0


def test_the_map_is_the_plane_in_which_films_differ_most() -> None:
    model = small_world.picks()
    places = landscape(model)
    assert places.shape == (len(model.items), 2)
    assert np.abs(places).max() == pytest.approx(1)
    assert np.array_equal(places, landscape(model))
    spread = (places * np.sqrt(model.item_counts)[:, None]).std(axis=0)
    assert spread[0] >= spread[1] > 0


def test_films_alike_lie_at_the_same_place() -> None:
    model = small_world.stars()
    factors = model.item_factors.copy()
    factors[1] = factors[0] * 3
    places = landscape(small_world.replaced(model, item_factors=factors))
    assert places[1] == pytest.approx(places[0], abs=1e-6)
    flat = landscape(small_world.replaced(model, item_factors=factors[:, :1]))
    assert not flat[:, 1].any()

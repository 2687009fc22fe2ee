"""Somebody placed once: every answer is the one that their ratings get, without the systems that were solved."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import small_world
from hypothesis import given, settings
from hypothesis import strategies as st

from matinee import BayesianMF
from matinee.errors import ParameterError
from matinee.models.factors import RatingModel
from matinee.recommend.catalogue import Catalogue
from matinee.recommend.recommender import Recommender

IDS = [10 * (row + 1) for row in range(small_world.N_MOVIES)]
KINDS = ("plain", "calibrated", "bayesian", "alone")


@cache
def recommender(kind: str) -> Recommender:
    models: dict[str, RatingModel] = {"plain": small_world.stars(), "alone": small_world.stars()}
    if kind == "calibrated":
        models[kind] = small_world.stars().calibrated(0.9)
    if kind == "bayesian":
        models[kind] = BayesianMF(rank=2, iterations=8, burn_in=4, samples=4).fit(small_world.ratings())
    picks = None if kind == "alone" else small_world.picks()
    return Recommender(Catalogue(small_world.movies()), models[kind], picks, model_id=kind)


people = st.dictionaries(st.sampled_from([*IDS, 7]), st.integers(1, 10).map(lambda steps: steps / 2), max_size=30)
lists = st.fixed_dictionaries(
    {"rank_by": st.sampled_from(["picks", "stars"])},
    optional={
        "explain": st.booleans(), "popularity": st.floats(-1, 1), "diversity": st.floats(0, 1), "offset": st.just(3),
        "include_seen": st.booleans(), "only": st.just(IDS[60:]), "not_interested": st.just(IDS[:9]),
    },
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None)
@given(ratings=people, seed_off=st.sets(st.sampled_from(IDS), max_size=3), options=lists)
def test_a_place_gets_the_answers_of_the_ratings(
    kind: str, ratings: dict[int, float], seed_off: set[int], options: dict[str, Any]
) -> None:
    made, off = recommender(kind), tuple(seed_off)
    place = made.place(ratings, seed_off=off)
    assert place.picks.system is place.stars.system is None
    assert (place.picks is place.stars) == (kind == "alone")
    assert made.recommend(place, **options) == made.recommend(ratings, seed_off=off, **options)
    assert made.explain(place, IDS[-20]) == made.explain(ratings, IDS[-20], seed_off=off)
    assert made.predict(place, IDS[-20]) == made.predict(ratings, IDS[-20], seed_off=off)


@pytest.mark.parametrize("kind", KINDS)
def test_a_user_of_the_training_set_has_the_list_of_the_training(kind: str) -> None:
    made = recommender(kind)
    own = made.ratings_of(7)
    for ratings in (own, {**own, 10: 0.5}):
        place = made.place(ratings, user_id="7")
        assert place.stars.row is not None
        assert made.recommend(place, explain=True) == made.recommend(ratings, user_id="7", explain=True)


def test_what_bends_ratings_comes_before_the_place() -> None:
    made = recommender("plain")
    place = made.place({10: 4.0})
    assert place.nbytes == 4 * (1 + 5 + 1 + 1 + 4 + 1 + 1)
    with pytest.raises(ParameterError, match="seed_off: no such option"):
        made.recommend(place, seed_off=(10,))
    with pytest.raises(ParameterError, match="limit: no such option"):
        made.place({10: 4.0}, limit=3)

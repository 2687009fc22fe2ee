"""Several people, nobody in particular, and somebody new."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
import small_world
from hypothesis import given, settings
from hypothesis import strategies as st

from matinee.data.stats import item_stats
from matinee.errors import ParameterError
from matinee.recommend.catalogue import Catalogue
from matinee.recommend.groups import GroupRecommendations, recommend_group
from matinee.recommend.nobody import decades, general_list
from matinee.recommend.onboarding import FIRST, ask_next

ANNA, BEN = {10: 5.0, 40: 1.0, 250: 4.5}, {330: 5.0, 90: 0.5, 120: 4.0}
IDS = [10 * (row + 1) for row in range(small_world.N_MOVIES)]
MODES = ("mean", "least_misery", "most_pleasure", "fairness")
people = st.dictionaries(st.sampled_from(IDS), st.integers(1, 10).map(lambda steps: steps / 2), max_size=8)


def group(members: list[Any] | None = None, **options: Any) -> GroupRecommendations:
    return recommend_group(small_world.recommender(), [ANNA, BEN] if members is None else members, **options)


def ids(answer: GroupRecommendations) -> list[Any]:
    return [film.movie_id for film in answer.recommendations]


@settings(max_examples=40, deadline=None)
@given(members=st.lists(people, min_size=1, max_size=4), mode=st.sampled_from(MODES), veto=st.sampled_from([None, 3.0]))
def test_nobody_has_seen_what_is_listed_and_vetoes_hold(members: list[Any], mode: Any, veto: float | None) -> None:
    answer = group(members, mode=mode, veto=veto, limit=100, genre_none=["Horror"])
    shown = ids(answer)
    assert len(shown) == len(set(shown)) == answer.total
    for film in answer.recommendations:
        assert not any(film.movie_id in ratings for ratings in members)
        assert "Horror" not in film.genres
        assert len(film.stars) == len(members)
        assert veto is None or min(film.stars) >= veto
    split = ids(group(members, mode=mode, veto=veto, limit=7, genre_none=["Horror"]))
    rest = ids(group(members, mode=mode, veto=veto, offset=7, limit=100, genre_none=["Horror"]))
    assert split + rest == shown


@pytest.mark.parametrize("mode", MODES)
def test_a_group_of_one_is_that_person(mode: Any) -> None:
    plain = small_world.recommender().recommend(ANNA, limit=15)
    answer = group([ANNA], mode=mode, limit=15)
    assert ids(answer) == [film.movie_id for film in plain.recommendations]
    expected = [film.stars for film in plain.recommendations]
    assert [film.stars[0] for film in answer.recommendations] == pytest.approx(expected)


def shares(ratings: dict[int, float], films: list[Any]) -> dict[Any, float]:
    """Each film's share of films that this person would like less."""
    recommender = small_world.recommender()
    whole = [film.movie_id for film in recommender.recommend(ratings, limit=200, only=films).recommendations]
    return {movie: 1 - place / (len(films) - 1) for place, movie in enumerate(whole)}


@pytest.mark.parametrize(("mode", "decide"), [("mean", np.mean), ("least_misery", np.min), ("most_pleasure", np.max)])
def test_each_mode_lets_its_member_decide(mode: Any, decide: Any) -> None:
    answer = group(mode=mode, limit=200)
    anna, ben = shares(ANNA, ids(answer)), shares(BEN, ids(answer))
    for film in answer.recommendations:
        assert film.score == pytest.approx(decide([anna[film.movie_id], ben[film.movie_id]]))
    scores = [film.score for film in answer.recommendations]
    assert scores == sorted(scores, reverse=True)


def test_in_fairness_each_gets_their_turn_and_their_best_film_left() -> None:
    answer = group(mode="fairness", limit=8)
    assert [film.turn for film in answer.recommendations] == [0, 1, 1, 0, 0, 1, 1, 0]
    everything = ids(group(mode="fairness", limit=200))
    own = {0: shares(ANNA, everything), 1: shares(BEN, everything)}
    for place, film in enumerate(answer.recommendations):
        assert film.turn is not None
        assert own[film.turn][film.movie_id] == max(own[film.turn][movie] for movie in everything[place:])


def test_an_empty_group_list_says_what_to_relax() -> None:
    answer = group(veto=5.0)
    assert answer.total == 0
    assert answer.removed["veto"] == small_world.N_RATED
    assert answer.relax == "veto"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"members": []}, "at least one member"), ({"mode": "dictator"}, "fairness are allowed"),
        ({"limit": -1}, "negative"), ({"diversity": 1}, "no such option"),
        ({"genre_any": ["Noir"]}, "there are: Comedy"),
    ],
)  # fmt: skip
def test_groups_refuse_what_is_not_allowed(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        group(**options)


def catalogue(*, times: bool = True) -> Catalogue:
    stats = item_stats(small_world.ratings())
    movies = small_world.movies().drop("ratings_mean").join(
        stats.select("movie_id", "ratings_mean"), on="movie_id", how="left"
    )  # fmt: skip
    if not times:
        stats = stats.with_columns(pl.lit(None, pl.Float64).alias("recent"))
    return Catalogue(movies, stats)


def test_popular_films_are_those_with_most_ratings() -> None:
    counts = [movie.ratings_count for movie in general_list(catalogue(), "popular", limit=200)]
    assert counts == sorted(counts, reverse=True)
    assert len(counts) == small_world.N_RATED


def test_trending_films_have_most_ratings_of_late() -> None:
    ratings = small_world.ratings()
    assert ratings.timestamps is not None
    ages = (ratings.timestamps.max() - ratings.timestamps) / 86_400
    worth = {int(movie): 0.0 for movie in ratings.items.ids}
    for movie, age in zip(ratings.item_ids.tolist(), ages.tolist(), strict=True):
        worth[movie] += 0.5 ** (age / 90)
    expected = sorted(worth, key=lambda movie: (-worth[movie], movie))[:10]
    assert [movie.movie_id for movie in general_list(catalogue(), "trending")] == expected
    with pytest.raises(ParameterError, match="no times"):
        general_list(catalogue(times=False), "trending")


def test_the_best_of_a_genre_and_a_decade() -> None:
    assert decades(catalogue()) == tuple(range(1930, 2010, 10))
    best = general_list(catalogue(), "top", genre_any=["Drama"], year_from=1950, year_to=1959)
    assert best
    assert all("Drama" in movie.genres and 1950 <= (movie.year or 0) <= 1959 for movie in best)
    one_five = catalogue().movies.with_columns(
        pl.when(pl.col("movie_id") == 10).then(1).otherwise("ratings_count").alias("ratings_count"),
        pl.when(pl.col("movie_id") == 10).then(5.0).otherwise("ratings_mean").alias("ratings_mean"),
    )
    assert general_list(Catalogue(one_five), "top")[0].movie_id != 10
    with pytest.raises(ParameterError, match="popular, trending and top are there"):
        general_list(catalogue(), "flop")  # type: ignore[arg-type]


def test_someone_new_is_asked_for_popular_films_first() -> None:
    asked = ask_next(small_world.recommender(), {}, limit=5)
    assert asked == general_list(small_world.recommender().catalogue, "popular", limit=5)
    rest = ask_next(small_world.recommender(), {asked[0].movie_id: 4.0}, not_seen=[asked[1].movie_id], limit=3)
    assert rest == asked[2:5]


def test_later_films_are_those_that_the_person_probably_knows() -> None:
    ratings: dict[Any, float] = {10 * n: 4.0 for n in range(1, FIRST + 1)}
    asked = ask_next(small_world.recommender(), ratings, limit=6)
    likely = small_world.recommender().recommend(ratings, limit=6).recommendations
    assert [movie.movie_id for movie in asked] == [film.movie_id for film in likely]


def test_every_film_is_asked_for_once_and_then_no_more() -> None:
    ratings: dict[Any, float] = {}
    not_seen: list[Any] = []
    for turn in range(small_world.N_RATED):
        [movie] = ask_next(small_world.recommender(), ratings, not_seen=not_seen, limit=1)
        assert movie.movie_id not in ratings
        assert movie.movie_id not in not_seen
        if turn % 3:
            ratings[movie.movie_id] = 3.5
        else:
            not_seen.append(movie.movie_id)
    assert ask_next(small_world.recommender(), ratings, not_seen=not_seen) == []
    with pytest.raises(ParameterError, match="limit=-1"):
        ask_next(small_world.recommender(), {}, limit=-1)

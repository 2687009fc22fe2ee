"""Base and live ratings as one, against dictionaries; and models that hold nobody who joined since."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matinee.data.ratings import Ratings
from matinee.models.als import ALS
from matinee.models.bayesian import BayesianMF
from matinee.models.implicit_als import ImplicitALS
from matinee.retraining.union import Union, unite
from matinee.store.snapshot import LiveRatings

HALVES = st.integers(1, 10).map(lambda steps: steps / 2)
USERS = [1, 2, 3]
FILMS = [10, 20, 30, 40]


def movies(ids: list[int] | list[str]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "movie_id": ids,
            "title": [f"Movie {movie}" for movie in ids],
            "ratings_count": [7] * len(ids),
            "ratings_mean": [1.0] * len(ids),
        }
    )


def live(rows: list[tuple[str, int | str, float | None]], at: int = 100) -> LiveRatings:
    return LiveRatings(
        np.array([user for user, _, _ in rows], np.str_),
        [movie for _, movie, _ in rows],
        np.array([np.nan if stars is None else stars for _, _, stars in rows], np.float32),
        np.full(len(rows), at, np.int64),
    )


def ratings_of(pairs: dict[tuple[int, int], float]) -> Ratings:
    users, items = zip(*pairs, strict=True)
    return Ratings.from_arrays(users, items, list(pairs.values()), [5] * len(pairs))


def as_dict(union: Union) -> dict[tuple[int, int], float]:
    ratings = union.ratings
    pairs = zip(ratings.user_ids.tolist(), ratings.item_ids.tolist(), strict=True)
    return dict(zip(pairs, ratings.stars.tolist(), strict=True))


def expected(
    base: dict[tuple[int, int], float], rows: list[tuple[str, int, float | None]]
) -> dict[tuple[int, int], float]:
    """The same by hand: who is new is numbered in the order of the names."""
    rows = [row for row in rows if row[1] in FILMS]
    given_films = {movie for _, movie, stars in rows if stars is not None} | {movie for _, movie in base}
    rows = [row for row in rows if row[1] in given_films]
    people = sorted({user for user, _ in base})
    new = sorted({user for user, _, stars in rows if stars is not None and int(user) not in people})
    number = {str(user): place for place, user in enumerate(people)} | {
        user: len(people) + place for place, user in enumerate(new)
    }
    union = {(number[str(user)], movie): stars for (user, movie), stars in base.items()}
    for user, movie, stars in rows:
        if user in number:
            union.pop((number[user], movie), None)
            if stars is not None:
                union[number[user], movie] = stars
    rescued = {
        (number[str(user)], movie): stars
        for (user, movie), stars in base.items()
        if not any(pair[0] == number[str(user)] for pair in union) or not any(pair[1] == movie for pair in union)
    }
    return union | rescued


@given(
    base=st.dictionaries(st.tuples(st.sampled_from(USERS), st.sampled_from(FILMS[:3])), HALVES, min_size=1),
    given_live=st.dictionaries(
        st.tuples(st.sampled_from(["1", "2", "7", "8"]), st.sampled_from([*FILMS, 99])), HALVES | st.none()
    ),
)
def test_live_ratings_take_the_place_of_the_data_sets(
    base: dict[tuple[int, int], float], given_live: dict[tuple[str, int], float | None]
) -> None:
    rows = [(user, movie, stars) for (user, movie), stars in given_live.items()]
    union = unite(ratings_of(base), movies(FILMS), live(rows))
    assert as_dict(union) == expected(base, rows)
    assert union.ratings.duplicates == 0
    live_pairs = {pair for pair, is_live in zip(as_dict(union), union.live_pairs, strict=True) if is_live}
    assert all(union.ratings.timestamps[union.live_pairs] == 100)
    assert len(live_pairs) == union.live <= sum(stars is not None for _, _, stars in rows)


def test_whatever_is_not_of_the_catalogue_or_the_scale() -> None:
    base = Ratings.from_arrays(["ann", "bob"], ["a", "b"], [4.0, 3.0])
    rows = [("ann", "a", 9.0), ("cy", 5, 3.0), ("cy", "b", 0.0), ("cy", "nowhere", 3.0)]
    union = unite(base, movies(["a", "b"]), live(rows))
    assert as_dict(union) == {(0, "a"): 5.0, (1, "b"): 3.0, (2, "b"): 0.5}
    assert union.changed.tolist() == [True, False]
    assert union.ratings.timestamps is None


@pytest.mark.parametrize("name", ["01", "1.0", "-1", "+1", "١", "1 ", "10000000000000000000000"])
def test_names_that_only_look_like_numbers_are_people_of_their_own(name: str) -> None:
    union = unite(ratings_of({(1, 10): 4.0}), movies(FILMS), live([(name, 10, 2.0)]))
    assert as_dict(union) == {(0, 10): 4.0, (1, 10): 2.0}


def test_counts_of_the_catalogue_are_everybodys() -> None:
    union = unite(ratings_of({(1, 10): 4.0, (2, 10): 2.0}), movies(FILMS), live([("new", 10, 3.0), ("new", 20, 5.0)]))
    counted = union.movies(movies(FILMS))
    assert counted.columns == movies(FILMS).columns
    assert counted["ratings_count"].to_list() == [3, 1, 0, 0]
    assert counted["ratings_mean"].to_list() == [3.0, 5.0, None, None]


@pytest.fixture(scope="module")
def union() -> Union:
    """User 1 has changed a rating, user 2 has taken one back, somebody new has rated a film that nobody had."""
    rng = np.random.default_rng(0)
    pairs = {(int(user), int(film)): float(rng.integers(1, 11)) / 2 for user in range(1, 40) for film in range(30)}
    some = {pair: stars for pair, stars in pairs.items() if rng.random() < 0.6}
    some |= {(1, 3): 5.0, (2, 4): 5.0}
    rows = [("1", 3, 0.5), ("2", 4, None), ("new", 3, 5.0), ("new", 30, 4.0)]
    return unite(ratings_of(some), movies(list(range(31))), live(rows))


@pytest.mark.parametrize(
    "recipe",
    [
        ALS(rank=4, iterations=4),
        ALS(rank=4, iterations=4, biases=False),
        ImplicitALS(rank=4, iterations=4),
        BayesianMF(rank=3, burn_in=2, iterations=6, samples=3),
    ],
    ids=["als", "spark", "implicit", "bayesian"],
)
def test_models_keep_nobody_who_joined_and_nothing_that_was_changed(union: Union, recipe: object) -> None:
    trained = recipe.fit(union.ratings)  # type: ignore[attr-defined]
    kept = union.without_people(trained)
    assert len(trained.users) == 40
    assert kept.users == union.base.users
    assert {len(array) for name, array in kept.arrays().items() if "user" in name and len(array)} == {39}
    assert union.changed.tolist() == [True, True] + [False] * 37
    assert np.array_equal(kept.user_factors[2:], trained.user_factors[2:39])
    for user_id in (1, 2):
        rated, stars = union.base.by_user.row(user_id - 1)
        placed = kept.fold_in(dict(zip(union.base.items.ids[rated].tolist(), stars.tolist(), strict=True)))
        assert kept.person(user_id).factors == pytest.approx(placed.factors, abs=1e-6)
        assert kept.person(user_id).bias == pytest.approx(placed.bias, abs=1e-6)
    assert trained.users.ids.tolist() == list(range(40))  # the trained model is as it was
    assert not np.allclose(trained.user_factors[0], kept.user_factors[0])


def test_a_calibrated_model_stays_one(union: Union) -> None:
    kept = union.without_people(ALS(rank=4, iterations=4).fit(union.ratings).calibrated(0.9))
    assert kept.knows_intervals
    assert kept.user_variances[:2].tolist() == [1.0, 1.0]
    assert len(kept.user_variances) == 39

"""Onboarding by simulation: who is asked what, what may not leak, and known answers."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import small_world

from matinee import ImplicitALS, Ratings
from matinee.data.dataset import Dataset
from matinee.errors import DataError, ParameterError
from matinee.evaluation import simulation
from matinee.evaluation.simulation import Onboarding, orders, simulate_onboarding, star_entropy, training_catalogue
from matinee.evaluation.splitting import strong_generalization

WORLD = Dataset("small world", small_world.movies(), small_world.ratings())
QUICK = ImplicitALS(rank=5, iterations=3)


@cache
def simulated() -> dict[str, Onboarding]:
    return simulate_onboarding(WORLD, shown=(5, 20, 80), share=0.4, picks=QUICK)


def test_every_strategy_is_measured_alike_and_asks_everything_in_the_end() -> None:
    assert simulated().keys() == {"ask_next", "popularity", "entropy", "HELF", "random"}
    final = {(run.answered[-1], run.ndcg[-1]) for run in simulated().values()}
    assert len(final) == 1  # 80 films: all that can be asked were, in whatever order
    for run in simulated().values():
        assert run.shown == (5, 20, 80)
        assert list(run.answered) == sorted(run.answered)
        assert all(0 <= value <= 1 for value in run.ndcg)


def test_films_that_the_person_probably_knows_get_more_answers_than_chance() -> None:
    assert simulated()["ask_next"].answered[1] > simulated()["random"].answered[1]
    assert simulated()["popularity"].answered[1] > simulated()["entropy"].answered[1]


def test_the_simulation_repeats_itself() -> None:
    assert simulate_onboarding(WORLD, shown=(5, 20, 80), share=0.4, picks=QUICK) == simulated()


def test_the_half_that_is_measured_is_never_asked_for_and_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    split = strong_generalization(WORLD.ratings, 0.4, 0)
    kept = {(user, item) for user, item in zip(split.test.user_ids, split.test.item_ids, strict=True)}
    runs: list[tuple[Any, list[Any]]] = []
    plain = simulation._run

    def spied(recommender: Any, ask: Any, person: Any, shown: Any) -> Any:
        asked: list[Any] = []
        runs.append((person, asked))

        def listening(known: Any, closed: Any) -> Any:
            films = ask(known, closed)
            asked.extend(films)
            return films

        return plain(recommender, listening, person, shown)

    monkeypatch.setattr(simulation, "_run", spied)
    simulate_onboarding(WORLD, shown=(80,), share=0.4, most_people=5, picks=QUICK)
    assert len(runs) == 5 * 5
    for person, asked in runs:
        assert len(asked) == len(set(asked))
        assert not set(asked) & person.kept_back
        assert person.liked <= person.kept_back
        assert any({(user, movie) for movie in person.kept_back} <= kept for user in set(split.test.user_ids.tolist()))


def test_films_are_as_popular_as_the_training_part_says() -> None:
    train = strong_generalization(WORLD.ratings, 0.4, 0).train
    counts = dict(zip(train.items.ids.tolist(), train.item_counts.tolist(), strict=True))
    for movie in training_catalogue(WORLD.movies, train).at(range(small_world.N_MOVIES)):
        assert movie.ratings_count == counts.get(movie.movie_id, 0)
        assert (movie.ratings_mean is None) == (movie.ratings_count == 0)


def test_entropy_of_known_histograms() -> None:
    stars = {1: [3, 3, 3], 2: [1, 2, 3, 4], 3: [0.5 * step for step in range(1, 11)]}
    pairs = [(user, item, value) for item, values in stars.items() for user, value in enumerate(values)]
    ratings = Ratings.from_arrays(*map(list, zip(*pairs, strict=True)))
    assert star_entropy(ratings) == pytest.approx([0, 2 / np.log2(10), 1])
    order = orders(ratings, 0)
    assert order["popularity"].tolist() == [3, 2, 1]
    assert order["entropy"].tolist() == [3, 2, 1]
    entropy, frequency = star_entropy(ratings), np.log2([3, 4, 10]) / np.log2(10)
    helf = 2 * entropy * frequency / (entropy + frequency)
    assert order["HELF"].tolist() == ratings.items.ids[np.argsort(-helf)].tolist()
    assert sorted(order["random"].tolist()) == [1, 2, 3]


@pytest.mark.parametrize("shown", [(), (3,), (10, 5), (5, 5), (0, 5)])
def test_numbers_of_films_that_make_no_sense_are_refused(shown: tuple[int, ...]) -> None:
    with pytest.raises(ParameterError, match="increasing multiples of 5"):
        simulate_onboarding(WORLD, shown=shown)


def test_nobody_to_measure_is_refused() -> None:
    ratings = Ratings.from_arrays(WORLD.ratings.user_ids, WORLD.ratings.item_ids, np.full(len(WORLD.ratings), 3.0))
    with pytest.raises(DataError, match="hold out more people"):
        simulate_onboarding(Dataset("dull", WORLD.movies, ratings), picks=QUICK)

"""The gate: lets through what is as good, holds back what is not, and lets nothing slide down in small steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import small_world

from matinee.data.ratings import Ratings
from matinee.evaluation.choice import Choice
from matinee.models.als import ALS
from matinee.models.implicit_als import ImplicitALS
from matinee.retraining.gate import FEWEST_RECENT, Check, Gate, Verdict, fixed_hold_out, recent_hold_out, recent_squares
from matinee.retraining.union import Union, unite
from matinee.store.snapshot import LiveRatings

STARS, PICKS = ALS(rank=4, iterations=4), ImplicitALS(rank=4, iterations=3)
NOW = 2_000_000_000


def united(rows: list[tuple[str, int, float]] = []) -> Union:  # noqa: B006  never changed
    live = LiveRatings(
        np.array([user for user, _, _ in rows], np.str_),
        [movie for _, movie, _ in rows],
        np.array([stars for _, _, stars in rows], np.float32),
        np.full(len(rows), NOW, np.int64),
    )
    return unite(small_world.ratings(), small_world.movies(), live)


def honest(people: int = 30) -> list[tuple[str, int, float]]:
    """Newcomers who see films as some people of the data set do, give or take half a star."""
    rng = np.random.default_rng(1)
    ratings = small_world.ratings()
    rows = []
    for person in range(people):
        films, stars = ratings.by_user.row(person)
        for film, value in zip(ratings.items.ids[films].tolist(), stars.tolist(), strict=True):
            rows.append((f"new {person}", film, float(np.clip(value + rng.choice([-0.5, 0, 0.5]), 0.5, 5))))
    return rows


def burst(accounts: int = 400) -> list[tuple[str, int, float]]:
    """One client with many accounts that turns the scale round."""
    films, means = small_world.ratings().items.ids.tolist(), small_world.ratings().item_means
    order = np.argsort(means)
    wanted = {films[row]: 5.0 if place < len(films) / 2 else 0.5 for place, row in enumerate(order)}
    return [(f"bot {account}", film, stars) for account in range(accounts) for film, stars in wanted.items()]


def judge(union: Union, reference: dict[str, Any] | None = None, *, picks: Any = PICKS, current: Any = None) -> Verdict:
    return Gate(Choice(STARS), picks, 0.02).judge(union, current, NOW - 10, reference or {})


def test_the_same_data_again_passes_with_the_same_numbers() -> None:
    first = judge(united())
    assert first.passed
    assert [check.what for check in first.checks] == ["rmse on the fixed hold-out", "ndcg@10 on the fixed hold-out"]
    assert all(check.worse_by == 0 for check in first.checks)
    again = judge(united(), dict(first.reference))
    assert again.numbers == first.numbers
    assert again.reference == first.reference
    assert 0.8 < first.intervals["intervals"]["coverage"]["0.9"] <= 1


def test_the_fixed_hold_out_is_of_the_data_set_alone_and_stays() -> None:
    alone, more = united(), united(honest())
    held = fixed_hold_out(more)
    assert 0.05 < held.mean() < 0.15
    assert not (held & more.live_pairs).any()
    assert more.ratings.select(held).fingerprint == alone.ratings.select(fixed_hold_out(alone)).fingerprint


def test_honest_newcomers_pass() -> None:
    union = united(honest())
    verdict = judge(union, current=STARS.fit(small_world.ratings()))
    assert verdict.passed, verdict.report
    assert [check.what for check in verdict.checks][-1] == "rmse on recent ratings"


def test_a_burst_of_votes_is_refused() -> None:
    verdict = judge(united(burst()), picks=None)
    assert not verdict.passed
    assert verdict.report["checks"][0]["passed"] is False


def test_one_account_cannot_move_the_model_however_much_it_votes() -> None:
    calm, loud = (STARS.fit(united(rows).ratings) for rows in ([], burst(1)))
    n_users = small_world.N_USERS
    before = calm.user_factors[:n_users] @ calm.item_factors.T + calm.item_biases + calm.mean
    after = loud.user_factors[:n_users] @ loud.item_factors.T + loud.item_biases + loud.mean
    assert float(np.sqrt(np.mean((before - after) ** 2))) < 0.15  # stars


def test_one_account_cannot_put_a_film_on_the_lists_of_others() -> None:
    """Five stars for a film that is on no list, half a star for all others: lists hardly change, it gets on none."""
    ratings = small_world.ratings()
    calm = lists_of(PICKS.fit(united().ratings))
    wanted = next(film for film in ratings.items.ids.tolist() if not any(film in films for films in calm))
    rows = [("bot", film, 5.0 if film == wanted else 0.5) for film in ratings.items.ids.tolist()]
    loud = lists_of(PICKS.fit(united(rows).ratings))
    assert not any(wanted in films for films in loud)
    kept = [len(before & after) / 10 for before, after in zip(calm, loud, strict=True)]
    assert np.mean(kept) > 0.95
    assert min(kept) >= 0.8


def lists_of(model: Any) -> list[set[int]]:
    return [set(model.recommend(user, n=10)[0].tolist()) for user in range(small_world.N_USERS)]


def test_small_steps_down_do_not_add_up() -> None:
    first = judge(united(), picks=None)
    better = dict(first.reference) | {"rmse": first.numbers["rmse"] / 1.019}
    second = judge(united(), better, picks=None)
    assert second.passed
    assert second.reference["rmse"] == better["rmse"]  # the best stays what later ones are measured by
    third = judge(united(), dict(second.reference) | {"rmse": first.numbers["rmse"] / 1.021}, picks=None)
    assert not third.passed


def test_another_hold_out_is_measured_anew() -> None:
    first = judge(united(), picks=None)
    stale = {"hold_out": "of another data set", "rmse": 0.01}
    assert judge(united(), stale, picks=None).reference == first.reference


def test_few_recent_ratings_say_nothing() -> None:
    rows = honest(2)
    assert 0 < int(recent_hold_out(united(rows), NOW - 10).sum()) < FEWEST_RECENT
    assert len(judge(united(rows), picks=None, current=STARS.fit(small_world.ratings())).checks) == 1


def test_recent_means_since_the_model_that_serves() -> None:
    union = united(honest())
    recent = recent_hold_out(union, NOW)
    assert (recent <= union.live_pairs).all()
    assert 0.1 < recent[union.live_pairs].mean() < 0.3
    assert not recent_hold_out(union, NOW + 1).any()


@dataclass
class Spoiled:
    """A recipe whose model likes what nobody likes."""

    def fit(self, ratings: Ratings, **_: Any) -> Any:
        model = STARS.fit(ratings)
        return small_world.replaced(model, item_biases=-3 * model.item_biases)


def test_a_model_that_is_worse_on_recent_ratings_is_refused() -> None:
    union, current = united(honest()), STARS.fit(small_world.ratings())
    gate = Gate(Choice(Spoiled()), None, 0.02)
    verdict = gate.judge(union, current, NOW - 10, {})
    assert verdict.checks[0].passed  # as bad as before
    assert not verdict.checks[1].passed
    assert verdict.checks[1].current < verdict.checks[1].candidate


def test_recent_errors_are_those_of_folding_the_rest_in() -> None:
    union, model = united(honest(5)), STARS.fit(small_world.ratings())
    recent = recent_hold_out(union, NOW)
    squares = recent_squares(model, union.ratings, ~recent, recent)
    by_hand = []
    ratings = union.ratings
    for row in np.unique(ratings.user_rows[recent]):
        mine = ratings.user_rows == row
        rest = dict(zip(ratings.item_ids[mine & ~recent].tolist(), ratings.stars[mine & ~recent].tolist(), strict=True))
        for film, stars in zip(ratings.item_ids[mine & recent], ratings.stars[mine & recent], strict=True):
            by_hand.append((stars - model.fold_in(rest).predict(film)) ** 2)
    assert squares == pytest.approx(by_hand, rel=1e-5)


@pytest.mark.parametrize(("worse", "passed"), [(0.02, True), (0.0201, False), (-0.5, True)])
def test_the_margin_is_the_limit(worse: float, passed: bool) -> None:
    assert Check("rmse", 1.0, 1.0, worse, 0.02).passed is passed

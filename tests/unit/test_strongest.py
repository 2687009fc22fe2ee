"""Looking at long vectors first finds exactly what scoring everything finds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matinee.data.ratings import Ratings
from matinee.models import strongest
from matinee.models.als import ALS
from matinee.models.factors import FactorModel
from matinee.models.implicit_als import ImplicitALS
from matinee.models.strongest import ByLength
from matinee.models.topk import shortlist


def models() -> list[FactorModel]:
    rng = np.random.default_rng(3)
    popular = rng.zipf(1.4, 6000) % 900  # few films with most of the ratings, as everywhere
    users, stars = rng.integers(0, 150, 6000), rng.integers(1, 11, 6000) / 2
    ratings = Ratings.from_arrays(users, popular, stars)
    return [ALS(rank=8, iterations=3).fit(ratings), ImplicitALS(rank=8, iterations=3).fit(ratings)]


MODELS = models()


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many looks, and vectors beyond those kept side by side."""
    monkeypatch.setattr(strongest, "FIRST", 16)
    monkeypatch.setattr(strongest, "HEAD", 100)


@given(st.integers(0, 1), st.integers(0, 149), st.integers(1, 60), st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_the_same_films_as_scoring_everything(kind: int, user: int, k: int, seed: int, share: float) -> None:
    model = MODELS[kind]
    items, stars = model.seen.row(user % len(model.users))
    person = model.fold_in_rows(items, stars)
    allowed = np.random.default_rng(seed).random(len(model.items)) < share
    wanted = shortlist(person.scores(), k, allowed, person.rounding)
    found = ByLength.of(model).shortlist(person, k, allowed)
    scores = person.exact_scores(np.arange(len(model.items)))
    best = sorted(wanted.tolist(), key=lambda row: (-scores[row], row))[:k]
    assert sorted(found.tolist(), key=lambda row: (-scores[row], row))[:k] == best


def test_most_films_are_not_looked_at() -> None:
    model = MODELS[1]
    by_length = ByLength.of(model)
    touched: list[int] = []

    class Watched(np.ndarray):
        def __getitem__(self, key):  # type: ignore[no-untyped-def]
            if isinstance(key, slice):
                touched.append(key.stop)
            return super().__getitem__(key)

    watched = replace(by_length, names=by_length.names.view(Watched))
    items, stars = model.seen.row(0)
    watched.shortlist(model.fold_in_rows(items, stars), 5, np.ones(len(model.items), np.bool_))
    assert max(touched) < len(model.items) / 2


@pytest.mark.parametrize("kind", [0, 1])
def test_items_may_have_other_numbers_outside(kind: int) -> None:
    model = MODELS[kind]
    names = np.random.default_rng(4).permutation(2 * len(model.items))[: len(model.items)].astype(np.int32)
    allowed = np.zeros(2 * len(model.items), np.bool_)
    allowed[names[::3]] = True
    person = model.fold_in_rows(*model.seen.row(3))
    found = ByLength.of(model, names).shortlist(person, 7, allowed)
    rows = ByLength.of(model).shortlist(person, 7, allowed[names])
    assert sorted(found.tolist()) == sorted(names[rows].tolist())

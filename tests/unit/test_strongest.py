"""Looking at long vectors first finds exactly what scoring everything finds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matinee.data.ratings import Ratings
from matinee.models import strongest
from matinee.models.als import ALS
from matinee.models.bias import DampedBias
from matinee.models.implicit_als import ImplicitALS
from matinee.models.person import Person
from matinee.models.strongest import ByLength
from matinee.recommend.catalogue import Catalogue
from matinee.recommend.scoring import Scorer


def ratings() -> Ratings:
    rng = np.random.default_rng(3)
    popular = rng.zipf(1.4, 6000) % 900  # few films with most of the ratings, as everywhere
    return Ratings.from_arrays(rng.integers(0, 150, 6000), popular, rng.integers(1, 11, 6000) / 2)


RATINGS = ratings()
MODELS = [ALS(rank=8, iterations=3).fit(RATINGS), ImplicitALS(rank=8, iterations=3).fit(RATINGS)]


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two looks, and vectors beyond those kept side by side."""
    monkeypatch.setattr(strongest, "FIRST", 16)
    monkeypatch.setattr(strongest, "HEAD", 100)


def by_score(person: Person, rows: Any, k: int) -> list[int]:
    scores = person.exact_scores(np.arange(len(person.model.items)))
    return sorted(rows.tolist(), key=lambda row: (-scores[row], row))[:k]


@given(
    kind=st.integers(0, 1), user=st.integers(0, 149), k=st.integers(0, 60), seed=st.integers(0, 2**32 - 1),
    share=st.floats(0, 1), head=st.sampled_from([7, 100, 2000]), alike=st.booleans(),
)  # fmt: skip
def test_the_same_films_as_scoring_everything_or_none(
    kind: int, user: int, k: int, seed: int, share: float, head: int, alike: bool
) -> None:
    model = MODELS[kind]
    if alike:  # ties: every vector three times
        thirds = np.arange(len(model.items)) // 3
        model = replace(model, item_factors=model.item_factors[thirds], item_biases=model.item_biases[thirds])
    person = model.fold_in_rows(*model.seen.row(user % len(model.users)))
    allowed = np.random.default_rng(seed).random(len(model.items)) < share
    wanted = by_score(person, np.flatnonzero(allowed), k)
    with mock.patch.object(strongest, "HEAD", head):
        found = ByLength.of(model).shortlist(person, k, allowed)
    if found is None:
        assert head < len(model.items)
    else:
        assert by_score(person, found, k) == wanted


def test_most_films_are_not_looked_at() -> None:
    model = MODELS[1]
    allowed = np.ones(len(model.items), np.bool_)
    certain = [ByLength.of(model).shortlist(model.person(user), 5, allowed) for user in model.users.ids.tolist()]
    assert sum(found is not None for found in certain) > len(certain) / 2


def test_who_cannot_be_certain_has_everything_scored() -> None:
    """Biases alone: every vector is as long as any other."""
    model = DampedBias().fit(RATINGS)
    films = pl.DataFrame({"movie_id": model.items.ids}).with_columns(
        title=pl.lit("?"), ratings_count=pl.lit(1, pl.Int64)
    )  # fmt: skip
    scorer, person = Scorer(model, Catalogue(films)), model.fold_in({})
    allowed = np.arange(len(model.items)) % 2 == 0
    assert ByLength.of(model).shortlist(person, 5, allowed) is None
    rows, _ = scorer.best(person, 5, allowed)
    assert rows.tolist() == by_score(person, np.flatnonzero(allowed), 5)


@pytest.mark.parametrize("kind", [0, 1])
def test_items_may_have_other_numbers_outside(kind: int) -> None:
    model = MODELS[kind]
    names = np.random.default_rng(4).permutation(2 * len(model.items))[: len(model.items)].astype(np.int32)
    allowed = np.zeros(2 * len(model.items), np.bool_)
    allowed[names[::3]] = True
    person = model.fold_in_rows(*model.seen.row(3))
    with mock.patch.object(strongest, "HEAD", len(names)):
        found = ByLength.of(model, names).shortlist(person, 7, allowed)
        rows = ByLength.of(model).shortlist(person, 7, allowed[names])
    assert found is not None
    assert sorted(found.tolist()) == sorted(names[rows].tolist())

"""A burst of votes by one client that made many accounts: the gate refuses it, and new accounts may be left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from test_worker_process import FILMS, plan_of, store_of

from matinee.models.artifact import Artifact
from matinee.registry import Registry
from matinee.retraining.trainer import retrain
from matinee.settings import Settings

ACCOUNTS = Settings().signups_per_hour
"""As many as one address may make in an hour."""


def burst(home: Path) -> None:
    """Every account gives one film five stars and all others half a one."""
    with store_of(home) as store:
        for account in range(ACCOUNTS):
            store.add_many(f"bot {account}", {film: 5.0 if film == FILMS[7] else 0.5 for film in FILMS})


def model_of(home: Path, model_id: str | None) -> Artifact:
    assert model_id
    return Registry(home / "models").read(model_id)


def test_a_burst_is_refused_and_the_model_in_use_stays(home: Path) -> None:
    before = Registry(home / "models").current()
    burst(home)
    outcome = retrain(plan_of(home))
    assert outcome.model_id is None
    assert outcome.problem is None
    assert [check["what"] for check in outcome.report["checks"] if not check["passed"]]
    assert Registry(home / "models").current() == before


def test_where_new_accounts_are_left_out_the_model_is_the_same_to_the_bit(home: Path) -> None:
    older = replace(plan_of(home), account_age_s=3600)
    calm = model_of(home, retrain(older).model_id)
    burst(home)
    loud = model_of(home, retrain(older).model_id)
    assert np.array_equal(calm.stars.item_factors, loud.stars.item_factors)
    assert calm.picks
    assert loud.picks
    assert np.array_equal(calm.picks.item_factors, loud.picks.item_factors)

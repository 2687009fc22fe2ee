"""The OpenAPI document kept: schemathesis asks all that it allows, and much that it does not, of every route."""

from __future__ import annotations

from unittest import SkipTest

import fakes
import pytest
import schemathesis
from apiflask import APIFlask
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from matinee.registry import Registry
from matinee.settings import Settings
from matinee.store.ratings import RatingStore
from matinee.web.app import create_app
from matinee.web.serving import Models, RegistrySource

KEY = "schemathesis-operates"
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def asked_app(tmp_path_factory: pytest.TempPathFactory) -> APIFlask:
    """The application over a real model folder, with an operator's key and no limits."""
    home = tmp_path_factory.mktemp("home")
    registry = Registry(home / "models")
    for _ in range(2):
        registry.publish(fakes.stars_model(), movies=fakes.movies())
    models = Models(RegistrySource(registry.models_dir))
    models.refresh()
    store = RatingStore("sqlite://")
    for user_id in ("ann", "0"):
        store.add_many(user_id, {260: 4.5, 1: 3.0})
    values = {"home": home, "operator_key": KEY, "requests_per_minute": 0, "signups_per_hour": 0}
    return create_app(Settings(**values), store, models)


def ask_everything(app: APIFlask, mode: GenerationMode, examples: int) -> None:
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", app)
    asked, failures = 0, []
    for found in schema.get_all_operations():

        @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
        @given(found.ok().as_strategy(generation_mode=mode))
        def ask(case: schemathesis.Case) -> None:
            case.call_and_validate(headers={"Authorization": f"Bearer {KEY}"}, checks=CHECKS)

        try:
            ask()
            asked += 1
        except (Unsatisfiable, SkipTest):
            continue  # nothing wrong can be asked of a route without parameters
        except FailureGroup as failure:
            failures.append(str(failure))
    assert failures == []
    assert asked > 20


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_every_route_keeps_what_the_document_says(asked_app: APIFlask, mode: GenerationMode) -> None:
    ask_everything(asked_app, mode, 4)


@pytest.mark.soak
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_every_route_keeps_it_for_long(asked_app: APIFlask, mode: GenerationMode) -> None:
    ask_everything(asked_app, mode, 300)

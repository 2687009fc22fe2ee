"""The application over a tiny model and a store in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fakes
import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from matinee.settings import Settings
from matinee.store.ratings import RatingStore
from matinee.web.app import create_app
from matinee.web.serving import Models


@pytest.fixture
def store() -> Iterator[RatingStore]:
    store = RatingStore("sqlite://")
    yield store
    store.close()


@pytest.fixture
def source() -> fakes.FakeSource:
    return fakes.FakeSource()


@pytest.fixture
def models(source: fakes.FakeSource) -> Models:
    models = Models(source)
    models.refresh()
    return models


@pytest.fixture
def app(store: RatingStore, models: Models, tmp_path: Path) -> APIFlask:
    return create_app(Settings(home=tmp_path, max_body_bytes=100_000), store, models)


@pytest.fixture
def client(app: APIFlask) -> FlaskClient:
    return app.test_client()

"""A small home that a test may change."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from matinee.data.ratings import Ratings
from matinee.models.als import ALS
from matinee.models.implicit_als import ImplicitALS
from matinee.registry import Registry

FILMS = range(10, 800, 10)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a model of 80 people."""
    rng = np.random.default_rng(3)
    taste, films = rng.normal(size=(80, 2)), rng.normal(size=(len(FILMS), 2))
    users, items = np.nonzero(rng.random((80, len(FILMS))) < 0.4)
    stars = np.clip(np.round(2 * (3.2 + (taste @ films.T)[users, items] * 0.7)) / 2, 0.5, 5)
    ratings = Ratings.from_arrays(users + 1, np.array(FILMS)[items], stars, np.full(len(users), 1_400_000_000))
    home = tmp_path_factory.mktemp("home")
    stars_model, picks = ALS(rank=4, iterations=3).fit(ratings), ImplicitALS(rank=4, iterations=2).fit(ratings)
    Registry(home / "models").publish(stars_model, picks, ratings=ratings)
    return home


@pytest.fixture
def home(trained: Path, tmp_path: Path) -> Path:
    home = tmp_path / "home"
    shutil.copytree(trained, home)
    return home

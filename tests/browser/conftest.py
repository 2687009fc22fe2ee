"""One served application, one trained sample and one Chromium for all tests in a browser; a context for each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from bench.chromium import ARGUMENTS, executable
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect, sync_playwright
from served_app import served

import matinee
from matinee import training
from matinee.data.dataset import Dataset
from matinee.registry import Registry
from matinee.settings import Settings

PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)
LINKS = {260: ("0076759", 11), 296: ("0110912", 680), 6: ("0113277", 949)}
"""IMDb's and TMDb's numbers of some films; the sample has none."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of this folder in one process, and let the first of them train."""
    for item in items:
        if "/browser/" in item.path.as_posix():
            item.add_marker(pytest.mark.xdist_group("browser"))
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="package")
def linked_sample() -> Dataset:
    """The bundled sample, some of its films with their numbers elsewhere."""
    sample = matinee.load("sample")
    rows = [(movie_id, imdb, tmdb) for movie_id, (imdb, tmdb) in LINKS.items()]
    links = pl.DataFrame(rows, schema=["movie_id", "imdb_id", "tmdb_id"], orient="row")
    movies = sample.movies.drop("imdb_id", "tmdb_id").join(links, on="movie_id", how="left", maintain_order="left")
    return replace(sample, movies=movies.select(sample.movies.columns).cast(dict(sample.movies.schema)))


@pytest.fixture(scope="package")
def home(tmp_path_factory: pytest.TempPathFactory, linked_sample: Dataset) -> Path:
    """A home with models of the bundled sample, measured: only then are there intervals."""
    home = tmp_path_factory.mktemp("browser")
    training.train(linked_sample, Registry(Settings(home=home).models_dir), picks=matinee.ImplicitALS())
    return home


@pytest.fixture(scope="package")
def address(home: Path) -> Iterator[str]:
    """Address of a service."""
    with served(Settings(home=home)) as service:
        yield service.address


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture
def context(browser: Browser, address: str) -> Iterator[BrowserContext]:
    """A browser of its own, which asks no other host."""
    elsewhere: list[str] = []

    def note(request: Request) -> None:
        if not request.url.startswith((address, "blob:", "data:")):
            elsewhere.append(request.url)

    context = browser.new_context(base_url=address, viewport={"width": 1280, "height": 860})
    context.set_default_timeout(PATIENCE_MS)
    context.on("request", note)
    yield context
    context.close()
    assert elsewhere == []


@pytest.fixture
def problems() -> list[str]:
    """What went wrong in the page; a test that provokes something takes it out."""
    return []


@pytest.fixture
def page(context: BrowserContext, problems: list[str]) -> Iterator[Page]:
    """A window in which nothing may go wrong unseen."""
    page = context.new_page()
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None)
    yield page
    assert problems == []

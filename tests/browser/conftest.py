"""One served application, one trained sample and one Chromium for all tests in a browser; a context for each."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright
from werkzeug.serving import make_server

import matinee
from chromium import ARGUMENTS, executable
from matinee import training
from matinee.registry import Registry
from matinee.settings import Settings
from matinee.store.ratings import RatingStore
from matinee.web.app import create_app
from matinee.web.serving import Models, RegistrySource

PATIENCE_MS = 30_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of this folder in one process, and let the first of them train."""
    for item in items:
        if "/browser/" in item.path.as_posix():
            item.add_marker(pytest.mark.xdist_group("browser"))
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="package")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a service with a model of the bundled sample."""
    settings = Settings(home=tmp_path_factory.mktemp("browser"))
    training.train(matinee.load("sample"), Registry(settings.models_dir), picks=matinee.ImplicitALS(), test=0)
    store, models = RatingStore(settings.database), Models(RegistrySource(settings.models_dir))
    models.refresh()
    server = make_server("127.0.0.1", 0, create_app(settings, store, models), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
    store.close()


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
        if not request.url.startswith(address):
            elsewhere.append(request.url)

    context = browser.new_context(base_url=address, viewport={"width": 1280, "height": 860})
    context.set_default_timeout(PATIENCE_MS)
    context.on("request", note)
    yield context
    context.close()
    assert elsewhere == []


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A window in which nothing may go wrong unseen."""
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None)
    yield page
    assert problems == []

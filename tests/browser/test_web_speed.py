"""How fast, how heavy and how calm the app is, with limits that a busy machine keeps too.

`python -m bench web` measures the same functions on a quiet machine, against the limits that we promise
(docs/benchmarks.md).
"""

from __future__ import annotations

import statistics

import pytest
from bench.in_browser import WATCH, first_load, rate_and_wait, scroll, shift
from playwright.sync_api import BrowserContext, Page

PAGES = (
    "/", "/for-you", "/for-you?genre_any=Western", "/search?q=star", "/film/260", "/film/1", "/my-films?view=ratings",
    "/taste", "/movie-night", "/import", "/operator", "/join#x",
)  # fmt: skip


@pytest.fixture
def watched(context: BrowserContext, page: Page) -> Page:
    """A page that measures itself from its first moment."""
    context.add_init_script(WATCH)
    return page


def test_the_first_load_is_light(page: Page) -> None:
    sizes = first_load(page)
    assert any("fraunces" in url for url in sizes)
    assert any("/recommendations" in url for url in sizes)
    assert sum(sizes.values()) < 150_000, sorted(sizes.items(), key=lambda item: -item[1])


def test_a_rating_repaints_the_list_soon(watched: Page) -> None:
    found = rate_and_wait(watched, 6)
    assert len(found.milliseconds) == 6
    assert statistics.median(found.milliseconds) < 1000, found


def test_many_cards_scroll_without_a_halt(watched: Page) -> None:
    cards, tasks = scroll(watched, 100)
    assert cards >= 100
    assert max(tasks, default=0) < 500, tasks


@pytest.mark.parametrize("somebody", [None, "42"])
@pytest.mark.parametrize("path", PAGES)
def test_nothing_jumps_after_load(context: BrowserContext, watched: Page, path: str, somebody: str | None) -> None:
    if somebody:
        context.add_init_script(f"localStorage.setItem('matinee-user', '{somebody}')")
    moved, what = shift(watched, path)
    assert moved < 0.02, what

"""The web app under a thumb: a phone's screen, touched."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect


@pytest.fixture
def phone(browser: Browser, address: str) -> Iterator[Page]:
    context = browser.new_context(
        base_url=address, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page = context.new_page()
    page.goto("/")
    yield page
    context.close()


def tap_stars(stars: Locator, part: float) -> None:
    box = stars.bounding_box()
    assert box
    stars.tap(position={"x": box["width"] * part, "y": box["height"] / 2})


def test_a_tap_gives_stars_and_what_leads_the_list_follows_in_sight(phone: Page) -> None:
    peek = phone.locator(".peek")
    expect(peek).to_be_in_viewport(ratio=1)
    before = peek.inner_text()
    stars = phone.get_by_role("slider", name="Your stars for Pulp Fiction")
    tap_stars(stars, 0.78)
    expect(stars).to_have_attribute("aria-valuetext", "4 stars")
    expect(peek).not_to_have_text(before)
    expect(peek).not_to_contain_text("Pulp Fiction")
    undo = phone.get_by_role("button", name="Undo")
    expect(undo).to_be_visible()
    below, above = peek.bounding_box(), undo.bounding_box()
    assert below
    assert above
    assert above["y"] + above["height"] <= below["y"], "the message covers what leads the list"
    undo.tap()
    expect(peek).to_have_text(before)


def test_a_tap_on_what_leads_the_list_goes_to_the_list(phone: Page) -> None:
    first = phone.locator("#list .rows > li").first
    expect(first).not_to_be_in_viewport()
    phone.locator(".peek").tap()
    expect(first).to_be_in_viewport()
    expect(phone.locator("#list-title")).to_be_in_viewport(ratio=1)


def test_a_wide_screen_has_the_list_beside_the_wall_and_no_second_one(page: Page) -> None:
    page.goto("/")
    expect(page.locator("#list .rows > li").first).to_be_in_viewport()
    expect(page.locator(".peek")).to_be_hidden()


@pytest.mark.parametrize("path", ["/", "/for-you", "/search?q=star", "/film/260", "/taste", "/movie-night", "/import"])
def test_no_page_is_wider_than_the_phone(phone: Page, path: str) -> None:
    phone.goto(path)
    phone.wait_for_load_state("networkidle")
    assert phone.evaluate("innerWidth") == 390, "the phone zooms out of what does not fit"

"""The web app as people use it, in Chromium."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect


def rate_by_keyboard(page: Page, film: str, key: str = "5") -> None:
    slider = page.get_by_role("slider", name=f"Your stars for {film}")
    slider.focus()
    with page.expect_response(lambda answer: answer.url.endswith("/ratings") and answer.request.method == "POST"):
        slider.press(key)


def test_a_rating_by_mouse_changes_the_list_and_stays(page: Page) -> None:
    page.goto("/")
    rows = page.locator("#list .rows > li")
    expect(rows).to_have_count(10)
    before = rows.all_inner_texts()
    slider = page.get_by_role("slider", name="Your stars for Forrest Gump")
    box = slider.bounding_box()
    assert box
    slider.click(position={"x": box["width"] * 0.68, "y": box["height"] / 2})
    expect(slider).to_have_attribute("aria-valuetext", "3.5 stars")
    expect(page.get_by_text("1 rated. 4 more")).to_be_visible()
    expect(page.locator("#list .rows")).not_to_contain_text("Forrest Gump")
    assert rows.all_inner_texts() != before
    page.reload()
    expect(page.get_by_text("1 rated. 4 more")).to_be_visible()
    page.goto("/film/356")
    expect(page.get_by_text("You gave 3.5 stars")).to_be_visible()


def test_a_rating_by_keyboard_can_be_undone(page: Page) -> None:
    page.goto("/")
    slider = page.get_by_role("slider", name="Your stars for Pulp Fiction")
    slider.focus()
    slider.press("End")
    slider.press("ArrowLeft")
    expect(slider).to_have_attribute("aria-valuetext", "4.5 stars")
    expect(page.get_by_text("1 rated. 4 more")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(slider).to_have_attribute("aria-valuetext", "not rated")
    expect(page.get_by_text("Nothing rated yet")).to_be_visible()


def test_a_film_that_was_not_seen_makes_room(page: Page) -> None:
    page.goto("/")
    page.get_by_role("button", name="Haven't seen Pulp Fiction").click()
    expect(page.get_by_role("slider", name="Your stars for Pulp Fiction")).to_have_count(0)
    expect(page.locator(".wall .card")).to_have_count(12)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("slider", name="Your stars for Pulp Fiction")).to_be_visible()


def test_filters_live_in_the_address_and_the_way_back_works(page: Page) -> None:
    page.goto("/for-you")
    page.get_by_text("Dials and filters").click()
    page.get_by_role("button", name="Western", exact=True).click()
    expect(page).to_have_url(re.compile(r"genre_any=Western"))
    expect(page.locator(".facts").first).to_contain_text("Western")
    page.get_by_role("button", name="Western, wanted").click()
    expect(page).to_have_url(re.compile(r"genre_none=Western"))
    page.go_back()
    expect(page).to_have_url(re.compile(r"genre_any=Western"))
    expect(page.get_by_role("button", name="Western, wanted")).to_be_visible()


def test_an_empty_list_says_what_to_relax(page: Page) -> None:
    page.goto("/for-you?genre_any=Western&year_from=2010&min_ratings=100")
    page.get_by_role("button", name=re.compile("^Take .* off$")).click()
    expect(page.locator(".choice").first).to_be_visible()


def test_a_film_to_watch_and_one_never_to_suggest_are_kept(page: Page) -> None:
    page.goto("/for-you")
    hidden = page.locator(".choice .card-poster").nth(1).get_attribute("aria-label") or ""
    page.get_by_role("button", name="Want to watch").first.click()
    expect(page.get_by_role("button", name="Want to watch").first).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Not interested in").nth(1).click()
    expect(page.get_by_text("is never suggested again")).to_be_visible()
    expect(page.locator(f'.card-poster[aria-label="{hidden}"]')).to_have_count(0)
    page.goto("/my-films?view=notInterested")
    page.get_by_role("button", name="Allow again").click()
    expect(page.get_by_role("button", name="Never suggested (0)")).to_be_visible()
    page.get_by_role("button", name="To watch (1)").click()
    expect(page.locator(".rows > li")).to_have_count(1)


def test_a_film_seen_elsewhere_is_rated_in_its_place(page: Page) -> None:
    page.goto("/for-you")
    card = page.locator(".choice").first
    card.get_by_role("button", name="Seen").click()
    with page.expect_response(lambda answer: answer.request.method == "POST" and answer.url.endswith("/ratings")):
        card.get_by_role("slider").press("4")
    expect(card.get_by_role("slider")).to_have_attribute("aria-valuetext", "4 stars")
    name = card.locator(".card-poster").get_attribute("aria-label") or ""
    page.goto("/my-films?view=ratings")
    expect(page.locator(".rows > li")).to_have_count(1)
    expect(page.locator(".rows > li")).to_contain_text(name.rpartition(", ")[0])


def test_the_way_back_leads_to_where_one_was(page: Page) -> None:
    page.goto("/for-you?min_ratings=25")
    expect(page.locator(".choice")).to_have_count(24)
    page.locator(".choice .card-poster").nth(20).scroll_into_view_if_needed()
    was = page.evaluate("scrollY")
    assert was > 500
    page.locator(".choice .card-poster").nth(20).click()
    expect(page.get_by_role("heading", name="Everybody")).to_be_visible()
    assert page.evaluate("scrollY") == 0
    page.go_back()
    expect(page).to_have_url(re.compile("for-you.min_ratings=25"))
    page.wait_for_function("was => Math.abs(scrollY - was) < 2", arg=was)


def test_more_films_come_without_repeats(page: Page) -> None:
    page.goto("/for-you")
    expect(page.locator(".choice")).to_have_count(24)
    page.get_by_role("button", name="Show more").click()
    expect(page.locator(".choice")).to_have_count(48)
    films = page.locator(".choice .card-poster").evaluate_all("links => links.map(link => link.href)")
    assert len(set(films)) == 48


def test_a_film_shows_why_and_what_if(page: Page) -> None:
    page.goto("/")
    rate_by_keyboard(page, "Pulp Fiction")
    page.goto("/film/260")
    expect(page.get_by_role("heading", name="Star Wars: Episode IV - A New Hope")).to_be_visible()
    expect(page.locator(".film-predicted")).to_have_text(re.compile(r"[\d.]+, likely [\d.]+ to [\d.]+ for you"))
    expect(page.locator(".reasons")).to_contain_text("Pulp Fiction")
    values = page.locator(".reason-value").all_inner_texts()
    total = sum(float(value.replace("\u2212", "-")) for value in values)
    stated = re.search(r"score, (-?[\d.]+)\.", page.get_by_text("Together they are").inner_text())
    assert stated
    assert total == pytest.approx(float(stated[1]), abs=0.002 * len(values))
    page.locator(".what-if input[type=range]").press("ArrowLeft")
    expect(page.locator(".what-if [role=status]")).to_contain_text("instead of")


def test_search_forgives_and_needs_no_mouse(page: Page) -> None:
    page.goto("/")
    expect(page.locator("#list .rows > li")).to_have_count(10)
    page.keyboard.press("/")
    page.keyboard.type("matirx")
    expect(page.get_by_role("option").first).to_contain_text("The Matrix")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="The Matrix", level=1)).to_be_visible()


def test_another_browser_becomes_the_same_person_until_forgotten(page: Page, browser: Browser, address: str) -> None:
    page.goto("/")
    rate_by_keyboard(page, "Pulp Fiction")
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("button", name="Use another browser").click()
    field = page.get_by_label("Address for the other browser")
    expect(field).to_have_value(re.compile("#"))
    other = browser.new_context(base_url=address)
    second = other.new_page()
    second.goto(field.input_value())
    second.get_by_role("button", name="Go on as the same person").click()
    expect(second.get_by_role("heading", name="For you")).to_be_visible()
    second.goto("/")
    expect(second.get_by_text("1 rated. 4 more")).to_be_visible()
    assert "token" not in second.evaluate("document.cookie + JSON.stringify(localStorage)")
    second.get_by_role("button", name="Menu").click()
    second.get_by_role("button", name="Forget me").click()
    second.get_by_role("dialog").get_by_role("button", name="Forget me").click()
    expect(second.get_by_text("Nothing rated yet")).to_be_visible()
    other.close()

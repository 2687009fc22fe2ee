"""Movie night: several people, one list, in the way that they want to agree."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, Locator, Page, expect


def rate_for(page: Page, name: str, stars: dict[str, str]) -> None:
    """Rate some well-known films for a friend, by keyboard."""
    page.get_by_role("button", name="Rate here for a friend").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Their name").fill(name)
    for film, key in stars.items():
        dialog.get_by_role("slider", name=f"{name}'s stars for {film}").press(key)
    dialog.get_by_role("button", name=f"Done, {len(stars)} rated").click()


def stars_of(film: Locator) -> list[float]:
    """Return what everybody would give a film of the list."""
    return [float(text) for text in film.locator(".night-stars .predicted-stars").all_inner_texts()]


def agree(page: Page, way: str) -> list[str]:
    """Choose how to agree; return the films of the list that follows."""
    with page.expect_response(re.compile("/groups/recommendations")):
        page.get_by_role("radio", name=way).check()
    expect(page.locator(".night-list")).to_have_attribute("aria-busy", "false")
    return page.locator(".night-film h3 a").all_inner_texts()


def test_three_people_agree_in_several_ways_and_one_vetoes(page: Page) -> None:
    page.goto("/movie-night")
    expect(page.get_by_role("heading", name="Who is watching?")).to_be_visible()
    rate_for(page, "Ada", {"Pulp Fiction": "5", "Forrest Gump": "1"})
    rate_for(page, "Bo", {"Forrest Gump": "5", "Pulp Fiction": "1"})
    rate_for(page, "Cleo", {"The Matrix": "5"})
    expect(page.locator(".guest-chip")).to_have_count(3)
    expect(page.locator(".night-film")).to_have_count(12)
    turns = agree(page, "In turns")
    assert [len(stars_of(film)) for film in page.locator(".night-film").all()] == [3] * 12
    choosers = page.locator(".night-words strong").all_inner_texts()[:3]
    assert sorted(choosers) == ["Ada chose", "Bo chose", "Cleo chose"]
    expect(page).to_have_url(re.compile("mode=fairness"))
    nobody_suffers = agree(page, "Nobody suffers")
    expect(page.locator(".night-words strong")).to_have_count(0)
    on_average = agree(page, "On average")
    assert len({tuple(films) for films in (turns, nobody_suffers, on_average)}) == 3
    first = page.locator(".night-film").first
    name = first.locator("h3 a").inner_text()
    first.get_by_role("button", name=f"Veto {name}").click()
    expect(page.get_by_role("link", name=name, exact=True)).to_have_count(0)
    expect(page.locator(".night-film")).to_have_count(12)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".night-film h3 a").first).to_have_text(name)
    page.reload()
    expect(page.locator(".guest-chip")).to_have_count(3)


def test_a_limit_leaves_out_what_somebody_would_dislike(page: Page) -> None:
    page.goto("/movie-night")
    rate_for(page, "Ada", {"Pulp Fiction": "5", "Forrest Gump": "1"})
    rate_for(page, "Bo", {"Forrest Gump": "5", "Pulp Fiction": "1"})
    expect(page.locator(".night-film").first).to_be_visible()
    with page.expect_response(re.compile("/groups/recommendations")):
        page.get_by_label("Leave out what anybody would give fewer than").select_option("3.5")
    expect(page.locator(".night-list")).to_have_attribute("aria-busy", "false")
    for film in page.locator(".night-film").all():
        assert min(stars_of(film)) >= 3.5
    page.get_by_role("button", name="Bo does not come").click()
    expect(page.locator(".night-film").first.locator(".night-stars li")).to_have_count(1)


def test_a_friend_comes_by_the_address_that_they_made(page: Page, browser: Browser, address: str) -> None:
    friend = browser.new_context(base_url=address)
    theirs = friend.new_page()
    theirs.goto("/")
    with theirs.expect_response(re.compile("/ratings$")):
        theirs.get_by_role("slider", name="Your stars for Pulp Fiction").press("5")
    theirs.goto("/movie-night")
    theirs.get_by_role("button", name="Copy my address").click()
    made = theirs.get_by_label(re.compile("Your movie night address"))
    expect(made).to_have_value(re.compile("#with="))
    page.goto("/movie-night")
    page.get_by_label("Who else comes?").fill(made.input_value())
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator(".guest-chip")).to_contain_text("A friend")
    expect(page.locator(".night-film")).to_have_count(12)
    friend.close()


def test_somebody_unknown_is_refused_in_words(page: Page, problems: list[str]) -> None:
    page.goto("/movie-night")
    page.get_by_label("Who else comes?").fill("nobody-of-that-name")
    page.get_by_label("Who else comes?").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Nobody here is called nobody-of-that-name")
    assert [problem for problem in problems if "404" not in problem] == []
    problems.clear()

"""What holds on every page: no barriers, any width, keys alone, calm where calm was asked for."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, expect

PAGES = (
    "/", "/for-you", "/search?q=star", "/film/260", "/film/1", "/my-films?view=ratings", "/taste", "/movie-night",
    "/import", "/operator", "/join#x",
)  # fmt: skip
NEWCOMERS_PAGES = (
    "/",
    "/for-you?genre_any=Western&year_from=2010&min_ratings=100",
    "/taste",
    "/movie-night",
    "/import",
)
WIDTHS = (320, 390, 768, 1024, 1440, 2560)
SOMEBODY = "42"
"""Of the sample: their pages are full."""

TABBED = """
() => {
  const here = document.activeElement;
  if (!here || here === document.body) return null;
  const shown = [here, here.parentElement, here.nextElementSibling].filter(Boolean).map(one => getComputedStyle(one));
  return {
    name: here.outerHTML.slice(0, 120),
    visible: shown.some(style => style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2),
  };
}
"""
LAST = """
() => {
  const can = "a[href], button:not(:disabled), input:not(:disabled), select, summary, [tabindex='0']";
  const seen = [...document.querySelectorAll(can)].filter(one => one.checkVisibility({ visibilityProperty: true }));
  return seen.at(-1).outerHTML.slice(0, 120);
}
"""


@pytest.fixture
def somebody(context: BrowserContext, page: Page) -> Page:
    """A window of somebody with many ratings, who has friends coming."""
    context.add_init_script(
        f"""localStorage.setItem("matinee-user", "{SOMEBODY}");
        sessionStorage.setItem("matinee-night", '[{{"name":"Ada","userId":"15"}}]');"""
    )
    return page


def open_page(page: Page, path: str) -> None:
    """Open a page and wait until all of it is there."""
    page.goto(path)
    page.get_by_role("heading", level=1).wait_for()
    page.wait_for_load_state("networkidle")


def check_barriers(page: Page) -> None:
    """Fail where axe finds anything."""
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("path", PAGES)
def test_full_pages_have_no_barriers_and_fit_every_width(somebody: Page, path: str) -> None:
    somebody.emulate_media(color_scheme="light", reduced_motion="reduce")
    open_page(somebody, path)
    for width in WIDTHS:
        somebody.set_viewport_size({"width": width, "height": 800})
        wide = somebody.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{wide} px at {width}"
    check_barriers(somebody)
    somebody.emulate_media(color_scheme="dark", reduced_motion="reduce")
    somebody.set_viewport_size({"width": 320, "height": 700})
    open_page(somebody, path)  # again: on a busy machine a page is looked at while it changes its colours
    check_barriers(somebody)


@pytest.mark.parametrize("path", NEWCOMERS_PAGES)
def test_empty_pages_have_no_barriers(page: Page, path: str) -> None:
    page.set_viewport_size({"width": 320, "height": 700})
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        open_page(page, path)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        check_barriers(page)


@pytest.mark.parametrize("path", PAGES)
def test_keys_alone_reach_everything_and_one_sees_where_one_is(somebody: Page, path: str) -> None:
    open_page(somebody, path)
    somebody.evaluate("document.body.tabIndex = -1; document.body.focus()")  # search begins in its field
    last, stops = somebody.evaluate(LAST), []
    for _ in range(400):
        somebody.keyboard.press("Tab")
        here = somebody.evaluate(TABBED)
        if here is None:
            break
        stops.append(here)
    assert "Skip to the page" in stops[0]["name"]
    assert [stop["name"] for stop in stops if not stop["visible"]] == []
    assert last in [stop["name"] for stop in stops], f"{len(stops)} stops, the last of them {stops[-1]['name']}"
    somebody.keyboard.press("Shift+Tab")
    assert somebody.evaluate(TABBED) is not None


def test_dialogs_and_the_menu_give_the_focus_back(page: Page) -> None:
    page.goto("/movie-night")
    opener = page.get_by_role("button", name="Rate here for a friend")
    opener.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(opener).to_be_focused()
    page.get_by_role("button", name="Menu").press("Enter")
    expect(page.get_by_role("link", name="Import and export")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Menu")).to_be_focused()


MOVES = "document.querySelector('#list').getAnimations({ subtree: true }).map(one => one.effect.getTiming().duration)"


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_cards_move_only_for_those_who_want_it(page: Page, motion: str) -> None:
    page.emulate_media(reduced_motion=motion)  # type: ignore[arg-type]
    page.goto("/")
    rows = page.locator("#list .rows")
    expect(rows.locator("> li")).to_have_count(10)
    page.evaluate(f"""() => {{
        window.moves = [];
        const look = () => {{ window.moves.push(...{MOVES}); requestAnimationFrame(look); }};
        look();
    }}""")
    before = rows.inner_text()
    page.get_by_role("slider", name="Your stars for Pulp Fiction").press("5")
    expect(rows).not_to_have_text(before)
    page.wait_for_function("words => document.querySelector('#list .rows').innerText !== words", arg=before)
    if motion == "reduce":
        assert max(page.evaluate("window.moves"), default=0) <= 1
    else:
        page.wait_for_function("window.moves.some(duration => duration > 100)")

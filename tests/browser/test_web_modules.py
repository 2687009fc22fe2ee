"""The modules of the app that draw nothing: how films and numbers are written, addresses, charts, packed ratings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def window(browser: Browser, address: str) -> Iterator[Page]:
    """A window that modules can be loaded in."""
    context = browser.new_context(base_url=address)
    page = context.new_page()
    page.goto("/")
    page.get_by_role("heading", level=1).wait_for()
    yield page
    context.close()


def call(window: Page, module: str, expression: str, argument: Any = None) -> Any:
    """Evaluate an expression in which `m` is a module of the app and `x` the argument."""
    script = f"""async x => {{
        const root = document.querySelector("script[type=module]").src.replace("main.js", "");
        const m = await import(root + {module!r});
        return {expression};
    }}"""
    return window.evaluate(script, argument)


@pytest.mark.parametrize(
    ("written", "name", "main", "sub"),
    [
        ("Matrix, The", "The Matrix", "The Matrix", ""),
        ("Alien: Covenant - Cut", "Alien: Covenant - Cut", "Alien", "Covenant - Cut"),
        ("Seven (a.k.a. Se7en)", "Seven", "Seven", ""),
        ("Avventura, L' (Adventure, The)", "L'Avventura", "L'Avventura", ""),
        ("M", "M", "M", ""),
        ("<b>Bold</b> & \"Quoted\"", "<b>Bold</b> & \"Quoted\"", "<b>Bold</b> & \"Quoted\"", ""),
    ],
)  # fmt: skip
def test_names_are_written_as_people_say_them(window: Page, written: str, name: str, main: str, sub: str) -> None:
    found = call(window, "ui/film.js", "m.namesOf({ name: x })", written)
    assert (found["name"], found["main"], found["sub"]) == (name, main, sub)


def test_numbers_are_written_as_people_read_them(window: Page) -> None:
    shown = call(
        window,
        "ui/film.js",
        """[m.starsText(4), m.givenText(1), m.givenText(3.5), m.ratingsText(1), m.ratingsText(12345),
        m.percentText(.114),
        m.likely({ stars_low: 3.45, stars_high: 5 }), m.likely({ stars_low: null, stars_high: null }),
        m.titleOf("Godfather, The (1972)"), m.addressOf({ movie_id: "a/b" }),
        m.genresText({ genres: ["(no genres listed)"] })]""",
    )
    assert shown == [
        "4.0", "1 star", "3.5 stars", "1 rating", "12,345 ratings", "11%", "likely 3.5 to 5", "", "The Godfather",
        "/film/a%2Fb", "",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "page", "params"),
    [
        ("/", "/", {}),
        ("/film/260", "/film/:id", {"id": "260"}),
        ("/film/a%2Fb", "/film/:id", {"id": "a/b"}),
        ("/film/", None, None),
        ("/for-you/", None, None),
    ],
)
def test_addresses_lead_to_pages(window: Page, path: str, page: str | None, params: dict[str, str] | None) -> None:
    pages = [{"path": "/"}, {"path": "/for-you"}, {"path": "/film/:id"}]
    found = call(window, "router.js", "m.match(x.pages, x.path) ?? null", {"pages": pages, "path": path})
    assert found == (None if page is None else {"page": {"path": page}, "params": params})


def test_what_is_chosen_stands_in_the_address(window: Page) -> None:
    script = """(m.setQuery({ genre_any: ["War", "Sci-Fi"], min_ratings: 5, year_from: "" }), location.search)"""
    assert call(window, "router.js", script) == "?genre_any=War&genre_any=Sci-Fi&min_ratings=5"
    script = """(m.setQuery({ genre_any: [], min_ratings: null }, { replace: true }), location.search)"""
    assert call(window, "router.js", script) == ""
    assert call(window, "api.js", 'm.written({ q: "a b&c", none: null, list: [1, 2], empty: "" })') == (
        "?q=a+b%26c&list=1&list=2"
    )
    assert call(window, "api.js", 'm.of("u-x", "ratings", "a/b")') == "/users/u-x/ratings/a%2Fb"


def test_packed_ratings_come_back_and_damage_is_none(window: Page) -> None:
    ratings = [{"movie_id": 260, "stars": 4.5}, {"movie_id": "tt1", "stars": 0.5}]
    packed = call(window, "night/packed.js", 'await m.pack("Zoë & <b>", x)', ratings)
    assert packed.replace("-", "").replace("_", "").isalnum()
    assert call(window, "night/packed.js", "await m.unpack(x)", packed) == {"name": "Zoë & <b>", "ratings": ratings}
    for damaged in (packed[:-3], "", "AAAA", packed[::-1]):
        assert call(window, "night/packed.js", "await m.unpack(x)", damaged) is None
    link = f"http://here/movie-night#with={packed}"
    assert [call(window, "night/packed.js", "m.packedIn(x)", text) for text in (link, "ann")] == [packed, None]


def test_charts_count_right(window: Page) -> None:
    assert call(window, "chart/scale.js", "[m.linear([0, 10], [100, 0])(2.5), m.linear([1, 1], [0, 9])(1)]") == [75, 0]
    assert call(window, "chart/scale.js", "[m.ticks(0, 1, 4), m.ticks(0.61, 0.93, 4), m.ticks(3, 3)]") == [
        [0, 0.5, 1], [0.7, 0.8, 0.9], [3],
    ]  # fmt: skip
    assert call(window, "chart/scale.js", "m.line([[0, 1], [2.25, 3]])") == "M0.0 1.0L2.3 3.0"


def test_traffic_is_read_off_the_counters(window: Page) -> None:
    text = """# HELP matinee_requests_total Requests
matinee_requests_total{method="GET",route="/",status="200"} 90.0
matinee_requests_total{method="GET",route="/\\"x",status="503"} 10.0
matinee_request_seconds_bucket{le="0.01",route="/"} 50.0
matinee_request_seconds_bucket{le="0.1",route="/"} 90.0
matinee_request_seconds_bucket{le="+Inf",route="/"} 100.0
"""
    total = "m.totals(m.samplesOf(x))"
    assert call(window, "chart/traffic.js", f"(({{ requests, errors }}) => [requests, errors])({total})", text) == [
        100,
        10,
    ]
    halves = f"[0.5, 0.9, 0.99].map(part => m.quantile({total}, null, part))"
    assert call(window, "chart/traffic.js", halves, text) == pytest.approx([0.01, 0.1, 0.1])
    assert call(window, "chart/traffic.js", f"m.quantile({total}, {total}, 0.5)", text) is None


def test_the_map_keeps_what_is_under_the_pointer(window: Page) -> None:
    view = call(
        window,
        "chart/view.js",
        """(() => {
            const films = [{ x: 0, y: 0 }, { x: 1, y: 1 }, { x: 1, y: 0 }];
            const size = { width: 400, height: 200 };
            const all = m.whole(m.boundsOf(films), size);
            const near = m.zoomAt(all, 2, m.project(all, films[1]));
            const within = film => m.project(all, film).every((at, axis) => at >= 0 && at <= [400, 200][axis]);
            return {
                inside: films.every(within),
                stays: m.project(near, films[1]), was: m.project(all, films[1]), times: near.times,
                found: films.indexOf(m.nearest(all, films, m.project(all, films[2]))),
                nobody: m.nearest(all, films, [200, 100]),
                right: films.indexOf(m.towards(all, films, films[0], [1, 0])),
                brought: m.bring(near, films[0], size) !== near,
            };
        })()""",
    )
    assert view["inside"]
    assert view["stays"] == pytest.approx(view["was"])
    assert (view["times"], view["found"], view["nobody"], view["right"]) == (2, 2, None, 2)

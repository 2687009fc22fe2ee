"""Take the pictures of docs/images again, of the web app as it is: `make pictures` (needs Chromium).

Each is taken wide (`w`) and narrow (`n`), light (`l`) and dark (`d`), of the bundled sample and one of its people.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any, Literal, NamedTuple

from bench.chromium import ARGUMENTS, executable
from bench.common import MATINEE
from bench.service_world import free_port, running
from playwright.sync_api import Browser, FilePayload, Page, sync_playwright

import matinee
from matinee import training
from matinee.registry import Registry

IMAGES = Path(__file__).parent / "images"
SOMEBODY, ADA, BO = "42", "15", "7"
"""Of the sample; 42 has 70 ratings."""
SCREENS: dict[str, dict[str, Any]] = {
    "w": {"viewport": {"width": 1280, "height": 900}},
    "n": {"viewport": {"width": 390, "height": 800}, "device_scale_factor": 1.5, "has_touch": True, "is_mobile": True},
}
LIGHTS: dict[str, Literal["light", "dark"]] = {"l": "light", "d": "dark"}
HISTORY = """Date,Name,Year,Letterboxd URI,Rating
2021-04-02,Pulp Fiction,1994,https://boxd.it/29Pq,4.5
2021-04-02,The Matrix,1999,https://boxd.it/2a1m,4
2021-04-05,Léon: The Professional,1994,https://boxd.it/2aHi,4
2021-04-09,Mrs Doubtfyre,1993,https://boxd.it/2akw,3.5
2021-04-12,Amélie,2001,https://boxd.it/2aZ8,4.5
2021-05-03,Fargo,1996,https://boxd.it/2a9q,5
2021-05-11,Jeanne Dielman,1975,https://boxd.it/28oe,5
"""


class Picture(NamedTuple):
    """One page: its address, who looks at it (nobody: a newcomer), and what they do before it is taken."""

    path: str
    who: str | None = SOMEBODY
    act: Callable[[Page], None] = lambda page: None


def rate_three(page: Page) -> None:
    """Give three films their stars, as a newcomer."""
    for film, key in (("Forrest Gump", "5"), ("The Silence of the Lambs", "4"), ("The Shawshank Redemption", "4")):
        with page.expect_response(lambda answer: answer.url.endswith("/ratings") and answer.request.method == "POST"):
            page.get_by_role("slider", name=f"Your stars for {film}").press(key)
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")


def open_filters(page: Page) -> None:
    """Show the filters; on narrow screens they are closed."""
    if page.locator(".filters:not([open])").count():
        page.locator(".filters > summary").click()


def choose_history(page: Page) -> None:
    """Bring a file, and decide about one of its lines."""
    payload = FilePayload(name="ratings.csv", mimeType="text/csv", buffer=HISTORY.encode())
    page.locator("input[type=file]").set_input_files(payload)
    page.get_by_label("Mrs Doubtfyre").select_option(label="Mrs. Doubtfire (1993)")


def watch_traffic(page: Page) -> None:
    """Stay for a while."""
    page.wait_for_timeout(20_000)  # a curve needs some points


PICTURES = {
    "rate": Picture("/", None, rate_three),
    "for-you": Picture("/for-you"),
    "filters": Picture("/for-you?genre_any=Thriller&year_from=1990", act=open_filters),
    "film": Picture("/film/593"),
    "search": Picture("/search?q=stra%20wars"),
    "my-films": Picture("/my-films?view=ratings"),
    "taste": Picture("/taste"),
    "movie-night": Picture("/movie-night?mode=fairness"),
    "import": Picture("/import", act=choose_history),
    "operator": Picture("/operator", act=watch_traffic),
}


@contextmanager
def service(home: Path) -> Iterator[str]:
    """Serve two measured models of the sample."""
    registry = Registry(home / "models")
    for rank in (16, 64):
        training.train(matinee.load("sample"), registry, stars=matinee.ALS(rank=rank), picks=matinee.ImplicitALS())
    port = free_port()
    command = [MATINEE, "serve", "--home", str(home), "--port", str(port), "--workers", "1"]
    with running(command, home / "service.log", port, "/readyz", {}) as server:
        yield f"http://127.0.0.1:{server.address[1]}"


def take(browser: Browser, address: str, name: str, screen: str, light: str) -> None:
    """Take one picture."""
    picture = PICTURES[name]
    context = browser.new_context(base_url=address, color_scheme=LIGHTS[light], locale="en-US", **SCREENS[screen])
    if picture.who:
        friends = f'[{{"name":"Ada","userId":"{ADA}"}},{{"name":"Bo","userId":"{BO}"}}]'
        context.add_init_script(f"""localStorage.setItem("matinee-user", "{picture.who}");
            sessionStorage.setItem("matinee-night", '{friends}');""")
    page = context.new_page()
    page.goto(picture.path)
    page.get_by_role("heading", level=1).wait_for()
    page.wait_for_load_state("networkidle")
    picture.act(page)
    page.wait_for_timeout(1000)  # what moves comes to rest
    page.screenshot(path=IMAGES / f"{name}-{screen}{light}.jpg", type="jpeg", quality=82)
    context.close()


def main() -> None:
    """Take all of them."""
    with tempfile.TemporaryDirectory() as home, service(Path(home)) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS)
        for name, screen, light in product(PICTURES, SCREENS, LIGHTS):
            take(browser, address, name, screen, light)
        browser.close()


if __name__ == "__main__":
    main()

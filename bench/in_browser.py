"""What a person sees of the web app, measured inside the page: for `bench.web`, and with loose limits for the tests."""

from __future__ import annotations

from dataclasses import dataclass, field

from playwright.sync_api import Page

WATCH = """
(() => {
  const kept = window.measured = { shift: 0, shifts: [], tasks: [] };
  new PerformanceObserver(list => list.getEntries().forEach(entry => {
    if (entry.hadRecentInput) return;
    kept.shift += entry.value;
    kept.shifts.push(entry.sources.map(one => one.node?.className ?? String(one.node)).join(", "));
  })).observe({ type: "layout-shift", buffered: true });
  new PerformanceObserver(list => kept.tasks.push(...list.getEntries().map(entry => entry.duration)))
    .observe({ type: "longtask" });
})();
"""
"""Runs before the page's own scripts: sums layout shifts (those that no input caused) and notes tasks over 50 ms."""

AWAIT_LIST = """
() => new Promise(resolve => {
  const list = document.querySelector("#list .rows");
  const words = list.innerText;
  let start;
  addEventListener("click", event => { start = event.timeStamp; }, { capture: true, once: true });
  const watch = new MutationObserver(() => {
    if (list.innerText === words) return;
    watch.disconnect();
    requestAnimationFrame(() => {  // the frame that shows the new list; what is posted in it runs after its paint
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => { window.repainted = performance.now() - start; };
      port2.postMessage(null);
    });
  });
  watch.observe(list, { childList: true, characterData: true, subtree: true });
  window.repainted = null;
  resolve();
})
"""
"""From the time stamp of the click to after the frame in which the list beside the films has changed."""


@dataclass
class Ratings:
    """Milliseconds from rating to repainted list, and why tries were not counted."""

    milliseconds: list[float] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def rate_and_wait(page: Page, tries: int) -> Ratings:
    """Rate films by mouse, one after the other, until so many ratings are counted."""
    page.goto("/")
    page.locator("#list .rows > li").nth(9).wait_for()
    found = Ratings()
    place = 0
    while len(found.milliseconds) < tries:
        if place and place % 12 == 0:
            page.get_by_role("button", name="Show other films").click()
            page.locator(".wall .card [aria-valuetext='not rated']").nth(11).wait_for()
        slider = page.locator(".wall [role=slider]").nth(place % 12)
        slider.scroll_into_view_if_needed()
        page.evaluate(AWAIT_LIST)
        with page.expect_response(lambda answer: answer.url.endswith("/ratings")) as answer:
            box = slider.bounding_box()
            assert box
            slider.click(position={"x": box["width"] * (0.35 + 0.6 * (place * 7 % 10) / 10), "y": box["height"] / 2})
        answer.value.finished()
        page.wait_for_timeout(500)  # moves of cards have ended: the next rating finds a page at rest
        place += 1
        value = page.evaluate("window.repainted")
        if value is None:
            found.left_out.append(f"rating {place}: the list stayed as it was")
        else:
            found.milliseconds.append(value)
        assert place < 10 * tries, f"the list hardly ever changes: {found.left_out}"
    return found


def scroll(page: Page, cards: int) -> tuple[int, list[float]]:
    """Scroll through so many films or more; returns how many there were and the tasks over 50 ms, in ms."""
    page.goto("/for-you")
    page.locator(".choice").nth(23).wait_for()
    while (count := page.locator(".choice").count()) < cards:
        page.get_by_role("button", name="Show more").click()
        page.locator(".choice").nth(count).wait_for()
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(500)
    page.evaluate("window.measured.tasks.length = 0")
    page.mouse.move(400, 400)
    while page.evaluate("scrollY + innerHeight < document.documentElement.scrollHeight - 2"):
        page.mouse.wheel(0, 600)
        page.wait_for_timeout(30)
    page.wait_for_timeout(100)
    return count, page.evaluate("window.measured.tasks")


def shift(page: Page, path: str) -> tuple[float, list[str]]:
    """Load a page; returns how far its content jumped after it was first shown, and what jumped."""
    page.goto(path)
    page.get_by_role("heading", level=1).wait_for()
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(200)
    return page.evaluate("[window.measured.shift, window.measured.shifts]")


def first_load(page: Page, path: str = "/") -> dict[str, int]:
    """Load a page with nothing kept; returns the bytes of every answer, headers and all, as they crossed the wire."""
    sizes: dict[str, int] = {}

    def note(request: object) -> None:
        done = request.sizes()  # type: ignore[attr-defined]
        sizes[request.url] = done["responseBodySize"] + done["responseHeadersSize"]  # type: ignore[attr-defined]

    page.on("requestfinished", note)
    page.goto(path)
    page.wait_for_load_state("networkidle")
    page.remove_listener("requestfinished", note)
    return sizes

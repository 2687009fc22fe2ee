"""The web app as one sees it, in Chromium beside the service on one machine: how fast, how heavy, how calm.

A rating is counted from the time stamp of the click to after the frame that shows another list; cards then move to
their places for a third of a second. Every page is opened by a newcomer and by somebody with ratings.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

import matinee
from bench.chromium import ARGUMENTS, executable
from bench.common import MATINEE, Check, report
from bench.in_browser import WATCH, first_load, rate_and_wait, scroll, shift
from bench.service_world import Server, free_port, running
from matinee import training
from matinee.registry import Registry

TRIES = 40
CARDS = 500
SOMEBODY = "42"
"""Of the sample: 70 ratings and more."""
PAGES = (
    "/", "/for-you", "/for-you?genre_any=Western", "/search?q=star", "/film/260", "/my-films?view=ratings", "/taste",
    "/movie-night", "/import", "/operator",
)  # fmt: skip
WIDTHS = (320, 1280, 2560)


def run(*, quick: bool = False) -> list[Check]:
    """Measure; quick: ten ratings, 100 cards, one width."""
    raw: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder, _service(Path(folder)) as server, _browser() as browser:
        raw["chromium"] = browser.version
        address = f"http://127.0.0.1:{server.address[1]}"
        sizes = first_load(_page(browser, address))
        rated = rate_and_wait(_page(browser, address), 10 if quick else TRIES)
        cards, tasks = scroll(_page(browser, address), 100 if quick else CARDS)
        shifts = {
            f"{path} {width} px, {who or 'newcomer'}": shift(_page(browser, address, width, who), path)[0]
            for path in PAGES
            for width in WIDTHS[: 1 if quick else None]
            for who in ("", SOMEBODY)
        }
    times = rated.milliseconds
    raw["counted ratings"] = len(times)
    raw["first load"] = {"requests": len(sizes), "bytes": sum(sizes.values()), "fonts, bytes": _of(sizes, ".woff2")}
    raw["rating to repainted list, ms"] = {
        "first (somebody new joins)": times[0], "median": statistics.median(times), "most": max(times),
        "not counted": "; ".join(rated.left_out) or "none",
    }  # fmt: skip
    raw["scrolling"] = {"cards": cards, "tasks over 50 ms": tasks}
    raw["layout shift"] = {name: value for name, value in shifts.items() if value >= 0.001} | {"pages": len(shifts)}
    checks = [
        Check("first load, every request of /", sum(sizes.values()) / 1000, 150, at_least=False, unit="kB"),
        Check("rating to repainted list, p95", float(np.percentile(times, 95)), 100, at_least=False, unit="ms"),
        Check(f"longest task while {cards} cards scroll", max(tasks, default=0), 50, at_least=False, unit="ms"),
        Check("layout shift after load, the worst page", max(shifts.values()), 0.02, at_least=False, unit=""),
    ]
    return report("web_quick" if quick else "web", checks, raw)


@contextmanager
def _service(home: Path) -> Iterator[Server]:
    training.train(matinee.load("sample"), Registry(home / "models"), picks=matinee.ImplicitALS(), test=0)
    port = free_port()
    command = [MATINEE, "serve", "--home", str(home), "--port", str(port), "--workers", "1"]
    with running(command, home / "service.log", port, "/readyz", {}) as server:
        yield server


@contextmanager
def _browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS)
        yield browser
        browser.close()


def _page(browser: Browser, address: str, width: int = 1280, who: str = "") -> Page:
    context = browser.new_context(base_url=address, viewport={"width": width, "height": 860})
    context.add_init_script(WATCH)
    if who:
        context.add_init_script(f"localStorage.setItem('matinee-user', '{who}')")
    return context.new_page()


def _of(sizes: dict[str, int], ending: str) -> int:
    return sum(size for address, size in sizes.items() if address.endswith(ending))

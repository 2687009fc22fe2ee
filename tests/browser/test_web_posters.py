"""With an operator's key TMDb's pictures lie over the drawn posters, credited; where there is none, nothing changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from served_app import served

import tmdb
from matinee.settings import Settings
from matinee.web import posters

KEY = "0123456789abcdef0123456789abcdef"


def test_pictures_of_tmdb_are_shown_with_their_credit(
    browser: Browser, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tmdb.running() as theirs:
        monkeypatch.setattr(posters, "API", theirs.address)
        monkeypatch.setattr(posters, "IMAGES", theirs.address)
        with served(Settings(home=home, tmdb_key=KEY)) as service:
            context = browser.new_context(base_url=service.address)
            page = context.new_page()
            problems: list[str] = []
            page.on("console", lambda message: problems.append(message.text))
            page.goto("/film/260")
            picture = page.locator(".film-poster .poster-picture")
            expect(picture).to_have_class("poster-picture there")
            assert picture.evaluate("image => image.naturalWidth") == 2
            expect(page.locator(".credit")).to_contain_text("not endorsed or certified by TMDB")
            page.goto("/film/296")
            expect(page.locator(".film-poster .poster-title")).to_have_text("Pulp Fiction")
            expect(page.locator(".film-poster .poster-picture")).to_have_count(0)
            assert problems == []
            assert KEY not in page.content()
            context.close()
        pictures = [path for path, _ in theirs.asked if path.startswith("/t/p/")]
        assert set(pictures) == {"/t/p/w342/star-wars.png"}

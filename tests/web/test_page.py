"""The page: whole, from here only, with nothing inline."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient


def test_the_page_and_all_it_names_are_served_here(client: FlaskClient) -> None:
    with client.get("/") as page:
        assert page.status_code == 200
        assert page.mimetype == "text/html"
        named = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(named) == 3
    for path in named:
        with client.get(path) as answer:
            assert answer.status_code == 200, path
            assert "http://" not in answer.text.replace("http://www.w3.org/2000/svg", "")
            assert "https://" not in answer.text
    with client.get("/favicon.ico") as icon:
        assert icon.mimetype == "image/svg+xml"


def test_nothing_is_inline(client: FlaskClient) -> None:
    with client.get("/") as answer:
        page = answer.text
    assert re.findall(r"<script[^>]*>", page) == ['<script src="/static/page.js" type="module">']
    assert "<style" not in page
    assert not re.search(r"\son\w+=|\sstyle=", page)


@pytest.mark.parametrize("unsafe", ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("])
def test_titles_can_only_become_text(client: FlaskClient, unsafe: str) -> None:
    with client.get("/static/page.js") as script:
        assert unsafe not in script.text

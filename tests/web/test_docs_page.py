"""The page of all routes: complete, from here alone, and nothing in it that the CSP forbids."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from flask.testing import FlaskClient


class Seen(HTMLParser):
    """Collects what a page loads, names and writes inline."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.add(name)
            if name in ("src", "href"):
                self.addresses.append(str(value))
            if name == "id":
                self.ids.append(str(value))


def test_every_route_is_on_it(client: FlaskClient) -> None:
    document, page = client.get("/api/openapi.json").json, client.get("/api/docs")
    assert (page.status_code, page.content_type) == (200, "text/html; charset=utf-8")
    seen = Seen()
    seen.feed(page.text)
    wanted = [one["operationId"] for methods in document["paths"].values() for one in methods.values()]
    assert sorted(seen.ids) == sorted(wanted)
    for path in document["paths"]:
        assert path in page.text


def test_it_loads_nothing_from_elsewhere_and_all_that_it_names_is_there(client: FlaskClient) -> None:
    page = client.get("/api/docs")
    seen = Seen()
    seen.feed(page.text)
    assert not {"script", "style"} & seen.tags
    assert not [name for name in seen.attributes if name == "style" or name.startswith("on")]
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    for address in seen.addresses:
        assert client.get(address).status_code == 200, address


def test_fields_say_what_they_are(client: FlaskClient) -> None:
    text = re.sub(r"\s+", " ", client.get("/api/docs").text)
    assert "recommendations.stars_low" in text
    assert "picks or stars or stars_low" in text
    assert "For example [&#34;Comedy&#34;]" in text

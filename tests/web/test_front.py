"""What the server hands over becomes WSGI: bodies arrive first, short reads are answered where they arrive."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined]

from matinee.web import front
from matinee.web.front import Front, environ_of
from matinee.web.turns import BESIDE
from matinee.web.validation import TOO_MANY

LIST = "/api/v1/users/ann/recommendations"
LOOP = "the-loop"


class Headers:
    """Several values of a name stand one after the other, as granian has them."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs

    def items(self) -> list[tuple[str, str]]:
        return self._pairs


@dataclass
class Scope:
    """What was asked."""

    method: str = "GET"
    path: str = LIST
    pairs: list[tuple[str, str]] = field(default_factory=list)
    query_string: str = ""
    server: str = "127.0.0.1:8000"
    client: str = "10.0.0.7:5123"
    scheme: str = "http"
    http_version: str = "1.1"
    authority: str | None = None

    @property
    def headers(self) -> Headers:
        return Headers(self.pairs)


class Protocol:
    """Gives a body in parts, and keeps the answer."""

    def __init__(self, parts: Iterable[bytes | Exception] = ()) -> None:
        self.parts, self.read, self.answer = list(parts), 0, None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self.parts:
            await asyncio.sleep(0)
            if isinstance(part, Exception):
                raise part
            self.read += len(part)
            yield part

    def response_bytes(self, *answer: Any) -> None:
        self.answer = answer  # type: ignore[assignment]


class Application:
    """Says what it was asked, and in which thread."""

    def __init__(self, work: Callable[[], None] = lambda: None) -> None:
        self.work, self.closed = work, 0
        self.asked = dict[str, Any]()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        self.work()
        self.asked = environ | {"body": environ["wsgi.input"].read(), "thread": threading.current_thread().name}
        start_response("201 Created", [("X-One", "1")])
        return self

    def __iter__(self) -> Any:
        return iter([b"an ", b"answer"])

    def close(self) -> None:
        self.closed += 1


def ask(application: Any, *asked: tuple[Scope, Protocol], short_reads: bool = True, most_bytes: int = 100) -> Front:
    made = Front(application, at_once=1, most_bytes=most_bytes, short_reads=short_reads)

    async def everybody() -> None:
        made.__rsgi_init__(asyncio.get_running_loop())
        await asyncio.gather(*(made.__rsgi__(*one) for one in asked))  # type: ignore[arg-type]

    with ThreadPoolExecutor(1, LOOP) as pool:  # the main thread may run a loop of another test's browser
        pool.submit(lambda: asyncio.run(everybody())).result(30)
    return made


def test_the_answer_is_the_applications() -> None:
    application, protocol = Application(), Protocol()
    ask(application, (Scope(), protocol))
    assert protocol.answer == (201, [("X-One", "1")], b"an answer")
    assert application.closed == 1


@pytest.mark.parametrize(
    ("scope", "short_reads", "there"),
    [
        (Scope(), True, True),
        (Scope(path="/healthz"), True, True),
        (Scope(path="/api/v1/users/ann/predictions/260"), True, True),
        (Scope(path="/api/v1/users/ann/taste"), True, False),
        (Scope(path=LIST + "/more"), True, False),
        (Scope(method="DELETE"), True, False),
        (Scope(pairs=[("content-length", "2")]), True, False),
        (Scope(), False, False),  # where the database is elsewhere, nothing is a short read
    ],
)
def test_short_reads_are_answered_where_they_arrive(scope: Scope, short_reads: bool, there: bool) -> None:
    application = Application()
    ask(application, (scope, Protocol([b"{}"])), short_reads=short_reads)
    assert application.asked["thread"].startswith(LOOP) == there
    assert (BESIDE in application.asked) == there


def test_a_short_read_waits_for_nobody_who_takes_long() -> None:
    """The long one ends only when the short one has been answered."""
    answered = threading.Event()

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        short = environ["PATH_INFO"] == LIST
        assert short or answered.wait(10)
        start_response("200 OK", [])
        answered.set()
        return [b""]

    long, short = Protocol(), Protocol()
    ask(application, (Scope(path="/api/v1/users/ann/taste"), long), (Scope(), short))
    assert long.answer == short.answer == (200, [], b"")


def test_a_body_is_whole_before_anybody_works_for_it() -> None:
    application = Application()
    ask(application, (Scope("POST", pairs=[("content-length", "6")]), Protocol([b"abc", b"", b"def"])))
    assert application.asked["body"] == b"abcdef"
    ask(application, (Scope("POST", pairs=[("transfer-encoding", "chunked")]), Protocol([b"abc", b"d"])))
    assert application.asked["body"] == b"abcd"
    assert application.asked["wsgi.input_terminated"]


def test_of_a_body_that_is_too_large_little_is_read() -> None:
    application, stated, chunked = Application(), Protocol([b"x" * 60] * 9), Protocol([b"x" * 60] * 9)
    ask(application, (Scope("POST", pairs=[("content-length", "540")]), stated))
    assert (stated.read, application.asked["body"]) == (0, b"")
    ask(application, (Scope("POST", pairs=[("transfer-encoding", "chunked")]), chunked))
    assert (chunked.read, len(application.asked["body"])) == (120, 120)  # enough to be seen to be too much


def test_who_goes_away_in_the_middle_leaves_part_of_a_body_and_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "MOST_BODIES", 1)
    application = Application()
    made = ask(application, (Scope("POST", pairs=[("content-length", "6")]), Protocol([b"abc", ProtocolClosed()])))
    assert application.asked["body"] == b"abc"
    assert made._arriving == 0


def test_more_bodies_than_there_is_room_for_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "MOST_BODIES", 2)
    asked = list[dict[str, Any]]()

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        asked.append(environ)
        start_response("200 OK", [])
        return [b""]

    slow = Scope("POST", pairs=[("content-length", "2")])
    ask(application, *((slow, Protocol([b"a", b"b"])) for _ in range(3)))
    assert sorted(environ.get(TOO_MANY, 0) for environ in asked) == [0, 0, 2]


def test_what_was_asked_is_said_in_wsgis_way() -> None:
    scope = Scope(
        "GET", "/films/é", query_string="q=%C3%A9", server="[::1]:8080", client="[::1]:77", authority="films.example",
        pairs=[
            ("accept", "a"), ("accept", "b"), ("cookie", "x=1"), ("cookie", "y=2"), ("content-type", "text/csv"),
            ("content_length", "9"), ("x_request_id", "spoofed"), ("x-request-id", "mine"),
        ],
    )  # fmt: skip
    environ = environ_of(scope)  # type: ignore[arg-type]
    assert environ["PATH_INFO"].encode("latin-1").decode() == "/films/é"
    assert (environ["QUERY_STRING"], environ["SERVER_PROTOCOL"]) == ("q=%C3%A9", "HTTP/1.1")
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"], environ["REMOTE_ADDR"]) == ("[::1]", "8080", "::1")
    assert (environ["HTTP_ACCEPT"], environ["HTTP_COOKIE"]) == ("a,b", "x=1;y=2")
    assert environ["CONTENT_TYPE"] == "text/csv"
    assert "CONTENT_LENGTH" not in environ  # underscores do not pass for dashes
    assert environ["HTTP_X_REQUEST_ID"] == "mine"
    assert environ["HTTP_HOST"] == "films.example"  # HTTP/2 has no such header

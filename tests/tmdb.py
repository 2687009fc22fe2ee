"""A small TMDb on this machine: some films have posters, one question stays without a good answer."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

POSTERS = {11: "/star-wars.png", 680: None}
BROKEN = 949
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAADCAIAAAA2iEnWAAAAFElEQVR4nGM8IWfDwMDAxMDAgKAAFmYBKDyNj44AAAAASUVORK5CYII="
)


class FakeTmdb(ThreadingHTTPServer):
    """Answers as api.themoviedb.org and image.tmdb.org do; `asked` holds every request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str | None]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """Looks at the path only."""

    server: FakeTmdb

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers["Authorization"]))
        if self.path.startswith("/t/p/"):
            self.reply(200, PICTURE, "image/png")
            return
        number = int(self.path.partition("?")[0].rpartition("/")[2])
        if number == BROKEN:
            self.reply(500, b"oops", "text/plain")
        elif number in POSTERS:
            self.reply(200, json.dumps({"poster_path": POSTERS[number]}).encode(), "application/json")
        else:
            self.reply(404, b"{}", "application/json")

    def reply(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def running() -> Iterator[FakeTmdb]:
    """Serve."""
    server = FakeTmdb()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()

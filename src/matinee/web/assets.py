"""The files of the web app: read once, compressed once, and under an address that changes with their content.

Every file lies below ``/static/<digest>/``, where the digest is of all files together. So browsers may keep each for
good, and modules that name each other by relative paths always get the version that goes with their own.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from flask import Request, Response

FOLDER = Path(__file__).parent / "static"
PREFIX = "/static/"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
"""What is served; licences and notices lie beside the files without being served."""
_COMPRESSED = (".woff2",)
_FOR_GOOD = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class Asset:
    """One file: its content, its media type, and its compressed content where that is smaller to send."""

    content: bytes
    media_type: str
    compressed: bytes | None

    @classmethod
    def of(cls, content: bytes, suffix: str) -> Asset:
        """Compress what is not yet."""
        compressed = None if suffix in _COMPRESSED else gzip.compress(content, mtime=0)
        return cls(content, TYPES[suffix], compressed)

    @cached_property
    def etag(self) -> str:
        """Changes with the content."""
        return hashlib.sha256(self.content).hexdigest()[:16]

    def respond(self, request: Request, cache: str) -> Response:
        """Answer, compressed where the browser takes that, and without a body where it has this very content."""
        packed = self.compressed is not None and request.accept_encodings["gzip"] > 0
        response = Response(self.compressed if packed else self.content, content_type=self.media_type)
        if packed:
            response.content_encoding = "gzip"
        response.headers["Vary"] = "Accept-Encoding"
        response.headers["Cache-Control"] = cache
        response.set_etag(self.etag, weak=packed)
        response.make_conditional(request)
        return response


class Assets:
    """All files of a folder.

    Parameters
    ----------
    folder
        With an ``index.html``, which names the others below `PREFIX`.
    posters
        Whether the page shows posters that others made.
    """

    def __init__(self, folder: Path = FOLDER, *, posters: bool = False) -> None:
        paths = sorted(path for path in folder.rglob("*") if path.suffix in TYPES)
        contents = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
        digest = hashlib.sha256()
        for name, content in contents.items():
            digest.update(f"{name} {len(content)} ".encode() + content)
        self.digest = digest.hexdigest()[:12]
        shell = contents.pop("index.html").replace(PREFIX.encode(), f"{PREFIX}{self.digest}/".encode())
        if posters:
            shell = shell.replace(b"<html ", b'<html data-posters="tmdb" ', 1)
        self.shell = Asset.of(shell, ".html")
        self.files = {name: Asset.of(content, Path(name).suffix) for name, content in contents.items()}

    def respond_shell(self, request: Request) -> Response:
        """Answer with the page that every address of the app shares; browsers ask each time whether it changed."""
        return self.shell.respond(request, "no-cache")

    def respond_file(self, request: Request, digest: str, name: str) -> Response | None:
        """Answer with a file; None where there is none of that name, or it is of another version."""
        asset = self.files.get(name) if digest == self.digest else None
        return asset.respond(request, _FOR_GOOD) if asset else None

    def respond_icon(self, request: Request) -> Response:
        """Answer with the icon."""
        return self.files["favicon.svg"].respond(request, "no-cache")

"""What the server talks to: bodies arrive without a thread each, short reads are answered at once, the rest by a few.

Granian's own way to a WSGI application gives every request a thread from its first byte on. Slow senders then take as
many threads as there are of them, and ordinary requests wait for each other in cold threads, which costs up to a half
of the time again. Here bodies arrive on the server's loop; a request that is whole, reads little and writes nothing is
answered there, one after the other; whatever may take long, or waits for a disk, goes to a few threads.
"""

from __future__ import annotations

import io
import logging
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from granian.rsgi import HTTPProtocol, ProtocolClosed, Scope  # type: ignore[attr-defined]  # of another of its modules

from matinee.web.turns import BESIDE
from matinee.web.validation import TOO_MANY, may_have_body

if TYPE_CHECKING:
    import asyncio

    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

_SHORT = re.compile(r"/healthz|/api/v1/users/[^/]+/(recommendations|predictions/[^/]+)")
"""What reads a few rows at most and computes for a few milliseconds."""
MOST_BODIES = 1216
"""Bodies that may be arriving in a process: a server cannot tell a slow sender from one who never ends."""
THREADS_PER_TURN = 4
"""Of those in threads most only wait for a disk or a lock, so that many can be written by one commit."""


class Front:
    """Answers granian with a WSGI application, by the protocol RSGI.

    Parameters
    ----------
    application
        The application.
    at_once
        How many requests work beside each other where some take long.
    most_bytes
        Of a body, that are read: whoever states more is refused before, of whoever sends more the rest is not read.
    short_reads
        Whether what lists read comes from this machine, so that it is there before a thread could be woken.
    """

    def __init__(self, application: WSGIApplication, *, at_once: int, most_bytes: int, short_reads: bool) -> None:
        self._application, self._most_bytes, self._short_reads = application, most_bytes, short_reads
        self._threads = ThreadPoolExecutor(THREADS_PER_TURN * at_once, "matinee-request")
        self._arriving = 0

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """End the process here: threads of granian's may still ask for an interpreter that is being taken down."""
        self._threads.shutdown()
        logging.shutdown()
        os._exit(0)

    async def __rsgi__(self, scope: Scope, protocol: HTTPProtocol) -> None:
        environ = environ_of(scope)
        if may_have_body(environ):
            await self._receive(environ, protocol)
        elif self._short_reads and scope.method == "GET" and _SHORT.fullmatch(scope.path):
            environ[BESIDE] = True
            self._answer(environ, protocol)
            return
        await self._loop.run_in_executor(self._threads, self._answer, environ, protocol)

    async def _receive(self, environ: WSGIEnvironment, protocol: HTTPProtocol) -> None:
        """Wait for the body, or for as much of it as can be allowed."""
        stated = environ.get("CONTENT_LENGTH")
        if stated is not None and int(stated) > self._most_bytes:
            return  # the application refuses what has not been read
        if self._arriving >= MOST_BODIES:
            environ[TOO_MANY] = MOST_BODIES
            return
        body, self._arriving = bytearray(), self._arriving + 1
        try:
            async for chunk in protocol:
                body += chunk
                if len(body) > self._most_bytes:
                    break
        except ProtocolClosed:
            pass  # nobody waits for the answer; what arrived is less than was stated, which the application refuses
        finally:
            self._arriving -= 1
        environ["wsgi.input"] = io.BytesIO(body)

    def _answer(self, environ: WSGIEnvironment, protocol: HTTPProtocol) -> None:
        status, headers = 500, list[tuple[str, str]]()

        def start(line: str, given: list[tuple[str, str]], error: Any = None) -> Any:
            nonlocal status, headers
            status, headers = int(line[:3]), given

        answer = self._application(environ, start)
        try:
            protocol.response_bytes(status, headers, b"".join(answer))
        finally:
            if close := getattr(answer, "close", None):
                close()


def environ_of(scope: Scope) -> WSGIEnvironment:
    """Say in WSGI's way what was asked (PEP 3333), with an empty body."""
    host, _, port = scope.server.rpartition(":")
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": scope.method, "SCRIPT_NAME": "", "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string, "SERVER_NAME": host, "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}", "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
        "wsgi.version": (1, 0), "wsgi.url_scheme": scope.scheme, "wsgi.input": io.BytesIO(), "wsgi.errors": sys.stderr,
        "wsgi.multithread": True, "wsgi.multiprocess": True, "wsgi.run_once": False, "wsgi.input_terminated": True,
    }  # fmt: skip
    for name, value in scope.headers.items():
        if "_" in name:  # it would pass for another one, whose dashes become the same
            continue
        key = name.replace("-", "_").upper()
        key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
        met = environ.get(key)
        environ[key] = value if met is None else f"{met}{';' if key == 'HTTP_COOKIE' else ','}{value}"
    if "HTTP_HOST" not in environ and scope.authority:
        environ["HTTP_HOST"] = scope.authority
    return environ

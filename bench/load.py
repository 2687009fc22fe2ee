"""A client for benches of HTTP: one thread, one epoll, prepared bytes, so that it takes little from the server.

`steady` is an open loop: requests arrive at random moments of a given rate (a Poisson process) whatever became of those
before, and a latency counts from the moment at which a request was due. `saturated` keeps every connection busy.
"""

from __future__ import annotations

import select
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import repeat

import numpy as np

READ = 1 << 18
HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length:"
PATIENCE_S = 10.0
"""A connection that is silent for so long counts as failed."""

Look = Callable[[int, bytes], None]


@dataclass
class Outcome:
    """What came of a load."""

    seconds: float = 0.0
    processor_seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)

    @property
    def answered(self) -> int:
        return len(self.latencies)

    @property
    def failed(self) -> int:
        """Requests without an answer of 2xx."""
        return sum(count for status, count in self.statuses.items() if not status.startswith("2"))

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.answered / self.seconds

    def milliseconds(self, percent: float) -> float:
        return float(np.percentile(self.latencies, percent)) * 1e3

    def facts(self) -> dict[str, float]:
        """What the record keeps, with what the client itself cost."""
        return {
            "requests": self.answered, "per second": self.rate, "failed": self.failed,
            "ms, median": self.milliseconds(50), "ms, p99": self.milliseconds(99), "ms, max": self.milliseconds(100),
            "client, us of processor per request": self.processor_seconds / max(self.answered, 1) * 1e6,
        }  # fmt: skip


@dataclass
class _Connection:
    socket: socket.socket
    number: int = -1
    due: float = 0.0
    received: bytearray = field(default_factory=bytearray)


def steady(
    address: tuple[str, int], requests: Iterator[bytes], *, rate: float, seconds: float, look: Look | None = None
) -> Outcome:
    """Send at `rate` per second on average; `look` gets the number and the body of each answer."""
    gaps = np.random.default_rng(0).exponential(1 / rate, int(rate * seconds * 1.5) + 10)
    moments = np.cumsum(gaps)
    return _Load(address, requests, look).run(64, iter(moments[moments < seconds].tolist()), seconds)


def saturated(
    address: tuple[str, int], requests: Iterator[bytes], *, connections: int, seconds: float, look: Look | None = None
) -> Outcome:
    """Send the next request as soon as a connection is free."""
    return _Load(address, requests, look).run(connections, repeat(0.0), seconds)


class _Load:
    def __init__(self, address: tuple[str, int], requests: Iterator[bytes], look: Look | None) -> None:
        self._address, self._requests, self._look = address, requests, look
        self._poll = select.epoll()
        self._all: dict[int, _Connection] = {}
        self._free: deque[_Connection] = deque()
        self._sent = 0
        self.outcome = Outcome()

    def run(self, connections: int, moments: Iterator[float], seconds: float) -> Outcome:
        for _ in range(connections):
            self._connect()
        start, busy = time.perf_counter(), time.process_time()
        due = next(moments, None)
        while True:
            now = time.perf_counter() - start
            # The first is sent however late it has become: a load of one request is one, also on a busy machine.
            while due is not None and due <= now and (now < seconds or not self._sent) and self._free:
                self._send(self._free.popleft(), start + (due or now))
                due = next(moments, None)
            if now >= seconds and (len(self._free) == len(self._all) or now > seconds + PATIENCE_S):
                break
            wait = seconds - now if due is None or not self._free else max(due - now, 0.0)
            for number, _ in self._poll.poll(min(max(wait, 0.001), 1.0)):
                self._read(self._all[number])
        self.outcome.processor_seconds = time.process_time() - busy
        self.outcome.seconds = time.perf_counter() - start
        self.outcome.statuses["no answer"] += len(self._all) - len(self._free)
        for connection in self._all.values():
            connection.socket.close()
        self._poll.close()
        return self.outcome

    def _connect(self) -> None:
        connected = socket.create_connection(self._address, PATIENCE_S)
        connected.setblocking(False)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._all[connected.fileno()] = connection = _Connection(connected)
        self._free.append(connection)
        self._poll.register(connected, select.EPOLLIN)

    def _send(self, connection: _Connection, due: float) -> None:
        connection.number, connection.due = self._sent, due
        self._sent += 1
        connection.socket.send(next(self._requests))

    def _read(self, connection: _Connection) -> None:
        try:
            data = connection.socket.recv(READ)
        except OSError:
            data = b""
        if not data:
            self._lost(connection)
            return
        received = connection.received
        received += data
        end = received.find(HEAD_END)
        if end < 0 or len(received) < end + 4 + _length(received, end):
            return
        self.outcome.latencies.append(time.perf_counter() - connection.due)
        self.outcome.statuses[received[9:12].decode()] += 1
        if self._look:
            self._look(connection.number, bytes(received[end + 4 :]))
        received.clear()
        connection.number = -1
        self._free.append(connection)

    def _lost(self, connection: _Connection) -> None:
        """Replace a connection that the server closed; the request on it failed."""
        if connection.number >= 0:
            self.outcome.statuses["no answer"] += 1
        else:
            self._free.remove(connection)
        del self._all[connection.socket.fileno()]
        connection.socket.close()
        self._connect()


def _length(received: bytearray, end: int) -> int:
    head = bytes(received[:end]).lower()
    place = head.find(LENGTH)
    return 0 if place < 0 else int(head[place + len(LENGTH) :].partition(b"\r\n")[0])

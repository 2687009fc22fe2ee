"""The service as it runs: processes of its own, a real port, a real file of ratings."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from matinee.data.ratings import Ratings
from matinee.errors import ParameterError, StoreError
from matinee.models.als import ALS
from matinee.registry import Registry
from matinee.settings import Settings
from matinee.store.ratings import RatingStore
from matinee.web.server import serve, url_of

T = TypeVar("T")
SERVE = """
import sys
from matinee.settings import Settings
from matinee.web.server import serve

if __name__ == "__main__":
    settings = Settings.read(home=sys.argv[1], port=int(sys.argv[2]), workers=int(sys.argv[3]), max_body_bytes=100_000)
    serve(settings, on_ready=lambda url: print(url, flush=True), fork=True)
"""
TUTORIAL = "260,4\n1,3\n16,3\n25,4\n32,4\n335,1\n379,1\n296,3\n858,5\n50,4\n"
"""The ten ratings of the tutorial's new user."""


@dataclass
class Service:
    """A running service."""

    process: subprocess.Popen[str]
    url: str

    def ask(self, path: str, body: bytes | str | None = None, content_type: str = "application/x-www-form-urlencoded"):
        data = body.encode() if isinstance(body, str) else body
        request = urllib.request.Request(self.url + path, data, {"Content-Type": content_type})
        with urllib.request.urlopen(request, timeout=20) as response:
            return json.load(response)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Return the exit code and how many seconds stopping took."""
        start = time.monotonic()
        self.process.send_signal(how)
        return self.process.wait(30), time.monotonic() - start


@contextmanager
def running(home: Path, workers: int = 1) -> Iterator[Service]:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(home), "0", str(workers)],
        stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout
    try:
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:"), f"the service did not come up: {process.poll()}"
        yield Service(process, url)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(30)
        process.stdout.close()


def eventually(ask: Callable[[], T], seconds: float = 30) -> T:
    """Ask again until there is an answer that is no error."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a small model that knows the tutorial's films."""
    rng = np.random.default_rng(5)
    movies = np.array([260, 1, 16, 25, 32, 335, 379, 296, 858, 50, 500, *range(1001, 1050)])
    users = np.arange(1, 61)
    user_ids, movie_ids = (side.ravel() for side in np.meshgrid(users, movies))
    some = rng.random(len(user_ids)) < 0.7
    stars = rng.integers(1, 11, len(user_ids)) / 2
    ratings = Ratings.from_arrays(user_ids[some], movie_ids[some], stars[some])
    home = tmp_path_factory.mktemp("home")
    Registry(home / "models").publish(ALS(rank=4, iterations=3).fit(ratings))
    return home


@pytest.fixture
def home(trained: Path, tmp_path: Path) -> Path:
    """A home of this test's own, with that model."""
    (tmp_path / "models").symlink_to(trained / "models")
    return tmp_path


def test_the_tutorials_session_and_the_same_answers_after_a_restart(home: Path) -> None:
    with running(home, workers=2) as service:
        assert service.ask("/readyz")["status"] == "ready"
        saved = service.ask("/0/ratings", TUTORIAL)
        top, one = service.ask("/0/ratings/top/10"), service.ask("/0/ratings/500")
        code, seconds = service.stop()
        assert (code, seconds < 10) == (0, True)
    rated = [(int(movie), float(stars)) for movie, stars in (line.split(",") for line in TUTORIAL.split())]
    assert saved == [[0, movie, stars] for movie, stars in rated]
    assert len(top) == 10
    assert not {f"Movie {movie}" for movie, _ in rated} & {title for title, _, _ in top}
    assert [stars for _, stars, _ in top] == sorted((stars for _, stars, _ in top), reverse=True)
    assert all(count >= 25 for _, _, count in top)
    assert [title for title, _, _ in one] == ["Movie 500"]
    with running(home) as service:
        assert service.ask("/0/ratings/top/10") == top
        assert service.ask("/0/ratings/500") == one


def test_every_process_sees_a_rating_at_the_next_request(home: Path) -> None:
    with running(home, workers=2) as service:
        for movie in range(1001, 1021):
            service.ask("/ann/ratings", f"{movie},4")
            with ThreadPoolExecutor(4) as pool:
                answers = list(pool.map(lambda _: service.ask("/api/v1/users/ann/ratings"), range(4)))
            assert {answer["ratings"][0]["movie_id"] for answer in answers} == {movie}


def test_killed_after_the_answer_nothing_is_lost_and_nobody_is_left(home: Path) -> None:
    with running(home, workers=2) as service:
        for movie in range(1001, 1011):
            service.ask("/0/ratings", f"{movie},4")
        orphans = _workers(service)
        service.process.kill()
        service.process.wait(10)
    assert len(orphans) == 2
    eventually(lambda: _assert_gone(orphans))
    store = RatingStore(Settings(home=home).database)
    assert set(store.ratings_of("0")) == set(range(1001, 1011))
    store.close()


def _assert_gone(pids: list[int]) -> None:
    if any(Path(f"/proc/{pid}").exists() for pid in pids):
        raise OSError(f"some of {pids} are still there")


def test_a_killed_worker_comes_back_and_knows_every_rating(home: Path) -> None:
    with running(home) as service:
        service.ask("/0/ratings", TUTORIAL)
        before = _workers(service)
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: service.ask("/readyz"))
        assert service.ask("/api/v1/users/0/ratings")["total"] == 10
        assert not set(_workers(service)) & set(before)


def _workers(service: Service) -> list[int]:
    children = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children").read_text().split()
    return [pid for pid in map(int, children) if b"resource_tracker" not in Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_processes_share_what_is_imported_also_those_that_come_back(home: Path) -> None:
    with running(home, workers=2) as service:
        first = _workers(service)
        assert min(map(shared_megabytes, first)) > 40  # 100 are imported
        os.kill(first[0], signal.SIGKILL)
        eventually(lambda: _assert_gone(first[:1]))
        eventually(lambda: service.ask("/readyz"))
        second = set(eventually(lambda: _two_workers(service))) - set(first)
        assert min(map(shared_megabytes, second)) > 40


def _two_workers(service: Service) -> list[int]:
    found = _workers(service)
    if len(found) < 2:
        raise OSError("one is still to come back")
    return found


def shared_megabytes(pid: int) -> float:
    """Memory that was written and is still shared: with the parent, from before the fork."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith("Shared_Dirty"))


def test_a_promoted_model_answers_within_seconds(home: Path) -> None:
    (home / "models").unlink()
    with running_without_model(home) as service:
        with pytest.raises(urllib.error.HTTPError, match="503") as refused:
            service.ask("/readyz")
        assert "matinee train" in json.load(refused.value)["missing"]["model"]
        assert service.ask("/healthz") == {"status": "ok"}
        ratings = Ratings.from_arrays([1, 1, 2], [1, 2, 2], [4.0, 3.0, 5.0])
        wanted = Registry(home / "models").publish(ALS(rank=2, iterations=1).fit(ratings))
        assert eventually(lambda: service.ask("/readyz"))["model_id"] == wanted


@contextmanager
def running_without_model(home: Path) -> Iterator[Service]:
    """As `running`, for a service that does not become ready."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-c", SERVE, str(home), str(port), "1"], stdout=subprocess.DEVNULL)
    service = Service(process, url_of("127.0.0.1", port))
    try:
        eventually(lambda: service.ask("/healthz"))
        yield service
    finally:
        process.terminate()
        process.wait(30)


def test_a_body_of_50_mb_is_refused_before_it_is_read(home: Path) -> None:
    body = b"260,4\n" * 8_333_333
    with running(home) as service:
        for path in ("/0/ratings", "/api/v1/users/0/ratings"):
            assert _status_of_large_post(service, path, body) == 413
        assert service.ask("/readyz")["status"] == "ready"


def _status_of_large_post(service: Service, path: str, body: bytes) -> int:
    """Send as curl does: read the answer even where the server stops listening to the body."""
    host, port = service.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode())
        with suppress(ConnectionError):
            connection.sendall(body)
        return int(connection.recv(100).split()[1])


def test_stops_soon_with_idle_and_slow_connections_open(home: Path) -> None:
    with running(home) as service:
        host, port = service.url.removeprefix("http://").split(":")
        idle, slow = (socket.create_connection((host, int(port)), timeout=20) for _ in range(2))
        slow.sendall(b"POST /0/ratings HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n260,")
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 200 " in idle.recv(1000)
        code, seconds = service.stop(signal.SIGINT)
        idle.close()
        slow.close()
    assert code == 0
    assert seconds < 10


def test_ctrl_c_in_a_terminal_stops_it(home: Path) -> None:
    """The terminal tells every process of its group."""
    with running(home, workers=2) as service:
        start = time.monotonic()
        os.killpg(service.process.pid, signal.SIGINT)
        assert service.process.wait(30) == 0
        assert time.monotonic() - start < 5


def test_a_taken_port_is_refused(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ParameterError, match=r"cannot be listened on.*--port"):
            serve(Settings(home=home, port=taken.getsockname()[1]))


def test_a_database_that_cannot_be_used_is_refused(home: Path) -> None:
    (home / "matinee.db").write_bytes(b"not a database" * 100)
    with pytest.raises(StoreError, match="not a database"):
        serve(Settings(home=home, port=0))


@pytest.mark.skipif(find_spec("gunicorn") is None, reason="gunicorn, the documented alternative, is not installed")
def test_gunicorn_serves_the_same_application(home: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [
            sys.executable, "-m", "gunicorn", "--worker-class", "gthread", "--threads", "4", "--no-control-socket",
            "--bind", f"127.0.0.1:{port}", "matinee.web.server:build_app()",
        ],
        env=os.environ | {"MATINEE_HOME": str(home)},
    )  # fmt: skip
    service = Service(process, url_of("127.0.0.1", port))
    try:
        eventually(lambda: service.ask("/readyz"))
        assert service.ask("/0/ratings", "260,4\n") == [[0, 260, 4.0]]
    finally:
        process.terminate()
        assert process.wait(30) == 0


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("::1", "http://[::1]:80"),
        ("films.example", "http://films.example:80"),
    ],
)
def test_addresses_that_a_browser_can_open(host: str, url: str) -> None:
    assert url_of(host, 80) == url

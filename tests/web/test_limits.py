"""Counters of requests that threads and processes share."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from matinee.web.limits import RateLimiter


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limiter(tmp_path: Path, clock: Clock) -> Iterator[RateLimiter]:
    limiter = RateLimiter(tmp_path / "run" / "counters", clock)
    yield limiter
    limiter.close()


def test_lets_so_many_through_and_says_when_to_come_back(limiter: RateLimiter, clock: Clock) -> None:
    assert [limiter.wait("ann", 3, 60) for _ in range(4)] == [0, 0, 0, 20]
    assert limiter.wait("bob", 3, 60) == 0
    clock.now += 19
    assert limiter.wait("ann", 3, 60) == 1
    clock.now += 1
    assert [limiter.wait("ann", 3, 60) for _ in range(2)] == [0, 20]
    clock.now += 3600
    assert [limiter.wait("ann", 3, 60) for _ in range(4)] == [0, 0, 0, 20]


def test_what_an_earlier_start_of_the_machine_left_does_not_lock_anybody_out(
    limiter: RateLimiter, clock: Clock
) -> None:
    clock.now = 1e9
    assert limiter.wait("ann", 3, 60) == 0
    clock.now = 5.0
    assert [limiter.wait("ann", 3, 60) for _ in range(4)] == [0, 0, 0, 20]


def test_threads_count_exactly(limiter: RateLimiter) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: limiter.wait("ann", 100, 60), range(400)))
    assert answers.count(0) == 100


def _ask(path: Path) -> None:
    limiter = RateLimiter(path)
    passed = sum(limiter.wait("ann", 50, 3600) == 0 for _ in range(40))
    limiter.close()
    (path.parent / f"passed-{multiprocessing.current_process().name}").write_text(str(passed))


def test_processes_share_the_counters(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_ask, args=(tmp_path / "counters",)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert sum(int(path.read_text()) for path in tmp_path.glob("passed-*")) in (50, 51)  # one more per 72 s

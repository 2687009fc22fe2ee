"""Blocks of rows on threads: everything once, errors and Ctrl-C out at once."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info, threadpool_limits

from matinee.models.parallel import available_threads, equal_blocks, one_blas_thread, run_blocks


@given(costs=st.lists(st.integers(0, 1000), max_size=50), blocks=st.integers(1, 20))
def test_blocks_cover_every_row_once(costs: list[int], blocks: int) -> None:
    spans = equal_blocks(np.array(costs, np.int64), blocks)
    assert [row for first, last in spans for row in range(first, last)] == list(range(len(costs)))
    assert len(spans) <= blocks


def test_blocks_cost_about_the_same() -> None:
    costs = np.random.default_rng(0).integers(1, 100, 10_000)
    sums = [costs[first:last].sum() for first, last in equal_blocks(costs, 10)]
    assert max(sums) - min(sums) <= 2 * costs.max()


@pytest.mark.parametrize("threads", [1, 2, 5, None])
def test_every_block_is_worked_on_once(threads: int | None) -> None:
    done = np.zeros(100, np.int64)

    def work(first: int, last: int) -> None:
        done[first:last] += 1

    run_blocks(work, [(n, n + 4) for n in range(0, 100, 4)], threads)
    assert (done == 1).all()


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("problem", [KeyboardInterrupt, ValueError])
def test_a_problem_stops_the_rest_and_leaves_no_thread(threads: int, problem: type[BaseException]) -> None:
    begun = []

    def work(first: int, last: int) -> None:
        begun.append(first)
        if first == 2:
            raise problem("stop")

    with pytest.raises(problem):
        run_blocks(work, [(n, n + 1) for n in range(1000)], threads)
    assert len(begun) < 1000
    assert not [thread for thread in threading.enumerate() if thread.name == "matinee-rows"]


def test_no_blocks_no_work() -> None:
    run_blocks(lambda *_: pytest.fail("there is nothing to do"), [])
    assert available_threads() >= 1


def blas_threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_blas_has_one_thread_inside_and_its_own_number_again_after() -> None:
    entered, leave = threading.Event(), threading.Event()

    @one_blas_thread()
    def elsewhere() -> None:
        entered.set()
        leave.wait(10)

    with threadpool_limits(3, user_api="blas"):
        before = blas_threads()  # a machine may give fewer than were asked for
        other = threading.Thread(target=elsewhere)
        with one_blas_thread():
            other.start()
            entered.wait(10)
            with one_blas_thread():
                assert blas_threads() == {1}
            assert blas_threads() == {1}
        assert blas_threads() == before
        leave.set()
        other.join()
        assert blas_threads() == before
        with pytest.raises(ValueError, match="lifted all the same"), one_blas_thread():
            raise ValueError("lifted all the same")
        assert blas_threads() == before

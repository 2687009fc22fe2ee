"""The compiled row solve against the readable reference, and what it promises beyond that."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import small_world
from hypothesis import given, settings
from hypothesis import strategies as st

from matinee.data.ratings import Csr
from matinee.errors import ParameterError
from matinee.models.artifact import save
from matinee.models.kernels import aligned_zeros, gramian, regrouped, solve_rows, warm
from matinee.models.solver import solve_row

N_COLUMNS = 60
COUNTS = [0, 1, 5, 700, 0, 16, 33, 64, 100, 1]  # empty, single, many chunks, around whole vectors


def problem(rank: int, counts: list[int], seed: int = 0) -> dict:
    rng = np.random.default_rng(seed)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    nnz = int(indptr[-1])
    return {
        "indptr": indptr,
        "indices": rng.integers(0, N_COLUMNS, nnz).astype(np.int32),
        "targets": rng.normal(size=nnz).astype(np.float32),
        "factors": rng.normal(size=(N_COLUMNS, rank)).astype(np.float32),
        "weights": rng.uniform(0.1, 3, nnz).astype(np.float32),
        "offsets": rng.normal(size=N_COLUMNS).astype(np.float32),
        "regularization": (0.1 * np.array(counts) + 0.5).astype(np.float32),
        "bias_regularization": (0.05 * np.array(counts) + 0.1).astype(np.float32),
        "gram": np.eye(rank, dtype=np.float32) * 2 + 0.25,
    }


def assert_agrees(given: dict, tolerance: float = 2e-4) -> None:
    """Compare with the reference row by row: factors, biases and losses."""
    solved = solve_rows(**given)
    biased, weighted = "bias_regularization" in given, "weights" in given
    for row in range(len(given["indptr"]) - 1):
        span = slice(given["indptr"][row], given["indptr"][row + 1])
        columns = given["indices"][span]
        y = given["factors"][columns].astype(np.float64)
        t = given["targets"][span] - (given["offsets"][columns] if "offsets" in given else 0.0)
        w = given["weights"][span] if weighted else np.ones(len(t))
        expected = solve_row(
            y, t, regularization=float(given["regularization"][row]), weights=w, gram=given.get("gram"),
            bias_regularization=float(given["bias_regularization"][row]) if biased else None,
        )  # fmt: skip
        bias = solved.biases[row] if biased else 0.0
        np.testing.assert_allclose(solved.factors[row], expected.factors, atol=tolerance)
        assert bias == pytest.approx(expected.bias, abs=tolerance)
        loss = (w * (t / w - y @ expected.factors - expected.bias) ** 2).sum()
        loss += expected.factors @ given["gram"] @ expected.factors if "gram" in given else 0.0
        assert solved.losses[row] == pytest.approx(loss, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("rank", [1, 2, 7, 8, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 100, 128, 129, 200])
def test_every_rank_agrees_with_the_reference(rank: int) -> None:
    everything = problem(rank, COUNTS)
    assert_agrees(everything)
    assert_agrees({name: everything[name] for name in everything if name not in ("weights", "gram", "offsets")})


@pytest.mark.parametrize("kept", list(product([False, True], repeat=4)))
def test_every_combination_of_terms_agrees(kept: tuple[bool, ...]) -> None:
    everything = problem(20, COUNTS, seed=1)
    optional = ("weights", "gram", "offsets", "bias_regularization")
    dropped = {name for name, keep in zip(optional, kept, strict=True) if not keep}
    assert_agrees({name: value for name, value in everything.items() if name not in dropped})


@settings(deadline=None, max_examples=40)
@given(rank=st.integers(1, 70), counts=st.lists(st.integers(0, 150), min_size=1, max_size=6), seed=st.integers(0, 99))
def test_any_small_problem_agrees(rank: int, counts: list[int], seed: int) -> None:
    assert_agrees(problem(rank, counts, seed))


def test_one_rating_known_answer() -> None:
    solved = solve_rows(
        np.array([0, 1]), np.array([0], np.int32), np.array([3], np.float32), np.array([[2]], np.float32),
        regularization=1.0,
    )  # fmt: skip
    assert solved.factors[0, 0] == pytest.approx(6 / 5)
    assert solved.losses[0] == pytest.approx((3 - 12 / 5) ** 2, rel=1e-5)


def test_a_huge_row_keeps_its_precision() -> None:
    rng = np.random.default_rng(0)
    n, rank = 150_000, 32
    factors = rng.normal(size=(N_COLUMNS, rank)).astype(np.float32)
    indices, truth = rng.integers(0, N_COLUMNS, n).astype(np.int32), rng.normal(size=rank)
    targets = (factors @ truth)[indices].astype(np.float32)
    solved = solve_rows(np.array([0, n]), indices, targets, factors, regularization=1e-3)
    np.testing.assert_allclose(solved.factors[0], truth, atol=1e-3)


@pytest.mark.parametrize("rank", [24, 64])
def test_threads_do_not_change_a_bit(rank: int) -> None:
    counts = np.random.default_rng(3).integers(0, 90, 400).tolist()
    runs = [solve_rows(**problem(rank, counts), threads=threads) for threads in (1, 2, 3, 7)]
    for run in runs[1:]:
        for one, other in zip(runs[0], run, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("rank", [3, 16, 40])
@pytest.mark.parametrize("biased", [False, True])
def test_singular_systems_never_give_nan(rank: int, biased: bool) -> None:
    """One direction repeated, more unknowns than entries, hardly any regularization, a column of zeros."""
    factors = np.tile(np.linspace(0, 1, rank, dtype=np.float32), (5, 1))
    for regularization in (0.0, 1e-12, 1e-7):
        solved = solve_rows(
            np.array([0, 5, 6]), np.array([0, 1, 2, 3, 4, 0], np.int32), np.ones(6, np.float32), factors,
            regularization=regularization, bias_regularization=0.0 if biased else None,
        )  # fmt: skip
        assert np.isfinite(solved.factors).all()
        assert np.abs(solved.factors).max() < 1e3
        assert np.isfinite(solved.losses).all()


def test_read_only_and_unpadded_arrays_need_no_other_compilation(tmp_path) -> None:
    from numba.core.event import install_recorder

    given = problem(10, [4, 9])
    np.save(tmp_path / "factors.npy", given["factors"])
    expected = solve_rows(**given).factors
    given["factors"] = np.load(tmp_path / "factors.npy", mmap_mode="r")
    with install_recorder("numba:compile") as recorder:
        np.testing.assert_array_equal(solve_rows(**given).factors, expected)
    assert not recorder.buffer


def test_out_receives_the_factors() -> None:
    for rank in (16, 10):
        given, out = problem(rank, [3, 8]), aligned_zeros(2, rank)
        assert solve_rows(**given, out=out).factors is out
        np.testing.assert_array_equal(out, solve_rows(**given).factors)


def test_regularizations_of_the_wrong_number_are_refused() -> None:
    given = problem(4, [3, 8]) | {"regularization": np.ones(3, np.float32)}
    with pytest.raises(ParameterError, match="3 regularizations arrived for 2 rows"):
        solve_rows(**given)


@pytest.mark.parametrize(("n", "rank"), [(1, 3), (300, 20), (9000, 33)])
def test_gramian(n: int, rank: int) -> None:
    factors = np.random.default_rng(n).normal(size=(n, rank)).astype(np.float32)
    np.testing.assert_allclose(gramian(factors), factors.T.astype(float) @ factors, rtol=1e-4, atol=1e-4 * n)
    np.testing.assert_array_equal(gramian(factors, threads=1), gramian(factors, threads=2))


def test_regrouping_transposes_and_renumbers() -> None:
    rng = np.random.default_rng(5)
    dense = rng.integers(0, 3, (6, 4)).astype(np.float32)
    rows, columns = np.nonzero(dense)
    indptr = np.concatenate([[0], np.cumsum((dense > 0).sum(axis=1))]).astype(np.int64)
    order, rank = rng.permutation(6), rng.permutation(4).astype(np.int32)
    turned = regrouped(Csr(indptr, columns.astype(np.int32), dense[rows, columns], 4), order, rank)
    again = np.zeros((4, 6), np.float32)
    again[turned.row_of_entry(), turned.indices] = turned.values
    expected = np.empty((4, 6), np.float32)
    expected[rank] = dense[order].T
    np.testing.assert_array_equal(again, expected)
    assert all((np.diff(turned.row(row)[0]) > 0).all() for row in range(4))


def test_rows_begin_at_cache_lines() -> None:
    assert aligned_zeros(3, 16).ctypes.data % 64 == 0


def test_warm_is_silent_once_loaded() -> None:
    warm()
    warm(lambda: pytest.fail("nothing was compiled"))


def test_a_second_process_loads_what_the_first_compiled(tmp_path) -> None:
    """A read-only installation with a cache folder: compile once, and say so; after that nothing is written again."""
    code = "from matinee.models.kernels import warm; warm(lambda: print('compiling'))"
    assert run_python(code, tmp_path) == "compiling\n"
    compiled = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nb?")}
    assert compiled
    run_python(code, tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nb?")} == compiled


def test_where_no_folder_can_be_written_kernels_are_compiled_for_this_time(tmp_path) -> None:
    """Not even a home is needed: whoever runs an installation of root's by `sudo` has root's."""
    code = """
import os
from matinee.models.kernels import rows
print(os.path.isdir(os.environ["NUMBA_CACHE_DIR"]), os.environ["NUMBA_CACHE_DIR"].startswith(os.environ["TMPDIR"]))
"""
    environment = {
        "HOME": os.devnull, "TMPDIR": str(tmp_path), "PATH": os.defpath,
        "NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator,UserWideCacheLocator",
    }  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "True True\n"
    assert "NUMBA_CACHE_DIR" in done.stderr
    assert not list(tmp_path.iterdir())


def test_who_only_answers_pays_for_no_compiler(tmp_path) -> None:
    """A person of both models is folded in, and lists are made, without numba in memory."""
    code = f"""
import sys
import matinee
from matinee.models.artifact import load_model
stars, picks = load_model({str(tmp_path / "m")!r})
for model in (stars, picks):
    model.fold_in({{int(model.items.ids[0]): 4.0}}).recommend(n=3)
print("numba" in sys.modules)
"""
    save(small_world.stars(), small_world.picks(), path=tmp_path / "m", movies=small_world.movies(),
         ratings=small_world.ratings(), metrics={}, data="small world")  # fmt: skip
    assert run_python(code, tmp_path) == "False\n"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="names processors of this kind")
@pytest.mark.parametrize(
    ("name", "features", "width"), [("x86-64-v3", "+avx,+avx2,+fma", 8), ("x86-64", "+sse2", 4)]
)  # fmt: skip
def test_narrower_processors_get_the_same_answers(tmp_path, name: str, features: str, width: int) -> None:
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import test_kernels
from matinee.models.kernels import tile
for rank in (5, 16, 40, 64):
    test_kernels.assert_agrees(test_kernels.problem(rank, test_kernels.COUNTS))
print(tile.WIDTH)
"""
    assert run_python(code, tmp_path, NUMBA_CPU_NAME=name, NUMBA_CPU_FEATURES=features) == f"{width}\n"


def run_python(code: str, folder: Path, **environment: str) -> str:
    """Run a program with an empty cache for kernels; return what it printed."""
    environment |= {"NUMBA_CACHE_DIR": str(folder), "PATH": os.defpath, "HOME": str(folder)}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

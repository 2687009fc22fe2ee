"""Rows of mapped files: the same numbers as in the array, and nothing of the file in this process's memory."""

from __future__ import annotations

import gc
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matinee.data.mapped import mapped, taken

ROWS = 40_000
N = st.integers(-ROWS, ROWS)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mapped") / "factors.npy"
    np.save(path, np.arange(ROWS * 64, dtype=np.float32).reshape(ROWS, 64))
    return path


def resident(file: Path) -> int:
    """Bytes of a file that this process has mapped and touched."""
    maps = re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text(), flags=re.MULTILINE)
    return sum(int(re.search(r"^Rss: +(\d+)", one, re.MULTILINE)[1]) * 1024 for one in maps if str(file) in one)


def opened(file: Path) -> int:
    links = [one for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]
    return sum(str(one.readlink()).startswith(str(file)) for one in links)


@given(N, N)
def test_rows_are_those_of_the_array(file: Path, first: int, last: int) -> None:
    whole = np.load(file)
    for array in (mapped(file), mapped(file)[1:], mapped(file)[:, 3], mapped(file)[::2], whole):
        rows = taken(array, slice(first, last))
        np.testing.assert_array_equal(rows, np.array(array)[first:last])
        assert rows.flags.owndata


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing tells what is resident")
def test_nothing_of_the_file_becomes_resident(file: Path) -> None:
    array = mapped(file)
    before = resident(file)
    for row in range(0, ROWS, 20):
        taken(array, slice(row, row + 20))
    assert resident(file) == before
    assert array[::20].sum() > 0  # as it does where rows are touched
    assert resident(file) > before + 5_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing tells what is open")
def test_a_file_is_open_as_long_as_its_array_and_outlives_its_name(tmp_path: Path) -> None:
    path = tmp_path / "factors.npy"
    np.save(path, np.arange(10.0))
    array = mapped(path)
    assert opened(path) > 0
    path.unlink()
    assert opened(path) > 0
    assert taken(array, slice(2, 4)).tolist() == [2, 3]
    del array
    gc.collect()
    assert opened(path) == 0


def test_a_file_that_was_cut_off_is_not_taken_for_one_of_zeros(tmp_path: Path) -> None:
    path = tmp_path / "factors.npy"
    np.save(path, np.arange(10_000.0))
    array = mapped(path)
    os.truncate(path, 4096)
    with pytest.raises(OSError, match="made shorter"):
        taken(array, slice(9000, 9001))


def test_what_returns_rows_is_enough() -> None:
    class Rows:
        def __getitem__(self, rows: slice) -> np.ndarray:
            return np.arange(10)[rows]

    assert taken(Rows(), slice(2, 4)).tolist() == [2, 3]

"""Arrays that are mapped from files, and rows of them that are read without mapping anything.

Whoever touches one row of a mapped array maps the pages around it too, 64 kB and more for the 256 bytes of a person's
factors: a service that has made lists for some thousand people of a data set would hold all that is known of everybody.
Read, a row costs as little, and the file stays where it belongs, in the system's cache.
"""

from __future__ import annotations

import mmap
import os
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_FILES: weakref.WeakKeyDictionary[mmap.mmap, tuple[int, int]] = weakref.WeakKeyDictionary()
"""Of every mapped array's memory: the open file, which outlives its name, and the address of its first byte."""


def mapped(path: Path) -> Array:
    """Map an array of a ``.npy`` file; nothing is read yet.

    Raises
    ------
    OSError, ValueError
        As `numpy.load` does.
    """
    array = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    memory = _memory(array)
    if memory is not None and hasattr(os, "preadv"):
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        _FILES[memory] = file, _address(np.frombuffer(memory, np.uint8))
        weakref.finalize(memory, os.close, file)
    return array


def taken(array: Any, rows: slice) -> Any:
    """Copy consecutive rows; of a mapped array they are read from its file.

    Parameters
    ----------
    array
        An array, mapped or not, or whatever else returns rows by slice.
    rows
        Which ones.

    Raises
    ------
    OSError
        If the file cannot be read, or was made shorter.
    """
    part = array[rows]
    memory = _memory(part)
    if memory is None or memory not in _FILES or not part.flags.c_contiguous or not part.nbytes:
        return np.array(part)
    file, begin = _FILES[memory]
    copied: Array = np.empty_like(part)
    if os.preadv(file, [copied.data.cast("B")], _address(part) - begin) != part.nbytes:
        raise OSError(f"a file of {len(memory)} bytes was made shorter while it was in use")
    return copied


def _memory(array: Any) -> mmap.mmap | None:
    """Return the mapped file that an array is a view of."""
    base = array
    while isinstance(base, np.ndarray):
        base = base.base
    return base if isinstance(base, mmap.mmap) else None


def _address(array: Array) -> int:
    return int(array.__array_interface__["data"][0])

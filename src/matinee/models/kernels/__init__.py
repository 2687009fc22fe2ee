"""Compiled kernels, the only place with numba, behind functions on plain arrays.

Each kernel is compiled once for fixed types, on first use, and kept in numba's cache (`NUMBA_CACHE_DIR`, the
`__pycache__` beside the source, or the user's cache folder, whichever is writable first, else a temporary one; a cache
written on another kind of processor is not used). `warm` compiles ahead of time and reports that it does; until then
numba is not even imported, which a process that only answers would pay for in memory.
"""

from __future__ import annotations

from matinee.models.kernels.solve import (
    Solved,
    aligned_zeros,
    gramian,
    leverages,
    padded_rank,
    regrouped,
    solve_rows,
    warm,
)

__all__ = ["Solved", "aligned_zeros", "gramian", "leverages", "padded_rank", "regrouped", "solve_rows", "warm"]

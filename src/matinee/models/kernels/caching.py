"""A folder for compiled kernels where numba finds none, which refuses to go on then.

That is so for whoever runs an installation that is not theirs from a home that is not theirs: root's, by `sudo`.
"""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import tempfile

from numba import config, njit

_log = logging.getLogger(__name__)


def find_folder() -> None:
    """Give this process, and those that it starts, a folder until it ends, if numba can write none of its own.

    Must run before any kernel is defined: that is when numba looks.
    """
    try:
        njit(cache=True)(_nothing)
    except RuntimeError:
        folder = tempfile.mkdtemp(prefix="matinee-kernels-")  # our own, since code is loaded from there
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ["NUMBA_CACHE_DIR"] = config.CACHE_DIR = folder
        _log.warning("compiled kernels cannot be kept: set NUMBA_CACHE_DIR to a folder that may be written")


def _nothing() -> None:
    return


find_folder()

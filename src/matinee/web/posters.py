"""Posters of TMDb, where whoever runs the service has a key of theirs; without one nothing here is asked for.

The service asks where a film's poster is, so that the key stays with it, and sends browsers there: they fetch the
pictures and keep them. Nothing is stored here beyond the addresses, in memory.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable

from matinee.errors import PosterError

API = "https://api.themoviedb.org/3"
IMAGES = "https://image.tmdb.org"
WIDTH = "w342"
TIMEOUT_S = 2.0
REST_S = 60.0
"""After a question without an answer, so long nothing is asked: pages do not wait for somebody who is away."""
AT_ONCE = 2
"""Questions that are under way at the same time: the other threads answer people."""
MOST = 50_000
"""Addresses that are remembered."""
_log = logging.getLogger(__name__)


class Posters:
    """Knows where posters are.

    Parameters
    ----------
    key
        TMDb's API key, or its read access token.
    clock
        Seconds, never going backwards.
    """

    def __init__(self, key: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._key, self._clock = key, clock
        self._known: dict[int, str | None] = {}
        self._asking = threading.Semaphore(AT_ONCE)
        self._rests_until = clock()

    def address(self, tmdb_id: int) -> str | None:
        """Return where a film's poster is; None where TMDb has none.

        Raises
        ------
        PosterError
            If TMDb does not answer, did not a moment ago, or is being asked enough already.
        """
        if tmdb_id in self._known:
            return self._known[tmdb_id]
        if self._clock() < self._rests_until or not self._asking.acquire(timeout=TIMEOUT_S):
            raise PosterError("TMDb is not asked just now")
        try:
            path = self._path(tmdb_id)
        except (OSError, ValueError) as error:
            self._rests_until = self._clock() + REST_S
            _log.warning("TMDb does not answer, so there are no posters for %.0f s: %s", REST_S, error)
            raise PosterError(str(error)) from error
        finally:
            self._asking.release()
        if len(self._known) >= MOST:
            self._known.clear()
        self._known[tmdb_id] = f"{IMAGES}/t/p/{WIDTH}{path}" if path else None
        return self._known[tmdb_id]

    def _path(self, tmdb_id: int) -> str | None:
        token = self._key.startswith("ey")  # as a token of theirs begins; a key is 32 digits
        address = f"{API}/movie/{tmdb_id}" + ("" if token else f"?api_key={self._key}")
        headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {self._key}"} if token else {})
        try:
            with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=TIMEOUT_S) as answer:
                found = json.load(answer)["poster_path"]
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise
        except KeyError as error:
            raise ValueError("an answer without poster_path") from error
        return found if isinstance(found, str) and found.startswith("/") else None

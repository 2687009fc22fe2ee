"""An application served in this process, for browsers."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from werkzeug.serving import make_server

from matinee.settings import Settings
from matinee.store.ratings import RatingStore
from matinee.web.app import create_app
from matinee.web.serving import Models, RegistrySource


class Served(NamedTuple):
    """A service that answers, and what stands behind it."""

    address: str
    store: RatingStore
    models: Models


@contextmanager
def served(settings: Settings) -> Iterator[Served]:
    """Serve the current model of a home."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    store, models = RatingStore(settings.database), Models(RegistrySource(settings.models_dir))
    models.refresh()
    server = make_server("127.0.0.1", 0, create_app(settings, store, models), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Served(f"http://127.0.0.1:{server.server_port}", store, models)
    server.shutdown()
    thread.join()
    server.server_close()
    store.close()

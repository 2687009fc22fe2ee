"""The running service under what breaks services: slow clients, changes of model, a lost folder, a locked database."""

from __future__ import annotations

import json
import resource
import shutil
import socket
import sqlite3
import threading
import time
import urllib.error
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
from test_service_process import Service, _workers, eventually, running, running_without_model, trained

from matinee.data.ratings import Ratings
from matinee.models.als import ALS
from matinee.recommend.recommender import Recommender
from matinee.registry import Registry
from matinee.web.front import MOST_BODIES

__all__ = ["trained"]  # fixture
FILMS = list(range(1, 41))
BODY = json.dumps({"ratings": [{"movie_id": 1001, "stars": 4}]}).encode()
HEAD = (
    f"POST /api/v1/users/slow/ratings HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(BODY)}\r\n"
    "Content-Type: application/json\r\n\r\n"
).encode()


@pytest.fixture
def home(trained: Path, tmp_path: Path) -> Path:
    """A home whose models a test may change."""
    shutil.copytree(trained / "models", tmp_path / "models")
    return tmp_path


@contextmanager
def many_files(wanted: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"this machine lets a process open {hard} files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_thousand_clients_that_never_finish_their_head_keep_nobody_waiting(home: Path) -> None:
    with many_files(4096), running(home) as service:
        host, port = service.url.removeprefix("http://").split(":")
        slow = [socket.create_connection((host, int(port)), timeout=20) for _ in range(1000)]
        try:
            for client in slow:
                client.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n")
            for movie in range(1001, 1011):
                assert service.ask("/ann/ratings", f"{movie},4") == [["ann", movie, 4.0]]
                assert service.ask("/readyz")["status"] == "ready"
        finally:
            for client in slow:
                client.close()


@contextmanager
def unfinished(service: Service, clients: int) -> Iterator[list[socket.socket]]:
    """Connections that have sent a part of a body, from as many clients."""
    host, port = service.url.removeprefix("http://").split(":")
    slow = [socket.create_connection((host, int(port)), timeout=20) for _ in range(clients)]
    try:
        for client in slow:
            client.sendall(HEAD + BODY[:10])
        yield slow
    finally:
        for client in slow:
            client.close()


def test_a_thousand_clients_that_never_finish_their_body_keep_nobody_waiting(home: Path) -> None:
    with many_files(4096), running(home) as service, unfinished(service, 1000) as slow:
        for movie in range(1001, 1006):
            assert service.ask("/ann/ratings", f"{movie},4") == [["ann", movie, 4.0]]
            assert service.ask("/readyz")["status"] == "ready"
        slow[0].sendall(BODY[10:])  # and whoever takes long is answered in the end
        assert b" 200 " in slow[0].recv(1000)


def test_more_bodies_than_threads_are_refused_and_lists_go_on(home: Path) -> None:
    with many_files(8192), running(home) as service:
        with unfinished(service, MOST_BODIES + 40):
            refusal = eventually(lambda: _refusal(service))
            assert (refusal.code, refusal.headers["Retry-After"]) == (503, "10")
            assert "still sending" in json.load(refusal)["detail"]
            for _ in range(5):
                assert service.ask("/readyz")["status"] == "ready"
        eventually(lambda: service.ask("/ann/ratings", "1001,4"))


def _refusal(service: Service) -> urllib.error.HTTPError:
    try:
        service.ask("/ann/ratings", "1001,4")
    except urllib.error.HTTPError as error:
        return error
    raise OSError("there is still room")


def publish(registry: Registry, seed: int) -> str:
    """A model of its own: another seed, other lists."""
    rng = np.random.default_rng(seed)
    users, films = np.nonzero(rng.random((40, len(FILMS))) < 0.5)
    stars = rng.integers(1, 11, len(users)) / 2
    fitted = ALS(rank=4, iterations=2, seed=seed).fit(Ratings.from_arrays(users + 1, np.array(FILMS)[films], stars))
    return registry.publish(fitted, promote=False)


def swaps_under_load(home: Path, swaps: int) -> None:
    """Promote two models in turns while people ask; every answer is wholly one model's, and both answer."""
    registry = Registry(home / "models")
    models = [publish(registry, seed) for seed in (1, 2)]
    rated = {film: 4.5 if film % 2 else 1.0 for film in FILMS[:6]}
    expected = {
        model: [(film.movie_id, round(film.score, 4)) for film in
                Recommender.of(registry.read(model)).recommend(rated, limit=10).recommendations]
        for model in models
    }  # fmt: skip
    assert expected[models[0]] != expected[models[1]]
    registry.promote(models[0])
    asked = {"ratings": [{"movie_id": film, "stars": stars} for film, stars in rated.items()]}
    met: dict[str, int] = dict.fromkeys(models, 0)
    done = threading.Event()
    with running(home, workers=2) as service:

        def ask_on(_: int) -> None:
            while not done.is_set():
                answer = service.ask("/api/v1/recommendations", json.dumps(asked), "application/json")
                films = [(film["movie_id"], round(film["score"], 4)) for film in answer["recommendations"]]
                assert films == expected[answer["model_id"]]
                met[answer["model_id"]] += 1

        with ThreadPoolExecutor(4) as pool:
            asking = [pool.submit(ask_on, number) for number in range(4)]
            try:
                for swap in range(1, swaps + 1):
                    model = models[swap % 2]
                    registry.promote(model)
                    before = met[model]
                    eventually(lambda model=model, before=before: _more(met, model, before))  # type: ignore[misc]
            finally:
                done.set()
            for each in asking:
                each.result()
        eventually(lambda: _only_mapped(service, {registry.current()}), seconds=10)
    assert min(met.values()) > 0


def _only_mapped(service: Service, wanted: set[str | None]) -> None:
    """Nothing of a model that was replaced is left in a process."""
    for pid in _workers(service):
        lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
        mapped = {line.split("/models/")[1].split("/")[0] for line in lines if "/models/" in line}
        if mapped != wanted:
            raise OSError(f"process {pid} holds files of {mapped}")


def _more(met: dict[str, int], model: str, before: int) -> None:
    if met[model] <= before:
        raise OSError(f"{model} does not answer yet")


def test_models_change_under_load_without_a_failed_or_mixed_answer(home: Path) -> None:
    swaps_under_load(home, 3)


@pytest.mark.soak
def test_fifty_changes_of_model_under_load(home: Path) -> None:
    swaps_under_load(home, 50)


def test_a_model_whose_folder_is_deleted_goes_on_answering_and_a_new_process_says_what_is_missing(home: Path) -> None:
    registry = Registry(home / "models")
    current = registry.current()
    assert current
    with running(home) as service:
        before = service.ask("/0/ratings", "260,4\n1,3\n"), service.ask("/0/ratings/top/10")
        shutil.rmtree(registry.path(current))
        assert (service.ask("/0/ratings", "260,4\n1,3\n"), service.ask("/0/ratings/top/10")) == before
    with running_without_model(home) as fresh:
        with pytest.raises(urllib.error.HTTPError, match="503") as refused:
            fresh.ask("/readyz")
        assert current in json.load(refused.value)["missing"]["model"]
        registry.promote(publish(registry, 1))
        assert eventually(lambda: fresh.ask("/readyz"))["status"] == "ready"


def test_a_locked_database_refuses_in_time_and_keeps_what_it_acknowledged(home: Path) -> None:
    with running(home) as service:
        service.ask("/0/ratings", "260,4\n")
        with closing(sqlite3.connect(home / "matinee.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            start = time.monotonic()
            with pytest.raises(urllib.error.HTTPError, match="503"):
                service.ask("/0/ratings", "1,3\n")
            assert time.monotonic() - start < 15
            assert service.ask("/readyz")["status"] == "ready"  # readers go on
            other.execute("ROLLBACK")
        service.ask("/0/ratings", "16,3\n")
        assert _rated(service) == {260, 16}


def _rated(service: Service) -> set[int]:
    return {rating["movie_id"] for rating in service.ask("/api/v1/users/0/ratings")["ratings"]}

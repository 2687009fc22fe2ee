"""What `bench.service` measures: a home of 20,000 films, models of 200 MB, 5,000 people who joined; running servers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

import matinee
from bench.common import DATA, MATINEE
from matinee import ALS, ImplicitALS, Ratings
from matinee.data.stats import item_stats
from matinee.data.synthetic import synthetic
from matinee.registry import Registry
from matinee.store.people import PeopleStore
from matinee.store.ratings import RatingStore

FILMS, RANK, PEOPLE = 20_000, 64, 5_000
DATA_PEOPLE, COPIES = 6_000, 24
"""Everybody of a small data set stands in it so many times: 144,000 people and 14.4 M ratings make 200 MB."""
LEAST_RATED, MOST_RATED = 20, 100
KEY = "a-key-of-the-operator"
WORKERS, THREADS = 2, 4
GENRES = ("Action", "Comedy", "Drama", "Horror", "Sci-Fi", "Western")


@dataclass(frozen=True)
class Person:
    """Somebody who joined."""

    user_id: str
    token: str
    films: tuple[int, ...]


@dataclass(frozen=True)
class World:
    """A home that a service can run in."""

    home: Path
    models: tuple[str, str]
    people: tuple[Person, ...]
    movies: pl.DataFrame

    @property
    def database_url(self) -> str:
        return f"sqlite:///{self.home / 'matinee.db'}"


@contextmanager
def world(*, quick: bool) -> Iterator[World]:
    """Make one, on the disk that holds the benches' data (a database in memory would commit too fast)."""
    DATA.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="service-", dir=DATA, ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        ratings = _ratings(1 if quick else COPIES)
        movies = catalogue(ratings)
        models = _publish(home, ratings, movies)
        yield World(home, models, _people(home, ratings), movies)


def _ratings(copies: int) -> Ratings:
    path = DATA / f"service-{FILMS}-{DATA_PEOPLE}.npz"
    if not path.exists():
        made = synthetic(100 * DATA_PEOPLE, DATA_PEOPLE, FILMS, seed=0)
        np.savez(path, users=made.user_ids, items=made.item_ids, stars=made.stars)
    with np.load(path) as kept:
        users, items, stars = (np.tile(kept[name], copies) for name in ("users", "items", "stars"))
    users += np.repeat(np.arange(copies) * DATA_PEOPLE, len(users) // copies)
    return Ratings.from_arrays(users, items, stars)


def catalogue(ratings: Ratings) -> pl.DataFrame:
    """Films whose titles are made of the words of real ones."""
    rng, stats, n = np.random.default_rng(1), item_stats(ratings), len(ratings.items)
    words = np.array(sorted({word for name in matinee.load("sample").movies["name"] for word in name.split()}))
    names = [" ".join(rng.choice(words, rng.integers(2, 5)).tolist()) for _ in range(n)]
    years = rng.integers(1930, 2020, n)
    return pl.DataFrame(
        {
            "movie_id": ratings.items.ids, "name": names,
            "title": [f"{name} ({year})" for name, year in zip(names, years, strict=True)],
            "year": pl.Series(years, dtype=pl.Int32),
            "genres": [sorted(set(rng.choice(GENRES, 3).tolist())) for _ in range(n)],
            "imdb_id": pl.Series([None] * n, dtype=pl.String), "tmdb_id": pl.Series([None] * n, dtype=pl.Int64),
            "ratings_count": stats["ratings_count"], "ratings_mean": stats["ratings_mean"],
        }
    )  # fmt: skip


def _publish(home: Path, ratings: Ratings, movies: pl.DataFrame) -> tuple[str, str]:
    """Two models that give different lists; the first is in use."""
    registry, found = Registry(home / "models"), []
    for seed in (0, 1):
        stars = ALS(rank=RANK, iterations=1, seed=seed).fit(ratings)
        picks = ImplicitALS(rank=RANK, iterations=1, seed=seed).fit(ratings)
        found.append(registry.publish(stars, picks, movies=movies, ratings=ratings, promote=not seed))
    return found[0], found[1]


def _people(home: Path, ratings: Ratings) -> tuple[Person, ...]:
    """Let people join and rate films, popular ones more often."""
    rng, counts = np.random.default_rng(2), item_stats(ratings)["ratings_count"].to_numpy()
    film_ids, share, people = ratings.items.ids, counts / counts.sum(), []
    with closing(RatingStore(f"sqlite:///{home / 'matinee.db'}")) as store:
        joining = PeopleStore(store.database)
        secrets = [joining.join() for _ in range(PEOPLE)]
        with store.database.writing() as connection:
            for user_id, token in secrets:
                n = rng.integers(LEAST_RATED, MOST_RATED + 1)
                films = tuple(np.unique(rng.choice(film_ids, n, p=share)).tolist())
                store.put(connection, user_id, {film: float(rng.integers(1, 11)) / 2 for film in films}, {})
                people.append(Person(user_id, token, films))
    return tuple(people)


@dataclass(frozen=True)
class Server:
    """A server that runs."""

    process: subprocess.Popen[bytes]
    address: tuple[str, int]

    def workers(self) -> list[int]:
        """Ids of the processes that answer."""
        pid = self.process.pid
        children = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        return [child for child in children if b"resource_tracker" not in Path(f"/proc/{child}/cmdline").read_bytes()]

    def proportional_megabytes(self) -> dict[str, float]:
        """Memory of the workers, what they share counted once (PSS), by kind, in MB of a million bytes."""
        total: dict[str, float] = {}
        for pid in self.workers():
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
                name, kilobytes = line.split()[:2]
                total[name.rstrip(":")] = total.get(name.rstrip(":"), 0.0) + int(kilobytes) * 1024 / 1e6
        return {name: total[name] for name in ("Pss", "Pss_Anon", "Pss_File", "Pss_Shmem")}


@contextmanager
def service(world: World) -> Iterator[Server]:
    """`matinee serve` with key, metrics and a log in JSON."""
    port = free_port()
    command = [
        MATINEE, "serve", "--home", str(world.home), "--port", str(port), "--workers", str(WORKERS),
        "--threads", str(THREADS), "--log-format", "json",
    ]  # fmt: skip
    with running(command, world.home / "service.log", port, "/readyz", {"MATINEE_OPERATOR_KEY": KEY}) as server:
        yield server


BARE = """
import multiprocessing
import sys
from flask import Flask, Response
from granian.constants import Interfaces
from granian.server import Server

BODY = b"x" * int(sys.argv[2])

def app():
    app = Flask("bare")
    app.add_url_rule("/", "constant", lambda: Response(BODY, content_type="application/json"))
    return app

if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    Server("bare", address="127.0.0.1", port=int(sys.argv[1]), interface=Interfaces.WSGI, workers=int(sys.argv[3]),
           blocking_threads=int(sys.argv[4]), websockets=False).serve(target_loader=app, wrap_loader=False)
"""


@contextmanager
def bare_flask(home: Path, length: int) -> Iterator[Server]:
    """The same server with a view that returns so many bytes, and nothing else."""
    port, script = free_port(), home / "bare.py"
    script.write_text(BARE)
    command = [sys.executable, str(script), *map(str, (port, length, WORKERS, THREADS))]
    with running(command, home / "bare.log", port, "/", {}) as server:
        yield server


@contextmanager
def running(command: list[str], log: Path, port: int, path: str, more: dict[str, str]) -> Iterator[Server]:
    """Run a command that serves at a port, from when it answers."""
    with log.open("ab") as stderr:
        process = subprocess.Popen(command, stdout=stderr, stderr=stderr, env=os.environ | more)
    try:
        _wait_for(f"http://127.0.0.1:{port}{path}", process)
        yield Server(process, ("127.0.0.1", port))
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"{url} does not answer: {process.args}")


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

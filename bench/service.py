"""The service under load: lists, ratings, models that change, memory, an import; `make bench-service`.

20,000 films, rank 64, both models; every request is of another of 5,000 people who joined, with their token; key,
limits, metrics and the log are on, and no list is kept. Processes keep where people stand in the models, so that first
lists of people and later ones are counted apart. Client and server share the machine: what the client costs is
in the record.
"""

from __future__ import annotations

import csv
import io
import json
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import cycle
from typing import Any

import numpy as np
import orjson

from bench.common import MATINEE, Check, report
from bench.load import Outcome, saturated, steady
from bench.service_world import COPIES, DATA_PEOPLE, KEY, PEOPLE, Person, Server, World, bare_flask, service, world
from matinee.recommend.recommender import Recommender
from matinee.registry import Registry
from matinee.store.ratings import RatingStore

CONNECTIONS = 32
FIRST_S = 1.5
"""So long the people of whom nobody asked yet last."""
SWAPS = 50
WATCHED = 300
"""People whose lists are compared, film by film, while models change."""
IMPORTED, STRANGERS = 2_000, 100


def run(*, quick: bool = False) -> list[Check]:
    """Measure; quick: models of a few MB, short loads, five swaps."""
    long, short, rounds = (4, 2, 1) if quick else (20, 5, 3)
    raw: dict[str, Any] = {"people": PEOPLE, "connections": CONNECTIONS}
    with world(quick=quick) as made:
        raw["ratings of a person"] = float(np.mean([len(person.films) for person in made.people]))
        raw["model, MB"] = _megabytes(made)
        with service(made) as server:
            checks = _lists(made, server, raw, long=long, short=short, rounds=rounds)
            checks += _ratings(made, server, raw, long=long, short=short)
            checks += [_memory(made, server, raw, quick=quick), *_import(made, server, raw)]
            checks += _swaps(made, server, raw, swaps=5 if quick else SWAPS)
    return report("service_quick" if quick else "service", checks, raw)


def _megabytes(made: World) -> float:
    folder = made.home / "models" / made.models[0]
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def request(method: str, path: str, token: str, body: bytes = b"", kind: str = "application/json") -> bytes:
    """Return the bytes of a request."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
    sent = f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n" if body else ""
    return f"{head}{sent}\r\n".encode() + body


def list_of(person: Person) -> bytes:
    return request("GET", f"/api/v1/users/{person.user_id}/recommendations", person.token)


def rating_of(person: Person, number: int) -> bytes:
    film, stars = person.films[number % len(person.films)], 0.5 + number % 10 / 2
    body = orjson.dumps({"ratings": [{"movie_id": film, "stars": stars}], "recommend": 10})
    return request("POST", f"/api/v1/users/{person.user_id}/ratings", person.token, body)


def rated(made: World) -> Iterator[bytes]:
    """Everybody rates one film after the other, forever."""
    return (rating_of(person, number) for number, person in enumerate(cycle(made.people)))


def _lists(made: World, server: Server, raw: dict[str, Any], *, long: float, short: float, rounds: int) -> list[Check]:
    """Lists of people nobody asked for yet, whose ratings are read and placed in both models, and lists of people who
    asked before, of whom a process may know where they stand; every list itself is made anew.
    """
    lists = [list_of(person) for person in made.people]
    half, sizes = len(lists) // 2, list[int]()
    first_calm = steady(server.address, cycle(lists[:half]), rate=300, seconds=half / 300)
    first = saturated(server.address, cycle(lists[half:]), connections=CONNECTIONS, seconds=FIRST_S,
                      look=lambda _, body: sizes.append(len(body)))  # fmt: skip
    length, again = round(statistics.median(sizes)), cycle(lists)
    met = _meet(server, again, 2 * rounds * len(lists), short)
    calm = steady(server.address, again, rate=300, seconds=long)
    ours, theirs = [], []
    with bare_flask(made.home, length) as bare:
        for _ in range(rounds):
            ours.append(_full(server, again, short))
            theirs.append(_full(bare, cycle([request("GET", "/", "none")]), short))
    full, constant = (sorted(loads, key=lambda load: load.rate)[rounds // 2] for loads in (ours, theirs))
    raw |= {
        "list, bytes": length, "first lists at 300/s": first_calm.facts(), "first lists, saturated": first.facts(),
        "lists before the later ones": met, "lists at 300/s": calm.facts(), "lists, saturated": full.facts(),
        "bare Flask, saturated": constant.facts(),
    }  # fmt: skip
    bare_name = "a bare Flask view of the same size"
    return [
        _whole([*ours, first, first_calm, calm]),
        Check("top-10 lists, saturated", full.rate, 2000, unit="/s"),
        Check("top-10 lists at 300/s, p99", calm.milliseconds(99), 15, at_least=False, unit="ms"),
        Check(f"top-10 lists / {bare_name}", full.rate / constant.rate, 0.25),
        Check("first lists of people, saturated", first.rate, 2000, unit="/s"),
        Check("first lists of people at 300/s, p99", first_calm.milliseconds(99), 15, at_least=False, unit="ms"),
        Check(f"first lists of people / {bare_name}", first.rate / constant.rate, 0.25),
    ]


def _meet(server: Server, lists: Iterator[bytes], wanted: int, seconds: float) -> int:
    """Ask until each process has met nearly everybody: a person's next list may come from the other one."""
    met = 0
    while met < wanted:
        met += _full(server, lists, seconds).answered
    return met


def _whole(loads: list[Outcome]) -> Check:
    failed = sum(load.failed for load in loads)
    return Check("requests for lists that failed", failed, 0, at_least=False, unit="")


def _full(server: Server, requests: Iterator[bytes], seconds: float) -> Outcome:
    return saturated(server.address, requests, connections=CONNECTIONS, seconds=seconds)


def _ratings(made: World, server: Server, raw: dict[str, Any], *, long: float, short: float) -> list[Check]:
    calm = steady(server.address, rated(made), rate=100, seconds=long)
    before = _commits(made, short)
    full = _full(server, rated(made), short)
    commits = max(before, _commits(made, short))
    raw["ratings at 100/s"], raw["ratings, saturated"] = calm.facts(), full.facts()
    raw["the store's own commits per second"] = commits
    return [
        Check("POST of a rating with recommend=10 at 100/s, p99", calm.milliseconds(99), 30, at_least=False, unit="ms"),
        Check("POST of a rating, saturated / the store's own commits", full.rate / commits, 0.5),
        Check("POSTs that failed", calm.failed + full.failed, 0, at_least=False, unit=""),
    ]


def _commits(made: World, seconds: float) -> float:
    """One process that does nothing but keep one rating after the other: nobody waits for a lock."""
    with closing(RatingStore(made.database_url)) as store:
        deadline, count = time.perf_counter() + seconds, 0
        while time.perf_counter() < deadline:
            person = made.people[count % PEOPLE]
            store.add_many(person.user_id, {person.films[count % len(person.films)]: 0.5 + count % 10 / 2})
            count += 1
        return count / seconds


def _memory(made: World, server: Server, raw: dict[str, Any], *, quick: bool) -> Check:
    """After lists of people all over the data set, so that what a process maps of the model is in its memory."""
    everybody = np.arange(1, DATA_PEOPLE * (1 if quick else COPIES), 11 if quick else 31)
    wanted = cycle([request("GET", f"/api/v1/users/{user}/recommendations", KEY) for user in everybody])
    load = _full(server, wanted, 4)
    raw["lists of the data set's people"] = load.facts()
    raw["memory of two workers, MB"] = server.proportional_megabytes()
    pss = raw["memory of two workers, MB"]["Pss"]
    return Check("PSS of two workers with a model of 200 MB", pss, 320, at_least=False, unit="MB")


def _import(made: World, server: Server, raw: dict[str, Any]) -> list[Check]:
    """The first import of a process and a second one, from a Letterboxd file with some films that nobody knows."""
    rng = np.random.default_rng(3)
    chosen = made.movies[rng.choice(len(made.movies), IMPORTED - STRANGERS, replace=False).tolist()]
    rows = [["2024-03-01", name, year, "https://boxd.it/x", 1 + row % 9 / 2]
            for row, (name, year) in enumerate(chosen.select("name", "year").iter_rows())]  # fmt: skip
    rows += [["2024-03-01", f"Nobody Filmed This {row}", 1999, "https://boxd.it/y", 3] for row in range(STRANGERS)]
    text = io.StringIO()
    csv.writer(text).writerows([["Date", "Name", "Year", "Letterboxd URI", "Rating"], *rows])
    body = text.getvalue().encode()
    seconds, answers = [], []
    for person in made.people[:6]:
        sent = request("POST", f"/api/v1/users/{person.user_id}/imports", person.token, body, "text/csv")
        load = saturated(server.address, iter([sent]), connections=1, seconds=0.001,
                         look=lambda _, answer: answers.append(orjson.loads(answer)))  # fmt: skip
        seconds.append(load.latencies[0])
    raw["import of 2,000 films, s"] = {"slowest": max(seconds), "median": statistics.median(seconds)}
    counts = raw["import, counts"] = answers[-1]["counts"]
    matched = counts["matched"] / (IMPORTED - STRANGERS)
    return [
        Check("import of 2,000 Letterboxd films, the slowest", max(seconds), 1, at_least=False, unit="s"),
        Check("films of the catalogue that an import matched", matched, 0.97, unit=""),
    ]


def _swaps(made: World, server: Server, raw: dict[str, Any], *, swaps: int) -> list[Check]:
    """Promote one model after the other, as an operator does, while people ask for lists."""
    watched = made.people[-WATCHED:]
    expected, met, mixed = _expected(made, watched), dict.fromkeys(made.models, 0), []

    def look(number: int, body: bytes) -> None:
        answer = json.loads(body)
        model_id, films = answer.get("model_id"), [film["movie_id"] for film in answer.get("recommendations", ())]
        scores = [film["score"] for film in answer.get("recommendations", ())]
        wanted_films, wanted_scores = expected.get((number % WATCHED, model_id), ([], []))
        met[model_id] = met.get(model_id, 0) + 1
        if films != wanted_films or not np.allclose(scores, wanted_scores, rtol=1e-4, atol=1e-5):
            mixed.append(body[:200].decode())

    promoting = threading.Thread(target=_promote, args=(made, swaps))
    promoting.start()
    lists, loads = [list_of(person) for person in watched], []
    while promoting.is_alive():
        loads.append(steady(server.address, cycle(lists), rate=200, seconds=3, look=look))
    promoting.join()
    raw["swaps"] = {"promoted": swaps, "answers by model": met, "mixed, the first": mixed[:3]}
    raw["swaps"] |= {"ms, p99, worst 3 s": max(load.milliseconds(99) for load in loads)}
    failed = sum(load.failed for load in loads)
    return [
        Check(f"requests that failed during {swaps} changes of the model", failed, 0, at_least=False, unit=""),
        Check(f"answers of mixed models during {swaps} changes", len(mixed), 0, at_least=False, unit=""),
    ]


def _promote(made: World, swaps: int) -> None:
    for swap in range(swaps):
        command = [MATINEE, "models", "promote", made.models[1 - swap % 2], "--home", str(made.home)]
        subprocess.run(command, check=True, capture_output=True)
        time.sleep(1.1)  # workers look once a second


def _expected(made: World, people: tuple[Person, ...]) -> dict[tuple[int, str], tuple[list[int], list[float]]]:
    found = {}
    with closing(RatingStore(made.database_url)) as store:
        for model_id in made.models:
            recommender = Recommender.of(Registry(made.home / "models").read(model_id))
            for number, person in enumerate(people):
                films = recommender.recommend(store.ratings_of(person.user_id), limit=10).recommendations
                found[number, model_id] = [film.movie_id for film in films], [film.score for film in films]
    return found

"""Web processes and trainers are killed at random while people rate and ask, for four minutes or SOAK_HOURS."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import threading
import time
import urllib.error
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from http.client import HTTPException
from pathlib import Path

import pytest
from test_service_process import Service, _workers, eventually, running
from test_worker_process import COMMAND, FILMS

from matinee.models.artifact import Artifact
from matinee.registry import Registry
from matinee.settings import Settings
from matinee.store.database import Database
from matinee.store.jobs import TrainingRuns
from matinee.store.ratings import RatingStore

SECONDS = float(os.environ.get("SOAK_HOURS") or 1 / 15) * 3600
PEOPLE = 4
SPARED_S = {"web": 8.0, "trainer": 45.0}
"""A web process that dies again within 5.5 s of its start ends the service; a trainer wants time to be the heir."""


class Person:
    """Somebody who rates one film after another, and remembers what was acknowledged."""

    def __init__(self, name: str) -> None:
        self.name, self.acknowledged, self.answers, self.chance = name, dict[int, float](), 0, random.Random(name)

    def rate(self, service: Service) -> None:
        film, stars = self.chance.choice(FILMS), self.chance.randrange(1, 11) / 2
        body = json.dumps({"ratings": [{"movie_id": film, "stars": stars}], "recommend": 5})
        self.acknowledged.pop(film, None)  # until the answer is there nobody knows
        try:
            answer = service.ask(f"/api/v1/users/{self.name}/ratings", body, "application/json")
        except urllib.error.HTTPError as error:
            if error.code != 503:
                raise
        except (OSError, HTTPException):
            return  # the process that was to answer was killed
        else:
            self.acknowledged[film] = stars
            self.answers += 1
            assert film not in {listed["movie_id"] for listed in answer["recommendations"]}


def trainer(home: Path) -> subprocess.Popen[bytes]:
    command = [*COMMAND, "worker", "--train-after-ratings", "20", "--train-margin", "1", "--keep-models", "2"]
    return subprocess.Popen([*command, "--home", str(home)], stderr=subprocess.DEVNULL)


@pytest.mark.soak
def test_whatever_is_killed_nothing_acknowledged_is_lost_and_no_half_model_serves(home: Path) -> None:
    people, done, chance = [Person(f"person-{number}") for number in range(PEOPLE)], threading.Event(), random.Random(5)
    registry = Registry(home / "models")
    kills, due = dict.fromkeys(SPARED_S, 0), {name: time.monotonic() + least for name, least in SPARED_S.items()}
    with running(home, workers=2) as service, ThreadPoolExecutor(PEOPLE) as pool:
        rating = [pool.submit(rate_until, person, service, done) for person in people]
        training, end = trainer(home), time.monotonic() + SECONDS
        try:
            while time.monotonic() < end:
                done.wait(chance.uniform(0.1, 4))
                what = chance.choice([name for name in kills if time.monotonic() > due[name]] or [""])
                if what == "trainer":
                    training.kill()
                    training.wait(10)
                    training = trainer(home)
                elif what == "web":
                    with suppress(ProcessLookupError):
                        os.kill(chance.choice(_workers(service)), signal.SIGKILL)
                else:
                    continue
                due[what] = time.monotonic() + SPARED_S[what]
                kills[what] += 1
                eventually(lambda: service.ask("/readyz"), seconds=60)
                current = registry.current()
                assert current
                Artifact.read(registry.path(current), verify=True)
                for each in rating:
                    assert not each.done(), each.exception()
            done.set()
            eventually(lambda: one_was_promoted(home), seconds=180)  # the last trainer is the heir of all before
        finally:
            done.set()
            training.kill()
            training.wait(10)
        for each in rating:
            each.result()
    with closing(RatingStore(Settings(home=home).database)) as store:
        for person in people:
            kept = store.ratings_of(person.name)
            assert person.acknowledged.items() <= kept.items()
            assert person.answers > SECONDS
    print(f"{kills} killed, {sum(person.answers for person in people)} ratings answered")
    assert min(kills.values()) > 0


def one_was_promoted(home: Path) -> None:
    with closing(Database(Settings(home=home).database)) as database:
        states = TrainingRuns(database).counts()
    if "promoted" not in states:
        raise OSError(f"no training ended well yet: {states}")


def rate_until(person: Person, service: Service, done: threading.Event) -> None:
    while not done.is_set():
        person.rate(service)

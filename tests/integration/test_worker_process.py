"""The worker as it runs: real trainings, processes that are killed in every phase, a full disk, people forgotten."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from matinee.errors import ArtifactError, StoreError, UnknownIdError
from matinee.models.artifact import Artifact
from matinee.models.bias import DampedBias
from matinee.recommend.recommender import Recommender
from matinee.registry import Registry
from matinee.retraining.trainer import Plan, retrain
from matinee.retraining.worker import Triggers, Worker
from matinee.settings import Settings
from matinee.store.database import Database
from matinee.store.jobs import Lease, TrainingRuns
from matinee.store.people import PeopleStore
from matinee.store.ratings import RatingStore

FILMS = range(10, 800, 10)
COMMAND = [sys.executable, "-c", "from matinee.cli import main; main()"]


def plan_of(home: Path) -> Plan:
    return Plan(
        home=home, database_url=Settings(home=home).database, data=None, margin=0.05, ratings_per_user=1000,
        account_age_s=0.0, run_id=1,
    )  # fmt: skip


@contextmanager
def store_of(home: Path) -> Iterator[RatingStore]:
    with closing(RatingStore(Settings(home=home).database)) as store:
        yield store


def matinee(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *arguments, "--home", str(home)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100)


def test_once_trains_on_what_was_rated_and_promotes(home: Path) -> None:
    registry = Registry(home / "models")
    before = registry.read()
    with store_of(home) as store:
        store.add_many("ann", dict.fromkeys(list(FILMS)[:20], 4.0))
    done = matinee(home, "worker", "--once", "--json", "--train-margin", "0.05")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    after = registry.read()
    assert (document["state"], document["model_id"]) == ("promoted", after.model_id)
    assert document["report"]["live_ratings"] == 20
    assert after.model_id != before.model_id
    assert after.stars.users == before.stars.users  # nobody who joined since
    assert after.stars.params == before.stars.params  # learned as before
    counts = dict(zip(after.movies["movie_id"], after.movies["ratings_count"], strict=True))
    earlier = dict(zip(before.movies["movie_id"], before.movies["ratings_count"], strict=True))
    assert counts[10] == earlier[10] + 1
    assert matinee(home, "models", "rollback").stdout == f"current: {before.model_id}\n"


def test_the_rating_model_is_chosen_again_as_it_was_asked_for(home: Path) -> None:
    registry = Registry(home / "models")
    before = registry.read()
    asked = {"quality": "best", "time_budget": 0.001}
    registry.publish(before.stars, before.picks, movies=before.movies, metrics=asked)
    model_id = retrain(plan_of(home)).model_id
    assert model_id is not None
    after = registry.read(model_id)
    assert after.stars.params == DampedBias()  # there is no time for anything else
    metrics = after.manifest["metrics"]
    assert {name: metrics[name] for name in asked} == asked
    assert metrics["choice"].startswith("stars by damped biases: quality is best, but BayesianMF would take")


def test_the_gate_is_heard_of(home: Path) -> None:
    worst_first = np.argsort([stars for _, stars in sorted(mean_stars(home).items())])
    with store_of(home) as store:
        for account in range(150):
            store.add_many(f"bot {account}", {10 * (int(place) + 1): 5.0 if rank < 40 else 0.5
                                              for rank, place in enumerate(worst_first)})  # fmt: skip
    before = Registry(home / "models").current()
    done = matinee(home, "worker", "--once")
    assert done.returncode == 1
    assert "training run 1: refused" in done.stdout
    assert "worse by" in done.stdout
    assert Registry(home / "models").current() == before
    assert len(Registry(home / "models").list()) == 1  # what is refused is not even kept


def mean_stars(home: Path) -> dict[int, float]:
    movies = Registry(home / "models").read().movies
    return dict(zip(movies["movie_id"], movies["ratings_mean"], strict=True))


def test_nothing_to_start_from_is_said_in_one_line(tmp_path: Path) -> None:
    done = matinee(tmp_path, "worker", "--once")
    assert done.returncode == 1
    assert "matinee train DATA" in done.stdout


def test_the_running_worker_serves_requests_and_stops_when_told(home: Path) -> None:
    with store_of(home) as store:
        command = [*COMMAND, "worker", "--home", str(home), "--train-margin", "1", "--log-format", "json"]
        worker = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        runs = TrainingRuns(store.database)
        number = runs.request("by hand")
        try:
            deadline = time.monotonic() + 60
            while runs.get(number).state != "promoted" and time.monotonic() < deadline:
                time.sleep(0.1)
            assert runs.get(number).state == "promoted"
        finally:
            worker.send_signal(signal.SIGTERM)
            output = worker.communicate(timeout=20)[1]
        assert worker.returncode == 0, output
        messages = [json.loads(line)["message"] for line in output.splitlines()]
        assert messages[0] == "the worker trains after 1000 new ratings or 24 hours, if there are any"
        assert [message.split(":")[0] for message in messages[1:]] == ["training run 1 begins", "training run 1"]
        assert Lease(store.database).take()


DYING = """
import os, signal, sys, threading
from matinee.retraining import worker
from matinee.store.database import Database
from matinee.store.jobs import TrainingRuns
from matinee.settings import Settings

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def started(plan, start=worker.spawn):
    process, connection = start(plan)
    print(process.pid, flush=True)
    if phase == "training":
        threading.Timer(0.2, die).start()
    return process, connection

if __name__ == "__main__":
    phase, settings = sys.argv[1], Settings.read(home=sys.argv[2], train_margin=1)
    mine = worker.Worker.of(settings, Database(settings.database), threading.Event())
    mine._start = started if phase != "claimed" else die
    if phase == "trained":
        mine._put_to_use = die
    if phase == "promoted":
        TrainingRuns.finish = die
    mine.once()
"""


@pytest.mark.parametrize(
    ("phase", "state"),
    [("claimed", "abandoned"), ("training", "abandoned"), ("trained", "abandoned"), ("promoted", "promoted")],
)
def test_a_worker_killed_in_any_phase_leaves_a_whole_model_and_an_heir(home: Path, phase: str, state: str) -> None:
    registry = Registry(home / "models")
    before = registry.current()
    dying = subprocess.Popen([sys.executable, "-c", DYING, phase, str(home)], stdout=subprocess.PIPE, text=True)
    assert dying.stdout
    children = [int(line) for line in dying.stdout.read().split()]
    assert dying.wait(60) == -signal.SIGKILL
    dying.stdout.close()
    for child in children:
        _gone(child)
    current = registry.current()
    assert (current == before) is (phase != "promoted")
    assert current is not None
    Artifact.read(registry.path(current), verify=True)
    with closing(Database(Settings(home=home).database)) as database:
        runs = TrainingRuns(database)
        assert runs.get(1).state == "running"
        heir = Worker(
            plan_of(home), runs, Lease(database, expiry_s=0.05), triggers=Triggers(), keep=1, stop=threading.Event(),
            poll_s=0.1,
        )  # fmt: skip
        deadline = time.monotonic() + 30
        while not heir._has_lease() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert runs.get(1).state == state
        if phase == "training":
            assert heir.once().state == "promoted"
            assert registry.current() != current


WRITING = """
import os, signal, sys
from pathlib import Path
from matinee.retraining.trainer import Plan, retrain

if __name__ == "__main__":
    Path.rename = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # all is written, nothing is in its place yet
    retrain(Plan(home=Path(sys.argv[1]), database_url=sys.argv[2], data=None, margin=1.0, ratings_per_user=1000,
                 account_age_s=0.0))
"""


def test_a_training_killed_while_it_writes_its_model_leaves_nothing_that_looks_like_one(home: Path) -> None:
    registry = Registry(home / "models")
    before = [info.model_id for info in registry.list()]
    plan = plan_of(home)
    done = subprocess.run([sys.executable, "-c", WRITING, str(home), plan.database_url], timeout=100, check=False)
    assert done.returncode == -signal.SIGKILL
    [half] = registry.models_dir.glob(".*.tmp")
    assert (half / "manifest.json").exists()
    assert [info.model_id for info in registry.list()] == before == [registry.current()]
    os.utime(half, (0, 0))
    registry.prune(5)
    assert not half.exists()
    assert retrain(plan).model_id


def _gone(pid: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return
        except OSError:
            return
        time.sleep(0.02)
    raise AssertionError(f"training process {pid} outlived its worker")


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """Let this process write no file beyond so many bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_old_model_and_no_trace_of_the_new_one(home: Path) -> None:
    registry = Registry(home / "models")
    before, files = registry.current(), sorted(path.name for path in (home / "models").rglob("*"))
    with store_of(home) as store:  # its files are there already, and large enough
        store.add_many("ann", {10: 4.0})
        with files_up_to(3000), pytest.raises(ArtifactError, match="could not be written"):
            retrain(plan_of(home))
    assert registry.current() == before
    assert sorted(path.name for path in (home / "models").rglob("*")) == files
    assert retrain(plan_of(home)).model_id is not None


def test_a_full_disk_refuses_ratings_keeps_the_acknowledged_ones_and_recovers(home: Path) -> None:
    with store_of(home) as store:
        kept = [film for film in FILMS if store.add_many("ann", {film: 4.0})]
        wal = home / "matinee.db-wal"

        def rate_on() -> None:
            for number in range(1000):
                store.add_many("ann", {number: 3.0})
                kept.append(number)

        with files_up_to(wal.stat().st_size), pytest.raises(StoreError, match=r"disk|full"):
            rate_on()
        assert set(kept) <= set(store.ratings_of("ann"))
        assert store.add_many("bob", {10: 4.0}) == 1
    with store_of(home) as again:
        assert set(kept) <= set(again.ratings_of("ann"))


def test_when_the_current_models_folder_is_gone_an_earlier_one_is_built_upon(home: Path) -> None:
    registry = Registry(home / "models")
    first = registry.read()
    second = retrain(plan_of(home)).model_id
    assert second
    registry.promote(second)
    serving = Recommender.of(registry.read())
    shutil.rmtree(registry.path(second))
    assert len(serving.recommend({10: 4.0}).recommendations) == 10  # who has it open goes on
    outcome = retrain(plan_of(home))
    assert outcome.model_id
    registry.promote(outcome.model_id)
    assert registry.read().stars.users == first.stars.users
    shutil.rmtree(home / "models")
    with pytest.raises(UnknownIdError, match="--data DATA"):
        retrain(plan_of(home))


def test_a_film_that_nobody_rated_is_shown_and_rated_and_enters_the_next_model(home: Path) -> None:
    registry = Registry(home / "models")
    before = registry.read()
    new = before.movies.head(1).with_columns(
        movie_id=pl.lit(9999, before.movies["movie_id"].dtype), title=pl.lit("New Film (2026)"),
        ratings_count=pl.lit(0, before.movies["ratings_count"].dtype),
        ratings_mean=pl.lit(None, before.movies["ratings_mean"].dtype),
    )  # fmt: skip
    registry.publish(before.stars, before.picks, movies=pl.concat([before.movies, new]))
    serving = Recommender.of(registry.read())
    assert 9999 not in serving.stars.items.ids
    guess = serving.predict({10: 4.0}, 9999)
    assert not guess.known
    assert np.isfinite(guess.stars)
    with store_of(home) as store:
        for person in range(3):
            store.add_many(f"person {person}", {9999: 5.0, 10: 4.0, 20: 2.0})
    outcome = retrain(plan_of(home))
    assert outcome.model_id, outcome
    after = Recommender.of(registry.read(outcome.model_id))
    assert 9999 in after.stars.items.ids
    assert after.predict({10: 4.0}, 9999).known
    assert 9999 in {film.movie_id for film in after.recommend({10: 4.0}, limit=len(FILMS)).recommendations}


def test_people_who_were_forgotten_are_in_no_file_after_a_rollback_either(home: Path) -> None:
    registry = Registry(home / "models")
    with store_of(home) as store:
        people = PeopleStore(store.database)
        user_id, token = people.join()
        store.add_many(user_id, {film: 0.5 + film % 10 / 2 for film in FILMS})
        store.add_many("7", {10: 0.5, 20: None})  # somebody of the data set
        for run in (1, 2):
            model_id = retrain(plan_of(home)).model_id
            assert model_id, run
            registry.promote(model_id)
        people.forget(user_id)
        people.forget("7")
    registry.rollback()
    kept = [path for path in home.rglob("*") if path.is_file()]
    assert len(kept) > 30
    for path in kept:
        content = path.read_bytes()
        assert user_id.encode() not in content, path
        assert token.encode() not in content, path
    for model_id in [info.model_id for info in registry.list()]:
        artifact = registry.read(model_id)
        for model in (artifact.stars, artifact.picks):
            assert model is not None
            assert model.users.ids.tolist() == list(range(1, 81))
            assert len(model.user_factors) == 80
            seven = model.person(7)
            original = registry.read(registry.list()[-1].model_id).stars.person(7)
            assert seven.stars.tolist() == original.stars.tolist()
            placed = model.fold_in(dict(zip(model.items.ids[seven.item_rows].tolist(), seven.stars, strict=True)))
            assert seven.factors == pytest.approx(placed.factors, abs=1e-5)

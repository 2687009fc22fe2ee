"""The models of one home: publishing, going back, cleaning up, and many processes at once."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from datetime import datetime, tzinfo
from pathlib import Path

import pytest
import small_world

from matinee.errors import ArtifactError, ParameterError, UnknownIdError
from matinee.registry import Registry


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "models")


def publish(registry: Registry, **more: bool) -> str:
    return registry.publish(small_world.stars(), movies=small_world.movies(), **more)


def test_nothing_is_there_at_first(registry: Registry) -> None:
    assert registry.current() is None
    assert registry.list() == ()
    with pytest.raises(UnknownIdError, match="matinee train"):
        registry.read()
    with pytest.raises(UnknownIdError, match="no earlier model"):
        registry.rollback()


def test_publishing_puts_to_use_and_lists_newest_first(registry: Registry) -> None:
    first, second = publish(registry), publish(registry)
    third = publish(registry, promote=False)
    assert registry.current() == second
    assert [info.model_id for info in registry.list()] == [third, second, first]
    assert [info.current for info in registry.list()] == [False, True, False]
    assert registry.list()[0].manifest["data"]["users"] == small_world.N_USERS
    assert registry.read().model_id == second
    assert registry.read(first).model_id == first


def test_rolling_back_follows_what_was_in_use(registry: Registry) -> None:
    first, second, third = (publish(registry) for _ in range(3))
    registry.promote(first)
    assert registry.rollback() == third
    assert registry.rollback() == second
    assert registry.current() == second


def test_rolling_back_passes_over_models_that_are_gone(registry: Registry) -> None:
    first, second, _ = (publish(registry) for _ in range(3))
    (registry.path(second) / "manifest.json").unlink()
    assert registry.rollback() == first


def test_promoting_twice_is_one_step(registry: Registry) -> None:
    first, second = publish(registry), publish(registry)
    registry.promote(second)
    assert registry.rollback() == first


def test_a_damaged_model_is_not_promoted_and_listed_with_its_problem(registry: Registry) -> None:
    good, bad = publish(registry), publish(registry, promote=False)
    array = registry.path(bad) / "stars" / "item_factors.npy"
    data = bytearray(array.read_bytes())
    data[-1] ^= 1
    array.write_bytes(data)
    with pytest.raises(ArtifactError, match=r"item_factors\.npy.*SHA-256"):
        registry.promote(bad)
    assert registry.current() == good
    (registry.path(bad) / "manifest.json").write_text("{")
    assert "manifest.json" in (registry.list()[0].problem or "")


@pytest.mark.parametrize("model_id", ["nope", "../models", "", ".hidden", "a/b", "current"])
def test_an_unknown_id_is_refused(registry: Registry, model_id: str) -> None:
    there = publish(registry)
    with pytest.raises(UnknownIdError, match=there):
        registry.path(model_id)


def test_pruning_keeps_the_newest_the_current_and_the_one_before(registry: Registry) -> None:
    ids = [publish(registry) for _ in range(5)]
    registry.promote(ids[0])
    stale = registry.models_dir / ".half.tmp"
    stale.mkdir()
    os.utime(stale, (time.time() - 7200,) * 2)
    fresh = registry.models_dir / ".writing.tmp"
    fresh.mkdir()
    assert set(registry.prune(1)) == {ids[1], ids[2], ids[3]} - {ids[4], ids[0]}
    assert {info.model_id for info in registry.list()} == {ids[0], ids[4]}
    assert not stale.exists()
    assert fresh.exists()
    assert registry.rollback() == ids[4]
    with pytest.raises(ParameterError, match="keep=-1"):
        registry.prune(-1)


def test_a_clock_that_was_turned_back_costs_neither_the_new_model_nor_the_one_before(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = [publish(registry) for _ in range(3)]

    class Earlier(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime(2020, 1, 1, tzinfo=tz)

    monkeypatch.setattr("matinee.registry.datetime", Earlier)
    newest = publish(registry)
    assert newest < min(before)  # so that it looks like the oldest
    registry.prune(1)
    assert registry.current() == newest
    assert registry.rollback() == before[-1]


def test_a_model_that_is_open_stays_readable_when_it_is_deleted(registry: Registry) -> None:
    old = publish(registry)
    artifact = registry.read(old)
    publish(registry), publish(registry)
    assert registry.prune(0) == (old,)
    assert artifact.stars.recommend(5)[0].tolist() == small_world.stars().recommend(5)[0].tolist()


def test_threads_and_readers_never_see_half_a_model(registry: Registry) -> None:
    problems: list[str] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            current = registry.current()
            if current is not None and registry.read(current).model_id != current:
                problems.append(current)

    watcher = threading.Thread(target=watch)
    watcher.start()
    writers = [threading.Thread(target=publish, args=(registry,)) for _ in range(6)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    done.set()
    watcher.join()
    assert problems == []
    assert len(registry.list()) == 6
    assert [info.problem for info in registry.list()] == [None] * 6


PUBLISH = """
import sys; sys.path.insert(0, sys.argv[2])
import small_world; from matinee.registry import Registry
for _ in range(3): Registry(sys.argv[1]).publish(small_world.stars(), movies=small_world.movies())
"""


def test_two_processes_saving_at_once_do_not_clash(registry: Registry) -> None:
    command = [sys.executable, "-c", PUBLISH, str(registry.models_dir), str(Path(__file__).parent)]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(2)]
    assert [process.communicate(timeout=60)[1] for process in processes] == [b"", b""]
    listed = registry.list()
    assert len(listed) == 6
    assert sum(info.current for info in listed) == 1
    for _ in range(5):
        registry.rollback()


def test_a_note_of_the_current_model_that_is_no_text_is_named(registry: Registry) -> None:
    publish(registry)
    (registry.models_dir / "current").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ArtifactError, match=r"current: is not text.*promote"):
        registry.current()


def test_a_folder_that_cannot_be_written_is_refused_before_training(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file where the folder should be")
    with pytest.raises(ArtifactError, match="give another --home"):
        Registry(tmp_path / "models").check_writable()
    Registry(tmp_path / "others").check_writable()
    assert list((tmp_path / "others").iterdir()) == []

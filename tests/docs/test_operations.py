"""The operators' page: its backup, restore and way back are run as written, and whatever else it names exists."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click
import numpy as np
import pytest
from docs_runner import BLOCK, Page, environment

import postgres
from matinee.cli import cli
from matinee.data.ratings import Ratings
from matinee.models.als import ALS
from matinee.registry import Registry
from matinee.settings import Settings
from matinee.store.ratings import RatingStore
from matinee.web.app import create_app
from matinee.web.serving import Models, RegistrySource

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operations.md"
TEXT = PAGE.read_text("utf-8")
KEY = "operators-page-0123"
KEPT, LATER = {1: 4.0, 2: 3.5}, {3: 1.0}
"""What somebody rates before a backup, and after it."""


def commands() -> list[str]:
    found = [match["body"] for match in BLOCK.finditer(TEXT) if match["kind"] == "console"]
    return re.findall(r"^\$ (.+)$", "\n".join(found), re.MULTILINE)


def test_every_command_of_ours_is_understood() -> None:
    mine = [shlex.split(line) for line in commands() if line.startswith("matinee ")]
    mine += [["matinee", *line.split()[5:]] for line in commands() if line.startswith("docker compose run --rm worker")]
    assert len(mine) >= 4
    for _, *arguments in mine:
        command: click.Command = cli
        context = click.Context(cli)
        while isinstance(command, click.Group):
            name, found, arguments = command.resolve_command(context, arguments)
            assert found, name
            command, context = found, click.Context(found, info_name=name, parent=context)
        command.make_context(str(name), list(arguments))  # a usage error if it has no such option


def test_every_route_and_every_number_that_is_watched_exists(tmp_path: Path) -> None:
    app = create_app(Settings(home=tmp_path), RatingStore("sqlite://"), Models(RegistrySource(tmp_path)))
    routes = {rule.rule for rule in app.url_map.iter_rules()}
    named = re.findall(r"`(?:GET |POST )?(/(?:api|readyz|healthz|metrics)[^`{]*)`", TEXT)
    assert {"/readyz", "/metrics", "/api/v1/training-runs"} <= set(named) <= routes
    app.test_client().get("/healthz")
    told = app.test_client().get("/metrics").text
    numbers = set(re.findall(r"`(matinee_[a-z_]+)", TEXT))
    assert len(numbers) >= 5
    assert {number for number in numbers if f"# TYPE {number.removesuffix('_total')}" not in told} == set()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with two models and a database in its file."""
    home = tmp_path / "var" / "matinee"
    rng = np.random.default_rng(2)
    ratings = Ratings.from_arrays(np.repeat(range(20), 8), np.tile(range(1, 9), 20), rng.integers(1, 11, 160) / 2)
    for seed in (1, 2):
        Registry(home / "models").publish(ALS(rank=2, iterations=1, seed=seed).fit(ratings))
    with closing(RatingStore(f"sqlite:///{home}/matinee.db")) as store:
        store.add_many("ann", KEPT)
    (tmp_path / "backup").mkdir()
    return home


@pytest.fixture
def page(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    for name, value in environment(home).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    places = {
        "/var/lib/matinee": str(home), "/etc/matinee.env": str(tmp_path / "matinee.env"),
        "/backup": str(tmp_path / "backup"), "--owner matinee --group matinee ": "",
    }  # fmt: skip
    page = Page(PAGE, tmp_path, port, places)
    yield page
    page.stop()


def rate(page: Page, stars: dict[int, float]) -> None:
    body = {"ratings": [{"movie_id": movie_id, "stars": value} for movie_id, value in stars.items()]}
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    address = f"http://127.0.0.1:{page.port}/api/v1/users/ann/ratings"
    urllib.request.urlopen(urllib.request.Request(address, json.dumps(body).encode(), headers), timeout=30).close()


def start(page: Page) -> None:
    """Two web processes and a worker, as the units start them."""
    page.command(f"matinee serve --workers 2 --log-format json --port {page.port} &", "", 0)
    page.command("matinee worker &", "", 0)


@pytest.mark.timeout(240)
@pytest.mark.xdist_group("postgres")
def test_two_web_processes_and_a_worker_are_backed_up_go_back_and_are_restored(
    page: Page, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{postgres.TOOLS}{os.pathsep}{os.environ['PATH']}")
    with postgres.own_server() as server:
        monkeypatch.setenv("MATINEE_DATABASE_URL", server.url)
        monkeypatch.setenv("MATINEE_OPERATOR_KEY", KEY)
        (tmp_path / "matinee.env").write_text(f"MATINEE_DATABASE_URL={server.url}\n")
        start(page)
        rate(page, KEPT)
        page.section("## Back up")
        page.section("### PostgreSQL")
        rate(page, LATER)
        before = Registry(home / "models").current()
        page.section("## Go back to an earlier model")
        assert Registry(home / "models").current() != before
        page.stop()
        shutil.rmtree(home / "models")
        page.section("## Restore")
        page.section("### Into PostgreSQL")
        assert Registry(home / "models").current() == before
        with closing(RatingStore(server.url)) as store:
            assert store.ratings_of("ann") == KEPT


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="no sqlite3: apt-get install sqlite3")
def test_a_file_of_sqlite_is_backed_up_while_it_is_written_and_put_back(page: Page, home: Path) -> None:
    with closing(RatingStore(f"sqlite:///{home}/matinee.db")) as store:
        page.section("### SQLite")
        store.add_many("ann", LATER)
    page.section("### Into SQLite")
    with closing(RatingStore(f"sqlite:///{home}/matinee.db")) as store:
        assert store.ratings_of("ann") == KEPT

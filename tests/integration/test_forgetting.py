"""Somebody who did everything there is to do is forgotten: no table, no file and no earlier model knows them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import MetaData, Table, inspect, select
from test_worker_process import FILMS, plan_of

from matinee.registry import Registry
from matinee.retraining.trainer import retrain
from matinee.settings import Settings
from matinee.store.database import Database
from matinee.store.ratings import RatingStore
from matinee.web.app import create_app
from matinee.web.serving import Models, RegistrySource

KEY = {"Idempotency-Key": "once"}


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.xdist_group("postgres"))])
def settings(request: pytest.FixtureRequest, trained: Path, tmp_path: Path) -> Settings:
    """A home with a model, and where ratings go."""
    shutil.copytree(trained / "models", tmp_path / "models")
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    return Settings(home=tmp_path, database_url=url, operator_key="forgets-completely", log_format="json")


@pytest.fixture
def models(settings: Settings) -> Models:
    return Models(RegistrySource(settings.models_dir))


@pytest.fixture
def client(settings: Settings, models: Models) -> Iterator[FlaskClient]:
    models.refresh()
    with closing(RatingStore(settings.database)) as store:
        yield create_app(settings, store, models).test_client(use_cookies=False)


def do_everything(client: FlaskClient) -> tuple[str, list[str], dict[str, str]]:
    """Join, rate, mark, import, link; return the person's id, whatever is theirs, and what proves that it is them."""
    user_id, token = client.post("/api/v1/users").json.values()
    path, mine = f"/api/v1/users/{user_id}", {"Authorization": f"Bearer {token}"}
    ratings = [{"movie_id": film, "stars": 0.5 + film % 10 / 2} for film in FILMS]
    history = "Date,Name,Year,Letterboxd URI,Rating\n2020-01-01,Only Ann Knows This Film,1994,https://boxd.it/ann,4\n"
    answers = [
        client.post(f"{path}/ratings", json={"ratings": ratings, "recommend": 3}, headers=mine | KEY),
        client.put(f"{path}/ratings/{FILMS[0]}/seed", json={"seed": False}, headers=mine),
        client.put(f"{path}/not-interested/{FILMS[1]}", headers=mine),
        client.put(f"{path}/watchlist/{FILMS[2]}", headers=mine),
        client.post(f"{path}/imports?name=of-ann.csv", data=history, headers=mine),
        client.post(f"{path}/links", headers=mine),
    ]
    assert [answer.status_code // 100 for answer in answers] == [2] * len(answers)
    return user_id, [user_id, token, "Only Ann Knows", "of-ann.csv", answers[-1].json["code"]], mine


def rows(url: str) -> dict[str, list[str]]:
    """Return every row of every table as text."""
    with closing(Database(url)) as database, database.reading() as connection:
        names = inspect(connection).get_table_names()
        tables = [Table(name, MetaData(), autoload_with=connection) for name in names]
        return {table.name: [str(tuple(row)) for row in connection.execute(select(table))] for table in tables}


def test_nothing_is_left_of_them_and_no_way_back_brings_them_back(
    client: FlaskClient, models: Models, settings: Settings
) -> None:
    before = {name: len(kept) for name, kept in rows(settings.database).items()}
    user_id, secrets, mine = do_everything(client)
    held = {name for name, kept in rows(settings.database).items() if any(user_id in row for row in kept)}
    assert held == {"users", "ratings", "rating_history", "tokens", "links", "marks", "replays", "imports"}
    registry = Registry(settings.models_dir)
    plan = replace(plan_of(settings.home), database_url=settings.database)
    for _ in range(2):
        model_id = retrain(plan).model_id
        assert model_id
        registry.promote(model_id)
    models.refresh()
    assert client.delete(f"/api/v1/users/{user_id}", headers=mine).status_code == 204

    operator = {"Authorization": "Bearer forgets-completely"}
    assert client.post("/api/v1/models/rollback", headers=operator).status_code == 200
    models.refresh()
    for path in ("ratings", "recommendations", "taste", "watchlist", "export"):
        assert client.get(f"/api/v1/users/{user_id}/{path}", headers=operator).status_code == 404
        assert client.get(f"/api/v1/users/{user_id}/{path}", headers=mine).status_code == 403
    after = rows(settings.database)
    assert {name: len(kept) for name, kept in after.items() if name != "training_runs"} == {
        name: count for name, count in before.items() if name != "training_runs"
    }
    everything = {name: json.dumps(kept).encode() for name, kept in after.items()}
    everything |= {str(path): path.read_bytes() for path in settings.home.rglob("*") if path.is_file()}
    assert len(everything) > 40
    for secret in secrets:
        assert [name for name, content in everything.items() if secret.encode() in content] == []

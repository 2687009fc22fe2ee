"""`matinee models`: the trained models of a home."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from matinee.cli.common import answer, columns, home_option, json_option

if TYPE_CHECKING:
    from matinee.registry import ModelInfo, Registry


@click.group()
def models() -> None:
    """List, show, promote and roll back trained models."""


def registry_of(home: Path) -> Registry:
    """Return the models of a home."""
    from matinee.registry import Registry

    return Registry(home / "models")


@models.command("list")
@json_option
@home_option
def list_models(as_json: bool, home: Path) -> None:
    """List the models, newest first; the current one is marked."""
    found = registry_of(home).list()
    headers = ("", "model", "created", "data", "ratings", "rmse", "ndcg@10", "problem")
    answer(
        {"models": [described(info) for info in found]},
        lambda: (
            columns([row(info) for info in found], headers) if found else f"no models in {home}: matinee train DATA"
        ),
        as_json,
    )


def described(info: ModelInfo) -> dict[str, Any]:
    """Return what JSON says of a model: its manifest without the list of files."""
    manifest = {name: value for name, value in info.manifest.items() if name != "files"}
    return {"model_id": info.model_id, "current": info.current, "problem": info.problem, **manifest}


def row(info: ModelInfo) -> tuple[Any, ...]:
    """Return a model's line of the table."""
    data, metrics = info.manifest.get("data", {}), info.manifest.get("metrics", {})
    rmse, ndcg = metrics.get("stars", {}).get("rmse"), metrics.get("picks", {}).get("ndcg@10")
    return (
        "*" if info.current else "",
        info.model_id,
        info.manifest.get("created_at"),
        data.get("name"),
        data.get("ratings"),
        None if rmse is None else f"{rmse:.4f}",
        None if ndcg is None else f"{ndcg:.4f}",
        info.problem or "",
    )


@models.command()
@click.argument("model_id", metavar="[ID]", required=False)
@json_option
@home_option
def show(model_id: str | None, as_json: bool, home: Path) -> None:
    """Show what a model was learned from, how, and how good it is; the current one without an ID."""
    artifact = registry_of(home).read(model_id)
    document = {
        "model_id": artifact.model_id,
        **{name: value for name, value in artifact.manifest.items() if name != "files"},
    }
    answer(document, lambda: columns(list(flat(document)), ("", "")).lstrip("\n"), as_json)


def flat(value: Any, path: str = "") -> list[tuple[str, str]]:
    """Turn nested values into lines ``a.b.c  value``."""
    if isinstance(value, dict):
        return [line for name, inner in value.items() for line in flat(inner, f"{path}.{name}".lstrip("."))]
    return [(path, f"{value:.4f}" if isinstance(value, float) else str(value))]


@models.command()
@click.argument("model_id", metavar="ID")
@json_option
@home_option
def promote(model_id: str, as_json: bool, home: Path) -> None:
    """Make a model the current one, after checking every byte of it."""
    registry_of(home).promote(model_id)
    answer({"current": model_id}, f"current: {model_id}", as_json)


@models.command()
@json_option
@home_option
def rollback(as_json: bool, home: Path) -> None:
    """Make the model current that was before."""
    model_id = registry_of(home).rollback()
    answer({"current": model_id}, f"current: {model_id}", as_json)

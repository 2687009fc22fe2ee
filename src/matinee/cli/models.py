"""`matinee models`: the trained models of a home, and Spark's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from matinee.cli.common import answer, columns, home_option, json_option, loaded, reading_options

if TYPE_CHECKING:
    from matinee.registry import ModelInfo, Registry

FORMATS = click.Choice(["spark", "mllib"])


@click.group()
def models() -> None:
    """List, show, promote, roll back, delete and exchange trained models."""


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


@models.command()
@click.option("--keep", type=click.IntRange(min=0), required=True, help="How many of the newest stay.")
@json_option
@home_option
def prune(keep: int, as_json: bool, home: Path) -> None:
    """Delete old models; the current one and the one before it always stay."""
    deleted = registry_of(home).prune(keep)
    answer({"deleted": deleted}, f"{len(deleted)} models deleted", as_json)


@models.command("export")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--format", "layout", type=FORMATS, default="spark", show_default=True, help="ALSModel's folder or MLlib's."
)
@click.option("--picks", is_flag=True, help="The ranking model instead of the rating model.")
@click.option("--model", "model_id", metavar="ID", help="Another model than the current one.")
@json_option
@home_option
def export_(path: Path, layout: Any, picks: bool, model_id: str | None, as_json: bool, home: Path) -> None:
    """Write a model as a folder that Spark loads, without needing Spark.

    `ALSModel.load` (spark) or `MatrixFactorizationModel.load` (mllib) reads PATH and predicts the same. Biases become
    two more factors.
    """
    from matinee.engines.spark.exchange import export_model
    from matinee.errors import ParameterError

    artifact = registry_of(home).read(model_id)
    model = artifact.picks if picks else artifact.stars
    if model is None:
        raise ParameterError(f"model {artifact.model_id} has no ranking model: leave --picks out")
    export_model(model, path, layout=layout)
    document = {"model_id": artifact.model_id, "path": str(path), "format": layout}
    answer(document, f"{artifact.model_id} written to {path}", as_json)


@models.command("import")
@click.argument("path", metavar="[PATH]", required=False, type=click.Path(path_type=Path))
@click.option("--data", required=True, metavar="DATA", help="What it was trained on.")
@reading_options
@click.option("--format", "layout", type=FORMATS, help="Refuse the other one; both are recognised.")
@click.option("--picks", type=click.Path(path_type=Path), help="Folder of a ranking model (implicitPrefs).")
@click.option("--regularization", default=0.1, show_default=True, help="regParam of PATH.")
@click.option(
    "--picks-regularization", default=0.1, show_default=True, help="regParam of the ranking model's training."
)
@click.option("--picks-alpha", default=1.0, show_default=True, help="alpha of the ranking model.")
@json_option
@home_option
def import_(
    path: Path | None,
    data: str,
    reading: dict[str, Any],
    layout: str | None,
    picks: Path | None,
    regularization: float,
    picks_regularization: float,
    picks_alpha: float,
    as_json: bool,
    home: Path,
) -> None:
    """Take over a model that Spark trained, and promote it, without needing Spark.

    PATH is the folder of an ALSModel or of an MLlib MatrixFactorizationModel; without it stars are predicted by damped
    biases. DATA has the films' titles and says who has seen what. Spark's folder does not say how it was trained, and
    placing new people needs that: give the training's regParam, unless `matinee models export` wrote the folder.
    """
    from matinee import ALS, ImplicitALS
    from matinee.engines.spark.exchange import import_models

    if path is None and picks is None:
        raise click.UsageError("give PATH, --picks or both")
    dataset = loaded(data, home, reading)
    stars, ranking = import_models(
        path, picks, dataset.ratings, layout=layout,
        stars_params=ALS(regularization=regularization, biases=False),
        picks_params=ImplicitALS(regularization=picks_regularization, alpha=picks_alpha, objective="spark"),
    )  # fmt: skip
    ratings = dataset.ratings if (stars.users, stars.items) == (dataset.ratings.users, dataset.ratings.items) else None
    model_id = registry_of(home).publish(stars, ranking, movies=dataset.movies, ratings=ratings, data=dataset.label)
    answer({"model_id": model_id}, f"imported and promoted: model {model_id}", as_json)

"""Spark's own model folders, read and written without Spark or Java.

Two layouts exist (seen in what Spark 4.3 writes): `ALSModel.write` of spark.ml and `MatrixFactorizationModel.save` of
the older spark.mllib. Both hold one JSON text under ``metadata/`` and two Parquet tables of an int32 id with a list of
float32 (ml) or float64 (mllib).

Spark knows no biases: on the way out a model's mean and biases become two more columns of the factors,
``[x, mean + b_u, 1] . [y, 1, b_i]``, so that Spark predicts what we predict; on the way back a folder that we wrote is
taken apart again.
"""

from __future__ import annotations

import json
import shutil
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from matinee.data.ratings import STAR_SCALE, Csr, Float32, Int64, Ratings, Vocabulary
from matinee.errors import ArtifactError, ParameterError
from matinee.models.als import ALS, ALSModel
from matinee.models.bias import DampedBias
from matinee.models.factors import FactorModel, RatingModel
from matinee.models.implicit_als import ImplicitALS, ImplicitModel

Layout = Literal["spark", "mllib"]
_TABLES = {"spark": ("userFactors", "itemFactors"), "mllib": ("data/user", "data/product")}
_CLASSES = {
    "spark": "org.apache.spark.ml.recommendation.ALSModel",
    "mllib": "org.apache.spark.mllib.recommendation.MatrixFactorizationModel",
}
INT32 = np.iinfo(np.int32)
ROWS_PER_FILE = 1 << 18


@dataclass(frozen=True, eq=False)
class SparkFolder:
    """What a folder of Spark's holds.

    Attributes
    ----------
    layout
        "spark" (ALSModel) or "mllib" (MatrixFactorizationModel).
    metadata
        The JSON text of ``metadata/``.
    user_ids, item_ids
        Increasing ids.
    user_factors, item_factors
        Shapes ``(n_users, rank)`` and ``(n_items, rank)``, float32.
    """

    layout: Layout
    metadata: dict[str, Any]
    user_ids: Int64
    item_ids: Int64
    user_factors: Float32
    item_factors: Float32


def read_folder(path: str | Path) -> SparkFolder:
    """Read a model folder that Spark, or `export_model`, wrote.

    Raises
    ------
    ArtifactError
        If it is neither of the two layouts, or a table is missing, damaged or not finite.
    """
    folder = Path(path)
    metadata = _read_metadata(folder)
    for layout, class_name in _CLASSES.items():
        if metadata.get("class") == class_name:
            rank = _whole(metadata, "rank", folder)
            (users, x), (items, y) = (_read_table(folder / table, rank) for table in _TABLES[layout])
            return SparkFolder("spark" if layout == "spark" else "mllib", metadata, users, items, x, y)
    raise ArtifactError(
        f"{folder}: holds a {metadata.get('class')}; an ALSModel or a MatrixFactorizationModel can be imported"
    )


def import_model(
    path: str | Path, params: ALS | ImplicitALS, ratings: Ratings | None = None, layout: str | None = None
) -> FactorModel:
    """Make a model of a Spark folder.

    Parameters
    ----------
    path
        The folder.
    params
        How it was trained, which Spark's folder does not say and fold-in needs: `ALS` with ``biases=False`` or
        `ImplicitALS` with ``objective="spark"``. Ignored for a folder that `export_model` wrote, which knows.
    ratings
        What it was trained on, so that nobody is shown what they rated; users and items that Spark's model does not
        know are left out. Without it nobody has seen anything.
    layout
        "spark" or "mllib" refuses the other.

    Raises
    ------
    ArtifactError
        If the folder cannot be read, or is of the other layout.
    """
    folder = read_folder(path)
    if layout not in (None, folder.layout):
        raise ArtifactError(f"{path} is of the format {folder.layout!r}, not {layout!r}")
    users, items = Vocabulary(folder.user_ids), Vocabulary(folder.item_ids)
    ours = folder.metadata.get("matinee")
    x, y = folder.user_factors, folder.item_factors
    params = replace(params, rank=y.shape[1])
    mean, user_biases, item_biases = 0.0, np.zeros(len(x), np.float32), np.zeros(len(y), np.float32)
    if ours:
        params, mean = _our_params(ours, Path(path))
        user_biases, item_biases = x[:, -2] - np.float32(mean), y[:, -1]
        x, y = np.ascontiguousarray(x[:, :-2]), np.ascontiguousarray(y[:, :-2])
    model_class: Any = ALSModel if isinstance(params, ALS) else ImplicitModel
    model: FactorModel = model_class(
        params=params, users=users, items=items, user_factors=x, item_factors=y, user_biases=user_biases,
        item_biases=item_biases, mean=mean, seen=_seen(users, items, ratings),
        scale=ratings.scale if ratings else STAR_SCALE,
    )  # fmt: skip
    return model


def import_models(
    stars: str | Path | None,
    picks: str | Path | None,
    ratings: Ratings,
    *,
    stars_params: ALS,
    picks_params: ImplicitALS,
    layout: str | None = None,
) -> tuple[RatingModel, FactorModel | None]:
    """Make what a model folder of ours holds: a rating model and a ranking model, or None.

    Parameters
    ----------
    stars, picks
        Folders of Spark's; without one for stars, damped biases of `ratings` predict them.
    ratings
        What they were trained on.
    stars_params, picks_params
        See `import_model`.
    layout
        "spark" or "mllib" refuses the other.

    Raises
    ------
    ArtifactError
        If a folder cannot be read, is of the other layout, or holds a model of the other kind.
    """
    paths: dict[str, tuple[str | Path | None, ALS | ImplicitALS, type[FactorModel]]] = {
        "rating": (stars, stars_params, RatingModel),
        "ranking": (picks, picks_params, ImplicitModel),
    }
    found: dict[str, Any] = {}
    for role, (path, params, wanted) in paths.items():
        if path is not None:
            found[role] = import_model(path, params, ratings, layout)
            if not isinstance(found[role], wanted):
                raise ArtifactError(f"{path} holds an {type(found[role].params).__name__} model, not a {role} model")
    if "rating" not in found:
        seen = found["ranking"].seen
        known = Ratings(found["ranking"].users, found["ranking"].items, seen, scale=ratings.scale)
        found["rating"] = DampedBias().fit(known)
    return found["rating"], found.get("ranking")


def export_model(model: FactorModel, path: str | Path, *, layout: Layout = "spark") -> Path:
    """Write a model as Spark would, so that `ALSModel.load` or `MatrixFactorizationModel.load` reads it.

    Raises
    ------
    ParameterError
        If ids are not integers of 32 bits, which Spark's recommenders ask for.
    ArtifactError
        If something is at `path` already.
    """
    if layout not in _TABLES:
        raise ParameterError(f"layout={layout!r}: {' and '.join(_TABLES)} are allowed")
    target = Path(path)
    if target.exists():
        raise ArtifactError(f"{target} is there already: give a path that is not")
    for side, vocabulary in (("user", model.users), ("item", model.items)):
        _check_ids(side, vocabulary)
    target.parent.mkdir(parents=True, exist_ok=True)
    half = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
    try:
        _write_metadata(half, layout, model, model.item_factors.shape[1] + 2)
        users, items = (half / table for table in _TABLES[layout])
        _write_table(users, model.users, partial(_user_rows, model), layout)
        _write_table(items, model.items, partial(_item_rows, model), layout)
        half.rename(target)
    except OSError as error:
        raise ArtifactError(f"{target} could not be written ({error.strerror}): nothing was left there") from error
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return target


def _our_params(ours: dict[str, Any], folder: Path) -> tuple[ALS | ImplicitALS, float]:
    """Take what `export_model` wrote beside Spark's metadata apart."""
    try:
        return (ALS if ours["kind"] == "ALS" else ImplicitALS)(**ours["params"]), float(ours["mean"])
    except (TypeError, KeyError, ValueError) as error:
        raise ArtifactError(f"{folder / 'metadata'}: what matinee wrote there is damaged ({error})") from error


def _read_metadata(folder: Path) -> dict[str, Any]:
    parts = sorted((folder / "metadata").glob("part-*"))
    if not parts:
        raise ArtifactError(f"{folder / 'metadata'}: has no part file, so this is not a model folder of Spark's")
    try:
        metadata = json.loads(parts[0].read_text(encoding="utf-8"))
    except ValueError as error:
        raise ArtifactError(f"{parts[0]}: is not JSON ({error})") from error
    if not isinstance(metadata, dict):
        raise ArtifactError(f"{parts[0]}: is not a JSON object, so this is not a model folder of Spark's")
    return metadata


def _whole(metadata: dict[str, Any], name: str, folder: Path) -> int:
    value = metadata.get(name)
    if not isinstance(value, int) or value < 1:
        raise ArtifactError(f"{folder / 'metadata'}: says {name}={value!r}, where a whole number above 0 belongs")
    return value


def _read_table(folder: Path, rank: int) -> tuple[Int64, Float32]:
    parts = sorted(folder.glob("*.parquet"))
    if not parts:
        raise ArtifactError(f"{folder}: has no Parquet file; the model folder is incomplete")
    try:
        table = pl.read_parquet(parts).sort("id")
        ids = table["id"].cast(pl.Int64).to_numpy()
        lengths = table["features"].list.len()
        flat = table["features"].explode().cast(pl.Float32).to_numpy()
    except pl.exceptions.PolarsError as error:
        raise ArtifactError(f"{folder}: cannot be read ({str(error).splitlines()[0]})") from error
    if not bool((lengths == rank).all()) or not bool(np.isfinite(flat).all()):
        raise ArtifactError(f"{folder}: has factors that are not {rank} finite numbers each, as the metadata says")
    if len(ids) > 1 and not bool(np.all(ids[1:] > ids[:-1])):
        raise ArtifactError(f"{folder}: an id occurs twice")
    return ids, np.ascontiguousarray(flat.reshape(len(ids), rank))


def _seen(users: Vocabulary, items: Vocabulary, ratings: Ratings | None) -> Csr:
    if ratings is None:
        return Csr(np.zeros(len(users) + 1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32), len(items))
    user_rows, item_rows = (
        users.rows(ratings.users.ids)[ratings.user_rows],
        items.rows(ratings.items.ids)[ratings.item_rows],
    )
    known = (user_rows >= 0) & (item_rows >= 0)
    counts = np.bincount(user_rows[known], minlength=len(users))
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Csr(indptr, item_rows[known], ratings.stars[known], len(items))


def _check_ids(side: str, vocabulary: Vocabulary) -> None:
    ids: npt.NDArray[Any] = vocabulary.ids
    if ids.dtype.kind != "i" or (len(ids) and (ids[0] < INT32.min or ids[-1] > INT32.max)):
        raise ParameterError(f"{side} ids are not integers of 32 bits, the only ones that Spark's recommenders take")


def _write_metadata(folder: Path, layout: Layout, model: FactorModel, rank: int) -> None:
    ours = {"kind": type(model.params).__name__, "params": asdict(model.params), "mean": float(model.mean)}
    if ours["kind"] not in ("ALS", "ImplicitALS"):
        raise ParameterError(f"a {ours['kind']} model cannot be written as Spark's: ALS and ImplicitALS can")
    metadata: dict[str, Any] = {"class": _CLASSES[layout], "rank": rank, "matinee": ours}
    if layout == "mllib":
        metadata["version"] = "1.0"
    else:
        defaults = {"blockSize": 4096, "coldStartStrategy": "nan", "itemCol": "item", "predictionCol": "prediction"}
        metadata |= {
            "timestamp": int(time.time() * 1000),
            "sparkVersion": "4.0.0",
            "uid": f"ALS_{uuid.uuid4().hex[:12]}",
        }
        metadata |= {"paramMap": {}, "defaultParamMap": defaults | {"userCol": "user"}}
    (folder / "metadata").mkdir(parents=True)
    (folder / "metadata" / "part-00000").write_text(json.dumps(metadata) + "\n", encoding="utf-8")
    (folder / "metadata" / "_SUCCESS").touch()


def _user_rows(model: FactorModel, rows: slice) -> Float32:
    """Return what Spark gets of some people: factors, mean and bias, 1."""
    biases = model.user_biases[rows] + np.float32(model.mean)
    return np.column_stack([model.user_factors[rows], biases, np.ones_like(biases)])


def _item_rows(model: FactorModel, rows: slice) -> Float32:
    biases = model.item_biases[rows]
    return np.column_stack([model.item_factors[rows], np.ones_like(biases), biases])


def _write_table(folder: Path, vocabulary: Vocabulary, rows_of: Callable[[slice], Float32], layout: Layout) -> None:
    """Write one side, some rows at a time: people may be in shards, too many for the memory."""
    folder.mkdir(parents=True)
    number = pl.Float32 if layout == "spark" else pl.Float64
    for part, start in enumerate(range(0, len(vocabulary), ROWS_PER_FILE)):
        rows = slice(start, start + ROWS_PER_FILE)
        factors = rows_of(rows)
        features = pl.Series("features", factors, pl.Array(pl.Float32, factors.shape[1])).cast(pl.List(number))
        table = pl.DataFrame([pl.Series("id", vocabulary.ids[rows], pl.Int32), features])
        table.write_parquet(folder / f"part-{part:05}.parquet")
    (folder / "_SUCCESS").touch()

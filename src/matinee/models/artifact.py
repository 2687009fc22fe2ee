"""Model folders: what training learned, as arrays that every process of a machine can share.

    models/<id>/manifest.json           what it is, and the size, shape and SHA-256 of every other file
                users.npy items.npy     the vocabularies
                seen_*.npy              the training ratings by user, so that nobody is shown what they rated; with
                                        their times (seconds since 1970) where those are known
                stars/*.npy picks/*.npy the arrays that each model names in `FactorModel.arrays`
                movies.parquet          the catalogue
                item_stats.parquet      see `matinee.data.stats.item_stats`
                people/*/*.parquet      in place of seen_* and of arrays of users, where Spark trained more people than
                                        one machine holds: see `matinee.models.shards`

A folder is written beside its place and renamed, so that a reader sees all of it or nothing. Nothing is pickled, and
arrays are memory-mapped.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_type_hints

import numpy as np

from matinee.data.ratings import Csr, Int64, Ratings, Vocabulary
from matinee.data.stats import item_stats
from matinee.errors import ArtifactError, ParameterError
from matinee.models.factors import FactorModel, RatingModel
from matinee.models.folder import (
    FORMAT,
    MANIFEST,
    SHARDED,
    Array,
    Reader,
    files_of,
    fingerprint,
    is_finite,
    new_folder,
    read_manifest,
    refusing,
    verify_files,
)
from matinee.models.shards import (
    PEOPLE,
    ShardedRatings,
    ShardedTimes,
    Shards,
    digest_of,
    shard_files,
    sharded_arrays,
    written_arrays,
)

if TYPE_CHECKING:
    import polars as pl

LIBRARIES = ("matinee", "numpy", "polars", "scipy")
_MODELS = {
    "ALS": "matinee.models.als:ALSModel",
    "BayesianMF": "matinee.models.bayesian:BayesianModel",
    "DampedBias": "matinee.models.bias:DampedBiasModel",
    "ImplicitALS": "matinee.models.implicit_als:ImplicitModel",
}
"""Kind of a model (its parameters' class) and where its class lives; parameters are the class of the field `params`."""


@dataclass(frozen=True, eq=False)
class Artifact:
    """A model folder, read.

    Attributes
    ----------
    model_id
        The folder's name.
    manifest
        What ``manifest.json`` holds.
    stars, picks
        The rating model, and the ranking model or None; they share vocabularies and `seen`.
    movies
        The catalogue; see `matinee.data.dataset.MOVIE_COLUMNS`.
    item_stats
        See `matinee.data.stats.item_stats`.
    seen_times
        Seconds since 1970 of the training ratings, in the order of `stars.seen`; None where they have no times.
    """

    model_id: str
    manifest: dict[str, Any]
    stars: RatingModel
    picks: FactorModel | None
    movies: pl.DataFrame
    item_stats: pl.DataFrame
    seen_times: Int64 | None = None

    @classmethod
    def read(cls, path: str | Path, *, verify: bool = False) -> Artifact:
        """Read a model folder; arrays stay on disk until they are used.

        Parameters
        ----------
        path
            The folder.
        verify
            Read every byte too: checksums and finite values.

        Raises
        ------
        ArtifactError
            Naming the file, if one is missing, damaged, of another size or shape than the manifest says, or if the
            folder was written by a newer version.
        """
        folder = Path(path)
        manifest = read_manifest(folder)
        if verify:
            verify_files(folder, manifest)
        with refusing(folder, MANIFEST):
            reader = Reader(folder, manifest["files"])
            movies, stats = reader.table("movies.parquet"), reader.table("item_stats.parquet")
            shared = _read_shared(reader, manifest, stats) | {"scale": tuple(manifest["scale"])}
            models = {role: _read_model(reader, role, stated, shared) for role, stated in manifest["models"].items()}
            times = _read_times(reader, manifest, shared["seen"])
            return cls(folder.name, manifest, models["stars"], models.get("picks"), movies, stats, times)


def save(
    stars: RatingModel,
    picks: FactorModel | None = None,
    *,
    path: str | Path,
    movies: pl.DataFrame | None = None,
    ratings: Ratings | None = None,
    metrics: Mapping[str, Any] | None = None,
    data: str | None = None,
    seen_times: Int64 | None = None,
    stats: pl.DataFrame | None = None,
    people: Callable[[Path], bool] | None = None,
) -> Path:
    """Write a model folder, whole or not at all.

    Parameters
    ----------
    stars
        The rating model.
    picks
        The ranking model, learned from the same ratings.
    path
        The folder; a model folder that is there already is replaced, anything else refused.
    movies
        The catalogue of the data set; without one, films are called "Movie <id>".
    ratings
        What the models were trained on, for the times of ratings; without it, taken from the model, which has none.
        It may have people whom the models leave out: `item_stats` counts them, nothing else keeps them.
    metrics
        What evaluation measured, with its protocol, as JSON can hold it.
    data
        Name of the data set.
    seen_times
        Times of `stars.seen`, where that is not all of `ratings`.
    stats
        What `item_stats` says of the ratings, where somebody else counted them.
    people
        Of models whose people are sharded: writes the shards into a folder, and tells whether all times are known.

    Raises
    ------
    ArtifactError
        If a number is not finite, something else is at `path`, or the disk refuses.
    ParameterError
        If the two models come from different ratings.
    """
    target = Path(path)
    _check_pair(stars, picks)
    if target.exists() and not (target / MANIFEST).is_file():
        raise ArtifactError(f"{target} is there already and is not a model folder: give another path")
    trained = ratings or Ratings(stars.users, stars.items, stars.seen, scale=stars.scale)
    stats = item_stats(trained) if stats is None else stats
    catalogue = _bare_movies(stats) if movies is None else movies
    if missing := set(stars.items.ids.tolist()) - set(catalogue["movie_id"]):
        raise ParameterError(f"the table of movies lacks {len(missing)} rated films, {min(missing)!r} among them")
    models = {"stars": stars} if picks is None else {"stars": stars, "picks": picks}
    with new_folder(target) as folder:
        _write_arrays(folder, models, trained.timestamps if seen_times is None else seen_times)
        sharded = {} if people is None else {"people": _write_people(folder, people, stars)}
        catalogue.write_parquet(folder / "movies.parquet")
        stats.write_parquet(folder / "item_stats.parquet")
        manifest = {
            "format": SHARDED if sharded else FORMAT,
            "created_at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "models": {role: _describe(model) for role, model in models.items()},
            "scale": list(stars.scale),
            "data": {"name": data, "movies": catalogue.height, **_describe_data(trained, stats)},
            **sharded,
            "metrics": dict(metrics or {}),
            "libraries": {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES},
            "files": {file.relative_to(folder).as_posix(): fingerprint(file) for file in files_of(folder)},
        }
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    return target


def load_model(path: str | Path) -> tuple[RatingModel, FactorModel | None]:
    """Read the rating model and the ranking model, or None, of a folder; see `Artifact.read`."""
    artifact = Artifact.read(path)
    return artifact.stars, artifact.picks


def _read_shared(reader: Reader, manifest: Mapping[str, Any], stats: pl.DataFrame) -> dict[str, Any]:
    users, items = (Vocabulary(reader.array(f"{side}.npy")) for side in ("users", "items"))
    if "people" in manifest:
        shards = Shards(shard_files(reader), manifest["people"]["per_shard"], len(users))
        return {"users": users, "items": items, "seen": ShardedRatings.of(shards, stats)}
    indptr, indices, stars = (reader.array(f"seen_{part}.npy") for part in ("indptr", "indices", "stars"))
    if len(indptr) != len(users) + 1 or not int(indptr[-1]) == len(indices) == len(stars):
        raise ArtifactError(f"{reader.folder / 'seen_indptr.npy'}: does not belong to the other seen_*.npy files")
    return {"users": users, "items": items, "seen": Csr(indptr, indices, stars, len(items))}


def _read_times(reader: Reader, manifest: Mapping[str, Any], seen: Csr) -> Int64 | None:
    if "people" in manifest:
        return cast("Any", ShardedTimes(cast("Any", seen).shards)) if manifest["people"]["times"] else None
    if "seen_times.npy" not in reader.files:
        return None
    times = reader.array("seen_times.npy")
    if len(times) != seen.nnz:
        raise ArtifactError(f"{reader.folder / 'seen_times.npy'}: does not belong to the other seen_*.npy files")
    return times


def _read_model(
    reader: Reader, role: str, stated: Mapping[str, Any], shared: Mapping[str, Any]
) -> Any:  # the class is known only when the manifest is read
    kind = stated["kind"]
    if kind not in _MODELS:
        raise ArtifactError(f"{reader.folder / MANIFEST}: no model of kind {kind!r}; {', '.join(_MODELS)} exist")
    module, name = _MODELS[kind].split(":")
    model_class = getattr(import_module(module), name)
    params_class = get_type_hints(model_class)["params"]
    _check_names(reader.folder, f"{kind}'s parameters", params_class, stated["params"])
    params = params_class(**stated["params"])
    arrays: dict[str, Any] = {array: reader.array(f"{role}/{array}.npy") for array in stated["arrays"]}
    if isinstance(shared["seen"], ShardedRatings):
        arrays = sharded_arrays(shared["seen"].shards, role, arrays)
    _check_names(reader.folder, f"{kind}'s arrays", model_class, {*arrays, *shared, "params", "mean"})
    model = model_class(params=params, mean=stated["mean"], **shared, **arrays)
    _check_shapes(reader.folder / role, model)
    return model


def _check_names(folder: Path, what: str, kind: type[Any], names: Iterable[str]) -> None:
    """Refuse a model that another version of matinee saved, with other fields than this one has."""
    found, known = set(names), {one.name: one for one in fields(kind)}
    needed = {name for name, one in known.items() if one.default is MISSING and one.default_factory is MISSING}
    problems = {"lack": needed - found, "have": found - known.keys()}
    said = " and ".join(f"{verb} {', '.join(sorted(which))}" for verb, which in problems.items() if which)
    if said:
        raise ArtifactError(
            f"{folder / MANIFEST}: {what} {said}, unlike those of this version: another version of matinee saved this "
            "model; train again (matinee train DATA), or use that version"
        )


def _check_shapes(folder: Path, model: FactorModel) -> None:
    for side, vocabulary in (("user", model.users), ("item", model.items)):
        wanted = {f"{side}_factors": (len(vocabulary), model.rank), f"{side}_biases": (len(vocabulary),)}
        for name, shape in wanted.items():
            if getattr(model, name).shape != shape:
                raise ArtifactError(
                    f"{folder / name}.npy: has shape {getattr(model, name).shape} where {shape} belongs"
                )


def _check_pair(stars: FactorModel, picks: FactorModel | None) -> None:
    if picks is None:
        return
    same = stars.users == picks.users and stars.items == picks.items
    if same and stars.seen is picks.seen:
        return
    if not same or not np.array_equal(stars.seen.indices, picks.seen.indices):
        raise ParameterError("the rating and the ranking model come from different ratings: train both on the same")


def _write_arrays(folder: Path, models: Mapping[str, FactorModel], times: Int64 | None) -> None:
    shared = models["stars"]
    arrays: dict[str, Array] = {"users": shared.users.ids, "items": shared.items.ids}
    seen: Any = shared.seen
    if not isinstance(seen, ShardedRatings):
        arrays |= {"seen_indptr": seen.indptr, "seen_indices": seen.indices, "seen_stars": seen.values}
        arrays |= {} if times is None else {"seen_times": times}
    for role, model in models.items():
        arrays |= {f"{role}/{name}": array for name, array in written_arrays(model.arrays()).items()}
    for name, array in arrays.items():
        if not is_finite(array):
            raise ArtifactError(
                f"{name} holds numbers that are not finite: the training diverged, so nothing was saved"
            )
        (folder / name).parent.mkdir(exist_ok=True)
        np.save(folder / f"{name}.npy", np.ascontiguousarray(array), allow_pickle=False)


def _describe(model: FactorModel) -> dict[str, Any]:
    return {
        "kind": type(model.params).__name__,
        "params": asdict(model.params),
        "mean": float(model.mean),
        "arrays": sorted(written_arrays(model.arrays())),
    }


def _describe_data(ratings: Ratings, stats: pl.DataFrame) -> dict[str, Any]:
    counts = {"ratings": len(ratings), "users": len(ratings.users), "items": len(ratings.items)}
    if hasattr(ratings.by_user, "shards"):
        return {"fingerprint": digest_of(ratings.users, stats), **counts}
    return {"fingerprint": ratings.fingerprint, **counts}


def _write_people(folder: Path, people: Callable[[Path], bool], model: FactorModel) -> dict[str, Any]:
    shards = cast("Any", model.seen).shards
    times = people(folder / PEOPLE)
    return {"per_shard": shards.per_shard, "times": times}


def _bare_movies(stats: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    called = pl.format("Movie {}", "movie_id")
    return stats.select(
        "movie_id", called.alias("title"), called.alias("name"), pl.lit(None, pl.Int32).alias("year"),
        pl.lit([], pl.List(pl.String)).alias("genres"), pl.lit(None, pl.String).alias("imdb_id"),
        pl.lit(None, pl.Int64).alias("tmdb_id"), "ratings_count", "ratings_mean",
    )  # fmt: skip

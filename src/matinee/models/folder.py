"""Folders of arrays and tables with a manifest: written whole or not at all, checked when read, shared by processes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from matinee.data.mapped import mapped
from matinee.errors import ArtifactError, MatineeError

if TYPE_CHECKING:
    import polars as pl

FORMAT = 1
SHARDED = 2
"""Format of folders whose people are in Parquet shards."""
MANIFEST = "manifest.json"
Array = npt.NDArray[Any]


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read what a model folder says of itself.

    Raises
    ------
    ArtifactError
        If it is missing, damaged, or of a newer format.
    """
    with refusing(folder, MANIFEST):
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        stated = manifest["format"]
    if stated not in (FORMAT, SHARDED):
        raise ArtifactError(
            f"{folder / MANIFEST}: format {stated} is not {FORMAT} or {SHARDED}, which this version reads: "
            "upgrade matinee, or train again"
        )
    return dict(manifest)


def verify_files(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Read every byte: checksums against the manifest, and finite values.

    Raises
    ------
    ArtifactError
        Naming the first file that differs.
    """
    with refusing(folder, MANIFEST):
        reader = Reader(folder, manifest["files"])
        for name in manifest["files"]:
            if _sha256(reader.file(name)) != manifest["files"][name]["sha256"]:
                raise ArtifactError(f"{folder / name}: its SHA-256 is not the manifest's: it was damaged or changed")
            if name.endswith(".npy") and not is_finite(reader.array(name)):
                raise ArtifactError(f"{folder / name}: holds numbers that are not finite")


def is_finite(array: Array) -> bool:
    """Tell whether an array holds neither NaN nor infinity; ids hold neither."""
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())


@dataclass(frozen=True)
class Reader:
    """Reads the files that a manifest names, each checked against it first."""

    folder: Path
    files: Mapping[str, Mapping[str, Any]]

    def file(self, name: str) -> Path:
        """Return the path of a file that has the size it should have."""
        path = self.folder / name
        if not path.resolve().is_relative_to(self.folder.resolve()):
            raise ArtifactError(f"{self.folder / MANIFEST}: names {name!r}, which lies outside the folder")
        with refusing(self.folder, name):
            size = path.stat().st_size
        if size != self.files[name]["bytes"]:
            raise ArtifactError(f"{path}: has {size} bytes where the manifest says {self.files[name]['bytes']}")
        return path

    def array(self, name: str) -> Array:
        """Map an array that has the shape and type it should have; nothing is read yet."""
        path = self.file(name)
        with refusing(self.folder, name):
            array = mapped(path)
        stated = self.files[name]
        if list(array.shape) != stated["shape"] or array.dtype.str != stated["dtype"]:
            raise ArtifactError(f"{path}: is {array.dtype.str} {list(array.shape)} where the manifest says {stated}")
        return array

    def table(self, name: str) -> pl.DataFrame:
        """Read a Parquet file."""
        import polars as pl

        path = self.file(name)
        try:
            return pl.read_parquet(path)
        except pl.exceptions.PolarsError as error:
            raise ArtifactError(f"{path}: cannot be read as Parquet ({error})") from error


def fingerprint(file: Path) -> dict[str, Any]:
    """State what the manifest keeps of one file."""
    stated: dict[str, Any] = {"bytes": file.stat().st_size, "sha256": _sha256(file)}
    if file.suffix == ".npy":
        array = np.load(file, mmap_mode="r", allow_pickle=False)
        stated |= {"shape": list(array.shape), "dtype": array.dtype.str}
    return stated


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def files_of(folder: Path) -> list[Path]:
    """List all files of a folder, sorted."""
    return sorted(file for file in folder.rglob("*") if file.is_file())


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Fill a hidden sibling, then put it in its place; leave nothing behind on any failure."""
    folder = target.parent / f".{target.name}.{uuid.uuid4().hex}.tmp"
    try:
        folder.mkdir(parents=True)
        yield folder
        for path in [*files_of(folder), *(p for p in folder.rglob("*") if p.is_dir()), folder]:
            sync(path)
        if target.exists():
            discard(target)
        folder.rename(target)
        sync(target.parent)
    except OSError as error:
        reason = error.strerror or "the disk took only a part of a file: it is full"  # NumPy leaves the reason out
        raise ArtifactError(f"{target} could not be written ({reason}): nothing was changed") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sync(path: Path) -> None:
    """Wait until a file or a folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def discard(folder: Path) -> None:
    """Delete a model folder such that nobody finds half of it."""
    doomed = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.tmp")
    folder.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


@contextmanager
def refusing(folder: Path, name: str) -> Iterator[None]:
    """Turn what a damaged file raises into an error that names it."""
    try:
        yield
    except ArtifactError:
        raise
    except FileNotFoundError as error:
        raise ArtifactError(f"{folder / name}: is missing, so this is not a whole model folder") from error
    except (MatineeError, OSError, ValueError, KeyError, TypeError, AttributeError, EOFError) as error:
        raise ArtifactError(f"{folder / name}: cannot be used ({type(error).__name__}: {error})") from error

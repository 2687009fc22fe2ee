"""The models of one home: which there are, which one is in use, and the ones to go back to.

    models/20261124T040512-271828-3f9a/   model folders, see `matinee.models.artifact`
           current                   the id in use, and below it those that were in use before, newest first

Ids sort by time of publication. `current` is one small file, replaced in one step, so that any number of processes may
read it at any moment; changes to it take turns.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matinee.data.ratings import Int64, Ratings
from matinee.errors import ArtifactError, ParameterError, UnknownIdError
from matinee.models.artifact import Artifact, save
from matinee.models.factors import FactorModel, RatingModel
from matinee.models.folder import MANIFEST, discard, read_manifest, sync

if TYPE_CHECKING:
    import polars as pl

CURRENT = "current"
HISTORY = 20
"""How many earlier models `current` remembers."""
STALE_SECONDS = 3600
"""After so long, a half-written folder was left behind by a process that died."""
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class ModelInfo:
    """One model folder as a list shows it.

    Attributes
    ----------
    model_id
        Its folder's name.
    current
        Whether it is in use.
    manifest
        What its manifest holds; empty where that cannot be read.
    problem
        Why it cannot be used, or None.
    """

    model_id: str
    current: bool
    manifest: Mapping[str, Any]
    problem: str | None = None


class Registry:
    """The model folders under one folder.

    Parameters
    ----------
    models_dir
        Where they are; made when the first model is published.
    """

    def __init__(self, models_dir: str | Path) -> None:
        self.models_dir = Path(models_dir)

    def list(self) -> tuple[ModelInfo, ...]:
        """Return all models, newest first, damaged ones with their problem."""
        current = self.current()
        return tuple(self._info(model_id, model_id == current) for model_id in self._ids())

    def _ids(self) -> tuple[str, ...]:
        if not self.models_dir.is_dir():
            return ()
        found = (path.name for path in self.models_dir.iterdir() if path.is_dir() and (path / MANIFEST).exists())
        return tuple(sorted((name for name in found if _ID.fullmatch(name)), reverse=True))

    def _info(self, model_id: str, current: bool) -> ModelInfo:
        try:
            return ModelInfo(model_id, current, read_manifest(self.models_dir / model_id))
        except ArtifactError as error:
            return ModelInfo(model_id, current, {}, str(error))

    def current(self) -> str | None:
        """Return the id in use, or None: one small file is read, cheap enough to ask on every request."""
        used = self._used()
        return used[0] if used else None

    def _used(self) -> tuple[str, ...]:
        try:
            return tuple((self.models_dir / CURRENT).read_text(encoding="utf-8").split())
        except FileNotFoundError:
            return ()
        except UnicodeDecodeError as error:
            raise ArtifactError(
                f"{self.models_dir / CURRENT}: is not text: delete it, then `matinee models promote ID`"
            ) from error

    def check_writable(self) -> None:
        """Find out whether a model can be published here, before anybody trains one for hours.

        Raises
        ------
        ArtifactError
            If the folder cannot be made or written.
        """
        try:
            self.models_dir.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.models_dir):
                pass
        except OSError as error:
            raise ArtifactError(
                f"{self.models_dir} cannot be written ({error.strerror}): give another --home"
            ) from error

    def path(self, model_id: str) -> Path:
        """Return the folder of a model.

        Raises
        ------
        UnknownIdError
            If there is no such model.
        """
        folder = self.models_dir / model_id
        if not _ID.fullmatch(model_id) or not (folder / MANIFEST).exists():
            there = ", ".join(self._ids()[:5]) or "none yet"
            raise UnknownIdError(f"there is no model {model_id!r} in {self.models_dir}; there are: {there}")
        return folder

    def read(self, model_id: str | None = None) -> Artifact:
        """Read a model, the one in use by default.

        Raises
        ------
        UnknownIdError
            If there is no such model, or none in use.
        ArtifactError
            If its folder is damaged.
        """
        wanted = model_id or self.current()
        if wanted is None:
            raise UnknownIdError(f"no model is in use in {self.models_dir}: train one with `matinee train`")
        return Artifact.read(self.path(wanted))

    def publish(
        self,
        stars: RatingModel,
        picks: FactorModel | None = None,
        *,
        movies: pl.DataFrame | None = None,
        ratings: Ratings | None = None,
        metrics: Mapping[str, Any] | None = None,
        data: str | None = None,
        seen_times: Int64 | None = None,
        stats: pl.DataFrame | None = None,
        people: Callable[[Path], bool] | None = None,
        promote: bool = True,
    ) -> str:
        """Save models under a new id and put them to use; see `matinee.models.artifact.save`.

        Parameters
        ----------
        promote
            False only saves them.

        Returns
        -------
        str
            The new id.
        """
        model_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S-%f}-{uuid.uuid4().hex[:4]}"
        save(
            stars, picks, path=self.models_dir / model_id, movies=movies, ratings=ratings, metrics=metrics, data=data,
            seen_times=seen_times, stats=stats, people=people,
        )  # fmt: skip
        if promote:
            self.promote(model_id)
        return model_id

    def promote(self, model_id: str) -> None:
        """Put a model to use, every byte of it checked first.

        Raises
        ------
        UnknownIdError
            If there is no such model.
        ArtifactError
            If it is damaged: the model in use stays.
        """
        Artifact.read(self.path(model_id), verify=True)
        with self._turn():
            used = self._used()
            if used[:1] != (model_id,):
                self._replace_current((model_id, *used)[:HISTORY])

    def rollback(self) -> str:
        """Put the model to use that was in use before, and return its id.

        Raises
        ------
        UnknownIdError
            If no earlier model is left.
        """
        with self._turn():
            earlier = self._used()[1:]
            while earlier and not (self.models_dir / earlier[0] / MANIFEST).exists():
                earlier = earlier[1:]
            if not earlier:
                raise UnknownIdError(f"there is no earlier model to go back to in {self.models_dir}")
            Artifact.read(self.path(earlier[0]), verify=True)
            self._replace_current(earlier)
            return earlier[0]

    def prune(self, keep: int) -> tuple[str, ...]:
        """Delete all models but the newest, the one in use and the one before it; return the ids deleted.

        What processes have open stays readable for them.

        Raises
        ------
        ParameterError
            If `keep` is negative.
        """
        if keep < 0:
            raise ParameterError(f"keep={keep}: 0 or more models can be kept beside the one in use")
        with self._turn():
            ids = self._ids()
            doomed = tuple(model_id for model_id in ids[keep:] if model_id not in self._used()[:2])
            for model_id in doomed:
                discard(self.models_dir / model_id)
            self._sweep()
        return doomed

    def _sweep(self) -> None:
        for left in self.models_dir.glob(".*.tmp"):
            if time.time() - left.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink(missing_ok=True)

    def _replace_current(self, used: tuple[str, ...]) -> None:
        fresh = self.models_dir / f".{CURRENT}.{uuid.uuid4().hex}.tmp"
        try:
            fresh.write_text("\n".join(used) + "\n", encoding="utf-8")
            sync(fresh)
            fresh.replace(self.models_dir / CURRENT)
            sync(self.models_dir)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise ArtifactError(
                f"{self.models_dir / CURRENT} could not be written ({error.strerror}): it stays"
            ) from error

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Let one process at a time change what is in use; Windows has no such lock, and there the last one wins."""
        try:
            import fcntl
        except ImportError:
            yield
            return
        self.models_dir.mkdir(parents=True, exist_ok=True)
        with (self.models_dir / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

"""Where files come from: a folder, or a zip that is read in place.

Nothing is ever unpacked to disk, so a member's name cannot lead outside; a zip with such a name is refused all the
same, since nobody made it in good faith. A member is read as a stream. `refuse_bomb` stops at a ratio that no file of
ratings reaches (real ones shrink to a quarter, at best a tenth), before anything is unpacked.
"""

from __future__ import annotations

import gzip
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from matinee.errors import DataError

BOMB_RATIO = 100
"""A member that unpacks to more than so many times its packed size, and to more than `BOMB_BYTES`, is refused."""
BOMB_BYTES = 64 << 20
TABLE_BYTES = 1 << 30
"""Most bytes that a table of movies, links or tags may have: it is read whole, unlike ratings."""


class Source(ABC):
    """Files by name, without their folder.

    Parameters
    ----------
    path
        Of the folder or the zip.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    @abstractmethod
    def members(self) -> list[str]:
        """Paths of all files, with slashes, relative to the source."""

    @abstractmethod
    def open(self, member: str) -> BinaryIO:
        """Open one file for reading."""

    @abstractmethod
    def size(self, member: str) -> int:
        """Bytes of one file, unpacked."""

    def find(self, name: str) -> str | None:
        """Return the file of that name that is nested least deep.

        Raises
        ------
        DataError
            If two are nested equally deep.
        """
        found = [m for m in self.members if PurePosixPath(m).name == name and "__MACOSX" not in m]
        found.sort(key=lambda m: (m.count("/"), m))
        if len(found) > 1 and found[0].count("/") == found[1].count("/"):
            raise DataError(f"{self.path} has {found[0]} and {found[1]}: name the folder that is meant, or remove one")
        return found[0] if found else None

    def label(self, member: str) -> str:
        """Name a file as a message should."""
        return f"{self.path.name}/{member}"

    @contextmanager
    def opened(self, member: str) -> Iterator[BinaryIO]:
        """Open a file; damage found while reading becomes a DataError that names it."""
        with damage_named(self.label(member)), self.open(member) as stream:
            yield stream

    def read(self, member: str) -> bytes:
        """Read a whole file of at most `TABLE_BYTES`."""
        if self.size(member) > TABLE_BYTES:
            raise DataError(f"{self.label(member)} has {self.size(member):,} bytes; at most {TABLE_BYTES:,} are read")
        with self.opened(member) as stream:
            return stream.read()


class Folder(Source):
    """A folder and the folders in it, two levels deep."""

    @cached_property
    def members(self) -> list[str]:
        """Paths of all files."""
        found = [path for pattern in ("*", "*/*", "*/*/*") for path in self.path.glob(pattern) if path.is_file()]
        return [path.relative_to(self.path).as_posix() for path in found]

    def open(self, member: str) -> BinaryIO:
        """Open one file."""
        return (self.path / member).open("rb")

    def size(self, member: str) -> int:
        """Bytes of one file."""
        return (self.path / member).stat().st_size


class Zip(Source):
    """A zip, read in place."""

    @cached_property
    def _zip(self) -> zipfile.ZipFile:
        with damage_named(str(self.path)):
            return zipfile.ZipFile(self.path)

    @cached_property
    def members(self) -> list[str]:
        """Paths of all files; names that lead outside are refused."""
        for name in self._zip.namelist():
            parts = PurePosixPath(name.replace("\\", "/"))
            if ".." in parts.parts or parts.is_absolute() or ":" in parts.parts[0]:
                raise DataError(f"{self.path} has a member {name!r} that leads outside of it: do not trust this file")
        return [info.filename for info in self._zip.infolist() if not info.is_dir()]

    def open(self, member: str) -> BinaryIO:
        """Open one member as a stream."""
        info = self._zip.getinfo(member)
        if info.flag_bits & 1:
            raise DataError(f"{self.label(member)} is encrypted: unpack it yourself and give the folder")
        refuse_bomb(self.label(member), info.file_size, info.compress_size)
        return cast("BinaryIO", self._zip.open(member))

    def size(self, member: str) -> int:
        """Bytes of one member, unpacked."""
        return self._zip.getinfo(member).file_size


def refuse_bomb(label: str, unpacked: int, packed: int) -> None:
    """Refuse what unpacks to far more than data of this kind does."""
    if unpacked > BOMB_BYTES and unpacked > BOMB_RATIO * packed:
        raise DataError(
            f"{label} unpacks from {packed:,} bytes to {unpacked:,} or more, over {BOMB_RATIO} times as many: "
            "that is no file of ratings; unpack it yourself if you trust it"
        )


@contextmanager
def damage_named(label: str) -> Iterator[None]:
    """Turn what zip and gzip raise on damaged files into one DataError that names the file."""
    try:
        yield
    except (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise DataError(f"{label} is damaged, incomplete or of no known kind ({error}): fetch it again") from error


class Gunzip(gzip.GzipFile):
    """A gz file as a stream that stops at a bomb."""

    def __init__(self, path: Path) -> None:
        self._label, self._file = str(path), path.open("rb")
        super().__init__(fileobj=self._file)

    def read(self, size: int | None = -1) -> bytes:
        """Read, and compare what was unpacked so far with what it was packed in."""
        data = super().read(size)
        refuse_bomb(self._label, self.tell(), self._file.tell())
        return data

    def close(self) -> None:
        """Close the file as well."""
        super().close()
        self._file.close()


def open_file(path: Path) -> BinaryIO:
    """Open a plain or a gz file."""
    return cast("BinaryIO", Gunzip(path)) if path.suffix == ".gz" else path.open("rb")

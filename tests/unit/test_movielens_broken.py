"""Releases that are cut, altered, dangerous or far too large are refused in one line and in little memory."""

from __future__ import annotations

import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from releases import CSV, Files, Put, put_folder, put_zip

import matinee
from matinee.errors import BadRowError, DataError


@pytest.mark.parametrize("keep", [0, 3, 500, 200_000, 978_000])
def test_a_truncated_zip(keep: int, small_zip: Path, tmp_path: Path) -> None:
    path = tmp_path / "half.zip"
    path.write_bytes(small_zip.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"half\.zip is damaged"):
        matinee.load(path)


def test_a_zip_with_a_flipped_byte(small_zip: Path, tmp_path: Path) -> None:
    content = bytearray(small_zip.read_bytes())
    content[400_000] ^= 0xFF
    path = tmp_path / "flipped.zip"
    path.write_bytes(content)
    with pytest.raises(DataError):
        matinee.load(path)


@pytest.mark.parametrize(
    "name", ["../ratings.csv", "a/../../ratings.csv", "/etc/ratings.csv", "..\\ratings.csv", "C:/ratings.csv"]
)
def test_a_zip_with_a_name_that_leads_outside(name: str, tmp_path: Path) -> None:
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ml/ratings.csv", CSV["ratings.csv"])
        archive.writestr(name, b"x")
    with pytest.raises(DataError, match="leads outside"):
        matinee.load(path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["evil.zip"]


def test_an_encrypted_zip(tmp_path: Path) -> None:
    path = put_zip(tmp_path, "locked", CSV)
    content = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := content.find(mark, at + 1)) >= 0:
            content[at + offset] |= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="encrypted"):
        matinee.load(path)


def test_two_equal_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        put_folder(tmp_path, name, CSV)
    with pytest.raises(DataError, match=r"a/ratings\.csv and b/ratings\.csv"):
        matinee.load(tmp_path)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "no files at all"),
        ({"films.txt": b""}, r"no file of ratings.*ratings\.csv.*films\.txt"),
        ({"ratings.csv": b""}, r"ratings\.csv is empty"),
        ({"ratings.csv": b"userId,movieId,rating\n"}, r"ratings\.csv has a header but no ratings"),
        ({"ratings.csv": b"a,b,c\n1,2,3\n"}, r"columns a, b, c; a column userid or .*user_column"),
        ({"ratings.dat": b""}, r"ratings\.dat has no ratings"),
        (CSV | {"movies.csv": b""}, r"movies\.csv has the header ''; 'movieId,title,genres' is needed"),
        (CSV | {"movies.csv": b"movieId,title,genres\n1,A,X\nx,B,Y\n"}, r"movies\.csv, line 3: the movie id is 'x'"),
        (CSV | {"movies.csv": b"movieId,title,genres\n1,A, B,X\n"}, r"movies\.csv, line 2: 4 fields; 3 are needed"),
        (CSV | {"links.csv": b"movieId,imdbId,tmdbId\n1,2,x\n"}, r"links\.csv, line 2: the tmdb id is 'x'"),
        (CSV | {"tags.csv": b"userId,movieId,tag,timestamp\n1,1,a,1\n1,1,a\n"}, r"tags\.csv, line 3: 3 fields"),
        (CSV | {"tags.csv": b"userId,movieId,tag,timestamp\n1,1,a,1\n1,1,a,b\n"}, "line 3: the timestamp is 'b'"),
        (CSV | {"tags.csv": b"user,tag\n1,a\n"}, r"tags\.csv has the header"),
        ({"u.data": b"1\t2\t3\t4\n", "u.item": b"1|A\n"}, r"u\.item, line 1: 2 fields; 24 are needed"),
        ({"u.data": b"1\t2\t3\t4\n1\t2\t7\t4\n"}, r"u\.data, line 2: the rating is '7'; 0\.5 to 5 stars"),
        ({"ratings.dat": b"1::2::3::4\n1::3::x::4\n"}, r"ratings\.dat, line 2: the rating is 'x'"),
        ({"ratings.csv": b"userId,movieId,rating\nu1,m1,3\n", "movies.csv": CSV["movies.csv"]}, "strings"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("put", [put_folder, put_zip])
def test_files_that_are_wrong(files: Files, says: str, put: Put, tmp_path: Path) -> None:
    if not files and put is put_zip:
        path = tmp_path / "empty.zip"
        zipfile.ZipFile(path, "w").close()
    else:
        path = put(tmp_path, "bad", files)
    with pytest.raises(DataError, match=says):
        matinee.load(path)


def test_sources_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no file or folder 'ml-31m'.*sample.*ml-32m"):
        matinee.load("ml-31m")
    other = tmp_path / "ratings.xlsx"
    other.write_bytes(b"x")
    with pytest.raises(DataError, match=r"none of: a folder, \.zip, \.parquet"):
        matinee.load(other)


def peak_megabytes(path: Path) -> tuple[str, float]:
    """Load in another process: what it said, and by how much its memory grew, in MB."""
    code = (
        "import resource, sys, polars, scipy.sparse, matinee\n"
        "from matinee.data import movielens\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024\n"
        "before = peak()\n"
        "try: matinee.load(sys.argv[1])\n"
        "except matinee.MatineeError as error: print(error)\n"
        "print(peak() - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    *said, grown = done.stdout.splitlines()
    return " ".join(said), float(grown)


HEADER = b"userId,movieId,rating,timestamp\n"
BLOCK = 1 << 24


def deflated(content: bytes, blocks: int, wbits: int) -> bytes:
    """Pack a header and very many repetitions of `content`, 16 MiB a block, at the price of packing one block."""
    packer = zlib.compressobj(1, zlib.DEFLATED, wbits)
    start = packer.compress(HEADER) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(content * (BLOCK // len(content))) + packer.flush(zlib.Z_FULL_FLUSH)
    return start + block * blocks + packer.flush()


@pytest.mark.parametrize("content", [b"1,1,4.0,964982703\n", b"\0"])
def test_a_bomb_of_two_gigabytes_is_refused_in_little_memory(content: bytes, tmp_path: Path) -> None:
    packed = deflated(content, 128, -zlib.MAX_WBITS)
    size = len(HEADER) + BLOCK // len(content) * len(content) * 128
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("b/ratings.csv", packed)
    whole = bytearray(path.read_bytes())  # now say that what was stored is deflated
    for mark, method, unpacked in ((b"PK\x03\x04", 8, 22), (b"PK\x01\x02", 10, 24)):
        at = whole.rindex(mark)
        struct.pack_into("<H", whole, at + method, zipfile.ZIP_DEFLATED)
        struct.pack_into("<I", whole, at + unpacked, size)
    path.write_bytes(whole)
    assert 2e9 < size < 2**32
    said, grown = peak_megabytes(path)
    assert "unpacks from" in said
    assert grown < 100


@pytest.mark.parametrize("content", [b"1,1,4.0,964982703\n", b"\0"])
def test_a_bomb_that_is_gzipped(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "ratings.csv.gz"
    path.write_bytes(deflated(content, 128, 16 + zlib.MAX_WBITS))
    said, grown = peak_megabytes(path)
    assert "unpacks from" in said or "line of more than" in said
    assert grown < 250


def test_a_movies_table_that_is_a_bomb(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("ratings.csv", CSV["ratings.csv"])
        archive.writestr("movies.csv", b"movieId,title,genres\n" + b"1,A,B\n" * (12 << 20))
    with pytest.raises(DataError, match="unpacks from"):
        matinee.load(path)


def test_a_large_zip_is_read_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    pairs = np.sort(rng.choice(1_000_000, 10_000, replace=False))
    text = "".join(f"{p // 1000},{p % 1000},{s},{p}\n" for p, s in zip(pairs, rng.integers(1, 6, 10_000), strict=True))
    content = HEADER + text.encode()
    path = put_zip(tmp_path, "large", {"ratings.csv": content})
    whole = matinee.load(path).ratings.fingerprint
    for size in (2_000, 65_536):
        monkeypatch.setattr("matinee.data.tables.BLOCK_BYTES", size)
        assert matinee.load(path).ratings.fingerprint == whole
    worse = put_zip(tmp_path, "worse", {"ratings.csv": content + b"1,2,x,3\n"})
    with pytest.raises(BadRowError, match="line 10002: the rating is 'x'"):
        matinee.load(worse)

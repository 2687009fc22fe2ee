"""`load`: every dialect of MovieLens in miniature, the two real sets, and whatever can be wrong with a file."""

from __future__ import annotations

import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import matinee
from matinee.data.dataset import MOVIE_COLUMNS, Dataset
from matinee.data.movies import name_and_year
from matinee.errors import BadRowError, DataError

Files = dict[str, bytes]

CSV: Files = {
    "ratings.csv": (
        b"userId,movieId,rating,timestamp\r\n1,50,4.5,964982703\r\n1,7,0.5,964982704\r\n9,7,3.0,964982705\r\n"
    ),
    "movies.csv": (
        "movieId,title,genres\r\n"
        '7,"City of Lost Children, The (Cité des enfants perdus, La) (1995)",Adventure|Sci-Fi\r\n'
        '50,"11\'09""01 - September 11 (2002)",Drama\r\n'
        "193609,Death Note: Desu nôto (2006–2007) ,(no genres listed)\r\n"
        "8,Babylon 5,Sci-Fi|Sci-Fi\r\n"
    ).encode(),
    "links.csv": b"movieId,imdbId,tmdbId\r\n7,0112682,902\r\n50,0328802,\r\n8,,\r\n",
    "tags.csv": b'userId,movieId,tag,timestamp\r\n1,7,funny,1445714994\r\n9,50,"""artsy"", slow",1445714995\r\n',
    "README.txt": b"read me",
    "genome-scores.csv": b"movieId,tagId,relevance\r\n",
}
ML_1M: Files = {
    "ratings.dat": b"1::1193::5::978300760\n1::661::3::978302109\n2::1193::4::978298413\n",
    "movies.dat": (
        "661::James and the Giant Peach (1996)::Animation|Children's|Musical\n"
        "1193::One Flew Over the Cuckoo's Nest (1975)::Drama\n"
        "1210::Misérables, Les (1995)::Drama|Musical\n"
    ).encode("latin-1"),
    "users.dat": b"1::F::1::10::48067\n",
}
ML_10M: Files = {
    "ratings.dat": b"1::122::5::838985046\n1::185::4.5::838983525\n",
    "movies.dat": "122::Boomerang (1992)::Comedy\n185::Étranger: A::B (1995)::Action|Crime\n".encode(),
    "tags.dat": b"15::4973::excellent!::1215184630\n20::1747::a :: b::1188263867\n",
}
ML_100K: Files = {
    "u.data": b"196\t242\t3\t881250949\n186\t302\t3\t891717742\n22\t242\t1\t878887116\n",
    "u.item": (
        "242|Kolya (1996)|24-Jan-1997||http://us.imdb.com/M/title-exact?Kolya%20(1996)|0|0|0|0|0|1|0|0|0|0|0|0|0|0|0|0|0|0|0\n"
        "267|unknown||||1|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0\n"
        "302|Misérables, Les (1995)|01-Jan-1995||http://x|0|0|0|0|0|0|0|0|1|0|0|0|1|0|0|0|0|0|0\n"
        "303|Land Before Time III (1995) (V)|01-Jan-1995||http://x|0|0|0|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0|0\n"
    ).encode("latin-1"),
    "u.genre": b"unknown|0\n",
    "u1.base": b"1\t1\t5\t874965758\n",
}
DIALECTS = {"ml-latest": CSV, "ml-1m": ML_1M, "ml-10M100K": ML_10M, "ml-100k": ML_100K}

Put = Callable[[Path, str, Files], Path]


def put_folder(parent: Path, name: str, files: Files) -> Path:
    folder = parent / name
    folder.mkdir(parents=True)
    for file, content in files.items():
        (folder / file).write_bytes(content)
    return folder


def put_zip(parent: Path, name: str, files: Files) -> Path:
    path = parent / f"{name}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}/", b"")
        archive.writestr("__MACOSX/ratings.csv", b"junk")
        for file, content in files.items():
            archive.writestr(f"{name}/{file}", content)
    return path


def put_nested(parent: Path, name: str, files: Files) -> Path:
    return put_folder(parent / "outer" / "inner", name, files).parent


WAYS = pytest.mark.parametrize("put", [put_folder, put_zip, put_nested])


def rows(data: Dataset) -> list[tuple[object, ...]]:
    assert data.ratings.timestamps is not None
    columns = data.ratings.user_ids, data.ratings.item_ids, data.ratings.stars, data.ratings.timestamps
    return list(zip(*(column.tolist() for column in columns), strict=True))


def movie(data: Dataset, movie_id: int) -> dict[str, object]:
    return data.movies.row(by_predicate=pl.col("movie_id") == movie_id, named=True)


@WAYS
def test_csv_releases(put: Put, tmp_path: Path) -> None:
    data = matinee.load(put(tmp_path, "ml-latest", CSV))
    assert rows(data) == [(1, 7, 0.5, 964982704), (1, 50, 4.5, 964982703), (9, 7, 3.0, 964982705)]
    assert tuple(data.movies.columns) == MOVIE_COLUMNS
    assert data.movies["movie_id"].to_list() == [7, 8, 50, 193609]
    assert movie(data, 7) == {
        "movie_id": 7, "title": "City of Lost Children, The (Cité des enfants perdus, La) (1995)",
        "name": "City of Lost Children, The (Cité des enfants perdus, La)", "year": 1995,
        "genres": ["Adventure", "Sci-Fi"], "imdb_id": "0112682", "tmdb_id": 902, "ratings_count": 2,
        "ratings_mean": 1.75,
    }  # fmt: skip
    assert movie(data, 50)["name"] == "11'09\"01 - September 11"
    assert (movie(data, 50)["imdb_id"], movie(data, 50)["tmdb_id"]) == ("0328802", None)
    assert movie(data, 193609)["name"] == "Death Note: Desu nôto"
    assert movie(data, 193609)["genres"] == []
    assert movie(data, 193609)["ratings_mean"] is None
    assert (movie(data, 8)["year"], movie(data, 8)["genres"], movie(data, 8)["imdb_id"]) == (None, ["Sci-Fi"], None)
    assert data.tags is not None
    assert data.tags["tag"].to_list() == ["funny", '"artsy", slow']
    assert data.links == 2


@WAYS
def test_ml_1m(put: Put, tmp_path: Path) -> None:
    data = matinee.load(put(tmp_path, "ml-1m", ML_1M))
    assert rows(data) == [(1, 661, 3, 978302109), (1, 1193, 5, 978300760), (2, 1193, 4, 978298413)]
    assert movie(data, 1210)["title"] == "Misérables, Les (1995)"
    assert movie(data, 661)["genres"] == ["Animation", "Children's", "Musical"]
    assert data.tags is None


@WAYS
def test_ml_10m(put: Put, tmp_path: Path) -> None:
    data = matinee.load(put(tmp_path, "ml-10M100K", ML_10M))
    assert rows(data) == [(1, 122, 5, 838985046), (1, 185, 4.5, 838983525)]
    assert movie(data, 185)["name"] == "Étranger: A::B"
    assert data.tags is not None
    assert data.tags.rows()[1] == (20, 1747, "a :: b", 1188263867)


@WAYS
def test_ml_100k(put: Put, tmp_path: Path) -> None:
    data = matinee.load(put(tmp_path, "ml-100k", ML_100K))
    assert rows(data) == [(22, 242, 1, 878887116), (186, 302, 3, 891717742), (196, 242, 3, 881250949)]
    assert movie(data, 302)["title"] == "Misérables, Les (1995)"
    assert movie(data, 302)["genres"] == ["Drama", "Musical"]
    assert (movie(data, 267)["title"], movie(data, 267)["genres"]) == ("unknown", [])
    assert (movie(data, 303)["name"], movie(data, 303)["year"]) == ("Land Before Time III", 1995)


@pytest.mark.parametrize(
    ("title", "name", "year"),
    [
        ("Toy Story (1995)", "Toy Story", 1995),
        ("Babylon 5", "Babylon 5", None),
        ("Fawlty Towers (1975-1979)", "Fawlty Towers", 1975),
        ("Big Bang Theory, The (2007-)", "Big Bang Theory, The", 2007),
        ("Show (2006– )", "Show", 2006),
        ("2001: A Space Odyssey (1968)", "2001: A Space Odyssey", 1968),
        ("(500) Days of Summer (2009)", "(500) Days of Summer", 2009),
        ("Class of 1984", "Class of 1984", None),
        ("(1995)", "(1995)", None),
        ("Film (3000)", "Film (3000)", None),
    ],
)
def test_names_and_years(title: str, name: str, year: int | None) -> None:
    assert name_and_year(title) == (name, year)


def test_the_official_small_set(small_zip: Path) -> None:
    data = matinee.load(small_zip)
    assert data.summary == {
        "release": "ml-latest-small", "original": True, "ratings": 100_836, "users": 610, "movies": 9_742,
        "rated_movies": 9_724, "tags": 3_683, "links": 9_742, "stars_min": 0.5, "stars_max": 5.0, "skipped_rows": 0,
        "duplicates": 0,
    }  # fmt: skip
    titles = set(data.movies["name"])
    assert {"Godfather: Part II, The", "11'09\"01 - September 11"} <= titles
    assert data.movies["year"].null_count() == 12


def test_the_sample_ships_with_its_notice() -> None:
    data = matinee.load("sample")
    assert (len(data.ratings), len(data.ratings.users), data.movies.height) == (100_004, 671, 9_066)
    assert data.original is None
    assert movie(data, 858)["title"] == "Godfather, The (1972)"
    for nameless in (108548, 108583, 143410, 151307, 162376):
        assert (movie(data, nameless)["title"], movie(data, nameless)["year"]) == (f"Movie {nameless}", None)
    notice = (Path(matinee.__file__).parent / "data" / "sample" / "NOTICE").read_text("utf-8")
    for words in (
        "GroupLens",
        "University of Minnesota",
        "same conditions",
        "commercial",
        "endorsement",
        "10.1145/2827872",
    ):
        assert words in notice


def test_a_copy_under_another_name_is_still_the_original(small_zip: Path, tmp_path: Path) -> None:
    copy = tmp_path / "movies-of-mine.zip"
    copy.write_bytes(small_zip.read_bytes())
    assert matinee.load(copy).name == "ml-latest-small"
    assert matinee.load(copy).original is True


def test_an_altered_release_is_said_to_be_altered(small_zip: Path, tmp_path: Path) -> None:
    folder = tmp_path / "ml-latest-small"
    with zipfile.ZipFile(small_zip) as archive:
        archive.extractall(tmp_path)
    assert matinee.load(folder).original is None  # nothing to take a checksum of, but all counts agree
    with (folder / "ratings.csv").open("ab") as file:
        file.write(b"0,1,4.0,1700000000\r\n")
    assert matinee.load(folder).original is False
    rezipped = tmp_path / "copy" / "ml-latest-small.zip"
    rezipped.parent.mkdir()
    with zipfile.ZipFile(rezipped, "w") as archive:
        for file in ("ratings.csv", "movies.csv", "tags.csv", "links.csv"):
            archive.write(folder / file, f"ml-latest-small/{file}")
    data = matinee.load(rezipped)
    assert (data.name, data.original, len(data.ratings)) == ("ml-latest-small", False, 100_837)


def test_an_altered_zip_of_the_same_size_or_another_name_inside(small_zip: Path, tmp_path: Path) -> None:
    """The comment at a zip's end changes the checksum and nothing else; the folder inside still says what it was."""
    altered = tmp_path / "downloaded.zip"
    altered.write_bytes(small_zip.read_bytes())
    with zipfile.ZipFile(altered, "a") as archive:
        archive.comment = b"x"
    data = matinee.load(altered)
    assert (data.name, data.original) == ("ml-latest-small", False)


def test_a_release_is_found_at_home(small_zip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="matinee data fetch ml-latest-small"):
        matinee.load("ml-latest-small", home=tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ml-latest-small.zip").write_bytes(small_zip.read_bytes())
    assert matinee.load("ml-latest-small", home=tmp_path).original is True
    monkeypatch.setenv("MATINEE_HOME", str(tmp_path))
    assert matinee.load("ml-latest-small").original is True


def test_a_changing_release_has_no_original(tmp_path: Path) -> None:
    data = matinee.load(put_zip(tmp_path, "ml-latest", CSV))
    assert (data.name, data.original) == ("ml-latest", None)


def test_a_movie_that_is_rated_but_not_listed_gets_a_row(tmp_path: Path) -> None:
    files = CSV | {"movies.csv": b"movieId,title,genres\n7,Seven (1995),Drama\n"}
    data = matinee.load(put_folder(tmp_path, "some", files))
    assert data.movies["title"].to_list() == ["Seven (1995)", "Movie 50"]
    assert data.name == "some"


def test_a_byte_order_mark_and_a_header_in_other_letters_are_fine(tmp_path: Path) -> None:
    ratings = b"\xef\xbb\xbfUserID,MovieID,Rating,Timestamp\n1,2,3,4\n"
    files = {"ratings.csv": ratings, "movies.csv": b"\xef\xbb\xbfmovieId,title,genres\n2,Two (2002),\n"}
    assert movie(matinee.load(put_folder(tmp_path, "x", files)), 2)["name"] == "Two"


# What can be wrong with a source


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

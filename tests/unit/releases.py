"""MovieLens releases in small: what the files of each dialect look like, as folders and as zips."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

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

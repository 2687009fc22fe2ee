"""The official MovieLens releases: what they are called, where they are, how to know them."""

from __future__ import annotations

from dataclasses import dataclass

from matinee.errors import DataError

BASE_URL = "https://files.grouplens.org/datasets/movielens/"

LICENCE = (
    "GroupLens Research, University of Minnesota: no commercial use without permission, no endorsement implied; "
    "cite Harper and Konstan 2015, doi 10.1145/2827872"
)


@dataclass(frozen=True)
class Release:
    """One release.

    Attributes
    ----------
    name
        What matinee calls it, and the name of its zip.
    bytes, md5
        Of the zip; None for a release that changes over time.
    ratings, users, movies, tags
        What it holds (of a release that changes: what it held in July 2023). Users are those who rated; None where
        what was published counts others too.
    format
        How its files are written.
    folder
        Name of the folder inside the zip.
    """

    name: str
    bytes: int | None
    md5: str | None
    ratings: int
    users: int | None
    movies: int
    tags: int
    format: str = "csv"
    folder: str = ""

    @property
    def file(self) -> str:
        """Name of the zip."""
        return f"{self.name}.zip"

    @property
    def url(self) -> str:
        """Where GroupLens publishes it."""
        return BASE_URL + self.file


_TABLE = (
    Release("ml-latest-small", 978_202, "31a303aabbc519bd33d025e44d6c2570", 100_836, 610, 9_742, 3_683),
    Release("ml-100k", 4_924_029, "0e33842e24a9c977be4e0107933c0723", 100_000, 943, 1_682, 0, "tab and pipe"),
    Release("ml-1m", 5_917_549, "c4d9eecfca2ab87c1945afe126590906", 1_000_209, 6_040, 3_883, 0, "::"),
    Release(
        "ml-10m", 65_566_137, "ce571fd55effeba0271552578f2648bd", 10_000_054, None, 10_681, 95_580, "::", "ml-10M100K"
    ),
    Release("ml-20m", 198_702_078, "cd245b17a1ae2cc31bb14903e1204af3", 20_000_263, 138_493, 27_278, 465_564),
    Release("ml-25m", 261_978_986, "6b51fb2759a8657d3bfcbfc42b592ada", 25_000_095, 162_541, 62_423, 1_093_360),
    Release("ml-32m", 238_950_008, "d472be332d4daa821edc399621853b57", 32_000_204, 200_948, 87_585, 2_000_072),
    Release("ml-latest", None, None, 33_832_162, 330_975, 86_537, 2_328_315),
)
RELEASES: dict[str, Release] = {release.name: release for release in _TABLE}


def release(name: str) -> Release:
    """Return the release of that name.

    Raises
    ------
    DataError
        If there is none; the message lists them.
    """
    if name not in RELEASES:
        raise DataError(f"there is no release {name!r}; there are {', '.join(RELEASES)}")
    return RELEASES[name]


def claimed(name: str) -> Release | None:
    """Return the release that a file or a folder calls itself by, if any."""
    for known in _TABLE:
        if name.lower() in (known.name, known.file, known.folder.lower() or known.name):
            return known
    return None

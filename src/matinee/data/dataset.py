"""A data set: the movies table and the ratings, with what is known about where they came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from matinee.data.ratings import Ratings

if TYPE_CHECKING:
    import polars as pl

MOVIE_COLUMNS = (
    "movie_id",  # Int64, or String where the source's ids are strings
    "title",  # String, as in the data set, year included
    "name",  # String, without the year
    "year",  # Int32, null where the title has none
    "genres",  # List(String), empty where none is listed
    "imdb_id",  # String with leading zeros ("0114709"), null where unknown
    "tmdb_id",  # Int64, null where unknown
    "ratings_count",  # Int64, 0 for movies that nobody rated
    "ratings_mean",  # Float64, null for movies that nobody rated
)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Movies and ratings from one source.

    Attributes
    ----------
    name
        The release ("ml-32m", "sample") or the file that it was read from.
    movies
        One row per movie of the catalogue, sorted by movie_id, with the columns of `MOVIE_COLUMNS`; every item of
        `ratings` has a row.
    ratings
        At most one rating per pair, the newest.
    tags
        user_id, movie_id, tag, timestamp; None where the source has none.
    original
        True if the checksum is the official release's, False if the source calls itself by a release's name but
        differs, None where there is nothing to compare with.
    skipped_rows
        Malformed rows left out on request.
    """

    name: str
    movies: pl.DataFrame
    ratings: Ratings
    tags: pl.DataFrame | None = None
    original: bool | None = None
    skipped_rows: int = 0

    @property
    def label(self) -> str:
        """The name, and that this is not the original release where that is known."""
        return f"{self.name} (altered)" if self.original is False else self.name

    @property
    def links(self) -> int:
        """How many movies have an IMDb or a TMDb id."""
        return int((self.movies["imdb_id"].is_not_null() | self.movies["tmdb_id"].is_not_null()).sum())

    @property
    def summary(self) -> dict[str, str | int | float | bool | None]:
        """What `matinee data show --json` prints."""
        return {
            "release": self.name,
            "original": self.original,
            "ratings": len(self.ratings),
            "users": len(self.ratings.users),
            "movies": self.movies.height,
            "rated_movies": len(self.ratings.items),
            "tags": 0 if self.tags is None else self.tags.height,
            "links": self.links,
            "stars_min": float(self.ratings.stars.min()),
            "stars_max": float(self.ratings.stars.max()),
            "skipped_rows": self.skipped_rows,
            "duplicates": self.ratings.duplicates,
        }

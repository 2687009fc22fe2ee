"""What goes in and what comes out, as the OpenAPI document shows it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field, PlainValidator

from matinee.web.validation import Input

MAX_LIMIT = 1000
MAX_SHOWN = 20
"""Problems that one answer lists."""
MAX_RATINGS = 5000
"""Ratings that one request may bring."""
MAX_ID_LENGTH = 200


def _movie_id(value: object) -> int | str:
    if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63:
        return value
    if isinstance(value, str) and 1 <= len(value) <= MAX_ID_LENGTH:
        return value
    raise ValueError(f"a whole number of 64 bits or 1 to {MAX_ID_LENGTH} characters are allowed")


MovieId = Annotated[int | str, PlainValidator(_movie_id, json_schema_input_type=int | str)]
Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT)]
Offset = Annotated[int, Field(ge=0, le=1_000_000)]


class MoviesQuery(Input):
    """Which films to list."""

    q: Annotated[str, Field(max_length=200)] | None = Field(
        None, description="Words of the title; typing errors are forgiven. Without it, the most rated films."
    )
    limit: Limit = Field(20, description="How many at most.")


class PageQuery(Input):
    """Which part of a list."""

    limit: Limit = Field(100, description="How many at most.")
    offset: Offset = Field(0, description="How many to pass over.")


class RecommendationsQuery(Input):
    """What to recommend."""

    limit: Limit = Field(10, description="How many at most.")
    offset: Offset = Field(0, description="How many to pass over.")
    rank_by: Literal["picks", "stars", "stars_low"] = Field(
        "picks", description="What the list is ordered by: what one would watch, or predicted stars."
    )
    genre_any: list[str] = Field([], description="Only films with at least one of these genres.")
    genre_all: list[str] = Field([], description="Only films with all of these genres.")
    genre_none: list[str] = Field([], description="Only films with none of these genres.")
    year_from: int | None = Field(None, description="Only films from this year on.")
    year_to: int | None = Field(None, description="Only films up to this year.")
    min_ratings: int | None = Field(None, ge=0, description="Only films that so many people rated.")
    max_ratings: int | None = Field(None, ge=0, description="Only films that at most so many people rated.")
    include_seen: bool = Field(False, description="Keep films that the person rated.")


class NewRating(Input):
    """Stars for one film."""

    movie_id: MovieId
    stars: float = Field(strict=True, allow_inf_nan=False, description="On the data set's scale, 0.5 to 5.")
    rated_at: AwareDatetime | None = Field(
        None, description="When; now, if left out. An older rating never replaces a newer one."
    )


class NewRatings(Input):
    """Ratings to keep, all or none."""

    ratings: Annotated[list[NewRating], Field(min_length=1, max_length=MAX_RATINGS)]
    recommend: Limit | None = Field(None, description="Answer with so many recommendations that know these ratings.")


class Movie(BaseModel):
    """A film of the catalogue."""

    movie_id: int | str
    title: str = Field(description="As in the data set, year included.")
    name: str = Field(description="Without the year.")
    year: int | None
    genres: list[str]
    imdb_id: str | None
    tmdb_id: int | None
    ratings_count: int = Field(description="How many people rated it.")
    ratings_mean: float | None = Field(description="Their mean stars; null for a film that nobody rated.")


class Movies(BaseModel):
    """Films of the catalogue."""

    model_id: str
    movies: list[Movie]


class Recommendation(BaseModel):
    """A recommended film."""

    movie_id: int | str
    title: str
    name: str
    year: int | None
    genres: list[str]
    rank: int = Field(description="1 is best.")
    score: float = Field(description="What the list is ordered by.")
    stars: float = Field(description="Predicted stars.")
    stars_low: float | None = Field(None, description="With stars_high, holds the rating with a probability of 90 %.")
    stars_high: float | None = Field(None, description="Null, as stars_low, where the model knows no interval.")
    ratings_count: int


class Recommendations(BaseModel):
    """A list of recommended films."""

    model_id: str
    recommendations: list[Recommendation]
    total: int = Field(description="How many films passed the filters.")


class RatedMovie(BaseModel):
    """A film that the person rated."""

    movie_id: int | str
    title: str
    name: str
    year: int | None
    genres: list[str]
    stars: float
    rated_at: str | None = Field(description="ISO 8601, UTC; null for ratings that came with the data set.")


class Ratings(BaseModel):
    """A person's ratings: those given here, newest first, then the data set's."""

    model_id: str
    user_id: str
    ratings: list[RatedMovie]
    total: int


class Saved(BaseModel):
    """What became of new ratings."""

    saved: int = Field(description="How many are now the person's rating of that film.")
    model_id: str
    recommendations: list[Recommendation] | None = Field(None, description="Where `recommend` asked for them.")


class NewUser(BaseModel):
    """A person."""

    user_id: str
    token: str = Field(
        description="Proves that it is them, as `Authorization: Bearer …`; browsers keep it in a cookie. "
        "Only a hash of it is kept: it cannot be asked for again."
    )


class Code(Input):
    """What another browser was given."""

    code: Annotated[str, Field(min_length=1, max_length=200)]


class Link(BaseModel):
    """A way for another browser to become a person's."""

    code: str = Field(description="For the body of `POST /api/v1/links`.")
    expires_at: str


class Readiness(BaseModel):
    """Whether this process can answer."""

    status: Literal["ready", "not ready"]
    missing: dict[str, str] = Field(description="What is missing, and why, by name.")
    model_id: str | None = Field(None, description="The model that answers.")
    warning: str | None = Field(None, description="Why a newer model does not answer.")

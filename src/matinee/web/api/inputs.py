"""What may arrive, as the OpenAPI document shows it."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, PlainValidator

from matinee.web.validation import Input

MAX_LIMIT = 1000
MAX_SHOWN = 20
"""Problems that one answer lists."""
MAX_RATINGS = 5000
"""Ratings that one request may bring."""
MAX_MEMBERS = 20
MAX_ID_LENGTH = 200


def _movie_id(value: object) -> int | str:
    if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63:
        return value
    if isinstance(value, str) and 1 <= len(value) <= MAX_ID_LENGTH:
        return value
    raise ValueError(f"a whole number of 64 bits or 1 to {MAX_ID_LENGTH} characters are allowed")


MovieId = Annotated[int | str, PlainValidator(_movie_id, json_schema_input_type=int | str), Field(examples=[260])]
Stars = Annotated[
    float, Field(strict=True, allow_inf_nan=False, description="On the data set's scale, 0.5 to 5.", examples=[4.5])
]
Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT, description="How many at most.")]
Offset = Annotated[int, Field(ge=0, le=1_000_000, description="How many to pass over.")]
Year = Annotated[int, Field(ge=1, le=9999, examples=[1990])]
Count = Annotated[int, Field(ge=0, le=10**9, examples=[25])]
Text = Annotated[str, Field(max_length=MAX_ID_LENGTH)]
Genres = Annotated[list[Text], Field(max_length=50, examples=[["Comedy"]])]


class Page(Input):
    """Which part of a list."""

    limit: Limit = 100
    offset: Offset = 0


class Films(Input):
    """Which films."""

    genre_any: Genres = Field([], description="Only films with at least one of these genres.")
    genre_all: Genres = Field([], description="Only films with all of these genres.")
    genre_none: Genres = Field([], description="Only films with none of these genres.")
    year_from: Year | None = Field(None, description="Only films from this year on.")
    year_to: Year | None = Field(None, description="Only films up to this year.")
    min_ratings: Count = Field(0, description="Only films that so many people rated.")
    max_ratings: Count | None = Field(None, description="Only films that at most so many people rated.")


class MoviesQuery(Films):
    """Which films of the catalogue to list."""

    q: Annotated[str, Field(max_length=200)] | None = Field(
        None, description="Words of the title, best match first; typing errors are forgiven.", examples=["godfather"]
    )
    sort: Literal["popular", "top", "title", "newest", "oldest"] = Field(
        "popular", description="Order of the list, where there is no `q`; top is the mean, damped: one 5 is no triumph."
    )
    limit: Limit = 20
    cursor: Annotated[str, Field(max_length=200)] | None = Field(
        None, description="`next_cursor` of the page before; the other parameters stay the same."
    )


class GeneralQuery(Films):
    """Which films of a list that knows nobody."""

    limit: Limit = 10
    offset: Offset = 0


class SimilarQuery(Input):
    """How many similar films."""

    limit: Limit = 10


class MapQuery(Input):
    """How much of the map."""

    limit: Annotated[int, Field(ge=1, le=5000)] = Field(1000, description="How many of the most rated films.")


class Dials(Films):
    """Which films, in which order."""

    limit: Limit = 10
    offset: Offset = 0
    include_seen: bool = Field(False, description="Keep films that the person rated.")
    rank_by: Literal["picks", "stars", "stars_low"] = Field(
        "picks",
        description="What the list is ordered by: what one would watch, predicted stars, or the low end of their "
        "interval. Without a ranking model, picks are stars.",
    )
    popularity: float = Field(
        0, ge=-1, le=1, description="-1 obscure films first, 0 as the model has it, 1 popular ones."
    )
    diversity: float = Field(0, ge=0, le=1, description="0 as the model has it, 1 every film unlike those before it.")
    since: AwareDatetime | date | None = Field(
        None, description="Older ratings count as seen but do not shape the list.", examples=["2024-01-01"]
    )
    half_life: Annotated[float, Field(gt=0, le=36_525, allow_inf_nan=False)] | None = Field(
        None, description="Days after which a rating counts half.", examples=[365]
    )
    explain: bool = Field(False, description="Give reasons.")


class ListQuery(Dials):
    """What to recommend."""

    exclude: Annotated[list[Text], Field(max_length=MAX_RATINGS)] = Field(
        [], description="Films to leave out.", examples=[["1"]]
    )
    only: Annotated[list[Text], Field(max_length=MAX_RATINGS)] = Field(
        [], description="Films to choose among, those that nobody rated included."
    )
    what_if: Annotated[list[Text], Field(max_length=100)] = Field(
        [],
        description="`movie:stars` as if the person had rated so, `movie:none` as if they had not, for this once.",
        examples=[["260:1.5"]],
    )


class OnboardingQuery(Input):
    """What to ask next."""

    limit: Limit = 10
    not_seen: Annotated[list[Text], Field(max_length=MAX_RATINGS)] = Field(
        [], description="Films that the person has said they do not know."
    )


class NewRating(Input):
    """Stars for one film."""

    movie_id: MovieId
    stars: Stars
    rated_at: AwareDatetime | None = Field(
        None,
        description="When; now, if left out. An older rating never replaces a newer one.",
        examples=["2026-01-02T12:00:00Z"],
    )


class NewRatings(Input):
    """Ratings to keep, all or none."""

    ratings: Annotated[list[NewRating], Field(min_length=1, max_length=MAX_RATINGS)]
    recommend: Limit | None = Field(
        None, description="Answer with so many recommendations that know these ratings.", examples=[10]
    )


class OneRating(Input):
    """Stars for the film of the address."""

    stars: Stars
    rated_at: AwareDatetime | None = Field(None, description="When; now, if left out.")


class Seed(Input):
    """Whether a rating shapes lists."""

    seed: bool = Field(strict=True, description="False: the film counts as seen, but does not shape lists.")


class WhatIf(Input):
    """A rating changed for this once."""

    movie_id: MovieId
    stars: Stars | None = Field(None, description="Null takes the rating away.")


class Stateless(Dials):
    """Somebody described by ratings; nothing is kept."""

    ratings: Annotated[list[NewRating], Field(max_length=MAX_RATINGS)]
    not_interested: Annotated[list[MovieId], Field(max_length=MAX_RATINGS)] = Field(
        [], description="Films never to list."
    )
    seed_off: Annotated[list[MovieId], Field(max_length=MAX_RATINGS)] = Field(
        [], description="Films whose rating counts as seen but does not shape the list."
    )
    exclude: Annotated[list[MovieId], Field(max_length=MAX_RATINGS)] = Field([], description="Films to leave out.")
    only: Annotated[list[MovieId], Field(max_length=MAX_RATINGS)] = Field(
        [], description="Films to choose among, those that nobody rated included; empty for all that somebody rated."
    )
    what_if: Annotated[list[WhatIf], Field(max_length=100)] = Field([], description="Ratings changed for this once.")


class Member(Input):
    """One of several people: somebody known here, or somebody described by ratings."""

    user_id: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(None, examples=["ann"])
    ratings: Annotated[list[NewRating], Field(max_length=MAX_RATINGS)] | None = None


class Group(Films):
    """Several people who want one list."""

    members: Annotated[list[Member], Field(min_length=1, max_length=MAX_MEMBERS)]
    mode: Literal["mean", "least_misery", "most_pleasure", "fairness"] = Field(
        "mean", description="Who decides: the average member, the least happy one, the happiest one, or each in turn."
    )
    veto: float | None = Field(
        None, ge=0, le=100, description="Leave out films for which any member is predicted fewer stars.", examples=[3]
    )
    limit: Limit = 10
    offset: Offset = 0
    include_seen: bool = Field(False, description="Keep films that a member rated.")
    exclude: Annotated[list[MovieId], Field(max_length=MAX_RATINGS)] = Field([], description="Films to leave out.")


class Code(Input):
    """What another browser was given."""

    code: Annotated[str, Field(min_length=1, max_length=200)]


class ImportQuery(Input):
    """How to take a history over."""

    dry_run: bool = Field(False, description="Say what would be kept and keep nothing.")
    name: Annotated[str, Field(max_length=200)] = Field(
        "history", description="The file's name; it tells Letterboxd's watchlist from its watched films."
    )


class Choice(Input):
    """Which film a line means."""

    file: Annotated[str, Field(max_length=1000)]
    line: int
    movie_id: MovieId | None = Field(None, description="Null: none of the catalogue's.")


class Choices(Input):
    """Decisions about lines that were not clear."""

    choices: Annotated[list[Choice], Field(min_length=1, max_length=MAX_RATINGS)]


class TrainingRunsQuery(Input):
    """Which trainings."""

    limit: Limit = 20
    before: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = Field(
        None, description="Only runs with smaller numbers: the last one's of the page before, for the next page."
    )


class ExportQuery(Input):
    """In which format."""

    format: Literal["csv", "json", "letterboxd"] = Field(
        "csv", description="csv and json come back by an import as they were; letterboxd is that site's import format."
    )

"""What the recommender answers with; the fields are those of the API's JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from matinee.models.factors import Id


@dataclass(frozen=True)
class Because:
    """What one rating of the person adds to a film's score; `share` is its part of the score less the base."""

    movie_id: Id
    title: str
    contribution: float
    share: float


@dataclass
class Recommendation:
    """One film of a list; not frozen, since ten that are take longer to make than it takes to choose them.

    Attributes
    ----------
    rank
        Its place, from 1.
    score
        The score of the model that ordered the list, before clipping, dials and re-ranking.
    stars, stars_low, stars_high
        Predicted stars, clipped to the scale, and the interval that holds the person's rating with a probability of
        `matinee.recommend.recommender.LEVEL`; None where the model does not know it.
    because
        The ratings that raise the score most; None where reasons were not asked for.
    because_rest
        What all other ratings add.
    base
        What the film scores before any rating of the person counts; base, contributions and rest sum to `score`.
    """

    movie_id: Id
    title: str
    name: str
    year: int | None
    genres: tuple[str, ...]
    rank: int
    score: float
    stars: float
    stars_low: float | None
    stars_high: float | None
    ratings_count: int
    because: tuple[Because, ...] | None = None
    because_rest: float | None = None
    base: float | None = None


@dataclass(frozen=True)
class Recommendations:
    """A page of a list.

    Attributes
    ----------
    model_id
        The model that answered.
    recommendations
        Best first.
    total
        How many films pass all filters, on all pages.
    removed
        How many films each filter removes by itself.
    relax
        Of an empty list, the filters to relax; None where films are left.
    """

    model_id: str
    recommendations: tuple[Recommendation, ...]
    total: int
    removed: Mapping[str, int]
    relax: str | None = None


@dataclass(frozen=True)
class Prediction:
    """Predicted stars of one film, clipped to the scale.

    Attributes
    ----------
    stars_low, stars_high, stars_low_50, stars_high_50
        The intervals that hold the person's rating with a probability of 90 % and of 50 %; None where the model does
        not know them.
    probability_4
        Of a rating of at least 4 stars; None likewise.
    known
        False where nobody rated the film, so that the prediction is what genres and year tell, where the
        model learned from them, and else what the person gives on average.
    """

    movie_id: Id
    title: str
    stars: float
    stars_low: float | None
    stars_high: float | None
    known: bool
    ratings_count: int
    stars_low_50: float | None = None
    stars_high_50: float | None = None
    probability_4: float | None = None


@dataclass(frozen=True)
class Similar:
    """A film like another one; `score` is the model's likeness, at most 1."""

    movie_id: Id
    title: str
    name: str
    year: int | None
    genres: tuple[str, ...]
    rank: int
    score: float
    ratings_count: int


@dataclass(frozen=True)
class Explanation:
    """Why a film is on a list, or why not.

    Attributes
    ----------
    score, base, because, because_rest
        As in `Recommendation`, with every rating of the person named, the weightiest first.
    known
        False where nobody rated the film: what it lacks is ratings.
    rank
        Its place among all films that the person has not rated, filters and dials apart.
    rank_in_list
        Its place with filters and dials; None where a filter removed it.
    removed_by
        The filters that remove it.
    lacks
        How much score it lacks to be on the list; 0 where it has enough.
    """

    model_id: str
    movie_id: Id
    title: str
    score: float
    base: float
    because: tuple[Because, ...]
    because_rest: float
    known: bool
    rank: int
    rank_in_list: int | None
    removed_by: tuple[str, ...]
    lacks: float

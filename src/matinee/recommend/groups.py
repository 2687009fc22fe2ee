"""One list for several people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from matinee.data.ratings import Int64
from matinee.errors import ParameterError
from matinee.models.factors import Id
from matinee.recommend.filters import Filters, advise, count_removed, left
from matinee.recommend.recommender import Recommender
from matinee.recommend.scoring import Float64
from matinee.recommend.taste import Taste

Mode = Literal["mean", "least_misery", "most_pleasure", "fairness"]


@dataclass(frozen=True)
class GroupRecommendation:
    """One film for several people.

    Attributes
    ----------
    score
        What the film was ordered by, from 0 to 1: see `recommend_group`.
    stars
        Each member's predicted stars, clipped to the scale, in the order of the members.
    turn
        With "fairness", the member whose turn it was, from 0; else None.
    """

    movie_id: Id
    title: str
    name: str
    year: int | None
    genres: tuple[str, ...]
    rank: int
    score: float
    stars: tuple[float, ...]
    ratings_count: int
    turn: int | None = None


@dataclass(frozen=True)
class GroupRecommendations:
    """A page of a list for several people; the fields are those of `Recommendations`."""

    model_id: str
    recommendations: tuple[GroupRecommendation, ...]
    total: int
    removed: Mapping[str, int]
    relax: str | None = None


def recommend_group(
    recommender: Recommender,
    members: Sequence[Mapping[Any, float]],
    *,
    mode: Mode = "mean",
    limit: int = 10,
    offset: int = 0,
    veto: float | None = None,
    **filters: Any,
) -> GroupRecommendations:
    """List films for several people; what one of them has rated is left out unless `include_seen` says otherwise.

    Scores of different people are not on one scale, so that each member's are turned into the share of films that the
    member would like less (0 to 1) before they are put together:

    - "mean": the average member decides;
    - "least_misery": the least happy member decides;
    - "most_pleasure": the happiest member decides;
    - "fairness": members take turns, each choosing the film that they like best among those left.

    Parameters
    ----------
    recommender
        What recommends.
    members
        Each member's stars by movie id.
    mode
        How to agree.
    limit, offset
        How many films, and how many of the best to pass over before.
    veto
        Leave out films for which any member is predicted fewer stars; None for no veto.
    **filters
        Fields of `Filters`.

    Raises
    ------
    ParameterError
        If there is no member, or an option is out of range or unknown.
    """
    if not members:
        raise ParameterError("a group has at least one member: give each member's ratings")
    if mode not in get_args(Mode):
        raise ParameterError(f"mode={mode!r}: {', '.join(get_args(Mode))} are allowed")
    if limit < 0 or offset < 0:
        raise ParameterError(f"limit={limit}, offset={offset}: neither may be negative")
    chosen = Filters.of(filters)
    tastes = [Taste(ratings=ratings) for ratings in members]
    seen = recommender.catalogue.known_rows({movie_id for taste in tastes for movie_id in taste.seen})
    masks = chosen.removing(recommender.catalogue, seen)
    pool = recommender.pool(chosen)
    stars = np.stack([recommender.predict_all(taste) for taste in tastes])
    if veto is not None:
        masks["veto"] = np.asarray((stars < veto).any(axis=0), np.bool_)
    films = np.flatnonzero(left(pool, masks)).astype(np.int64)
    liking = np.stack([_shares(recommender.score_all(taste)[films]) for taste in tastes])
    order, scores, turns = _take_turns(liking) if mode == "fairness" else _agree(liking, mode)
    page = slice(offset, offset + limit)
    rows = films[order[page]]
    shown = zip(recommender.catalogue.at(rows), rows, scores[page], turns[page], strict=True)
    return GroupRecommendations(
        model_id=recommender.model_id,
        recommendations=tuple(
            GroupRecommendation(
                movie.movie_id, movie.title, movie.name, movie.year, movie.genres, rank, float(score),
                tuple(stars[:, row].tolist()), movie.ratings_count, int(turn) if turn >= 0 else None,
            )
            for rank, (movie, row, score, turn) in enumerate(shown, offset + 1)
        ),
        total=len(films),
        removed=count_removed(pool, masks),
        relax=None if len(films) else advise(pool, masks),
    )  # fmt: skip


def _shares(scores: Float64) -> Float64:
    """Turn scores into the share of films that score less, equal scores into equal shares."""
    less = np.searchsorted(np.sort(scores), scores, side="left")
    return np.asarray(less / max(len(scores) - 1, 1), np.float64)


def _agree(liking: Float64, mode: Mode) -> tuple[Int64, Float64, Int64]:
    decide: dict[str, Callable[..., Float64]] = {"mean": np.mean, "least_misery": np.min, "most_pleasure": np.max}
    scores = np.asarray(decide[mode](liking, axis=0), np.float64)
    # What decides first may leave many equal (everybody's favourites, say): then the average member decides.
    order = np.lexsort((np.arange(len(scores)), -liking.mean(axis=0), -scores)).astype(np.int64)
    return order, scores[order], np.full(len(order), -1, np.int64)


def _take_turns(liking: Float64) -> tuple[Int64, Float64, Int64]:
    """Let members choose one after the other, the order of choosing turned round after every round."""
    members, films = liking.shape
    wishes = [np.lexsort((np.arange(films), -liking.mean(axis=0), -own)).tolist() for own in liking]
    reached, taken = [0] * members, np.zeros(films, np.bool_)
    order, turns = np.empty(films, np.int64), np.empty(films, np.int64)
    for place in range(films):
        turn = place % members
        member = turn if place // members % 2 == 0 else members - 1 - turn
        while taken[wishes[member][reached[member]]]:
            reached[member] += 1
        order[place], turns[place] = wishes[member][reached[member]], member
        taken[order[place]] = True
    return order, liking[turns, order], turns

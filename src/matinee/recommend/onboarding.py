"""What to ask someone new: films that they probably know, so that an answer is likely and says something."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from matinee.data.ratings import Bools
from matinee.errors import ParameterError
from matinee.models.factors import Id
from matinee.recommend.catalogue import Movie
from matinee.recommend.recommender import Recommender
from matinee.recommend.taste import Taste

FIRST = 5
"""So many ratings make a person: before, the most popular films are asked for."""


def ask_next(
    recommender: Recommender, ratings: Mapping[Any, float], *, not_seen: Iterable[Id] = (), limit: int = 10
) -> list[Movie]:
    """Return the films to ask about next.

    Popular films first; after `FIRST` ratings, those that the ranking model says this person has probably watched,
    since it was learned from who watched what. "Haven't seen it" is an answer: the film is not asked for again.

    Parameters
    ----------
    recommender
        What recommends.
    ratings
        Stars by movie id, so far.
    not_seen
        Films that the person has said they do not know.
    limit
        How many films at most.

    Raises
    ------
    ParameterError
        If `limit` is negative.
    """
    if limit < 0:
        raise ParameterError(f"limit={limit}: 0 or more films can be asked for")
    catalogue = recommender.catalogue
    answered = catalogue.known_rows([*ratings, *not_seen])
    open_: Bools = recommender.rated.copy()
    open_[answered[answered >= 0]] = False
    films = np.flatnonzero(open_)
    counts = catalogue.ratings_count[films]
    known = catalogue.known_rows(ratings) >= 0
    if int(known.sum()) < FIRST:
        order = np.lexsort((films, -counts))
    else:
        order = np.lexsort((films, -counts, -recommender.score_all(Taste(ratings=ratings))[films]))
    return catalogue.at(films[order][:limit])

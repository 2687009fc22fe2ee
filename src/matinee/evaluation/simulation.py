"""How soon lists fit somebody new, depending on what they are asked: measured on people who are not in training.

Half of a held-out person's ratings are what they can answer with, the other half is what lists are measured on. Films
of the second half are never asked for; any other film that they have not rated is answered with "haven't seen it".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from matinee.data.dataset import Dataset
from matinee.data.ratings import Ids, Ratings
from matinee.data.stats import item_stats
from matinee.errors import DataError, ParameterError
from matinee.evaluation.metrics import LIKED
from matinee.evaluation.splitting import Split, strong_generalization
from matinee.models.bias import damped_bias
from matinee.models.factors import Id
from matinee.models.implicit_als import ImplicitALS
from matinee.recommend.catalogue import Catalogue
from matinee.recommend.onboarding import ask_next
from matinee.recommend.recommender import Recommender

if TYPE_CHECKING:
    import polars as pl

AT_ONCE = 5
"""So many films are shown together; then the answers count for choosing the next."""
LENGTH = 10
"""Length of the lists that are measured."""
Ask = Callable[[Mapping[Id, float], set[Id]], Sequence[Id]]
"""Names the next films, given the ratings so far and the films that must not be asked for."""


@dataclass(frozen=True)
class Onboarding:
    """What one way of asking leads to, on average over people.

    Attributes
    ----------
    shown
        Numbers of films shown.
    ndcg
        NDCG of the list (`LENGTH` films) after so many.
    answered
        How many of them the person had seen.
    """

    shown: tuple[int, ...]
    ndcg: tuple[float, ...]
    answered: tuple[float, ...]


def simulate_onboarding(
    dataset: Dataset,
    *,
    shown: Sequence[int] = (10, 20, 40, 80),
    share: float = 0.2,
    most_people: int = 200,
    seed: int = 0,
    picks: ImplicitALS | None = None,
) -> dict[str, Onboarding]:
    """Compare what `ask_next` asks with popularity, entropy, HELF and chance.

    Parameters
    ----------
    dataset
        Ratings and films.
    shown
        After how many films the list is measured, increasing multiples of `AT_ONCE`.
    share
        Share of the people who are held out.
    most_people
        At most so many of them are asked.
    seed
        Of the people, of the halves of their ratings, and of chance.
    picks
        How to learn the ranking model; None for the defaults.

    Returns
    -------
    dict
        By the name of the strategy. "entropy" asks for the films whose stars differ most (Shannon entropy of the
        histogram), "HELF" for those with the highest harmonic mean of that entropy and of log popularity, both from 0
        to 1 (Rashid, Karypis, Riedl 2008, "Learning Preferences of New Users in Recommender Systems").

    Raises
    ------
    ParameterError
        If `shown` is not as it should be.
    DataError
        If nobody held out has a film of `LIKED` stars in the second half.
    """
    if not shown or sorted(set(shown)) != list(shown) or any(n < AT_ONCE or n % AT_ONCE for n in shown):
        raise ParameterError(f"shown={list(shown)}: give increasing multiples of {AT_ONCE}")
    split = strong_generalization(dataset.ratings, share, seed)
    people = _people(split, most_people, seed)
    catalogue = training_catalogue(dataset.movies, split.train)
    ranking_model = (picks or ImplicitALS()).fit(split.train)
    recommender = Recommender(catalogue, damped_bias().fit(split.train), ranking_model)
    strategies: dict[str, Ask] = {"ask_next": lambda known, closed: _next(recommender, known, closed)}
    strategies |= {name: _in_order(order) for name, order in orders(split.train, seed).items()}
    return {name: _measure(recommender, ask, people, tuple(shown)) for name, ask in strategies.items()}


def training_catalogue(movies: pl.DataFrame, train: Ratings) -> Catalogue:
    """Return the films with the counts of the training part: those of the whole data set know what is held out."""
    stats = item_stats(train).select("movie_id", "ratings_count", "ratings_mean")
    known = movies.drop("ratings_count", "ratings_mean").join(stats, on="movie_id", how="left")
    return Catalogue(known.with_columns(known["ratings_count"].fill_null(0)))


@dataclass(frozen=True)
class _Person:
    answers: dict[Id, float]
    liked: set[Id]  # of the half that lists are measured on
    kept_back: set[Id]  # all of that half


def _people(split: Split, most: int, seed: int) -> list[_Person]:
    answers, kept = _by_user(split.seen), _by_user(split.test)
    found = []
    for user in np.random.default_rng(seed).permutation(sorted(kept.keys() & answers.keys())).tolist():
        liked = {movie for movie, stars in kept[user].items() if stars >= LIKED}
        if liked:
            found.append(_Person(answers[user], liked, set(kept[user])))
    if not found:
        raise DataError(f"nobody held out has a film of {LIKED:g} stars or more to be found: hold out more people")
    return found[:most]


def _by_user(ratings: Ratings) -> dict[Id, dict[Id, float]]:
    found: dict[Id, dict[Id, float]] = {}
    columns = (ratings.user_ids.tolist(), ratings.item_ids.tolist(), ratings.stars.tolist())
    for user, movie, stars in zip(*columns, strict=True):
        found.setdefault(user, {})[movie] = stars
    return found


def orders(ratings: Ratings, seed: int) -> dict[str, Ids]:
    """Return, by strategy that does not listen, all film ids in the order in which it asks for them."""
    counts, n_users = ratings.item_counts, len(ratings.users)
    entropy = star_entropy(ratings)
    most = np.log2(max(n_users, 2))
    frequency = np.log2(counts) / most
    both = entropy + frequency
    helf = np.where(both > 0, 2 * entropy * frequency / np.where(both > 0, both, 1), 0)
    chance = np.random.default_rng(seed).random(len(counts))
    keys: dict[str, npt.NDArray[Any]] = {"popularity": counts, "entropy": entropy, "HELF": helf, "random": chance}
    return {name: ratings.items.ids[np.lexsort((-counts, -key))] for name, key in keys.items()}


def star_entropy(ratings: Ratings) -> npt.NDArray[np.float64]:
    """Return the Shannon entropy of each film's stars, from 0 (all alike) to 1 (all stars of the scale equally often),
    shape ``(n_items,)``.
    """
    low, high = ratings.scale
    levels = round((high - low) * 2) + 1
    steps = np.rint((ratings.stars - low) * 2).astype(np.int64)
    cells = np.bincount(ratings.item_rows.astype(np.int64) * levels + steps, minlength=len(ratings.items) * levels)
    shares = cells.reshape(-1, levels) / ratings.item_counts[:, None]
    logs = np.log2(np.where(shares > 0, shares, 1))
    return np.asarray(-(shares * logs).sum(axis=1) / np.log2(levels), np.float64)


def _next(recommender: Recommender, known: Mapping[Id, float], closed: set[Id]) -> list[Id]:
    return [movie.movie_id for movie in ask_next(recommender, known, not_seen=closed, limit=AT_ONCE)]


def _in_order(order: Ids) -> Ask:
    ids: list[Id] = order.tolist()

    def ask(known: Mapping[Id, float], closed: set[Id]) -> list[Id]:
        open_ = (movie for movie in ids if movie not in closed and movie not in known)
        return [movie for movie, _ in zip(open_, range(AT_ONCE), strict=False)]

    return ask


def _measure(recommender: Recommender, ask: Ask, people: list[_Person], shown: tuple[int, ...]) -> Onboarding:
    runs = np.array([_run(recommender, ask, person, shown) for person in people])
    ndcg, answered = runs.mean(axis=0).T
    return Onboarding(shown, tuple(ndcg.tolist()), tuple(answered.tolist()))


def _run(recommender: Recommender, ask: Ask, person: _Person, shown: tuple[int, ...]) -> list[tuple[float, int]]:
    """Ask one person; return NDCG and the number of answers after each of `shown`."""
    known: dict[Id, float] = {}
    closed = set(person.kept_back)
    found = []
    for number in range(AT_ONCE, shown[-1] + 1, AT_ONCE):
        asked = ask(known, closed)
        known |= {movie: person.answers[movie] for movie in asked if movie in person.answers}
        closed |= set(asked)
        if number in shown:
            found.append((_ndcg(recommender, known, person), len(known)))
    return found


def _ndcg(recommender: Recommender, known: Mapping[Id, float], person: _Person) -> float:
    """Measure the list: what the person has seen and was not asked for is no candidate."""
    unasked = [movie for movie in person.answers if movie not in known]
    best = recommender.recommend(known, limit=LENGTH, exclude=unasked).recommendations
    gains = 1 / np.log2(np.arange(2, LENGTH + 2))
    found = sum(gain for gain, film in zip(gains, best, strict=False) if film.movie_id in person.liked)
    return float(found / gains[: len(person.liked)].sum())

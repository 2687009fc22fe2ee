"""What is held out of a data set, and of whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from matinee.data.ratings import Bools, Ratings
from matinee.data.splits import hash_split, k_fold, last_n, random_split, time_split
from matinee.errors import ParameterError


@dataclass(frozen=True, eq=False)
class Split:
    """One way to cut a data set.

    Attributes
    ----------
    train
        What models are fitted on.
    test
        What they are measured on.
    history
        What is known of the test set's people where they are not in the training part (strong generalization): models
        place them by `fold_in`. None where they are in it.
    """

    train: Ratings
    test: Ratings
    history: Ratings | None = None

    @property
    def seen(self) -> Ratings:
        """What the test set's people have rated before."""
        return self.train if self.history is None else self.history


def held_out_per_user(ratings: Ratings, share: float, seed: int) -> Split:
    """Hold out the same share of everyone's ratings, drawn at random; someone's only rating is never held out."""
    test = random_share(ratings, share, seed)
    return Split(ratings.select(~test), ratings.select(test))


def strong_generalization(ratings: Ratings, share: float, seed: int) -> Split:
    """Hold out people: train on the others, know half of their ratings, measure on the other half (Liang et al. 2018,
    "Variational Autoencoders for Collaborative Filtering", where it is 80 % that is known).
    """
    rng = np.random.default_rng(seed)
    count = max(1, round(share * len(ratings.users)))
    if count >= len(ratings.users):
        raise ParameterError(f"{share:g} of {len(ratings.users)} people leaves nobody to train on: hold out fewer")
    chosen = np.zeros(len(ratings.users), np.bool_)
    chosen[rng.choice(len(ratings.users), count, replace=False)] = True
    theirs = chosen[ratings.user_rows]
    test = random_share(ratings, 0.5, seed) & theirs
    return Split(ratings.select(~theirs), ratings.select(test), ratings.select(theirs & ~test))


def random_share(ratings: Ratings, share: float, seed: int) -> Bools:
    """Mark the same share of everyone's ratings, shape ``(nnz,)``: n * share rounded, but never all of them."""
    if not 0 < share < 1:
        raise ParameterError(f"a share of {share:g} cannot be held out; give a number between 0 and 1")
    keys = np.random.default_rng(seed).random(len(ratings))
    order = np.lexsort((keys, ratings.user_rows))
    counts = ratings.by_user.counts
    place = np.arange(len(ratings)) - np.repeat(ratings.by_user.indptr[:-1], counts)
    wanted = np.minimum(np.floor(counts * share + 0.5), counts - 1)
    marked = np.zeros(len(ratings), np.bool_)
    marked[order] = place < np.repeat(wanted, counts)
    return marked


PROTOCOLS = ("random", "per-user", "hash", "k-fold", "last", "time", "strong")


def make_splits(
    ratings: Ratings,
    protocol: str,
    *,
    test: float = 0.2,
    last: int = 5,
    folds: int = 5,
    seed: int = 0,
    repeats: int = 1,
) -> tuple[list[Split], dict[str, Any]]:
    """Cut a data set by one of `PROTOCOLS`, defined in ``docs/evaluation.md``.

    Parameters
    ----------
    test
        Share held out: of the ratings, or (strong) of the people.
    last
        How many of each person's newest ratings ``last`` holds out.
    folds
        Of ``k-fold``, each of which is one split.
    seed
        Of the first split; repeats count on from it.
    repeats
        How many splits; more than one only where they are drawn at random.

    Returns
    -------
    (splits, protocol)
        The splits, and how they were made: the names and values above that matter.

    Raises
    ------
    ParameterError
        If a value is not allowed or the ratings cannot be cut that way.
    """
    if protocol not in PROTOCOLS:
        raise ParameterError(f"protocol {protocol!r}: {', '.join(PROTOCOLS)} are allowed")
    if repeats < 1:
        raise ParameterError(f"repeats={repeats}: at least 1 is needed")
    if protocol in ("last", "time"):
        if repeats > 1:
            raise ParameterError(f"{protocol!r} cuts by time, always at the same place: it cannot be repeated")
        cut = last_n(ratings, last) if protocol == "last" else time_split(ratings, test)
        how: dict[str, Any] = {"last": last} if protocol == "last" else {"test_share": test}
        return [Split(*cut)], {"protocol": protocol, **how}
    splits: list[Split] = []
    for repeat in range(seed, seed + repeats):
        if protocol == "k-fold":
            splits += [Split(*cut) for cut in k_fold(ratings, folds, repeat)]
        elif protocol == "per-user":
            splits.append(held_out_per_user(ratings, test, repeat))
        elif protocol == "strong":
            splits.append(strong_generalization(ratings, test, repeat))
        else:
            splits.append(Split(*(random_split if protocol == "random" else hash_split)(ratings, test, repeat)))
    share = {"folds": folds} if protocol == "k-fold" else {"test_share": test}
    return splits, {"protocol": protocol, **share, "split_seed": seed, "repeats": repeats}

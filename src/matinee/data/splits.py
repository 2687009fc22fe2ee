"""Cutting ratings into parts: at random, by a hash, by time. The same arguments always cut the same way.

Every part keeps only the users and items that occur in it, so a test part may hold ids that the training part lacks:
cold pairs, to be counted and scored by the model's fallback, never dropped in silence.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from matinee.data.ratings import Bools, Ids, Int64, Ratings
from matinee.errors import ParameterError

UInt64 = npt.NDArray[np.uint64]


def parse_fractions(text: str) -> tuple[float, ...]:
    """Read ``6:2:2`` or ``7:3``.

    Raises
    ------
    ParameterError
        If these are not two or more positive numbers between colons.
    """
    if not re.fullmatch(r"\d+(\.\d+)?(:\d+(\.\d+)?)+", text.strip()):
        raise ParameterError(f"the split is {text!r}; give two or more numbers between colons, as 7:3 or 6:2:2")
    return tuple(float(part) for part in text.split(":"))


def random_fractions(ratings: Ratings, fractions: Sequence[float] | str, *, seed: int = 0) -> list[Ratings]:
    """Cut at random into parts of these proportions, exact to one rating.

    Parameters
    ----------
    ratings
        What to cut.
    fractions
        Proportions, ``(6, 2, 2)`` or ``"6:2:2"``.
    seed
        Of the permutation.

    Returns
    -------
    list of Ratings
        As many as there are proportions.

    Raises
    ------
    ParameterError
        If a proportion is not positive or so small that its part is empty.
    """
    shares = _checked_shares(fractions)
    ends = np.floor(np.cumsum(shares) / sum(shares) * len(ratings) + 0.5).astype(np.int64)
    sizes = np.diff(ends, prepend=0)
    if sizes.min() < 1:
        raise ParameterError(f"{len(ratings)} ratings split by {shares} give parts of {sizes.tolist()}: one is empty")
    part = np.repeat(np.arange(len(sizes), dtype=np.int8), sizes)
    np.random.default_rng(seed).shuffle(part)
    return [ratings.select(part == number) for number in range(len(sizes))]


def _checked_shares(fractions: Sequence[float] | str) -> tuple[float, ...]:
    shares = parse_fractions(fractions) if isinstance(fractions, str) else tuple(fractions)
    if len(shares) < 2 or not all(math.isfinite(share) and share > 0 for share in shares):
        raise ParameterError(f"the proportions {shares} cannot be split by; give two or more positive numbers")
    return shares


def random_split(ratings: Ratings, test: float = 0.2, seed: int = 0) -> tuple[Ratings, Ratings]:
    """Hold out a random share of all ratings.

    Parameters
    ----------
    ratings
        What to cut.
    test
        Share that is held out, between 0 and 1.
    seed
        Of the draw.

    Returns
    -------
    (train, test)
        Together all ratings, each once.

    Raises
    ------
    ParameterError
        If `test` is not between 0 and 1, or a part is empty.
    """
    _check_share(test)
    train, held_out = random_fractions(ratings, (1 - test, test), seed=seed)
    return train, held_out


def _check_share(test: float) -> None:
    if not 0 < test < 1:
        raise ParameterError(f"a share of {test:g} cannot be held out; give a number between 0 and 1")


def k_fold(ratings: Ratings, folds: int = 5, seed: int = 0) -> list[tuple[Ratings, Ratings]]:
    """Cut at random into parts of equal size (to one rating), each of which is the test part once.

    Returns
    -------
    list of (train, test)
        As many as there are folds.

    Raises
    ------
    ParameterError
        If there are fewer than two folds or more than ratings.
    """
    if not 2 <= folds <= len(ratings):
        raise ParameterError(f"{folds} folds; 2 to {len(ratings)} (the number of ratings) are allowed")
    fold = np.arange(len(ratings), dtype=np.int32) % folds
    np.random.default_rng(seed).shuffle(fold)
    return [(ratings.select(fold != number), ratings.select(fold == number)) for number in range(folds)]


def time_split(ratings: Ratings, test: float = 0.2) -> tuple[Ratings, Ratings]:
    """Hold out the newest share of all ratings: nothing in training is younger than anything in the test part.

    Ratings of the same second stay together, on the side that brings the share closest to `test`.

    Raises
    ------
    ParameterError
        If `test` is not between 0 and 1, there are no times, or all are the same.
    """
    _check_share(test)
    times = _times(ratings)
    moments, counts = np.unique(times, return_counts=True)
    if len(moments) < 2:
        raise ParameterError("all ratings have the same time: they cannot be split by it")
    older = np.cumsum(counts)[:-1]
    cut = moments[int(np.argmin(np.abs(older - (1 - test) * len(ratings)))) + 1]
    return ratings.select(times < cut), ratings.select(times >= cut)


def last_n(ratings: Ratings, n: int = 1) -> tuple[Ratings, Ratings]:
    """Hold out everyone's `n` newest ratings (ties: the higher item id counts as newer); people with `n` or fewer
    ratings stay in training whole.

    Raises
    ------
    ParameterError
        If `n` is below 1, there are no times, or nobody has more than `n` ratings.
    """
    if n < 1:
        raise ParameterError(f"the last {n} ratings cannot be held out; give 1 or more")
    order = np.lexsort((_times(ratings), ratings.user_rows))
    counts = ratings.by_user.counts
    if counts.max() <= n:
        raise ParameterError(f"nobody has more than {n} ratings: nothing can be held out")
    from_the_end = np.repeat(ratings.by_user.indptr[1:], counts) - np.arange(len(ratings))  # 1 is the newest
    test = np.zeros(len(ratings), np.bool_)
    test[order] = (from_the_end <= n) & np.repeat(counts > n, counts)
    return ratings.select(~test), ratings.select(test)


def _times(ratings: Ratings) -> Int64:
    if ratings.timestamps is None:
        raise ParameterError("these ratings have no times: they cannot be split by time")
    return ratings.timestamps


def hash_split(ratings: Ratings, test: float = 0.2, seed: int = 0) -> tuple[Ratings, Ratings]:
    """Hold out the pairs whose hash falls below `test`: any engine on any machine draws the same ones.

    With M the finalizer of SplitMix64 (Steele, Lea, Flood 2014, "Fast Splittable Pseudorandom Number Generators"), all
    in unsigned 64-bit arithmetic that wraps around,

        M(z): z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;  z ^ (z >> 31)
        h = M(M(M(seed + G) + user + G) + item + G),   G = 0x9E3779B97F4A7C15

    and a pair is held out if ``h < floor(test * 2**64)``. An integer id is its 64-bit two's complement; a string id is
    the first 8 bytes, little-endian, of the BLAKE2b-64 digest of its UTF-8 bytes. The share is met on average, not
    exactly; whether a pair is held out does not depend on the other pairs.

    Raises
    ------
    ParameterError
        If `test` is not between 0 and 1, or a part is empty.
    """
    held_out = hashed_below(ratings.user_ids, ratings.item_ids, test, seed)
    check_parts([int((~held_out).sum()), int(held_out.sum())])
    return ratings.select(~held_out), ratings.select(held_out)


def hash_fractions(ratings: Ratings, fractions: Sequence[float] | str, *, seed: int = 0) -> list[Ratings]:
    """Cut by the hash of `hash_split` into parts of about these proportions, on any engine the same ones.

    The last part has the lowest hashes: with ``6:2:2`` it is what ``hash_split(ratings, 0.2)`` holds out.

    Raises
    ------
    ParameterError
        If a proportion is not positive, or a part is empty.
    """
    bounds = hash_bounds(fractions)
    part = hash_parts(ratings.user_ids, ratings.item_ids, bounds, seed)
    sizes = np.bincount(part, minlength=len(bounds) + 1)
    check_parts(sizes.tolist())
    return [ratings.select(part == number) for number in range(len(sizes))]


def hash_bounds(fractions: Sequence[float] | str) -> list[float]:
    """Return below which share of all hashes each part but the first ends, the last part first.

    Raises
    ------
    ParameterError
        If there are fewer than two proportions or one is not positive.
    """
    shares = _checked_shares(fractions)
    return [float(bound) for bound in np.cumsum(shares[:0:-1]) / sum(shares)]


def check_parts(sizes: Sequence[int]) -> None:
    """Refuse parts of which one is empty.

    Raises
    ------
    ParameterError
        Naming the sizes.
    """
    if min(sizes) < 1:
        raise ParameterError(f"{sum(sizes)} ratings are cut into parts of {list(sizes)}: one is empty; give more")


def hash_parts(user_ids: Ids, item_ids: Ids, bounds: Sequence[float], seed: int) -> npt.NDArray[np.int8]:
    """Return the number of each pair's part, shape ``(n,)``; `bounds` are those of `hash_bounds`."""
    golden = np.uint64(0x9E3779B97F4A7C15)
    with np.errstate(over="ignore"):
        start = _mixed(np.array([seed % 2**64], np.uint64) + golden)
        hashes = _mixed(_mixed(start + _as_word(user_ids) + golden) + _as_word(item_ids) + golden)
    ends = np.array([math.floor(bound * 2**64) for bound in bounds], np.uint64)
    return (len(bounds) - np.searchsorted(ends, hashes, side="right")).astype(np.int8)


def hashed_below(user_ids: Ids, item_ids: Ids, test: float, seed: int) -> Bools:
    """Say which pairs `hash_split` holds out, shape ``(n,)``."""
    _check_share(test)
    return np.asarray(hash_parts(user_ids, item_ids, [test], seed) == 1)


def _mixed(z: UInt64) -> UInt64:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _as_word(ids: Ids) -> UInt64:
    if ids.dtype.kind == "i":
        return ids.astype(np.int64).view(np.uint64)
    distinct, places = np.unique(ids, return_inverse=True)
    words = [int.from_bytes(blake2b(str(name).encode(), digest_size=8).digest(), "little") for name in distinct]
    return np.array(words, np.uint64)[places]

"""The data set's ratings and the live ones as one, and models without a trace of whoever joined since.

A model is learned from everybody, so that films get better, and saved with the data set's people only: whoever joined
through the service is placed by their ratings whenever they ask, and forgetting them leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from matinee.data.ratings import Bools, Csr, Int32, Int64, Ratings, Vocabulary
from matinee.data.stats import item_stats
from matinee.models.artifact import Artifact
from matinee.models.factors import FactorModel
from matinee.store.snapshot import LiveRatings

if TYPE_CHECKING:
    import polars as pl

ModelT = TypeVar("ModelT", bound=FactorModel)
_Rows: TypeAlias = "tuple[npt.NDArray[Any], npt.NDArray[Any]]"  # of users and of items, pair by pair


@dataclass(frozen=True, eq=False)
class Union:
    """What a training learns from.

    Attributes
    ----------
    base
        The data set's ratings, as they came.
    ratings
        Everybody's. User ids are rows: the first ``len(base.users)`` are the data set's users in their order, the
        others are people of the service, in no order that means anything.
    live_pairs
        Shape ``(len(ratings),)``: which of `ratings` were given to the service.
    """

    base: Ratings
    ratings: Ratings
    live_pairs: Bools

    @property
    def live(self) -> int:
        """How many ratings were given to the service."""
        return int(np.count_nonzero(self.live_pairs))

    @cached_property
    def base_seen(self) -> Csr:
        """The data set's ratings, items by their row among everybody's."""
        rows = self.ratings.items.rows(self.base.items.ids)
        by_user = self.base.by_user
        return Csr(by_user.indptr, rows[by_user.indices], by_user.values, len(self.ratings.items))

    @cached_property
    def changed(self) -> Bools:
        """Which of the data set's users gave ratings to the service or took some back, shape ``(n_base_users,)``."""
        n_users, ratings = len(self.base.users), self.ratings
        ours = (ratings.user_rows < n_users) & ~self.live_pairs
        kept = np.bincount(ratings.user_rows[ours], minlength=n_users)
        rated = np.zeros(len(ratings.users), np.bool_)
        rated[ratings.user_rows[self.live_pairs]] = True
        return np.asarray((kept != self.base.by_user.counts) | rated[:n_users])

    def without_people(self, model: ModelT) -> ModelT:
        """Return a model of `ratings` with the data set's users only, those who changed something as they were.

        Arrays of users have names that say so and one row per user, whatever the kind of model.
        """
        n_users = len(self.base.users)
        arrays: dict[str, Any] = {
            name: array[:n_users].copy() for name, array in model.arrays().items() if _is_of_users(name, array)
        }
        own = replace(model, users=self.base.users, seen=self.base_seen, **arrays)
        for row in np.flatnonzero(self.changed).tolist():
            _forget_changes(own, arrays, row)
        return own

    def movies(self, movies: pl.DataFrame) -> pl.DataFrame:
        """Return the catalogue with everybody's counts and means."""
        counted = item_stats(self.ratings).select("movie_id", "ratings_count", "ratings_mean")
        columns = movies.columns
        joined = movies.drop("ratings_count", "ratings_mean").join(
            counted, on="movie_id", how="left", maintain_order="left"
        )
        return joined.with_columns(joined["ratings_count"].fill_null(0)).select(columns)


def _is_of_users(name: str, array: npt.NDArray[Any]) -> bool:
    return name.removeprefix("dated_").startswith("user_") and len(array) > 0


def _forget_changes(model: FactorModel, arrays: dict[str, npt.NDArray[Any]], row: int) -> None:
    """Place one user again by what the data set knows of them."""
    item_rows, stars = model.seen.row(row)
    factors, bias = model.person_system(item_rows, stars).solve()
    for prefix in ("", "dated_"):
        if f"{prefix}user_factors" in arrays:
            arrays[f"{prefix}user_factors"][row], arrays[f"{prefix}user_biases"][row] = factors, bias
    if "user_variances" in arrays:
        arrays["user_variances"][row] = 1.0  # as uncertain as people are on average


def base_of(artifact: Artifact) -> Ratings:
    """Return the data set's ratings that a model folder keeps."""
    model = artifact.stars
    return Ratings(model.users, model.items, model.seen, artifact.seen_times, model.scale)


def unite(base: Ratings, movies: pl.DataFrame, live: LiveRatings) -> Union:
    """Let live ratings take the place of the data set's, whatever their dates, as every answer of the service does.

    Ratings of films outside the catalogue are left out, stars are brought into the scale. Nobody and no film of the
    data set disappears: where everything was taken back, the data set's ratings stay.
    """
    catalogue = Vocabulary.of(movies["movie_id"].to_numpy())
    known = _rows_of(catalogue, live.movie_ids)
    use = known >= 0
    items = Vocabulary.of(np.concatenate([base.items.ids, catalogue.ids[known[use & ~np.isnan(live.stars)]]]))
    live_users, live_items = _user_rows(base.users, live.user_ids), np.full(len(live), -1, np.int32)
    live_items[use] = items.rows(catalogue.ids[known[use]])
    use &= live_items >= 0
    given = use & ~np.isnan(live.stars)
    base_items = items.rows(base.items.ids)[base.item_rows]
    base_keys, live_keys = (base.user_rows, base_items), (live_users[use], live_items[use])
    parts = _Parts(_untouched(base_keys, live_keys, given[use], len(base.users), len(items)), given)
    users = parts.joined(base.user_rows, _dense(live_users, given, len(base.users)))
    item_rows = parts.joined(base_items, live_items)
    united = Ratings.from_rows(
        Vocabulary(np.arange(int(users.max()) + 1)), items, users, item_rows,
        parts.joined(base.stars, np.clip(live.stars, *base.scale)),
        None if base.timestamps is None else parts.joined(base.timestamps, live.rated_at),
        scale=base.scale,
    )  # fmt: skip
    are_live = _keys((users, item_rows), len(items))[int(parts.kept.sum()) :]
    return Union(base, united, np.isin(_keys((united.user_rows, united.item_rows), len(items)), are_live))


@dataclass(frozen=True, eq=False)
class _Parts:
    """Which ratings of the data set and which live ones count."""

    kept: Bools
    given: Bools

    def joined(self, base: npt.NDArray[Any], live: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.concatenate([base[self.kept], live[self.given]]).astype(base.dtype, copy=False)


def _rows_of(catalogue: Vocabulary, movie_ids: Sequence[int | str]) -> Int32:
    kind = str if catalogue.ids.dtype.kind == "U" else int
    rows = np.full(len(movie_ids), -1, np.int32)
    mine = np.array([isinstance(movie_id, kind) for movie_id in movie_ids], np.bool_)
    if mine.any():
        rows[mine] = catalogue.rows([movie_id for movie_id, ours in zip(movie_ids, mine, strict=True) if ours])
    return rows


def _user_rows(users: Vocabulary, user_ids: npt.NDArray[np.str_]) -> Int64:
    """Return rows of the data set's users; others get numbers after them, one per person."""
    names, places = np.unique(user_ids, return_inverse=True)
    rows = np.full(len(names), -1, np.int64)
    if users.ids.dtype.kind == "U":
        rows[:] = users.rows(names) if len(names) else rows
    else:
        numbers = [int(name) if _is_number(name) else -1 for name in names.tolist()]
        rows[:] = users.rows(np.array(numbers, np.int64)) if numbers else rows
        rows[np.array(numbers, np.int64) < 0] = -1
    new = rows < 0
    rows[new] = len(users) + np.arange(int(new.sum()))
    return np.asarray(rows[places], np.int64)


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdecimal() and len(name) < 19 and str(int(name)) == name


def _dense(rows: Int64, given: Bools, n_base: int) -> Int64:
    """Number people of the service who have a rating left without gaps."""
    new = given & (rows >= n_base)
    dense = rows.copy()
    dense[new] = n_base + np.unique(rows[new], return_inverse=True)[1]
    return dense


def _untouched(base: _Rows, live: _Rows, given: Bools, n_users: int, n_items: int) -> Bools:
    """Tell which of the data set's ratings count still; those of whom and what would have none left always do."""
    kept = ~np.isin(_keys(base, n_items), _keys(live, n_items))
    lost = [
        np.bincount(side[kept], minlength=n) + np.bincount(other[given & (other < n)], minlength=n) == 0
        for side, other, n in zip(base, live, (n_users, n_items), strict=True)
    ]
    return np.asarray(kept | lost[0][base[0]] | lost[1][base[1]])


def _keys(pairs: _Rows, n_items: int) -> Int64:
    user_rows, item_rows = pairs
    return np.asarray(user_rows, np.int64) * n_items + item_rows

"""Ratings as the models want them: compressed rows by user and by item, and the ids that go with the rows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from matinee.data.mapped import taken
from matinee.data.ordering import counted, counting_order, is_sorted, looked_up, newest_last, same_as_next, slices
from matinee.errors import DataError, ParameterError

Ids: TypeAlias = "npt.NDArray[Any]"  # int64 or str
Int32: TypeAlias = "npt.NDArray[np.int32]"
Int64: TypeAlias = "npt.NDArray[np.int64]"
Float32: TypeAlias = "npt.NDArray[np.float32]"
Bools: TypeAlias = "npt.NDArray[np.bool_]"

STAR_SCALE = (0.5, 5.0)
TABLE_LIMIT = 1 << 26
"""Largest integer id for which a vocabulary looks rows up in a table (4 bytes an id) instead of searching."""


def as_ids(values: npt.ArrayLike, what: str = "ids") -> Ids:
    """Turn ids from outside into one int64 or one string array of one dimension.

    Raises
    ------
    DataError
        If the ids are neither all integers nor all strings.
    """
    ids = np.atleast_1d(np.asarray(values))
    if ids.ndim != 1:
        raise DataError(f"{what} have {ids.ndim} dimensions; one is allowed")
    if ids.dtype.kind in "iu" or ids.size == 0:
        return ids.astype(np.int64, copy=False)
    if ids.dtype.kind in "UT" or (ids.dtype.kind == "O" and all(isinstance(value, str) for value in ids)):
        return ids.astype(np.str_, copy=False)
    raise DataError(f"{what} are of type {ids.dtype}; integers or strings are allowed, one kind for all")


def _narrow_ids(values: npt.ArrayLike, what: str = "ids") -> Ids:
    """As `as_ids`, but int32 ids stay as they are: widening millions of them for a look at each costs memory."""
    if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype in (np.int32, np.int64):
        return values
    return as_ids(values, what)


class Vocabulary:
    """The ids of one side, sorted; an id's place is its row in every factor matrix.

    Parameters
    ----------
    ids
        Shape ``(n,)``, int64 or str, strictly increasing.
    """

    def __init__(self, ids: npt.ArrayLike) -> None:
        self.ids: Ids = as_ids(ids)
        if len(self.ids) > 1 and not bool(np.all(self.ids[1:] > self.ids[:-1])):
            raise DataError("the ids of a vocabulary must be sorted and distinct: use Vocabulary.of for raw ids")

    @classmethod
    def of(cls, ids: npt.ArrayLike) -> Vocabulary:
        """Make the vocabulary of ids in any order, repeated or not."""
        raw = _narrow_ids(ids)
        if raw.dtype.kind == "i" and raw.size and raw.min() >= 0 and raw.max() < TABLE_LIMIT:
            present = np.zeros(int(raw.max()) + 1, np.bool_)
            for part in slices(len(raw)):
                present[raw[part]] = True
            return cls(np.flatnonzero(present))
        return cls(np.unique(raw))

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, int | str | np.integer) or isinstance(value, str) != (self.ids.dtype.kind == "U"):
            return False
        return bool(self.rows(np.asarray([value]))[0] >= 0)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and np.array_equal(self.ids, other.ids)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} ids)"

    @cached_property
    def _table(self) -> Int32 | None:
        if self.ids.dtype.kind != "i" or not len(self) or self.ids[0] < 0 or self.ids[-1] >= TABLE_LIMIT:
            return None
        table = np.full(int(self.ids[-1]) + 1, -1, np.int32)
        table[self.ids] = np.arange(len(self), dtype=np.int32)
        return table

    def rows(self, ids: npt.ArrayLike) -> Int32:
        """Look rows up: shape ``(len(ids),)`` int32, -1 where the id is unknown."""
        wanted = _narrow_ids(ids)
        if wanted.dtype.kind != self.ids.dtype.kind or not len(self):
            return np.full(len(wanted), -1, np.int32)
        if self._table is not None:
            return looked_up(self._table, wanted)
        rows = np.minimum(np.searchsorted(self.ids, wanted), len(self) - 1)
        return np.where(self.ids[rows] == wanted, rows, -1).astype(np.int32)


@dataclass(frozen=True, eq=False)
class Csr:
    """Compressed rows: row ``r`` holds ``indices[indptr[r]:indptr[r+1]]`` with their ``values``.

    Attributes
    ----------
    indptr
        Shape ``(n_rows + 1,)``, int64.
    indices
        Shape ``(nnz,)``, int32, increasing within a row.
    values
        Shape ``(nnz,)``, float32.
    n_columns
        Number of columns.
    """

    indptr: Int64
    indices: Int32
    values: Float32
    n_columns: int

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.indptr) - 1

    @property
    def nnz(self) -> int:
        """Number of entries."""
        return len(self.indices)

    @property
    def counts(self) -> Int64:
        """Entries of each row, shape ``(n_rows,)``."""
        return np.diff(self.indptr)

    @property
    def column_counts(self) -> Int64:
        """Entries of each column, shape ``(n_columns,)``."""
        return np.bincount(self.indices, minlength=self.n_columns).astype(np.int64)

    @property
    def column_sums(self) -> npt.NDArray[np.float64]:
        """Sum of each column, shape ``(n_columns,)``."""
        return np.bincount(self.indices, self.values, self.n_columns).astype(np.float64)

    def span(self, row: int) -> slice:
        """Return where one row's entries are, in arrays of the same order too."""
        return slice(self.indptr[row], self.indptr[row + 1])

    def row(self, row: int) -> tuple[Int32, Float32]:
        """Return one row's column indices and values, copied."""
        return taken(self.indices, self.span(row)), taken(self.values, self.span(row))

    def part(self, first: int, last: int) -> Csr:
        """Return the rows `first` to `last` - 1."""
        ends = self.indptr[first : last + 1]
        span = slice(ends[0], ends[-1])
        return Csr(ends - ends[0], self.indices[span], self.values[span], self.n_columns)

    def row_of_entry(self) -> Int32:
        """Return the row of every entry, shape ``(nnz,)`` int32."""
        return np.repeat(np.arange(self.n_rows, dtype=np.int32), self.counts)

    def transposed(self) -> Csr:
        """Return the same entries compressed by column, in linear time."""
        from scipy.sparse import csr_matrix

        columns = csr_matrix((self.values, self.indices, self.indptr), (self.n_rows, self.n_columns)).tocsc()
        indices = columns.indices.astype(np.int32, copy=False)
        return Csr(columns.indptr.astype(np.int64), indices, columns.data, self.n_rows)


@dataclass(frozen=True, eq=False)
class Ratings:
    """Who gave which film how many stars: at most one rating per pair, only users and items that occur.

    Attributes
    ----------
    users, items
        Vocabularies of the ids from outside.
    by_user
        Ratings compressed by user row; column indices are item rows, values are stars.
    timestamps
        Shape ``(nnz,)`` int64, seconds since 1970 in the order of `by_user`; None where the source has none.
    scale
        Lowest and highest rating allowed.
    duplicates
        How many older ratings of the same pair were dropped when this was made.
    """

    users: Vocabulary
    items: Vocabulary
    by_user: Csr
    timestamps: Int64 | None = None
    scale: tuple[float, float] = STAR_SCALE
    duplicates: int = 0

    @cached_property
    def by_item(self) -> Csr:
        """The same ratings compressed by item row; column indices are user rows."""
        return self.by_user.transposed()

    @classmethod
    def from_arrays(
        cls,
        user_ids: npt.ArrayLike,
        item_ids: npt.ArrayLike,
        stars: npt.ArrayLike,
        timestamps: npt.ArrayLike | None = None,
        *,
        scale: tuple[float, float] = STAR_SCALE,
    ) -> Ratings:
        """Build ratings from equal-length arrays; of a repeated pair the newest counts, the later one on a tie.

        Parameters
        ----------
        user_ids, item_ids
            Shape ``(n,)``, integers or strings.
        stars
            Shape ``(n,)``, numbers within `scale`.
        timestamps
            Shape ``(n,)``, seconds since 1970, or None.
        scale
            Lowest and highest rating allowed.

        Raises
        ------
        DataError
            If lengths differ, there is no rating at all, or a rating is not a number within the scale.
        """
        users, items = _narrow_ids(user_ids, "user ids"), _narrow_ids(item_ids, "item ids")
        values = np.atleast_1d(np.asarray(stars)).astype(np.float32, copy=False)
        times = None if timestamps is None else np.atleast_1d(np.asarray(timestamps)).astype(np.int64, copy=False)
        lengths = {len(users), len(items), len(values), *([] if times is None else [len(times)])}
        if len(lengths) > 1:
            raise DataError(f"arrays of ratings have different lengths: {sorted(lengths)}")
        if not len(values):
            raise DataError("there are no ratings: at least one is needed")
        check_stars(values, scale)
        known_users, known_items = Vocabulary.of(users), Vocabulary.of(items)
        user_rows, item_rows = known_users.rows(users), known_items.rows(items)
        return cls.from_rows(known_users, known_items, user_rows, item_rows, values, times, scale=scale)

    @classmethod
    def from_rows(
        cls,
        users: Vocabulary,
        items: Vocabulary,
        user_rows: Int32,
        item_rows: Int32,
        stars: Float32,
        times: Int64 | None = None,
        *,
        scale: tuple[float, float] = STAR_SCALE,
    ) -> Ratings:
        """Build ratings from rows of vocabularies of which every id occurs, stars being checked already.

        What is sorted and has no duplicates is taken as it is, without a copy. Else it is sorted in linear time.

        Parameters
        ----------
        users, items
            Vocabularies.
        user_rows, item_rows
            Shape ``(n,)`` int32, in any order.
        stars, times
            Shape ``(n,)``.
        scale
            Lowest and highest rating allowed.
        """
        duplicates = 0
        if not is_sorted(user_rows, item_rows):
            order = counting_order(item_rows, len(items))
            order = order[counting_order(user_rows[order], len(users))]
            user_rows, item_rows = user_rows[order], item_rows[order]
            again = same_as_next(user_rows, item_rows)
            duplicates = int(np.count_nonzero(again))
            if duplicates:
                order = newest_last(order, again, times)[~again]
                user_rows, item_rows = user_rows[~again], item_rows[~again]
            stars, times = stars[order], None if times is None else times[order]
        indptr = np.zeros(len(users) + 1, np.int64)
        np.cumsum(counted(user_rows, len(users)), out=indptr[1:])
        return cls(users, items, Csr(indptr, item_rows, stars, len(items)), times, scale, duplicates)

    def __len__(self) -> int:
        return self.by_user.nnz

    def __repr__(self) -> str:
        return f"Ratings({len(self)} ratings, {len(self.users)} users, {len(self.items)} items)"

    @property
    def user_rows(self) -> Int32:
        """User row of every rating, shape ``(nnz,)``, in the order of `by_user`."""
        return self.by_user.row_of_entry()

    @property
    def item_rows(self) -> Int32:
        """Item row of every rating, shape ``(nnz,)``, in the order of `by_user`."""
        return self.by_user.indices

    @property
    def stars(self) -> Float32:
        """Stars of every rating, shape ``(nnz,)``, in the order of `by_user`."""
        return self.by_user.values

    @property
    def user_ids(self) -> Ids:
        """User id of every rating, shape ``(nnz,)``, in the order of `by_user`."""
        return self.users.ids[self.user_rows]

    @property
    def item_ids(self) -> Ids:
        """Item id of every rating, shape ``(nnz,)``, in the order of `by_user`."""
        return self.items.ids[self.item_rows]

    @cached_property
    def mean(self) -> float:
        """Mean of all stars, summed in float64."""
        return float(np.mean(self.stars, dtype=np.float64))

    @cached_property
    def item_counts(self) -> Int64:
        """How many people rated each item, shape ``(n_items,)``."""
        return counted(self.item_rows, len(self.items))

    @cached_property
    def item_means(self) -> Float32:
        """Mean stars of each item, shape ``(n_items,)``."""
        sums = np.zeros(len(self.items))
        for part in slices(len(self)):
            sums += np.bincount(self.item_rows[part], weights=self.stars[part], minlength=len(self.items))
        return (sums / self.item_counts).astype(np.float32)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over ids, stars and times: equal for equal ratings, in whatever order they came."""
        digest = hashlib.sha256()
        for part in (self.users.ids, self.items.ids, self.by_user.indptr, self.item_rows, self.stars, self.timestamps):
            if part is not None:
                digest.update(np.ascontiguousarray(part).data)
        return digest.hexdigest()

    def select(self, keep: Bools) -> Ratings:
        """Return the ratings where `keep` (shape ``(nnz,)``, order of `by_user`) is true, ids compacted.

        Raises
        ------
        DataError
            If none is left.
        """
        if not keep.any():
            raise DataError("this selection leaves no rating at all: at least one is needed")
        row_of_entry, item_rows = self.user_rows[keep], self.item_rows[keep]
        user_counts, item_counts = counted(row_of_entry, len(self.users)), counted(item_rows, len(self.items))
        indptr = np.concatenate([[0], np.cumsum(user_counts[user_counts > 0])]).astype(np.int64)
        new_item = (np.cumsum(item_counts > 0) - 1).astype(np.int32)
        items = Vocabulary(self.items.ids[item_counts > 0])
        return Ratings(
            Vocabulary(self.users.ids[user_counts > 0]),
            items,
            Csr(indptr, looked_up(new_item, item_rows), self.stars[keep], len(items)),
            None if self.timestamps is None else self.timestamps[keep],
            self.scale,
        )


def check_scale(scale: tuple[float, float]) -> None:
    """Refuse a scale whose lowest rating is not below its highest."""
    if not scale[0] < scale[1]:
        raise ParameterError(f"the scale is {scale[0]:g} to {scale[1]:g}: give the lowest rating, then the highest")


def check_stars(stars: Float32, scale: tuple[float, float]) -> None:
    """Refuse ratings that are not finite or lie outside the scale.

    Raises
    ------
    DataError
        Naming the first bad value and its position.
    """
    check_scale(scale)
    low, high = scale
    good = (stars >= low) & (stars <= high)
    if not good.all():
        first = int(np.argmin(good))
        raise DataError(f"rating number {first + 1} is {stars[first]:g}; {low:g} to {high:g} stars are allowed")

"""Which column of a table of ratings holds what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matinee.errors import DataError

USER_NAMES = ("userid", "user", "uid", "username", "reviewerid", "customerid")
ITEM_NAMES = ("movieid", "itemid", "item", "movie", "filmid", "film", "iid", "productid", "parentasin", "asin")
RATING_NAMES = ("rating", "stars", "score", "yourrating", "overall")
TIME_NAMES = ("timestamp", "time", "ratedat", "datetime", "date")


@dataclass(frozen=True, kw_only=True)
class ColumnNames:
    """Names given by the user; None to find the column by its usual names."""

    user: str | None = None
    item: str | None = None
    rating: str | None = None
    time: str | None = None


@dataclass(frozen=True)
class Places:
    """Positions of the columns, and how many there are; `time` is None where there is none."""

    user: int
    item: int
    rating: int
    time: int | None
    width: int

    @property
    def used(self) -> list[int]:
        """Positions in the order user, item, rating, time."""
        return [self.user, self.item, self.rating, *([] if self.time is None else [self.time])]


MOVIELENS = Places(0, 1, 2, 3, 4)
"""What files without a header have: user, movie, rating, timestamp."""


def places(header: Sequence[str], names: ColumnNames, label: str) -> Places:
    """Find the columns in a header; case, spaces, hyphens, underscores and RecBole's ``:type`` don't matter.

    Raises
    ------
    DataError
        If a column is missing, or a name was given that is not there.
    """
    plain = [_plain(name) for name in header]

    def place(what: str, given: str | None, usual: tuple[str, ...]) -> int | None:
        for name in usual if given is None else (given,):
            if given is not None and given in header:
                return list(header).index(given)
            if _plain(name) in plain:
                return plain.index(_plain(name))
        if what == "time" and given is None:
            return None
        wanted = repr(given) if given is not None else " or ".join(usual[:3]) + f" (or name it: {what}_column)"
        raise DataError(
            f"{label} has the columns {', '.join(header)[:200]}; a column {wanted} is needed for the {what}"
        )

    user = place("user", names.user, USER_NAMES)
    item = place("item", names.item, ITEM_NAMES)
    rating = place("rating", names.rating, RATING_NAMES)
    time = place("time", names.time, TIME_NAMES)
    assert user is not None and item is not None and rating is not None  # noqa: PT018, only the time may be missing
    return Places(user, item, rating, time, len(header))


def _plain(name: str) -> str:
    name = name.split(":")[0]
    return "".join(letter for letter in name.lower() if letter not in " _-")

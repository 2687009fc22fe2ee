"""All live ratings at one moment, for training: read in one transaction, kept in no file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sqlalchemy import func, select

from matinee.data.ratings import Float32, Int64
from matinee.store.database import Database
from matinee.store.ratings import Id
from matinee.store.schema import ratings, users
from matinee.store.times import now

_SECOND = 1_000_000


@dataclass(frozen=True, eq=False)
class LiveRatings:
    """Current ratings of people of the service, in no particular order.

    Attributes
    ----------
    user_ids
        Shape ``(n,)``, str.
    movie_ids
        As many, integers or strings.
    stars
        Shape ``(n,)`` float32; NaN where a rating was taken back.
    rated_at
        Shape ``(n,)`` int64, seconds since 1970.
    """

    user_ids: npt.NDArray[np.str_]
    movie_ids: list[Id]
    stars: Float32
    rated_at: Int64

    def __len__(self) -> int:
        return len(self.movie_ids)


def live_ratings(database: Database, *, most_per_user: int, account_age_s: float = 0.0) -> LiveRatings:
    """Read the newest ratings of everybody.

    Parameters
    ----------
    most_per_user
        How many of one person's ratings count, the newest: nobody weighs more than that in a model.
    account_age_s
        People who are known for a shorter time are left out.

    Raises
    ------
    StoreError
        If the database refuses.
    """
    place = func.row_number().over(
        partition_by=ratings.c.user_id, order_by=(ratings.c.rated_at.desc(), ratings.c.movie_id)
    )
    ranked = select(ratings, place.label("place")).subquery()
    query = select(ranked.c.user_id, ranked.c.movie_id, ranked.c.stars, ranked.c.rated_at).where(
        ranked.c.place <= most_per_user
    )
    if account_age_s:
        latest = now() - int(account_age_s * _SECOND)
        query = query.join(users, users.c.user_id == ranked.c.user_id).where(users.c.created_at <= latest)
    with database.reading() as connection:
        rows = connection.execute(query).all()
    return LiveRatings(
        np.array([row[0] for row in rows], np.str_),
        [row[1] for row in rows],
        np.array([np.nan if row[2] is None else row[2] for row in rows], np.float32),
        np.array([row[3] // _SECOND for row in rows], np.int64),
    )

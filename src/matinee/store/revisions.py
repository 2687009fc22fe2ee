"""A person's revision: whoever kept something made of their ratings and marks learns by one number that it is outdated.

It is random, so that a person who was forgotten and comes back under the same id never has an old one again, as
counters and clocks would have it.
"""

from __future__ import annotations

import secrets

from matinee.store.database import Database, Insert
from matinee.store.schema import users
from matinee.store.times import now

_BITS = 63


def changing(database: Database) -> Insert:
    """Return what every change of a person's ratings or marks begins with, to be run with `change_of`.

    It makes them known if they are not, and their revision a new one. Other writers of theirs wait until the
    transaction ends: two that bring the same films in another order would wait for each other otherwise.
    """
    adding = database.insert(users)
    return adding.on_conflict_do_update(
        index_elements=[users.c.user_id], set_={users.c.revision: adding.excluded.revision}
    )


def change_of(user_id: str) -> dict[str, str | int]:
    """Return the parameters of `changing`: a revision that nobody ever had."""
    return {"user_id": user_id, "created_at": now(), "revision": secrets.randbits(_BITS)}

"""Who people are: tokens that prove it, links that take them to another browser, and being forgotten."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import UTC, datetime, timedelta

from sqlalchemy import bindparam, delete, func, select

from matinee.errors import UnknownIdError, UnknownUserError
from matinee.store.database import Database
from matinee.store.query import Query
from matinee.store.revisions import change_of
from matinee.store.schema import links, replays, tokens, users
from matinee.store.times import kept, now

LINK_LIFETIME = timedelta(minutes=15)
_TOKENS = (
    select(tokens.c.token_hash, users.c.revision)
    .join_from(tokens, users, tokens.c.user_id == users.c.user_id)
    .where(tokens.c.user_id == bindparam("user"))
)
_REVISION = select(users.c.revision).where(users.c.user_id == bindparam("user"))


class PeopleStore:
    """People who joined here, known by secrets of which only hashes are kept.

    A token is 256 random bits, so that a plain SHA-256 of it tells a thief of the database nothing.

    Parameters
    ----------
    database
        Where they are kept; every method may raise `StoreError`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tokens = Query(database, _TOKENS)
        self._revision = Query(database, _REVISION)

    def join(self) -> tuple[str, str]:
        """Make a new person known, under an id that no data set uses; return the id and a token."""
        user_id, token = f"u-{secrets.token_urlsafe(12)}", secrets.token_urlsafe(32)
        with self._database.writing() as connection:
            connection.execute(users.insert(), change_of(user_id))
            connection.execute(tokens.insert(), _token_row(token, user_id))
        return user_id, token

    def is_token_of(self, user_id: str, token: str) -> bool:
        """Tell whether a token is this person's, in a time that says nothing about the right one."""
        return self.revision_for(user_id, token) is not None

    def revision_for(self, user_id: str, token: str) -> int | None:
        """Return what `revision_of` does if a token is this person's, else None, in a time that says nothing either."""
        wanted = _hash(token)
        known = self._tokens.rows(user=user_id)
        mine = sum(hmac.compare_digest(wanted, kept) for kept, _ in known) > 0  # all, always
        return int(known[0][1]) if mine else None

    def revision_of(self, user_id: str) -> int | None:
        """Return a number that is another one after every change of a person's ratings and marks; None for nobody."""
        found = self._revision.rows(user=user_id)
        return int(found[0][0]) if found else None

    def new_link(self, user_id: str) -> tuple[str, datetime]:
        """Return a code that makes another browser this person's, once, and until when.

        Raises
        ------
        UnknownUserError
            If nobody with that id joined here.
        """
        code, asked = secrets.token_urlsafe(24), datetime.now(UTC)
        expires = asked + LINK_LIFETIME
        with self._database.writing() as connection:
            if connection.execute(select(users.c.user_id).where(users.c.user_id == user_id)).first() is None:
                raise UnknownUserError(f"user {user_id!r} did not join here: POST /api/v1/users makes a person known")
            connection.execute(delete(links).where(links.c.expires_at <= kept(asked)))
            row = {"code_hash": _hash(code), "user_id": user_id, "expires_at": kept(expires)}
            connection.execute(links.insert(), row)
        return code, expires

    def follow_link(self, code: str) -> tuple[str, str]:
        """Use a code up; return the person's id and a new token.

        Raises
        ------
        UnknownIdError
            If there is no such code, or it was used or has expired.
        """
        mine = links.c.code_hash == _hash(code)
        token = secrets.token_urlsafe(32)
        with self._database.writing() as connection:
            found = connection.execute(
                select(links.c.user_id, links.c.expires_at).where(mine).with_for_update()
            ).first()
            if found is None or found.expires_at <= now():
                raise UnknownIdError("the link was used, has expired or never was: ask for another one")
            connection.execute(delete(links).where(mine))
            connection.execute(tokens.insert(), _token_row(token, found.user_id))
        return found.user_id, token

    def forget(self, user_id: str) -> None:
        """Delete a person with everything that is known of them, so that no file of the database holds it any more.

        Raises
        ------
        UnknownUserError
            If nobody with that id joined or rated here.
        """
        with self._database.writing() as connection:
            connection.execute(delete(replays).where(replays.c.scope == user_id))
            if not connection.execute(delete(users).where(users.c.user_id == user_id)).rowcount:
                raise UnknownUserError(f"user {user_id!r} is not kept here: there is nothing to forget")
        self._database.purge()

    def count(self) -> int:
        """How many people joined or rated here."""
        with self._database.reading() as connection:
            return connection.execute(select(func.count()).select_from(users)).scalar_one()


def _token_row(token: str, user_id: str) -> dict[str, object]:
    return {"token_hash": _hash(token), "user_id": user_id, "created_at": now()}


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()

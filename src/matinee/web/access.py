"""Who may do what: on a machine of one's own everything, elsewhere what a token or the operator's key allows.

Without an operator key the service is for this machine alone: it wants no token, and answers only requests that name
this machine, so that a page elsewhere cannot reach it under a name of its own. With a key, people's routes want their
token (or the key), and the data set's people, the tutorial's routes and the operator's want the key.
"""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from apiflask import APIFlask, HTTPError
from flask import Response, g, request
from flask.globals import request_ctx

from matinee.errors import ParameterError
from matinee.settings import Settings
from matinee.store.people import PeopleStore
from matinee.web.problems import refuse

if TYPE_CHECKING:
    from matinee.web.limits import RateLimiter

COOKIE = "matinee_token"
COOKIE_SECONDS = 400 * 86_400  # the longest that browsers keep one
SIGNUP_SECONDS = 3600.0
_SAFE = ("GET", "HEAD", "OPTIONS")
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")

Need = Literal["nothing", "signup", "person", "operator"]
NEEDS: dict[str, Need] = {
    "health": "nothing", "docs": "nothing", "page": "nothing", "openapi": "nothing", "movies": "nothing",
    "stateless": "nothing", "joining": "signup", "users": "person", "ratings": "person", "marks": "person",
    "imports": "person",
}  # fmt: skip
"""What the routes of a blueprint want where there is a key; those that are not named here want the key."""


def check_exposure(settings: Settings) -> None:
    """Refuse to let other machines in by mistake.

    Raises
    ------
    ParameterError
        If the service would listen to other machines without an operator key, and nobody said so in words.
    """
    if not (settings.operator_key or settings.unprotected or is_loopback(settings.host)):
        raise ParameterError(
            f"host {settings.host} lets other machines in: set MATINEE_OPERATOR_KEY (16 characters or more) so that "
            "people need their token, or say --unprotected yes if whoever reaches it may read and change everything"
        )


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True)
class Access:
    """What stands at the door.

    Parameters
    ----------
    settings
        The operator's key, names of this host, limits.
    people
        Knows whose token is whose.
    limiter
        Counts requests where there is a key.
    """

    settings: Settings
    people: PeopleStore
    limiter: RateLimiter | None

    def register(self, app: APIFlask) -> None:
        """Let nobody in who may not."""
        app.before_request(self.admit)

    def admit(self) -> None:
        """Refuse the request, or let it pass."""
        asked = request_ctx.request  # the request itself: `request` looks for it at every mention
        blueprint = asked.blueprint or "page"
        need = NEEDS.get(blueprint, "operator")
        if blueprint == "health":
            return  # whoever balances load knows this machine by its number
        if self._hosts:
            self._check_host()
        if asked.method not in _SAFE:
            self._check_origin()
        if not self.settings.operator_key:
            return
        user_id = (asked.view_args or {}).get("user_id")
        caller = self._caller(user_id)
        self._count(caller, need)
        if (need == "person" and caller is None) or (need == "operator" and caller != "operator"):
            raise self._refusal()

    def may_act_for(self, user_id: str) -> bool:
        """Tell whether whoever asks may see and change what is this person's."""
        return not self.settings.operator_key or self._caller(user_id) is not None

    def revision_of(self, user_id: str) -> int | None:
        """Return a person's revision: what was read with their token, where that let them in; None for nobody."""
        whose, revision = g.get("revision", (None, None))
        return revision if whose == user_id else self.people.revision_of(user_id)

    def let_in(self, response: Response, token: str) -> None:
        """Let a browser remember a token where no script finds it."""
        response.set_cookie(
            COOKIE, token, max_age=COOKIE_SECONDS, httponly=True, samesite="Strict", secure=request.is_secure
        )

    @staticmethod
    def forget_browser(response: Response) -> None:
        """Take the token away from a browser."""
        response.delete_cookie(COOKIE, httponly=True, samesite="Strict", secure=request.is_secure)

    def _caller(self, user_id: str | None) -> str | None:
        """Name who asks: "operator", "user:" and the id, or None for somebody unknown."""
        secret = _secret()
        if secret is None:
            return None
        if hmac.compare_digest(secret.encode(), self._key):
            return "operator"
        revision = self.people.revision_for(user_id, secret) if user_id else None
        if revision is None:
            return None
        g.revision = user_id, revision
        return f"user:{user_id}"

    def _count(self, caller: str | None, need: Need) -> None:
        if self.limiter is None or caller == "operator":
            return
        address = caller or f"address:{request.remote_addr}"
        seconds = 0
        if self.settings.requests_per_minute:
            seconds = self.limiter.wait(address, self.settings.requests_per_minute, 60.0)
        if not seconds and need == "signup" and request.method == "POST" and self.settings.signups_per_hour:
            address = f"signup:address:{request.remote_addr}"
            seconds = self.limiter.wait(address, self.settings.signups_per_hour, SIGNUP_SECONDS)
        if seconds:
            raise refuse(429, f"Too many requests: ask again in {seconds} s.", headers={"Retry-After": str(seconds)})

    @staticmethod
    def _refusal() -> HTTPError:
        if _secret() is None:
            cure = "This needs the person's token or the operator's key: Authorization: Bearer …"
            return refuse(401, cure, headers={"WWW-Authenticate": "Bearer"})
        return refuse(403, "The token or key that arrived does not allow this.")

    @cached_property
    def _key(self) -> bytes:
        return self.settings.operator_key.encode()

    @cached_property
    def _hosts(self) -> frozenset[str]:
        """Names under which the service answers; empty for any."""
        named = [name.strip() for name in self.settings.allowed_hosts.split(",") if name.strip()]
        if not (self.settings.operator_key or self.settings.unprotected):
            named += [*_THIS_MACHINE, self.settings.host]
        return frozenset(named)

    def _check_host(self) -> None:
        host = _name_of(request.host)
        if host not in self._hosts:
            raise refuse(400, f"This service does not answer for {host[:80]!r}: MATINEE_ALLOWED_HOSTS adds names.")

    @staticmethod
    def _check_origin() -> None:
        """Refuse what a page elsewhere makes a browser send; without such a header it was no page."""
        origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site", "none")
        if (origin is not None and origin.partition("://")[2] != request.host) or site in ("cross-site", "same-site"):
            raise refuse(403, f"A page of {str(origin or site)[:80]!r} may not change anything here.")


def _name_of(host: str) -> str:
    """Leave the port of a Host header away."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def _secret() -> str | None:
    asked = request_ctx.request
    scheme, _, value = asked.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" and value else asked.cookies.get(COOKIE)

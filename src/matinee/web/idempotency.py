"""`Idempotency-Key` on POST: the effect once, the answer as often as it is asked for.

After draft-ietf-httpapi-idempotency-key-header. Where a POST has no effect that lasts, the key changes nothing; where
its answer holds a secret, of which nothing is kept, the key is refused.
"""

from __future__ import annotations

import hashlib

from apiflask import APIFlask
from flask import Response, g, request
from flask.globals import app_ctx, request_ctx

from matinee.store.replays import ReplayStore
from matinee.store.schema import KEY_LENGTH
from matinee.web.problems import MEDIA_TYPE, refuse

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
WITHOUT_EFFECT = ("stateless",)
WITH_SECRETS = ("joining.add_user", "joining.follow_link", "users.add_link")


def register(app: APIFlask, replays: ReplayStore) -> None:
    """Answer repeated requests of `app` with what the first one got."""

    @app.before_request
    def repeat() -> Response | None:
        key = request_ctx.request.environ.get("HTTP_IDEMPOTENCY_KEY")
        if key is None or request.method != "POST" or request.blueprint in (None, *WITHOUT_EFFECT):
            return None
        if request.endpoint in WITH_SECRETS:
            raise refuse(422, f"{HEADER}: this answer holds a secret and is not kept; ask again without the key")
        if not 1 <= len(key) <= KEY_LENGTH or not key.isascii() or not key.isprintable():
            raise refuse(422, f"{HEADER} {key[:80]!r}: 1 to {KEY_LENGTH} visible ASCII characters are allowed")
        scope = str((request.view_args or {}).get("user_id", ""))
        found = replays.claim(scope, key, _fingerprint())
        if found is None:
            g.claimed = (scope, key)
            return None
        if found.fingerprint != _fingerprint():
            raise refuse(422, f"{HEADER} {key!r} belongs to another request: take a new key for this one")
        if found.status is None:
            raise refuse(409, f"The request with {HEADER} {key!r} is still being answered: ask again in a second")
        kind = "application/json" if found.status < 400 else MEDIA_TYPE
        return Response(found.body, found.status, {REPLAYED: "true"}, content_type=kind)

    @app.after_request
    def keep(response: Response) -> Response:
        if "claimed" in app_ctx.g:
            scope, key = g.pop("claimed")
            if response.status_code < 500:
                replays.answer(scope, key, response.status_code, response.get_data(as_text=True))
            else:
                replays.release(scope, key)
        return response


def _fingerprint() -> str:
    parts = (request.method, request.full_path)
    return hashlib.sha256("\n".join(parts).encode() + b"\n" + request.get_data()).hexdigest()

"""Every error of the service in one shape: problem details (RFC 9457)."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from apiflask import APIFlask, HTTPError
from flask import Response, json, request
from pydantic import BaseModel, Field
from werkzeug.exceptions import HTTPException

from matinee.errors import ArtifactError, DataError, MatineeError, ParameterError, StoreError, UnknownIdError

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 1

_STATUS: dict[type[MatineeError], int] = {
    UnknownIdError: 404,
    ParameterError: 422,
    DataError: 422,
    StoreError: 503,
    ArtifactError: 503,
}
_log = logging.getLogger(__name__)


class ProblemPart(BaseModel):
    """One thing that was wrong."""

    where: str = Field(description="The parameter, the field or the line.")
    detail: str = Field(description="What arrived and what is allowed.")


class Problem(BaseModel):
    """Why a request was refused (RFC 9457)."""

    type: str = Field("about:blank", description="The title says all there is to know about the kind.")
    title: str
    status: int
    detail: str = Field(description="What arrived, what is allowed, what to do.")
    instance: str = Field(description="The path that was asked for.")
    errors: list[ProblemPart] | None = Field(None, description="One entry per wrong part, where there are several.")


def refuse(
    status: int, detail: str, errors: list[dict[str, str]] | None = None, headers: dict[str, str] | None = None
) -> HTTPError:
    """Make the exception that becomes a problem document."""
    return HTTPError(status, detail, headers=headers or {}, extra_data={"errors": errors} if errors else {})


def register(app: APIFlask) -> None:
    """Answer every error of `app` with a problem document."""

    @app.error_processor
    def from_refusal(error: HTTPError) -> Response:
        return _document(error.status_code, str(error.message), dict(error.extra_data), error.headers)

    app.register_error_handler(HTTPException, from_werkzeug)

    @app.errorhandler(MatineeError)
    def from_matinee(error: MatineeError) -> Response:
        status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 500)
        if status >= 500:
            _log.error("%s %s: %s", request.method, request.path, error)
        headers = {"Retry-After": str(RETRY_AFTER_S)} if status == 503 else {}
        return _document(status, str(error), {}, headers)

    @app.errorhandler(Exception)
    def from_anything(error: Exception) -> Response:
        _log.exception("%s %s failed", request.method, request.path)
        return _document(500, "The service made a mistake; its log says which.", {}, {})


def from_werkzeug(error: HTTPException) -> Response | HTTPException:
    """Make the problem document of what the framework refuses; its redirects stay what they are."""
    if error.code is None or error.code < 400:
        return error
    headers = {name: value for name, value in error.get_headers() if name != "Content-Type"}
    return _document(error.code, _explain(error), {}, headers)


def _explain(error: HTTPException) -> str:
    if error.code == 404:
        return f"There is nothing at {request.path}; /api/openapi.json lists what there is."
    if error.code == 413:
        limit = request.max_content_length
        return f"The body is larger than the {limit} bytes that are allowed; send less at a time."
    return str(error.description or error.name)


def _document(status: int, detail: str, extra: dict[str, Any], headers: Any) -> Response:
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "instance": request.path}
    return Response(json.dumps(body | extra), status, headers, content_type=MEDIA_TYPE)

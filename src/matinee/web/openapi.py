"""The OpenAPI document, with what APIFlask does not know: errors, keys, raw bodies, who may ask."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from matinee.data.personal.formats import FORMATS
from matinee.store.schema import KEY_LENGTH
from matinee.web.access import COOKIE
from matinee.web.idempotency import HEADER, WITH_SECRETS, WITHOUT_EFFECT
from matinee.web.problems import MEDIA_TYPE, Problem

_REF = "#/components/schemas/{model}"
_TEXT = {"type": "string"}
_BINARY = {"type": "string", "format": "binary"}
RAW_BODIES: dict[str, dict[str, Any]] = {
    "/{user_id}/ratings": {
        "description": "Lines movieId,rating, whatever the content type.",
        "content": {"text/csv": {"schema": _TEXT, "example": "260,4.5\n1,3\n"}},
    },
    "/api/v1/users/{user_id}/imports": {
        "description": f"The file as it was exported, csv, JSON or zip: {', '.join(FORMATS)}. Its content tells which.",
        "content": {
            "text/csv": {
                "schema": _TEXT,
                "example": "Date,Name,Year,Letterboxd URI,Rating\n2020-01-01,Fargo,1996,,5\n",
            },
            "application/zip": {"schema": _BINARY},
            "application/octet-stream": {"schema": _BINARY},
        },
    },
}
_SECURITY = {
    "token": {"type": "http", "scheme": "bearer", "description": "A person's token, or the operator's key."},
    "cookie": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "A person's token in a browser."},
}
_KEY = {
    "name": HEADER, "in": "header", "required": False, "example": "5f0c9c1e-import",
    "description": "With the same key, the request has its effect once; its answer is kept for a day.",
    "schema": {"type": "string", "minLength": 1, "maxLength": KEY_LENGTH, "pattern": "^[!-~]+$"},
}  # fmt: skip
PUBLIC = ("Health", "Movies", "Recommendations")


def completed(document: Any) -> Any:
    """Add to every operation of the document the errors that it can answer with, all in one shape, and the rest."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template=_REF)
    schemas |= problem.pop("$defs") | {"Problem": problem}
    schemas.pop("HTTPError", None)  # APIFlask's own shape, which nothing here has
    document["components"]["securitySchemes"] = _SECURITY
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _complete(path, method, operation)
    return document


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    statuses = _statuses(method, operation)
    if "requestBody" in operation:
        operation["requestBody"]["required"] = True
    if method == "post" and path in RAW_BODIES:
        operation["requestBody"] = {"required": True, **RAW_BODIES[path]}
    if method == "post" and _takes_key(operation):
        operation["parameters"].append(_KEY)
        statuses.append(409)
    if operation["tags"][0] not in PUBLIC:
        operation["security"] = [{"token": []}, {"cookie": []}, {}]  # nothing, on a machine of one's own
    responses = operation["responses"]
    for status in sorted(statuses):
        responses.setdefault(str(status), {"description": HTTPStatus(status).phrase})
    for status, response in responses.items():
        if status >= "400" and not (status == "503" and operation["tags"] == ["Health"]):
            response["content"] = {MEDIA_TYPE: {"schema": {"$ref": _REF.format(model="Problem")}}}


def _takes_key(operation: dict[str, Any]) -> bool:
    endpoint = operation["operationId"]
    without = (*WITH_SECRETS, *(f"{name}." for name in WITHOUT_EFFECT))
    return not endpoint.startswith(tuple(f"post_{name.replace('.', '_')}" for name in without))


def _statuses(method: str, operation: dict[str, Any]) -> list[int]:
    if operation["tags"] == ["Health"]:
        return [422, 500]
    statuses = [400, 403, 422, 429, 500, 503]
    if operation["tags"][0] not in PUBLIC:
        statuses.append(401)
    if any(parameter["in"] == "path" for parameter in operation["parameters"]):
        statuses.append(404)
    if method in ("post", "put", "delete"):
        statuses.append(413)
    if "requestBody" in operation:
        statuses.append(415)
    return statuses

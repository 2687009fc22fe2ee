"""The OpenAPI document, with the errors that APIFlask does not know of."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from matinee.web.problems import MEDIA_TYPE, Problem

_REF = "#/components/schemas/{model}"


def with_problems(document: Any) -> Any:
    """Add to every operation of the document the errors that it can answer with, all in one shape."""
    problem = Problem.model_json_schema(ref_template=_REF)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas |= problem.pop("$defs") | {"Problem": problem}
    schemas.pop("HTTPError", None)  # APIFlask's own shape, which nothing here has
    content = {MEDIA_TYPE: {"schema": {"$ref": _REF.format(model="Problem")}}}
    for operations in document["paths"].values():
        for method, operation in operations.items():
            responses = operation["responses"]
            for status in _statuses(method, operation):
                responses.setdefault(str(status), {"description": HTTPStatus(status).phrase})
            for status, response in responses.items():
                if status >= "400" and not (status == "503" and operation["tags"] == ["Health"]):
                    response["content"] = content
            if "requestBody" in operation:
                operation["requestBody"]["required"] = True
    return document


def _statuses(method: str, operation: dict[str, Any]) -> list[int]:
    if operation["tags"] == ["Health"]:
        return [422, 500]
    statuses = [422, 500, 503]
    if any(parameter["in"] == "path" for parameter in operation["parameters"]):
        statuses.append(404)
    if method == "post":
        statuses += [400, 413]
    if "requestBody" in operation:
        statuses.append(415)
    return sorted(statuses)

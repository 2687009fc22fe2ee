"""The OpenAPI document as a page: without scripts and without other sites, so that the CSP needs no exception."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from apiflask import APIBlueprint
from flask import current_app, render_template_string

from matinee.web.page import assets

bp = APIBlueprint("docs", __name__, enable_openapi=False)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>matinee: the API</title>
<link rel="icon" href="/static/{{ digest }}/favicon.svg" type="image/svg+xml">
{% for style in ("base", "ui", "pages", "further") -%}
<link rel="stylesheet" href="/static/{{ digest }}/styles/{{ style }}.css">
{% endfor -%}
</head>
<body>
<main class="panel">
<h1>matinee: the API</h1>
<p>Version {{ version }}. The document itself is <a href="/api/openapi.json">/api/openapi.json</a>; every error is a
problem document (RFC 9457).</p>
{% for tag, operations in tags.items() %}
<h2>{{ tag }}</h2>
{% for one in operations %}
<details id="{{ one.id }}">
<summary><code>{{ one.method }} {{ one.path }}</code> {{ one.summary }}</summary>
{% if one.description %}<p>{{ one.description }}</p>{% endif %}
{% if one.inputs %}
<h3>Input</h3>
<div class="scroll" tabindex="0"><table>
<thead><tr><th scope="col">name</th><th scope="col">where</th><th scope="col">what</th></tr></thead>
<tbody>
{% for name, where, what in one.inputs %}
<tr><th scope="row"><code>{{ name }}</code></th><td>{{ where }}</td><td>{{ what }}</td></tr>
{% endfor %}
</tbody></table></div>
{% endif %}
{% if one.outputs %}
<h3>Answer</h3>
<div class="scroll" tabindex="0"><table>
<tbody>
{% for name, _, what in one.outputs %}
<tr><th scope="row"><code>{{ name }}</code></th><td>{{ what }}</td></tr>
{% endfor %}
</tbody></table></div>
{% endif %}
<p>{% for status, meaning in one.statuses -%}
<code>{{ status }}</code> {{ meaning }}{{ ", " if not loop.last }}
{% endfor %}</p>
</details>
{% endfor %}
{% endfor %}
</main>
</body>
</html>
"""


@bp.get("/api/docs")
def page() -> str:
    """Show all routes with their input, their answers and their errors."""
    document = current_app.spec  # type: ignore[attr-defined]
    tags: dict[str, list[dict[str, Any]]] = {}
    for path, methods in sorted(document["paths"].items()):
        for method, operation in methods.items():
            tags.setdefault(operation["tags"][0], []).append(_described(document, path, method, operation))
    return render_template_string(_PAGE, tags=tags, version=document["info"]["version"], digest=assets().digest)


def _described(document: Any, path: str, method: str, operation: Mapping[str, Any]) -> dict[str, Any]:
    named = operation.get("parameters", [])
    inputs = [(one["name"], one["in"], _what(one["schema"], one.get("description", ""))) for one in named]
    body = operation.get("requestBody", {})
    for kind, content in body.get("content", {}).items():
        fields = list(_fields(document, content.get("schema", {}), "body"))
        inputs += fields or [(kind, "body", body.get("description", ""))]
    answers = operation["responses"].items()
    good: Mapping[str, Any] = next((one for status, one in answers if str(status).startswith("2")), {})
    answer = good.get("content", {}).get("application/json", {}).get("schema", {})
    return {
        "id": operation["operationId"], "method": method.upper(), "path": path,
        "summary": operation.get("summary", ""), "description": operation.get("description", ""), "inputs": inputs,
        "outputs": list(_fields(document, answer, "answer")),
        "statuses": [(status, one.get("description", "")) for status, one in answers],
    }  # fmt: skip


def _fields(document: Any, schema: Mapping[str, Any], where: str) -> Iterator[tuple[str, str, str]]:
    """Yield name, place and meaning of every field, those of lists of objects beneath them."""
    found = document["components"]["schemas"].get(schema.get("$ref", "").rpartition("/")[2], schema)
    for name, field in found.get("properties", {}).items():
        yield name, where, _what(field, field.get("description", ""))
        inner = field.get("items", field)
        for below, _, what in _fields(document, inner, where) if "$ref" in inner else ():
            yield f"{name}.{below}", where, what


def _what(schema: Mapping[str, Any], description: str) -> str:
    kinds = [_kind(one) for one in schema.get("anyOf", [schema])]
    parts = [" or ".join(kinds), description or schema.get("description", "")]
    if schema.get("examples"):
        parts.append(f"For example {json.dumps(schema['examples'][0], ensure_ascii=False)}.")
    if schema.get("default") not in (None, [], ""):
        parts.append(f"{json.dumps(schema['default'])}, if left out.")
    return ". ".join(part.rstrip(".") for part in parts if part) + "."


def _kind(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or schema.get("$ref", "anything").rpartition("/")[2])

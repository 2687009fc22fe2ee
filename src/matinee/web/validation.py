"""What arrives is checked by pydantic, more strictly than APIFlask's own adapter does it.

APIFlask takes a body of any content type, turns `null` into an empty object, answers malformed JSON in its own way,
keeps only the first of repeated query parameters and ignores unknown ones. Here a JSON route wants JSON, malformed JSON
is 400, the rest is 422, repeated parameters become lists and whatever has no name here is refused.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from apiflask import APIFlask
from apiflask.schema_adapters import registry
from apiflask.schema_adapters.pydantic import PydanticAdapter
from flask import Request, request
from flask.globals import request_ctx
from pydantic import BaseModel, ConfigDict, ValidationError
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from matinee.web.problems import refuse

SHOWN = 80
"""Characters of a wrong value that an answer repeats."""
TOO_MANY = "matinee.bodies"
"""Set in the environment of a request whose body was not read, to the number of those that arrive already."""
RETRY_AFTER_S = 10


class Input(BaseModel):
    """Base of everything that may arrive: unknown names are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StrictAdapter(PydanticAdapter):
    """APIFlask's way to pydantic, for JSON bodies and query strings."""

    def validate_input(self, request: Request, location: str, **_: Any) -> BaseModel:
        """Read and check one part of the request."""
        try:
            if location == "json":
                if not request.is_json:
                    raise UnsupportedMediaType(
                        f"The body is {request.mimetype or 'of no type'}; send Content-Type: application/json."
                    )
                return self.model_class.model_validate_json(request.get_data())
            if not request_ctx.request.environ.get("QUERY_STRING"):
                return self._unasked
            return self.model_class.model_validate(self._query(request))
        except ValidationError as error:
            raise _refusal(location, error) from error

    @cached_property
    def _unasked(self) -> BaseModel:
        """What an empty query says, where that is enough; instances are frozen."""
        return self.model_class.model_validate({})

    def _query(self, request: Request) -> dict[str, Any]:
        query: dict[str, Any] = {}
        for name, values in request.args.lists():
            field = self.model_class.model_fields.get(name)
            many = field is not None and typing.get_origin(field.annotation) is list
            if len(values) > 1 and not many and field is not None:
                raise refuse(422, f"query {name} arrived {len(values)} times; it is allowed once")
            query[name] = values if many else values[0]
        return query

    def serialize_output(self, data: Any, many: bool = False) -> Any:
        """Views build what they promise; the tests hold them to it, so that answers are not validated twice."""
        return data


registry.register("pydantic", StrictAdapter)  # APIFlask asks its registry while views are being decorated


def register(app: APIFlask, max_bytes: Mapping[str, int]) -> None:
    """Refuse bodies that did not arrive whole, and query parameters where a route takes none.

    Parameters
    ----------
    app
        The application.
    max_bytes
        Largest bodies of the endpoints that take other ones than `MAX_CONTENT_LENGTH` says.
    """

    @app.before_request
    def refuse_part_of_a_body() -> None:
        environ = request_ctx.request.environ
        if not may_have_body(environ):
            return
        if most := environ.get(TOO_MANY):
            detail = f"{most} requests are still sending their body: send yours again in {RETRY_AFTER_S} seconds"
            raise refuse(503, detail, headers={"Retry-After": str(RETRY_AFTER_S)})
        request.max_content_length = max_bytes.get(request.endpoint or "", app.config["MAX_CONTENT_LENGTH"])
        # Werkzeug cuts a chunked body off at the limit and passes over one that ends before its stated length: what is
        # left can look like a whole body, so that half of somebody's ratings would be kept without a word.
        size = len(request.get_data())
        stated, limit = request.content_length, request.max_content_length
        if stated is not None and size < stated:
            raise refuse(400, f"{size} of {stated} bytes arrived: send the whole body again")
        if stated is None and limit is not None and size >= limit and environ["wsgi.input"].read(1):
            raise RequestEntityTooLarge

    @app.before_request
    def refuse_unasked_query() -> None:
        if not request_ctx.request.environ.get("QUERY_STRING") or request.blueprint in (None, "page"):
            return  # the app's scripts read the query of its addresses
        if not _takes_query(app):
            names = ", ".join(request.args) or request.query_string.decode("latin-1")
            raise refuse(422, f"query {names[:SHOWN]}: {request.path} takes no query parameters")


def may_have_body(environ: Mapping[str, Any]) -> bool:
    """Tell whether a body was announced: a request without either header has none (RFC 9112, section 6.3)."""
    return "HTTP_TRANSFER_ENCODING" in environ or environ.get("CONTENT_LENGTH", "") not in ("", "0")


def _takes_query(app: APIFlask) -> bool:
    view = app.view_functions[str(request.endpoint)]
    return bool(getattr(view, "_spec", {}).get("args"))


def _refusal(location: str, error: ValidationError) -> Exception:
    problems = error.errors(include_url=False, include_context=False)
    if problems[0]["type"] == "json_invalid":
        return refuse(400, f"The body is not JSON: {problems[0]['msg']}")
    parts = []
    for problem in problems:
        where = ".".join(["query" if location == "query" else "body", *map(str, problem["loc"])])
        value = repr(problem["input"])
        shown = value if len(value) <= SHOWN else value[:SHOWN] + "…"
        parts.append({"where": where, "detail": f"{problem['msg']}; {shown} arrived"})
    return refuse(422, f"{parts[0]['where']}: {parts[0]['detail']}", parts)

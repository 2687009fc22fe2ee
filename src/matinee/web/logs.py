"""One line per event, as text for people or as JSON for machines; requests have an id that their lines share.

Lines name a route by its pattern: whose list it was, and what stood in the query, is nobody's business.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import time
from datetime import UTC, datetime
from typing import Any

import orjson
from apiflask import APIFlask
from flask import Response, g, has_request_context
from flask.globals import app_ctx, request_ctx

from matinee.web.metrics import Metrics

REQUEST_ID = "X-Request-Id"
_GOOD_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_log = logging.getLogger("matinee.requests")


class JsonFormatter(logging.Formatter):
    """One JSON document per line."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record; whatever was passed as `extra={"fields": {...}}` stands beside the message."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        fields = getattr(record, "fields", {})
        if "request_id" not in fields and has_request_context() and "request_id" in g:
            line["request_id"] = g.request_id
        line |= fields
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        try:
            return orjson.dumps(line, default=str).decode()
        except TypeError:  # half a surrogate, or a number of more than 64 bits, must not cost the line
            return json.dumps(line, default=str)


def configuration(log_format: str, level: str) -> dict[str, Any]:
    """Return what `logging.config.dictConfig` wants: the service's lines and granian's, on standard error."""
    loggers = ("_granian", "matinee")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "text": {"format": "%(asctime)s %(levelname)s %(message)s", "datefmt": "%Y-%m-%dT%H:%M:%S%z"},
            "json": {"()": JsonFormatter},
        },
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": log_format, "stream": "ext://sys.stderr"}
        },
        "loggers": {name: {"handlers": ["stderr"], "level": level, "propagate": False} for name in loggers},
    }


def observe(app: APIFlask, metrics: Metrics, *, log_requests: bool) -> None:
    """Give every request an id, and note what became of it.

    Must be called before anything else is registered: what comes first sees a request first and its answer last.
    """
    template = vars(logging.LogRecord(_log.name, logging.INFO, "", 0, "", (), None))

    @app.before_request
    def begin() -> None:
        began, kept = time.perf_counter(), app_ctx.g  # each mention of `g` would look for the context again
        given = request_ctx.request.environ.get("HTTP_X_REQUEST_ID")
        kept.began = began
        kept.request_id = given if given and _GOOD_ID.fullmatch(given) else secrets.token_hex(8)

    @app.after_request
    def end(response: Response) -> Response:
        asked, kept = request_ctx.request, app_ctx.g
        seconds = time.perf_counter() - kept.began
        method, status, rule = asked.method, response.status_code, asked.url_rule
        route = rule.rule if rule else "none"
        metrics.answered(method, route, status, seconds)
        response.headers.add(REQUEST_ID, kept.request_id)
        if rule and "." in rule.endpoint and "Cache-Control" not in response.headers:  # of a blueprint
            response.headers.add("Cache-Control", "no-store")
        if log_requests and _log.isEnabledFor(logging.INFO):
            # Made here from one that is like it: logging itself would look through the stack for who calls it.
            line = logging.LogRecord.__new__(logging.LogRecord)
            vars(line).update(template, msg=f"{method} {route} {status}", created=time.time())
            line.fields = {
                "request_id": kept.request_id, "method": method, "route": route, "status": status,
                "milliseconds": round(seconds * 1000, 2),
            }  # fmt: skip
            _log.handle(line)
        return response

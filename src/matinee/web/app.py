"""The application: everything wired, nothing at import."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar

import orjson
from apiflask import APIFlask
from flask import Request, Response
from flask.json.provider import JSONProvider
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import MapAdapter

from matinee import __version__
from matinee.registry import Registry
from matinee.settings import Settings
from matinee.store.imports import ImportStore
from matinee.store.jobs import TrainingRuns
from matinee.store.kept import KeptOf
from matinee.store.marks import MarkStore
from matinee.store.people import PeopleStore
from matinee.store.ratings import RatingStore
from matinee.store.replays import ReplayStore
from matinee.web import docs, idempotency, logs, metrics, openapi, page, posters, problems, validation
from matinee.web.access import Access
from matinee.web.api import (
    health,
    imports,
    joining,
    marks,
    movies,
    operations,
    ratings,
    stateless,
    trainings,
    tutorial,
    users,
)
from matinee.web.assets import PREFIX
from matinee.web.posters import Posters
from matinee.web.services import Services, install
from matinee.web.serving import Models
from matinee.web.turns import Turns

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from matinee.web.limits import RateLimiter

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_PARTS = (".css", ".js", ".woff2")
"""What a page is put together from obeys the page's own policies: the others would be a tenth of the first load."""
_HEADERS_OF_PARTS = ("Cross-Origin-Resource-Policy", "X-Content-Type-Options")

_BLUEPRINTS = (
    health.bp, movies.bp, stateless.bp, joining.bp, users.bp, ratings.bp, marks.bp, imports.bp, operations.bp,
    trainings.bp, tutorial.bp, docs.bp, page.bp,
)  # fmt: skip


class Application(APIFlask):
    """Flask's application where no view is asynchronous and no route depends on the host: it asks both otherwise."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function as it is."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Match by path and method only."""
        if request is None:
            return super().create_url_adapter(request)
        environ = request.environ
        return MapAdapter(
            self.url_map, environ.get("HTTP_HOST", ""), request.root_path, "", request.scheme, request.path,
            request.method, environ.get("QUERY_STRING", ""),
        )  # fmt: skip


class OrjsonProvider(JSONProvider):
    """JSON by orjson, which knows dataclasses, times and NumPy's numbers, and writes no NaN."""

    options: ClassVar[int] = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_UTC_Z

    def dumps(self, obj: Any, **_: Any) -> str:
        """Write text."""
        return orjson.dumps(obj, option=self.options).decode()

    def loads(self, s: str | bytes, **_: Any) -> Any:
        """Read text or bytes."""
        return orjson.loads(s)

    def response(self, *args: Any, **kwargs: Any) -> Response:
        """Write an answer."""
        return Response(
            orjson.dumps(self._prepare_response_obj(args, kwargs), option=self.options),
            content_type="application/json",
        )


def create_app(
    settings: Settings,
    store: RatingStore,
    models: Models,
    counters: metrics.Metrics | None = None,
    turns: Turns | None = None,
) -> APIFlask:
    """Make the WSGI application.

    Parameters
    ----------
    settings
        Limits.
    store
        Live ratings.
    models
        Holder of the model that answers; whoever makes it keeps it current (`Models.refresh`, `Models.watch`).
    counters
        What is counted for operators; None counts requests only.
    turns
        In which requests work, given away while the store waits if it knows them; by default, new ones.
    """
    app = Application(
        __name__, title="matinee", version=__version__, spec_path="/api/openapi.json", docs_path=None,
        json_errors=False, static_folder=None,  # type: ignore[arg-type]  # the app's files are served by web/page.py
    )  # fmt: skip
    app.json = OrjsonProvider(app)
    app.config.update(
        MAX_CONTENT_LENGTH=settings.max_body_bytes,
        OPENAPI_VERSION="3.1.0",
        AUTO_VALIDATION_ERROR_RESPONSE=False,
        AUTO_404_RESPONSE=False,
        AUTO_OPERATION_ID=True,
    )
    counters = counters or metrics.Metrics()
    logs.observe(app, counters, log_requests=settings.log_format == "json")
    metrics.install(app, counters, settings.models_dir)
    people = PeopleStore(store.database)
    access = Access(settings, people, _limiter(settings))
    problems.register(app)
    access.register(app)
    turns = turns or Turns(settings.threads)
    validation.register(app, {"imports.add_import": settings.max_import_bytes})
    idempotency.register(app, ReplayStore(store.database))
    app.spec_processor(openapi.completed)
    database, registry = store.database, Registry(settings.models_dir)
    marks, kept_of, runs = MarkStore(database), KeptOf(database), TrainingRuns(database)
    imported, shown = ImportStore(store), Posters(settings.tmdb_key) if settings.tmdb_key else None
    install(app, Services(store, models, people, marks, kept_of, imported, runs, registry, access, shown))
    for blueprint in _BLUEPRINTS:
        app.register_blueprint(blueprint)

    layered = _layered(app.wsgi_app, settings, turns, f" {posters.IMAGES}" if shown else "")
    app.wsgi_app = layered  # type: ignore[assignment, method-assign]
    return app


def _layered(application: WSGIApplication, settings: Settings, turns: Turns, pictures: str) -> WSGIApplication:
    """Put around the framework what every request goes through."""
    inner = turns.taking(_secured(application, pictures))
    count = settings.proxies
    return ProxyFix(inner, x_for=count, x_proto=count, x_host=count) if count else inner


def _secured(application: WSGIApplication, pictures: str) -> WSGIApplication:
    """Add the headers of every answer behind the framework, which looks through all others for each that it adds.

    `pictures` names who else may show some, after a space.
    """
    policy = _HEADERS["Content-Security-Policy"].replace("img-src 'self'", f"img-src 'self'{pictures}")
    constant = list((_HEADERS | {"Content-Security-Policy": policy}).items())
    of_parts = [header for header in constant if header[0] in _HEADERS_OF_PARTS]

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        added = of_parts if path.startswith(PREFIX) and path.endswith(_PARTS) else constant

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            headers.extend(added)
            return start_response(status, headers, *error)

        return application(environ, start)

    return answer


def _limiter(settings: Settings) -> RateLimiter | None:
    """Count requests where there is a key; a machine of one's own needs no limit."""
    if not settings.operator_key:
        return None
    from matinee.web.limits import RateLimiter

    return RateLimiter(settings.counters_file)

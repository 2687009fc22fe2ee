"""A small typed client of the service: answers are checked against what its OpenAPI document promises."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from types import TracebackType
from typing import Any, Literal, TypeAlias, TypedDict, TypeVar, Unpack
from urllib.parse import quote

from pydantic import BaseModel

from matinee.errors import MissingExtraError, ServiceError
from matinee.web.api import outputs

try:
    import httpx
except ModuleNotFoundError as error:
    raise MissingExtraError("The client", "client") from error

Id: TypeAlias = int | str
_Answer = TypeVar("_Answer", bound=BaseModel)


class FilmOptions(TypedDict, total=False):
    """Which films; docs/service.md and the OpenAPI document say what each option means."""

    genre_any: list[str]
    genre_all: list[str]
    genre_none: list[str]
    year_from: int
    year_to: int
    min_ratings: int
    max_ratings: int


class ListOptions(FilmOptions, total=False):
    """Which films in which order: the parameters of `GET /users/{user_id}/recommendations`."""

    limit: int
    offset: int
    include_seen: bool
    rank_by: Literal["picks", "stars", "stars_low"]
    popularity: float
    diversity: float
    since: date
    half_life: float
    explain: bool
    exclude: list[Id]
    only: list[Id]
    what_if: Mapping[Id, float | None]
    """Stars that the person might give, None for a rating that they might take back."""


class Client:
    """Asks a matinee service.

    Parameters
    ----------
    url
        Where it listens.
    token
        A person's token, or the operator's key; not needed on a machine of one's own.
    timeout
        Seconds to wait for an answer.
    transport
        What carries the requests; `httpx.WSGITransport(app)` asks an application without a server.

    Raises
    ------
    ServiceError
        By every method: if the service refuses, says nothing, or is not a matinee service.

    Examples
    --------
    >>> with matinee.Client("http://127.0.0.1:8000") as client:
    ...     client.rate("ann", {260: 4.5}, recommend=10).recommendations
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        *,
        token: str | None = None,
        timeout: float = 10.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout, transport=transport)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Ask for anything: `options` are those of `httpx.Client.request`, such as `params` and `json`."""
        try:
            answer = self._http.request(method, path, **options)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServiceError(f"{self._http.base_url} does not answer: {error}", None) from error
        if answer.is_success:
            return answer
        raise _refusal(answer)

    def _asked(self, kind: type[_Answer], method: str, path: str, **options: Any) -> _Answer:
        answer = self.ask(method, path, **options)
        try:
            return kind.model_validate_json(answer.content)
        except ValueError as error:
            raise ServiceError(f"{answer.url} answered something else: {error}", answer.status_code) from error

    def ready(self) -> outputs.Readiness:
        """Say which model answers; a service that is not ready refuses with status 503."""
        return self._asked(outputs.Readiness, "GET", "/readyz")

    def join(self) -> outputs.NewUser:
        """Become a new person: without a token of its own, this client is that person from now on."""
        return self._asked(outputs.NewUser, "POST", "/api/v1/users")

    def forget(self, user_id: str) -> None:
        """Let a person be forgotten, completely."""
        self.ask("DELETE", _of(user_id))

    def rate(
        self,
        user_id: str,
        stars: Mapping[Id, float],
        *,
        rated_at: Mapping[Id, datetime] | None = None,
        recommend: int | None = None,
    ) -> outputs.Saved:
        """Keep a person's ratings, all or none; with `recommend`, the answer has so many films that know them."""
        body: dict[str, Any] = {"ratings": _ratings(stars, rated_at or {})}
        if recommend is not None:
            body["recommend"] = recommend
        return self._asked(outputs.Saved, "POST", _of(user_id, "ratings"), json=body)

    def unrate(self, user_id: str, movie_id: Id) -> None:
        """Take a rating back."""
        self.ask("DELETE", _of(user_id, "ratings", movie_id))

    def ratings(self, user_id: str, *, limit: int = 1000, offset: int = 0) -> outputs.Ratings:
        """List a person's ratings, the newest first."""
        page = {"limit": limit, "offset": offset}
        return self._asked(outputs.Ratings, "GET", _of(user_id, "ratings"), params=page)

    def mark(
        self, user_id: str, kind: Literal["not-interested", "watchlist"], movie_id: Id, *, on: bool = True
    ) -> None:
        """Mark a film as not interesting or to be watched, or take the mark away."""
        self.ask("PUT" if on else "DELETE", _of(user_id, kind, movie_id))

    def recommend(self, person: str | Mapping[Id, float], **options: Unpack[ListOptions]) -> outputs.Recommendations:
        """List films for a person: for a user id, or for ratings of which nothing is kept."""
        if isinstance(person, str):
            path = _of(person, "recommendations")
            return self._asked(outputs.Recommendations, "GET", path, params=_query(options))
        body = {**_plain(options), "ratings": _ratings(person, {})}
        if "what_if" in options:
            body["what_if"] = _ratings(options["what_if"], {})
        return self._asked(outputs.Recommendations, "POST", "/api/v1/recommendations", json=body)

    def predict(self, user_id: str, movie_id: Id) -> outputs.Prediction:
        """Predict the stars that a person would give a film."""
        return self._asked(outputs.Prediction, "GET", _of(user_id, "predictions", movie_id))

    def explain(self, user_id: str, movie_id: Id, **options: Unpack[ListOptions]) -> outputs.Explanation:
        """Say why a film is on a person's list, or why not."""
        path = _of(user_id, "explanations", movie_id)
        return self._asked(outputs.Explanation, "GET", path, params=_query(options))

    def movies(
        self, q: str = "", *, limit: int = 20, cursor: str | None = None, **options: Unpack[FilmOptions]
    ) -> outputs.Movies:
        """Search the catalogue, or list it."""
        query = {**options, "q": q, "limit": limit} | ({"cursor": cursor} if cursor else {})
        return self._asked(outputs.Movies, "GET", "/api/v1/movies", params=query)

    def movie(self, movie_id: Id) -> outputs.OneMovie:
        """Show one film."""
        return self._asked(outputs.OneMovie, "GET", f"/api/v1/movies/{_quoted(movie_id)}")

    def similar(self, movie_id: Id, *, limit: int = 10) -> outputs.SimilarMovies:
        """List the films most like one."""
        path = f"/api/v1/movies/{_quoted(movie_id)}/similar"
        return self._asked(outputs.SimilarMovies, "GET", path, params={"limit": limit})

    def import_history(
        self, user_id: str, content: bytes, *, name: str = "history", dry_run: bool = False
    ) -> outputs.Imported:
        """Take over an export file of another service; `name` is what it was called."""
        query = {"name": name, "dry_run": dry_run}
        return self._asked(outputs.Imported, "POST", _of(user_id, "imports"), params=query, content=content)

    def undo_import(self, user_id: str, import_id: str) -> outputs.Undone:
        """Give films the rating back that they had before an import."""
        return self._asked(outputs.Undone, "DELETE", _of(user_id, "imports", import_id))

    def export(self, user_id: str, file_format: Literal["csv", "json", "letterboxd"] = "csv") -> str:
        """Return everything a person rated as a file."""
        return self.ask("GET", _of(user_id, "export"), params={"format": file_format}).text


def _of(user_id: str, *parts: Id) -> str:
    return "/".join(["/api/v1/users", *map(_quoted, (user_id, *parts))])


def _quoted(part: Id) -> str:
    return quote(str(part), safe="")


def _ratings(stars: Mapping[Id, float | None], rated_at: Mapping[Id, datetime]) -> list[dict[str, Any]]:
    dates = {movie_id: {"rated_at": moment.isoformat()} for movie_id, moment in rated_at.items()}
    return [{"movie_id": movie_id, "stars": value, **dates.get(movie_id, {})} for movie_id, value in stars.items()]


def _plain(options: ListOptions) -> dict[str, Any]:
    """Return options as JSON and addresses hold them."""
    plain: dict[str, Any] = dict(options)
    if "since" in options:
        plain["since"] = options["since"].isoformat()
    return plain


def _query(options: ListOptions) -> dict[str, Any]:
    query = _plain(options)
    if "what_if" in options:
        changes = options["what_if"].items()
        query["what_if"] = [f"{movie_id}:{'none' if stars is None else stars}" for movie_id, stars in changes]
    return query


def _refusal(answer: httpx.Response) -> ServiceError:
    try:
        problem = answer.json()
        said = f"{problem['title']}: {problem['detail']}"
    except (ValueError, KeyError, TypeError):  # no problem document: a proxy's page, perhaps
        problem, said = {}, answer.reason_phrase or answer.text[:200]
    parts = [f"{part['where']}: {part['detail']}" for part in problem.get("errors", ())]
    return ServiceError(f"{answer.status_code} {said}", answer.status_code, parts)

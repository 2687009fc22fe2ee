"""The model that answers, swapped whole while requests go on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from matinee.data.personal import TitleIndex
from matinee.data.ratings import Float32, Int64
from matinee.errors import MatineeError
from matinee.models.factors import Id
from matinee.recommend.catalogue import Catalogue
from matinee.recommend.filters import Filters, left
from matinee.recommend.landscape import landscape
from matinee.recommend.nobody import general_scores
from matinee.recommend.observing import Observer
from matinee.recommend.recommender import Recommender
from matinee.recommend.search import normalise
from matinee.registry import Registry
from matinee.web import memory
from matinee.web.remembered import RememberedPeople

WATCH_INTERVAL_S = 1.0
MOST_FOUND = 1000
"""A search has so many pages of hits at most, one by one; nobody reads further."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Serving:
    """One model with everything that goes with it; a request takes it once and keeps it to the end.

    Attributes
    ----------
    titles
        The films by every way in which their titles are written, for personal histories; made before the model
        answers, since the first import would wait for it.
    people
        Who has a place in this model already.
    """

    model_id: str
    recommender: Recommender
    titles: TitleIndex
    people: RememberedPeople = field(default_factory=RememberedPeople)

    @property
    def catalogue(self) -> Catalogue:
        """The films of this model."""
        return self.recommender.catalogue

    def movie_id(self, text: str) -> Id:
        """Return the id that stands in an address or a line of text.

        Raises
        ------
        UnknownMovieError
            If there is no such film.
        """
        is_number = text.isascii() and text.isdecimal() and len(text) < 19
        movie_id = int(text) if is_number and self.catalogue.ids.ids.dtype.kind == "i" else text
        if movie_id not in self.catalogue:
            self.catalogue.movie(movie_id)  # refuses, with suggestions
        return movie_id

    @cached_property
    def by_popularity(self) -> Int64:
        """Rows of the films, the most rated one first."""
        return np.argsort(-self.catalogue.ratings_count, kind="stable").astype(np.int64)

    @cached_property
    def places(self) -> Float32:
        """Where films lie on the map, shape ``(n_movies, 2)``; zeros for films that nobody rated."""
        model = self.recommender.picks or self.recommender.stars
        places = np.zeros((len(self.catalogue), 2), np.float32)
        places[self.catalogue.rows(model.items.ids.tolist())] = landscape(model)
        return places

    @cached_property
    def _orders(self) -> dict[str, Int64]:
        years = self.catalogue.years
        titles = np.array([normalise(title) for title in self.catalogue.movies["title"]])
        keys: dict[str, npt.NDArray[Any]] = {
            "popular": -self.catalogue.ratings_count,
            "top": -general_scores(self.catalogue, "top"),
            "newest": -years,
            "oldest": np.where(years > 0, years, 10_000),
        }
        orders = {name: np.lexsort((self.by_popularity.argsort(), key)) for name, key in keys.items()}
        orders["title"] = np.argsort(titles, kind="stable")
        return {name: order.astype(np.int64) for name, order in orders.items()}

    def filtered(self, filters: Mapping[str, Any], q: str, sort: str) -> list[int]:
        """Return the rows of the films that pass all filters: those whose title is like `q`, or all, sorted.

        Raises
        ------
        ParameterError
            If a filter is out of range.
        """
        everything = np.ones(len(self.catalogue), np.bool_)
        allowed = left(everything, Filters.of(filters).removing(self.catalogue))
        rows = self.catalogue.find(q, MOST_FOUND) if q.strip() else self._orders[sort].tolist()
        return [row for row in rows if allowed[row]]

    def histogram(self, movie_id: Id) -> tuple[int, ...]:
        """Count how often each half star of the scale was given to a film, lowest first; zeros where unknown."""
        low, high = self.recommender.stars.scale
        stats = self.catalogue.item_stats
        found = None if stats is None else stats.filter(stats["movie_id"] == movie_id)["histogram"].to_list()
        return tuple(found[0]) if found else (0,) * (round((high - low) * 2) + 1)

    def steps(self, histogram: Iterable[int]) -> list[dict[str, float]]:
        """Name the stars of each count of a histogram."""
        low = self.recommender.stars.scale[0]
        return [{"stars": low + place / 2, "count": count} for place, count in enumerate(histogram)]

    def problem_with(self, stars: float) -> str | None:
        """Say why nobody can give so many stars; None if they can."""
        low, high = self.recommender.stars.scale
        return None if low <= stars <= high else f"{stars:g} stars arrived; {low:g} to {high:g} are allowed"


class ModelSource(Protocol):
    """Where models come from."""

    def current(self) -> str | None:
        """Name the model that should answer; cheap, since it is asked every second."""

    def load(self, model_id: str) -> Recommender:
        """Read one, ready to answer at full speed."""


class RegistrySource:
    """Models of a folder of models."""

    def __init__(self, models_dir: Path, observer: Observer | None = None) -> None:
        self._registry = Registry(models_dir)
        self._observer = observer

    def current(self) -> str | None:
        """Name the promoted model."""
        return self._registry.current()

    def load(self, model_id: str) -> Recommender:
        """Map the model's files and compile what answering needs."""
        recommender = Recommender.of(self._registry.read(model_id), self._observer)
        warm(recommender)
        return recommender


def warm(recommender: Recommender) -> None:
    """Answer once for nobody in particular: kernels are compiled and factors paged in before anybody waits."""
    film = recommender.stars.items.ids[:1].tolist()
    low, high = recommender.stars.scale
    recommender.recommend(dict.fromkeys(film, (low + high) / 2), limit=1)


class Models:
    """Holds the `Serving` that answers.

    Parameters
    ----------
    source
        Where models come from.

    Attributes
    ----------
    serving
        None until the first model is there. Replaced whole: read it once per request.
    problem
        Why there is no model, or why a newer one could not be loaded; None where all is well.
    """

    def __init__(self, source: ModelSource) -> None:
        self._source = source
        self._refused: str | None = None
        self.serving: Serving | None = None
        self.problem: str | None = "the model is being loaded"

    def refresh(self) -> None:
        """Load the current model unless it answers already; the old one answers until the new one is ready."""
        try:
            wanted = self._source.current()
            if wanted is None:
                self._say(None if self.serving else "no model is current: train one with `matinee train DATA`")
            elif wanted != self._refused and (self.serving is None or self.serving.model_id != wanted):
                self._swap(wanted)
        except (MatineeError, OSError) as error:
            self._say(f"the models cannot be read: {error}")

    def _say(self, problem: str | None) -> None:
        if problem and problem != self.problem:
            _log.warning("%s", problem)
        self.problem = problem

    def _swap(self, wanted: str) -> None:
        try:
            recommender = self._source.load(wanted)
        except (MatineeError, OSError) as error:
            self._refused = wanted  # said once, not every second; promoting another model clears it
            self._say(f"model {wanted} cannot be loaded: {error}")
            return
        movies = recommender.catalogue.movies
        # An index takes the interpreter for longer than all else of a swap; most trainings bring no new film.
        titles = self.serving.titles.renewed(movies) if self.serving else TitleIndex(movies)
        self.serving = Serving(wanted, recommender, titles)
        self._refused = self.problem = None
        memory.give_back()
        _log.info("model %s answers", wanted)

    def watch(self, interval_s: float = WATCH_INTERVAL_S) -> None:
        """Start a thread that keeps `serving` current until the process ends."""

        def loop() -> None:
            wait = threading.Event()
            while True:
                try:
                    self.refresh()
                except Exception:
                    _log.exception("the model could not be refreshed")
                wait.wait(interval_s)

        threading.Thread(target=loop, name="matinee-models", daemon=True).start()

"""What views need, and the one place where they get it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app

from matinee.models.factors import Id
from matinee.recommend.people import ratings_of
from matinee.registry import Registry
from matinee.store.imports import ImportStore
from matinee.store.jobs import TrainingRuns
from matinee.store.kept import KeptOf
from matinee.store.marks import MarkStore
from matinee.store.people import PeopleStore
from matinee.store.ratings import RatingStore
from matinee.web.access import Access
from matinee.web.posters import Posters
from matinee.web.problems import refuse
from matinee.web.serving import Models, Serving

_KEY = "matinee"


@dataclass(frozen=True)
class Services:
    """What people do, the model that answers, and who is let in."""

    store: RatingStore
    models: Models
    people: PeopleStore
    marks: MarkStore
    kept_of: KeptOf
    imports: ImportStore
    runs: TrainingRuns
    registry: Registry
    access: Access
    posters: Posters | None = None

    def serving(self) -> Serving:
        """Return the model that answers, one for the whole request.

        Raises
        ------
        HTTPError
            503 while there is none.
        """
        serving = self.models.serving
        if serving is None:
            raise refuse(503, "There is no model to answer with yet; /readyz says why.")
        return serving

    def ratings_of(self, serving: Serving, user_id: str) -> dict[Id, float]:
        """Return a person's stars by movie id: the data set's, overridden by those given here.

        Raises
        ------
        UnknownUserError
            If neither the data set nor the store knows them.
        """
        return ratings_of(serving.recommender, user_id, self.store)


def install(app: Flask, services: Services) -> None:
    """Give the services to the views of `app`."""
    app.extensions[_KEY] = services


def services() -> Services:
    """Return the services of the app that handles this request."""
    return cast(Services, current_app.extensions[_KEY])

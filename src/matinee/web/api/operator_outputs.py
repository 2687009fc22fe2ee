"""What comes out for whoever runs the service, as the OpenAPI document shows it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, Field

from matinee.web.api.outputs import ModelId


class Model(BaseModel):
    """A model of this installation."""

    model_id: str = ModelId
    current: bool
    problem: str | None = Field(description="Why it cannot be used.")
    facts: dict[str, Any] = Field(description="From its manifest: parameters, data, metrics with their protocol.")


class Models(BaseModel):
    """The models of this installation, newest first."""

    models: list[Model]


class Promoted(BaseModel):
    """The model that is in use now."""

    model_id: str = ModelId


class TrainingRun(BaseModel):
    """A training, asked for or done."""

    run_id: int
    state: Literal["waiting", "running", "promoted", "refused", "failed", "abandoned"] = Field(
        description="Refused: the new model was worse than the one in use. Abandoned: the worker died."
    )
    reason: str = Field(examples=["1000 new ratings"])
    requested_at: AwareDatetime
    started_at: AwareDatetime | None
    finished_at: AwareDatetime | None
    history_id: int | None = Field(description="The last entry of the history of ratings that it knew of.")
    model_id: str | None = Field(description="The model that came of it.")
    report: dict[str, Any] = Field(description="What the gate measured, or why it failed; `progress` while it runs.")


class TrainingRuns(BaseModel):
    """Trainings, the newest first."""

    training_runs: list[TrainingRun]


class Counts(BaseModel):
    """People and ratings."""

    users: int
    ratings: int


class Stats(BaseModel):
    """How much there is."""

    model_id: str = ModelId
    movies: int
    rated_movies: int
    data_set: Counts
    kept: Counts = Field(description="What people did here.")

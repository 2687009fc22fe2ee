"""The one table of settings: flags, then the environment (MATINEE_*), then matinee.toml, then the defaults below.

`docs/settings.md` is generated from this table (`make docs`), and `serve` takes its flags from it.
Names end in their unit. Import this module only where a setting is used: pydantic is slow to load.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Literal

import platformdirs
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from matinee.errors import ParameterError

TOML_FILE = "matinee.toml"
SHORTEST_KEY = 16


class Settings(BaseSettings):
    """How this installation runs; one field per setting."""

    model_config = SettingsConfigDict(
        env_prefix="MATINEE_", toml_file=TOML_FILE, extra="forbid", frozen=True, validate_default=True
    )

    home: Path = Field(
        Path(platformdirs.user_data_dir("matinee", appauthor=False)),
        description="Folder of data/, models/ and matinee.db.",
    )
    host: str = Field("127.0.0.1", description="Address that the service listens on; 0.0.0.0 for every interface.")
    port: int = Field(8000, ge=0, le=65535, description="Port that the service listens on; 0 for any free one.")
    workers: int = Field(0, ge=0, le=256, description="Server processes; 0 for one per core.")
    threads: int = Field(
        4, ge=2, le=64, description="Requests that a server process works on at once, if some take long."
    )
    database_url: str = Field(
        "",
        description="Where people's ratings are kept, as an SQLAlchemy URL; empty for matinee.db in the home folder.",
    )
    max_body_bytes: int = Field(
        1_000_000, ge=1_000, description="Largest body of a request; a bigger one is refused with 413."
    )
    max_import_bytes: int = Field(
        16_000_000, ge=1_000, description="Largest file of a personal history that the service takes."
    )
    operator_key: str = Field(
        "",
        repr=False,
        description="Key of whoever runs the service, 16 characters or more. With one, people need their token, and "
        "everything else that is not the catalogue needs the key; without one, only this machine is let in.",
    )
    unprotected: bool = Field(
        False, description="Let other machines in without a key: whoever reaches the service may change everything."
    )
    allowed_hosts: str = Field(
        "",
        description="Names, parted by commas, under which the service answers; empty for this machine's, or for "
        "any where there is a key.",
    )
    proxies: int = Field(
        0, ge=0, le=10, description="How many proxies before the service add X-Forwarded-For, -Proto and -Host."
    )
    requests_per_minute: int = Field(
        600,
        ge=0,
        description="Requests of one person, or of one address, that are let through where there is a key; 0 for "
        "any number.",
    )
    signups_per_hour: int = Field(
        30, ge=0, description="People who may join from one address where there is a key; 0 for any number."
    )
    retrain: bool = Field(
        False, description="Retrain beside the service, in a process of its own, as `matinee worker` does."
    )
    train_after_ratings: int = Field(
        1000, ge=0, description="New ratings after which `matinee worker` trains again; 0 for never."
    )
    train_after_hours: float = Field(
        24.0, ge=0, le=8760, description="Hours after which it trains again if anything was rated; 0 for never."
    )
    train_margin: float = Field(
        0.02, ge=0, le=1, description="How much worse, as a part, a new model's numbers may be for it to be used."
    )
    train_ratings_per_user: int = Field(
        1000, ge=1, description="How many of one person's ratings a model learns from, the newest."
    )
    train_account_hours: float = Field(
        0.0, ge=0, description="People who joined later than so many hours ago are left out of training."
    )
    keep_models: int = Field(
        5, ge=1, description="Models that `matinee worker` keeps, beside the one in use and the one before it."
    )
    tmdb_key: str = Field(
        "",
        repr=False,
        description="API key or read access token of themoviedb.org: the web app then shows its posters; empty for the "
        "posters that it draws itself, and nobody else is asked.",
    )
    log_format: Literal["text", "json"] = Field(
        "text",
        description="How the service and the worker write their log: json has a line per request and event, with ids.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe messages that the service and the worker write to their log."
    )
    tracing: bool = Field(
        False,
        description="Send traces by OpenTelemetry (matinee[otel]) to where its own variables say, such as "
        "OTEL_EXPORTER_OTLP_ENDPOINT.",
    )

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("tmdb_key")
    @classmethod
    def _one_word(cls, value: str) -> str:
        if not re.fullmatch(r"[\w.-]*", value, re.ASCII):
            raise ValueError("letters, digits, dots, hyphens and underscores are allowed")
        return value

    @field_validator("operator_key")
    @classmethod
    def _long_enough(cls, value: str) -> str:
        if value and (len(value) < SHORTEST_KEY or not value.isascii() or not value.isprintable() or " " in value):
            raise ValueError(f"{SHORTEST_KEY} or more visible ASCII characters are allowed")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags win over the environment, the environment over the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @classmethod
    def read(cls, **flags: Any) -> Settings:
        """Gather the settings; a flag that is None was not given.

        Raises
        ------
        ParameterError
            Naming the setting, what arrived and what is allowed.
        """
        try:
            return cls(**{name: value for name, value in flags.items() if value is not None})
        except tomllib.TOMLDecodeError as error:
            raise ParameterError(f"{TOML_FILE} is not valid TOML: {error}") from error
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"]))
            shown = "…" if name in ("operator_key", "tmdb_key") else repr(first["input"])
            raise ParameterError(
                f"setting {name}={shown}: {first['msg']} (flag, MATINEE_{name.upper()} or {TOML_FILE})"
            ) from error

    @property
    def counters_file(self) -> Path:
        """Counters of requests, which the server's processes share."""
        return self.home / "run" / "requests.counters"

    @property
    def data_dir(self) -> Path:
        """Downloaded releases."""
        return self.home / "data"

    @property
    def models_dir(self) -> Path:
        """Trained models."""
        return self.home / "models"

    @property
    def database_file(self) -> Path:
        """The SQLite file of people's ratings, where `database_url` names no other database."""
        return self.home / "matinee.db"

    @property
    def database(self) -> str:
        """The SQLAlchemy URL in effect."""
        return self.database_url or f"sqlite:///{self.database_file}"

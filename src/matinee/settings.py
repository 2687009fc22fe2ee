"""The one table of settings: flags, then the environment (MATINEE_*), then matinee.toml, then the defaults below.

`docs/settings.md` is generated from this table (`make docs`), and `serve` takes its flags from it.
Names end in their unit. Import this module only where a setting is used: pydantic is slow to load.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal

import platformdirs
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from matinee.errors import ParameterError

TOML_FILE = "matinee.toml"


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
    threads: int = Field(4, ge=2, le=64, description="Threads of each server process that answer requests.")
    database_url: str = Field(
        "",
        description="Where people's ratings are kept, as an SQLAlchemy URL; empty for matinee.db in the home folder.",
    )
    max_body_bytes: int = Field(
        1_000_000, ge=1_000, description="Largest body of a request; a bigger one is refused with 413."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe messages that the service writes to its log."
    )

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

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
            raise ParameterError(
                f"setting {name}={first['input']!r}: {first['msg']} (flag, MATINEE_{name.upper()} or {TOML_FILE})"
            ) from error

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

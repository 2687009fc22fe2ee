"""Settings: where a value comes from, what is refused, and that each one is documented."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from matinee.errors import ParameterError
from matinee.settings import Settings


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith("MATINEE_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_flag_beats_environment_beats_file_beats_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings.read().port == 8000
    Path("matinee.toml").write_text("port = 8001\n")
    assert Settings.read().port == 8001
    monkeypatch.setenv("MATINEE_PORT", "8002")
    assert Settings.read().port == 8002
    assert Settings.read(port=8003).port == 8003
    assert Settings.read(port=None).port == 8002


def test_home_is_absolute_and_holds_the_rest() -> None:
    settings = Settings.read(home="here")
    assert settings.home == Path.cwd() / "here"
    assert settings.models_dir == settings.home / "models"
    assert settings.data_dir == settings.home / "data"
    assert settings.database == f"sqlite:///{settings.home / 'matinee.db'}"
    assert Settings.read(database_url="postgresql://db/m").database == "postgresql://db/m"


def test_home_expands_the_tilde(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Settings.read(home="~/films").home == tmp_path / "films"


@pytest.mark.parametrize(
    ("name", "value"),
    [("port", "99999"), ("port", "http"), ("threads", "1"), ("log_level", "loud"), ("max_body_bytes", "0")],
)
def test_a_bad_value_names_the_setting_and_what_arrived(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"MATINEE_{name.upper()}", value)
    with pytest.raises(ParameterError, match=f"{name}={value!r}.*MATINEE_{name.upper()}"):
        Settings.read()


def test_an_unknown_name_in_the_file_is_refused() -> None:
    Path("matinee.toml").write_text("prot = 8001\n")
    with pytest.raises(ParameterError, match="prot"):
        Settings.read()


def test_a_file_that_is_not_toml_is_refused() -> None:
    Path("matinee.toml").write_text("port: 8001\n")
    with pytest.raises(ParameterError, match=r"matinee\.toml is not valid TOML"):
        Settings.read()


def test_every_setting_says_what_it_is() -> None:
    undocumented = [name for name, field in Settings.model_fields.items() if not field.description]
    assert not undocumented


def test_sizes_and_times_end_in_their_unit() -> None:
    for name in Settings.model_fields:
        if any(word in name for word in ("timeout", "interval", "size", "body", "age")):
            assert name.endswith(("_seconds", "_days", "_bytes")), name

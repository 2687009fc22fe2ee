"""The files for deployment name settings, commands and options that exist."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml

from matinee.cli import COMMANDS, cli
from matinee.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
FILES = [ROOT / "Dockerfile", ROOT / "compose.yaml", *sorted((ROOT / "deploy").iterdir()), ROOT / "docs/operations.md"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_setting_that_is_named_exists(file: Path) -> None:
    named = set(re.findall(r"MATINEE_([A-Z_]+)\b", file.read_text("utf-8")))
    assert {name.lower() for name in named} <= set(Settings.model_fields)


def test_compose_runs_web_worker_and_database() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))["services"]
    assert set(services) == {"web", "worker", "database"}
    for name in ("web", "worker"):
        assert services[name]["command"][0] in COMMANDS
        assert services[name]["environment"]["MATINEE_WORKERS"] == "2"
    assert services["web"]["ports"] == ["127.0.0.1:8000:8000"]  # a proxy with TLS stands before it


def test_images_copy_what_the_build_needs() -> None:
    ignored = (ROOT / ".dockerignore").read_text("utf-8")
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE):
        for source in line.split():
            assert (ROOT / source).exists()
            assert f"!{source}" in ignored


@pytest.mark.parametrize("unit", sorted((ROOT / "deploy").iterdir()), ids=lambda unit: unit.name)
def test_units_start_commands_with_options_that_exist(unit: Path) -> None:
    [start] = re.findall(r"^ExecStart=\S+/matinee (.+)$", unit.read_text("utf-8"), re.MULTILINE)
    name, *options = start.split()
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    known = {option for parameter in command.params for option in parameter.opts}
    assert {option for option in options if option.startswith("--")} <= known


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    for unit in (ROOT / "deploy").glob("*.service"):
        text = unit.read_text("utf-8").replace("/opt/matinee/bin/matinee", sys.executable)  # one that is there
        (tmp_path / unit.name).write_text(text)
        command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / unit.name)]
        done = subprocess.run(command, capture_output=True, text=True)
        complaints = [
            line for line in done.stderr.splitlines() if unit.name in line
        ]  # not those of this machine's units
        assert (done.returncode, complaints) == (0, []), done.stderr

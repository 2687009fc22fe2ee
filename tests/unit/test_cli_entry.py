"""The command line's frame: one line per mistake, exit codes, lazy imports, helpers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import click
import pytest
from click.testing import CliRunner
from processor import python

from matinee.cli import COMMANDS, cli
from matinee.cli.common import answer, columns, home_option, json_option
from matinee.errors import DataError

HEAVY = ("polars", "numba", "flask", "pydantic", "rich", "scipy", "numpy", "sqlalchemy")


def fails(error: BaseException) -> click.Command:
    @click.command()
    def command() -> None:
        raise error

    return command


@pytest.fixture
def with_command(monkeypatch: pytest.MonkeyPatch):
    def put(command: click.Command) -> None:
        module = ModuleType("matinee.cli.fake")
        module.fake = command  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "matinee.cli.fake", module)
        monkeypatch.setitem(COMMANDS, "fake", ("fake", "Only here."))

    return put


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (DataError("ratings.csv is\nempty"), 1, "matinee: ratings.csv is empty\n"),
        (FileNotFoundError(2, "No such file or directory", "a.zip"), 1, "matinee: a.zip: No such file or directory\n"),
        (OSError(28, "No space left on device", "m.npy"), 1, "matinee: m.npy: No space left on device\n"),
        (
            OSError(28, "No space left on device"),
            1,
            "matinee: the output cannot be written: no space is left on its device\n",
        ),
        (MemoryError("9 GiB"), 1, "matinee: not enough memory: 9 GiB; choose a smaller rank or data set\n"),
        (KeyboardInterrupt(), 130, "\nmatinee: interrupted; nothing half-done was left behind\n"),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(with_command, error: BaseException, code: int, line: str) -> None:
    with_command(fails(error))
    result = CliRunner().invoke(cli, ["fake"])
    assert (result.exit_code, result.stderr, result.stdout) == (code, line, "")


def test_an_unexpected_error_says_how_to_get_the_traceback(with_command) -> None:
    with_command(fails(ZeroDivisionError("by zero")))
    result = CliRunner().invoke(cli, ["fake"])
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "ZeroDivisionError: by zero" in result.stderr
    assert "--traceback" in result.stderr
    assert isinstance(CliRunner().invoke(cli, ["--traceback", "fake"]).exception, ZeroDivisionError)


def test_a_typo_gets_a_suggestion_and_exit_code_2() -> None:
    result = CliRunner().invoke(cli, ["recomend", "--user", "1"])
    assert result.exit_code == 2
    assert "Did you mean 'recommend'?" in result.stderr


def test_help_is_quick_and_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom matinee.cli import cli\n"
        "try: cli(['--help'])\nexcept SystemExit: pass\n"
        f"sys.exit(', '.join(m for m in {HEAVY!r} if m in sys.modules) or 0)"
    )
    done, seconds = python(code)
    assert done.returncode == 0, done.stderr
    assert seconds < 0.25
    assert all(name in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_loads_and_says_what_the_table_says(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command.help
    assert command.help.splitlines()[0] == COMMANDS[name][1]
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0, result.stderr
    assert "\\b" not in result.stdout  # click's mark for lines that are not to be wrapped


def leaves(command: click.Command, path: str) -> list[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        return [
            leaf
            for name in command.list_commands(context)
            if (child := command.get_command(context, name))
            for leaf in leaves(child, f"{path} {name}".strip())
        ]
    return [(path, command)]


def test_every_option_is_documented_and_every_answer_can_be_json() -> None:
    for path, command in leaves(cli, ""):
        options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
        assert all(option.help for option in options), path
        if path not in ("serve", "demo", "export"):  # export's own format is json
            assert "as_json" in {option.name for option in options}, path


def test_home_comes_absolute_and_json_as_one_document(with_command, tmp_path: Path) -> None:
    @click.command()
    @json_option
    @home_option
    def show(as_json: bool, home: Path) -> None:
        answer({"home": home, "mean": float("nan")}, lambda: f"home is {home}", as_json)

    with_command(show)
    run = CliRunner().invoke
    assert run(cli, ["fake", "--home", str(tmp_path)]).stdout == f"home is {tmp_path}\n"
    result = run(cli, ["fake", "--json"], env={"MATINEE_HOME": str(tmp_path)})
    assert json.loads(result.stdout) == {"home": str(tmp_path), "mean": None}
    assert run(cli, ["fake"], env={"MATINEE_PORT": "many"}).exit_code == 1


def test_columns_align_numbers_right_and_cut_nothing() -> None:
    title = "Star Wars: Episode IV - A New Hope (1977) " * 4
    text = columns([(1, title, "4.50"), (10, "Up (2009)", None)], ("rank", "title", "stars"))
    header, first, second = text.splitlines()
    assert header.startswith("rank  title")
    assert first == f"   1  {title}   4.50"
    assert second.startswith("  10  Up (2009)")
    assert second.endswith("      -")
    assert columns([], ("a", "b")) == "a  b"

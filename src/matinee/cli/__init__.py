"""The command line, `matinee`: one module per command group, loaded only when its command is called.

Conventions for whoever adds a command:

- A command is a click command (or group) of that name in `matinee.cli.<module>`, as `COMMANDS` says; the one-line
  help in `COMMANDS` is also the first line of its docstring (a test compares them).
- A command whose name is a word of Python ends in an underscore there: `import_`.
- Heavy imports (polars, numba, Flask, pydantic) go inside the function, or in modules that the function imports, so
  that `matinee --help` stays under a quarter of a second and `matinee COMMAND --help` is quick too.
- Data goes to standard output, everything else to standard error: `matinee.cli.common` has `answer` (text or one JSON
  document), `columns` (a table as text), `say` (a remark) and `steps_shown` (bars where there is a terminal).
- Options shared by commands come from decorators there: `data_argument`, `json_option`, `home_option`. Flags carry the
  names of the API's and the models' parameters: `genre_any` becomes `--genre-any`.
- A command raises errors of `matinee.errors` and lets them pass: this module prints them as one line and exits 1.
  Wrong usage (click's own errors) exits 2, Ctrl-C 130. An unexpected error is one line that says how to get the
  traceback (`matinee --traceback COMMAND ...`).
"""

from __future__ import annotations

import errno
from importlib import import_module
from keyword import iskeyword
from typing import Any, NoReturn

import click

from matinee import __version__
from matinee.errors import MatineeError

COMMANDS = {
    "demo": ("demo", "Train on the bundled sample, show a list, serve it."),
    "data": ("data", "List, fetch and inspect data sets."),
    "tune": ("tune", "Try parameters on a validation set and print a table."),
    "train": ("train", "Evaluate on a hold-out, refit on everything, save and promote."),
    "evaluate": ("evaluate", "Measure models on a held-out part, beside the baselines."),
    "recommend": ("recommend", "Print a list of films for a user or for ratings you give."),
    "predict": ("recommend", "Predict the stars of one film."),
    "similar": ("recommend", "Print films similar to one film."),
    "explain": ("explain", "Say why a film is on a list, or why not."),
    "onboarding": ("onboarding", "Say which films to rate next, so that lists fit soon."),
    "import": ("history", "Take over your ratings from Letterboxd, IMDb and others."),
    "export": ("history", "Write a person's ratings for keeping, or for Letterboxd."),
    "models": ("models", "List, show, promote, roll back, delete and exchange trained models."),
    "serve": ("serve", "Serve the current model over HTTP."),
    "worker": ("worker", "Retrain on what people rated since, and promote what is not worse."),
    "doctor": ("doctor", "Say what works here, what is missing, and the cure."),
}
"""Command: the module that holds it, and its help in one line."""


class Refused(click.ClickException):
    """One clear line on standard error, exit code 1."""

    exit_code = 1

    def show(self, file: Any = None) -> None:
        """Print the line."""
        click.echo(f"matinee: {' '.join(self.message.split())}", file=file, err=file is None)


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is called, and turns errors into one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """Import one command."""
        if cmd_name not in COMMANDS:
            raise click.exceptions.NoSuchCommand(cmd_name, possibilities=COMMANDS, ctx=ctx)
        module = import_module(f"matinee.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what goes wrong becomes one line and an exit code."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            click.echo("\nmatinee: interrupted; nothing half-done was left behind", err=True)
            ctx.exit(130)
        except Exception as error:
            if ctx.params["traceback"]:
                raise
            refuse(error)


def refuse(error: Exception) -> NoReturn:
    """Raise `error` again as one line for the person at the terminal."""
    if isinstance(error, MatineeError):
        raise Refused(str(error)) from error
    if isinstance(error, OSError) and error.errno == errno.EPIPE:
        raise error
    if isinstance(error, OSError) and error.filename and error.strerror:
        raise Refused(f"{error.filename}: {error.strerror}") from error
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        raise Refused("the output cannot be written: no space is left on its device") from error
    if isinstance(error, MemoryError):
        raise Refused(f"not enough memory: {error}; choose a smaller rank or data set") from error
    what = f"unexpected {type(error).__name__}: {error}"
    raise Refused(f"{what} (matinee --traceback COMMAND ... shows where; please report it)") from error


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="matinee")
@click.option("--traceback", is_flag=True, help="Let an error show its traceback.")
def cli(traceback: bool) -> None:
    """Movie recommendations that answer at once, obey every filter and can say why.

    DATA is a release name (ml-32m), a zip, a folder, a CSV or Parquet file of ratings, or `sample`.
    """


def main() -> None:
    """Run the command line."""
    cli(prog_name="matinee")

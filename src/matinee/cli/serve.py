"""`matinee serve`; its flags are the settings."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, get_args

import click

from matinee.cli.common import say
from matinee.settings import Settings


def settings_options(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add a flag for each of these settings; `Settings` checks the values, and None stands where no flag was given."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for name in reversed(names):
            field = Settings.model_fields[name]
            if not field.repr:
                continue  # a secret in a flag could be read by everybody on this machine
            choices = get_args(field.annotation)
            option = click.option(
                f"--{name.replace('_', '-')}",
                type=click.Choice(choices) if choices else str,
                metavar=None if choices else name.rsplit("_", 1)[-1].upper(),
                help=f"{field.description} (MATINEE_{name.upper()})",
            )
            command = option(command)
        return command

    return add


@click.command()
@settings_options(*Settings.model_fields)
def serve(**flags: str | None) -> None:
    """Serve the current model over HTTP.

    A model that is promoted while this runs is taken up at once. With --retrain
    yes it also does what `matinee worker` does. Stop with Ctrl-C.
    """
    from matinee.web import memory

    memory.keep_small()
    from matinee.web import server

    settings = Settings.read(**flags)
    server.apart(partial(_read_current, settings))  # no model, or a damaged one, is said here, once
    server.serve(
        settings, on_ready=lambda url: say(f"serving {url} (API at {url}/api/v1/movies); Ctrl-C stops"), fork=True
    )


def _read_current(settings: Settings) -> None:
    from matinee.registry import Registry

    Registry(settings.models_dir).read()

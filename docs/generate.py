"""Write docs/settings.md and docs/cli.md from the code; `--check` only says whether they are current."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from matinee.cli import COMMANDS, cli
from matinee.settings import TOML_FILE, Settings

DOCS = Path(__file__).parent
NOTE = "<!-- Written by docs/generate.py: change the code, then run `make docs`. -->"


def settings_page() -> str:
    """Return the table of all settings."""
    rows = [
        f"| `{name}` | `MATINEE_{name.upper()}` | {default_of(name)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return f"""# Settings

{NOTE}

A flag wins over the environment, that over `{TOML_FILE}` in the working directory, the file over the default.
Values are checked when they are read; an unknown name in the file is refused.

| in `{TOML_FILE}` | environment | default | |
|---|---|---|---|
{chr(10).join(rows)}
"""


def default_of(name: str) -> str:
    """Return a default as the page shows it; the home folder depends on the platform."""
    if name == "home":
        return "the platform's user data folder"
    default = Settings.model_fields[name].default
    return f"`{default}`" if default != "" else "(empty)"


def cli_page() -> str:
    """Return the help of every command."""
    root = click.Context(cli, info_name="matinee", help_option_names=["-h", "--help"])
    parts = ["# Command line\n", NOTE, "", help_of(cli, root)]
    for name in COMMANDS:
        parts += list(sections(cli.get_command(root, name), name, root))
    return "\n".join(parts)


def sections(command: click.Command, name: str, parent: click.Context) -> Iterator[str]:
    """Yield a section for a command and for each of its subcommands."""
    context = click.Context(command, info_name=name, parent=parent, max_content_width=100, terminal_width=100)
    yield f"## {context.command_path}\n"
    yield help_of(command, context)
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            if found is not None:
                yield from sections(found, child, context)


def help_of(command: click.Command, context: click.Context) -> str:
    """Return one command's help as a block."""
    return f"```text\n{command.get_help(context)}\n```\n"


PAGES = {"settings.md": settings_page, "cli.md": cli_page}


def stale() -> list[str]:
    """Return the pages that are not what the code says."""
    return [
        name for name, page in PAGES.items() if not (DOCS / name).exists() or (DOCS / name).read_text("utf-8") != page()
    ]


def main() -> int:
    """Write the pages, or check them."""
    outdated = stale()
    if "--check" in sys.argv[1:]:
        for name in outdated:
            print(f"docs/{name} is not what the code says: run `make docs`", file=sys.stderr)
        return 1 if outdated else 0
    for name in outdated:
        (DOCS / name).write_text(PAGES[name](), "utf-8")
        print(f"wrote docs/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The command line's tree: one line for each command, and what `fleet` alone says.

Rule: a command that is not asked for is not loaded; typer takes its time for every option it is told of.
"""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Final

import typer

from fleet.cli import CLASSIC, put
from fleet.version import __version__

# Each is the function of its name in a module of its name.
COMMANDS: Final = ("up", "resize", "thumbnails", "identify", "run", "status", "doctor", "server", "worker")


def tree(wanted: str | None) -> typer.Typer:
    """The command line with the command of this name; with all of them, if there is none of this name."""
    app = typer.Typer(
        callback=_options,
        help="An image-processing worker fleet on a bundled Gearman job server.",
        epilog="Begin with: fleet up --workers 4   and then: fleet resize large.jpg -o thumb.jpg",
        no_args_is_help=True,
        add_completion=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for name in [wanted] if wanted in COMMANDS else COMMANDS:
        command = getattr(import_module(f"fleet.cli.{name}"), str(name))
        app.command(help=_paragraphs(command.__doc__ or ""))(command)
    for name, line in CLASSIC.items():  # for --help alone: they are run before typer is loaded
        app.command(name, help=line)(lambda: None)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        put(f"fleet {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None: ...


def _paragraphs(text: str) -> str:
    """With one line for each paragraph: typer keeps the other line breaks, whatever the terminal's width."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))

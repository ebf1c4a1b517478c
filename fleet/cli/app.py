"""The command line's tree: one line for each command, and what `fleet` alone says.

Rule: a command that is not asked for is not loaded; typer takes its time for every option it is told of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Annotated, Any, Final

import typer

from fleet.cli import CLASSIC, put
from fleet.cli.command import Command
from fleet.errors import UsageError
from fleet.version import __version__

# Each is the function of its name in a module of its name.
COMMANDS: Final = ("up", "resize", "thumbnails", "identify", "run", "result", "status", "doctor", "server", "worker")

# Each is a module of its name, with commands of its own.
GROUPS: Final = ("jobs", "dead", "config")

# What typer calls numbers, and what people do.
KINDS: Final = {"int range": "whole number", "int": "whole number", "float range": "number", "float": "number"}

# What typer raises for a command line that makes no sense: the parent of the one such error that it exports.
_Misused: Final[Any] = typer.BadParameter.__base__


def run(words: Sequence[str]) -> int:
    """Do what these words of the command line say; returns the exit code.

    Raises:
        UsageError: they make no sense.
        FleetError: what the command raises.
    """
    command = tree(next((word for word in words if not word.startswith("-")), None))
    try:
        code = command(list(words) or ["--help"], prog_name="fleet", standalone_mode=False)
    except _Misused as error:
        if not error.format_message():  # a command that has none without more words: its help was shown
            return UsageError.exit_code
        raise UsageError(_explained(error, words)) from error
    if not words:
        return UsageError.exit_code
    return code if isinstance(code, int) else 0


def _explained(error: Any, words: Sequence[str]) -> str:
    """In one line, as all our errors are: typer would draw a box around it."""
    text = " ".join(error.format_message().split()).rstrip(".")
    for kind, name in KINDS.items():
        text = text.replace(f"is not a valid {kind}", f"is no {name}")
    command = error.ctx.command_path if error.ctx else _command(words)
    stop = "" if text.endswith("?") else "."
    return f"{text[:1].lower()}{text[1:]}{stop} See {command} --help"


def _command(words: Sequence[str]) -> str:
    """Which command these words are for: the reader of options, who misses a value, does not know."""
    names = [word for word in words if not word.startswith("-")]
    known = 2 if names[:1] and names[0] in GROUPS else 1 if names[:1] and names[0] in COMMANDS else 0
    return " ".join(["fleet", *names[:known]])


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
    all_names = (*COMMANDS, *GROUPS)
    names = [wanted] if wanted in all_names else all_names
    for name in filter(COMMANDS.__contains__, names):
        _add(app, name, getattr(import_module(f"fleet.cli.{name}"), name))
    for name in filter(GROUPS.__contains__, names):
        module = import_module(f"fleet.cli.{name}")
        group = typer.Typer(help=module.HELP, no_args_is_help=True)
        for command, call in module.COMMANDS.items():
            _add(group, command, call)
        app.add_typer(group, name=name)
    for name, line in CLASSIC.items():  # for --help alone: they are run before typer is loaded
        app.command(name, help=line)(lambda: None)
    return app


def _add(app: typer.Typer, name: str, command: Callable[..., None]) -> None:
    app.command(name, cls=Command, help=_paragraphs(command.__doc__ or ""))(command)


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

"""The command line's tree: one line for each command, and what `fleet` alone says."""

from __future__ import annotations

from typing import Annotated

import typer

from fleet.cli import CLASSIC, put
from fleet.cli.doctor import doctor
from fleet.cli.identify import identify
from fleet.cli.resize import resize
from fleet.cli.run import run
from fleet.cli.server import server
from fleet.cli.status import status
from fleet.cli.thumbnails import thumbnails
from fleet.cli.up import up
from fleet.cli.worker import worker
from fleet.version import __version__

app = typer.Typer(
    help="An image-processing worker fleet on a bundled Gearman job server.",
    epilog="Begin with: fleet up --workers 4   and then: fleet resize large.jpg -o thumb.jpg",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        put(f"fleet {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None: ...


def _paragraphs(text: str) -> str:
    """With one line for each paragraph: typer keeps the other line breaks, whatever the terminal's width."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


for command in (up, resize, thumbnails, identify, run, status, doctor, server, worker):
    app.command(help=_paragraphs(command.__doc__ or ""))(command)
for name, line in CLASSIC.items():  # for --help alone: they are run before typer is loaded
    app.command(name, help=line)(lambda: None)

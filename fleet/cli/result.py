"""`fleet result`: what came of a background job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fleet.cli import options
from fleet.cli.files import write


def result(
    handle: Annotated[
        str | None, typer.Argument(metavar="HANDLE", help="The job, as its submit was answered.", show_default=False)
    ] = None,
    function: Annotated[
        str | None, typer.Option("--function", "-f", metavar="FUNCTION", help="With --unique, in place of a handle.")
    ] = None,
    unique: Annotated[str | None, typer.Option("--unique", "-u", help="The unique that the job was given.")] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where the result goes; - is stdout.")
    ] = Path("-"),
    servers: options.Servers = None,
    timeout: options.Timeout = 60.0,
) -> None:
    """Print what a background job returned; one that has not ended is waited for.

    Exits with 1 if the job did not end well, with 7 if there never was such a job, and with 8 if its result is not kept
    any more. Job servers keep results where they have a store, for an hour unless they were told otherwise.

    Example: fleet result -o thumb.jpg $(fleet run -b -f resize < large.jpg)
    """
    from fleet.client import Client

    with Client(servers, timeout=timeout) as client:
        found = client.job(handle, function=function, unique=unique).result()
    write(output, found)

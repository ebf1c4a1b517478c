"""`fleet run`: one job of any function."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer

from fleet.cli import options, put, say


def run(
    function: Annotated[str, typer.Option("--function", "-f", metavar="FUNCTION", help="The function to run.")],
    workload: Annotated[
        str, typer.Argument(metavar="WORKLOAD", help="What to hand it; - or nothing: what comes on stdin.")
    ] = "-",
    background: Annotated[
        bool, typer.Option("--background", "-b", help="Do not wait; print the job's handle.")
    ] = False,
    unique: Annotated[
        str | None, typer.Option("--unique", "-u", help="Jobs with equal uniques are one job while it lives.")
    ] = None,
    priority: Annotated[Literal["high", "normal", "low"], typer.Option(help="Which jobs go first.")] = "normal",
    servers: options.Servers = None,
    timeout: options.Timeout = 60.0,
) -> None:
    """Run one job and print what its worker returns.

    Example: fleet run -f reverse "Hello World!"
    """
    from fleet.client import Client

    data = sys.stdin.buffer.read() if workload == "-" else workload.encode("utf-8", "surrogateescape")
    with Client(servers, timeout=timeout) as client:
        task = client.submit(function, data, unique=unique, priority=priority, background=background)
        if background:
            put(str(task.handle))
            return
        last = b"\n"
        for chunk in task.stream():
            sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
            last = chunk or last
        for warning in task.warnings:
            say(f"fleet: {function} warns: {warning.decode('utf-8', 'replace')}")
        if sys.stdout.isatty() and not last.endswith(b"\n"):
            put("")

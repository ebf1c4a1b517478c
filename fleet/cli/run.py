"""`fleet run`: one job of any function."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Annotated, Any, Literal

import typer

from fleet.cli import options, put, say

Unique = Annotated[
    str | None,
    typer.Option(
        "--unique", "-u", help="Jobs with equal uniques are one while it lives; content: those with equal workloads."
    ),
]


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no time; write 2026-11-26T03:00:00, or 2026-11-26") from None


At = Annotated[
    datetime | None,
    typer.Option(parser=_moment, metavar="TIME", help="With -b: not before; 2026-11-26T03:00:00, local time."),
]
Delay = Annotated[
    str | None, typer.Option(metavar="SPAN", help="With -b: not before so long from now; 90, 5m, 2h or 7d.")
]
Ttl = Annotated[
    str | None, typer.Option(metavar="SPAN", help="With -b: the job expires if it has not begun after so long.")
]
Attempts = Annotated[
    int | None,
    typer.Option(min=1, max=options.MOST, metavar="N", help="With -b: how often it may fail before it is given up."),
]
Schedule = Annotated[
    str | None,
    typer.Option(
        metavar="FIELDS",
        help="With -b: again and again; minute, hour, mday, month and wday as in cron, in UTC, but 0 is Monday.",
    ),
]
Reducer = Annotated[
    str | None,
    typer.Option(metavar="FUNCTION", help="Map/reduce: its worker splits the job, and this function does the parts."),
]


def run(
    function: Annotated[str, typer.Option("--function", "-f", metavar="FUNCTION", help="The function to run.")],
    workload: Annotated[
        str, typer.Argument(metavar="WORKLOAD", help="What to hand it; - or nothing: what comes on stdin.")
    ] = "-",
    background: Annotated[
        bool, typer.Option("--background", "-b", help="Do not wait; print the job's handle.")
    ] = False,
    unique: Unique = None,
    priority: Annotated[Literal["high", "normal", "low"], typer.Option(help="Which jobs go first.")] = "normal",
    at: At = None,
    delay: Delay = None,
    ttl: Ttl = None,
    attempts: Attempts = None,
    schedule: Schedule = None,
    reducer: Reducer = None,
    servers: options.Servers = None,
    timeout: options.Timeout = 60.0,
) -> None:
    """Run one job and print what its worker returns.

    With -b it is a background job: its handle is printed, and `fleet result` fetches what came of it. --ttl and
    --attempts need a job server that keeps jobs. A job with --schedule comes until `fleet jobs cancel HANDLE`.

    Example: fleet run -f reverse "Hello World!"
    """
    from fleet.cli.files import STDIO, read
    from fleet.client import Client
    from fleet.errors import UsageError
    from fleet.settings import span_s

    when: dict[str, Any] = {
        "at": at,
        "delay": None if delay is None else span_s(delay),
        "ttl": None if ttl is None else span_s(ttl),
        "attempts": attempts,
        "schedule": schedule,
    }
    if not background and any(value is not None for value in when.values()):
        raise UsageError("--at, --delay, --ttl, --attempts and --schedule are for background jobs; add -b")
    data = read(STDIO) if workload == STDIO else workload.encode("utf-8", "surrogateescape")
    with Client(servers, timeout=timeout) as client:
        how: dict[str, Any] = {"unique": unique, "priority": priority, "background": background, **when}
        task = client.submit(function, data, reducer=reducer or "", **how)
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

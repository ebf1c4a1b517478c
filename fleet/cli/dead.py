"""`fleet dead`: the dead letter, where jobs are that failed at every attempt, or killed their workers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from fleet.cli import listing, options

HELP: Final = "The dead letter, for jobs that failed at every attempt: list, show, retry, purge."


def show(
    handle: Annotated[str, typer.Argument(metavar="HANDLE", help="The job.", show_default=False)],
    workload: Annotated[
        Path | None,
        typer.Option("--workload", "-w", metavar="FILE", help="Write what the job was given to this file, too."),
    ] = None,
    as_json: options.Json = False,
    servers: options.Servers = None,
    timeout: options.Timeout = 10.0,
) -> None:
    """Show all that is known of a dead job, with the error of each attempt.

    Exits with 7 if there never was such a job. --workload is only taken from the job server's own machine.
    """
    listing.show_one(handle, None, None, servers, timeout, as_json)
    if workload:
        listing.save_workload(handle, workload, servers, timeout)


LIST: Final = """\
Show the jobs in the dead letter, each with its last error; `fleet dead show HANDLE` shows those before.

With --json a line for each. --older is since the job died.
"""
RETRY: Final = """\
Put dead jobs back into their queues, with nothing held against them.

Those of these handles, or all that the filters let through; but not beside a live job of the same unique. Only taken
from the job server's own machine.
"""
PURGE: Final = """\
Forget dead jobs for good: those of these handles, or all that the filters let through.

Only taken from the job server's own machine.
"""
COMMANDS: Final = {
    "list": listing.lister("dead", LIST),
    "show": show,
    "retry": listing.changer("retry", "dead", RETRY),
    "purge": listing.changer("purge", "dead", PURGE),
}

"""`fleet jobs`: the background jobs that job servers keep."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from fleet.cli import listing, options, put

if TYPE_CHECKING:
    from fleet.settings import Address

Damaged = Annotated[Path, typer.Argument(metavar="DAMAGED", show_default=False, help="The store's file.")]
New = Annotated[Path, typer.Argument(metavar="NEW", show_default=False, help="The file to be made.")]

HELP: Final = "The background jobs that job servers keep: list, show, cancel, backup, salvage."


def show(
    handle: options.Handle = None,
    function: options.WithUnique = None,
    unique: options.OfUnique = None,
    as_json: options.Json = False,
    servers: options.Servers = None,
    timeout: options.Timeout = 10.0,
) -> None:
    """Show all that is known of one job, also of one that has ended.

    Exits with 7 if there never was such a job, and with 8 if what came of it is not kept any more.
    """
    listing.show_one(handle, function, unique, servers, timeout, as_json)


def backup(as_json: options.Json = False, servers: options.Servers = None, timeout: options.Timeout = 600.0) -> None:
    """Have each job server copy its store while it is in use; prints where on its machine each copy is.

    What was acknowledged before is in it, and a job server can be started on it. A copy takes the place of the one
    before; submits in the background wait until it is done. Only taken from the job server's own machine.
    """
    from fleet.client import Client, kept

    def ask(server: Address) -> None:
        path, size = kept.back_up(client, server)
        put(json.dumps({"server": str(server), "path": path, "bytes": size}) if as_json else path)

    with Client(servers, timeout=timeout) as client:
        asking = listing.Asking(client)
        asking.each_server(ask)
        asking.end()


def salvage(damaged: Damaged, new: New) -> None:
    """Save what can be read of a damaged store into a new one; prints how much that is.

    No job server may be using it. Its file is only read; one that is damaged is not opened by a job server.
    """
    from fleet.jobserver.stores.salvage import salvage as save

    jobs, dead, results = save(damaged, new)
    put(f"{new}: {jobs} jobs, {dead} in the dead letter, {results} results; go on with --store sqlite:{new}")


LIST: Final = """\
Show the background jobs that have not ended: queued, waiting for their time, or running.

With --json a line for each.
"""
CANCEL: Final = """\
Cancel jobs: those of these handles, or all that the filters let through; `fleet jobs list` shows which.

A job that runs in one of our pools is killed. Only taken from the job server's own machine.
"""
COMMANDS: Final = {
    "list": listing.lister("jobs", LIST),
    "show": show,
    "cancel": listing.changer("cancel", "jobs", CANCEL),
    "backup": backup,
    "salvage": salvage,
}

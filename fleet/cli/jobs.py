"""`fleet jobs`: the background jobs that job servers keep."""

from __future__ import annotations

from typing import Final

from fleet.cli import listing, options

HELP: Final = "The background jobs that job servers keep: list, show, cancel."


def show(
    handle: options.Handle = None,
    function: options.OfFunction = None,
    unique: options.OfUnique = None,
    as_json: options.Json = False,
    servers: options.Servers = None,
    timeout: options.Timeout = 10.0,
) -> None:
    """Show all that is known of one job, also of one that has ended.

    Exits with 7 if there never was such a job, and with 8 if what came of it is not kept any more.
    """
    listing.show_one(handle, function, unique, servers, timeout, as_json)


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
}

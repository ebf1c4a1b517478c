"""`fleet jobs`: the background jobs that job servers keep."""

from __future__ import annotations

from typing import Final

from fleet.cli import listing, options

HELP: Final = "The background jobs that job servers keep: list, show, cancel."


def list_(
    function: options.OfFunction = None,
    older: options.Older = None,
    limit: options.Most = 100,
    as_json: options.Json = False,
    servers: options.Servers = None,
    timeout: options.Timeout = 10.0,
) -> None:
    """Show the background jobs that have not ended: queued, waiting for their time, or running.

    With --json a line for each.
    """
    choice = listing.Choice("jobs", function=function, older=older, limit=limit)
    listing.show_all(choice, servers, timeout, as_json)


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


def cancel(
    handles: options.Handles = None,
    function: options.OfFunction = None,
    older: options.Older = None,
    everything: options.All = False,
    as_json: options.Json = False,
    servers: options.Servers = None,
    timeout: options.Timeout = 60.0,
) -> None:
    """Cancel jobs: those of these handles, or all that the filters let through; `fleet jobs list` shows which.

    A job that runs in one of our pools is killed. Only taken from the job server's own machine.
    """
    choice = listing.Choice("jobs", handles or (), function, older)
    choice.check(everything)
    listing.change_all("cancel", choice, servers, timeout, as_json)


COMMANDS: Final = {"list": list_, "show": show, "cancel": cancel}

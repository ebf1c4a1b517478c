"""`fleet status`: what the job servers know."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from fleet.cli import options, put, put_json, say
from fleet.cli.listing import age
from fleet.errors import FleetError, NoServer

PARTIAL = 6


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
    servers: options.Servers = None,
    timeout: options.Timeout = 3.0,
) -> None:
    """Show each job server's functions: jobs queued and running, workers, and what became of earlier jobs.

    OLDEST is for how long the oldest job that could run has waited. JSON has all counters, how long jobs waited and
    ran, and how full the dead letter is. Exits with 3 if no job server answers, with 6 if some do not.
    """
    from fleet.settings import parse_servers

    found = [_ask(str(address), timeout) for address in parse_servers(servers)]
    if as_json:
        put_json({"servers": found})
    else:
        for server in found:
            _print(server)
    down = [server for server in found if "error" in server]
    if down:
        raise typer.Exit(PARTIAL if len(down) < len(found) else NoServer.exit_code)


def _ask(server: str, timeout: float) -> dict[str, Any]:
    from fleet.client import admin
    from fleet.settings import Address

    address = Address.parse(server)
    try:
        version = admin.version(address, timeout)
        counters = admin.counters(address, timeout) or {"functions": {}}
        functions = [
            {"name": f.name, "queued": f.jobs - f.running, "running": f.running, "workers": f.workers}
            | counters["functions"].get(f.name, {})
            for f in admin.status(address, timeout)
        ]
    except FleetError as error:
        return {"server": server, "error": str(error)}
    ours = {name: value for name, value in counters.items() if name != "functions"}
    return {"server": server, "version": version, **ours, "functions": functions}


def _print(server: dict[str, Any]) -> None:
    if "error" in server:
        say(f"fleet: {server['error']}")
        return
    functions = server["functions"]
    put(f"{server['server']}  version {server['version']}")
    if not functions:
        put("  no functions yet: no worker has registered and no job was submitted")
        return
    width = max(8, *(len(f["name"]) for f in functions))
    counted = "bounds_s" in server  # else it is another's job server, which does not count
    heads = [*("QUEUED", "RUNNING", "WORKERS"), *(("DONE", "FAILED", "OLDEST") if counted else ())]
    put(f"  {'FUNCTION':<{width}}" + "".join(f"  {head:>8}" for head in heads))
    for f in functions:
        cells = [f["queued"], f["running"], f["workers"]]
        if counted:
            cells += [f["completed"], f["failed"] + f["dead"], age(f["oldest_s"])]
        put(f"  {f['name']:<{width}}" + "".join(f"  {cell:>8}" for cell in cells))
    if evicted := sum(f.get("evicted", 0) for f in functions):
        put(f"  the dead letter is full: {evicted} jobs left it for newer ones; see `fleet dead list`")

"""`fleet status`: what the job servers know."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from fleet.cli import options, put, say
from fleet.errors import FleetError, NoServer

PARTIAL = 6


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
    servers: options.Servers = None,
    timeout: options.Timeout = 3.0,
) -> None:
    """Show each job server's functions: jobs queued and running, and workers.

    Exits with 3 if no job server answers, with 6 if some do not.
    """
    from fleet.settings import parse_servers

    found = [_ask(str(address), timeout) for address in parse_servers(servers)]
    if as_json:
        put(json.dumps({"servers": found}, indent=2))
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
        functions = [
            {"name": f.name, "queued": f.jobs - f.running, "running": f.running, "workers": f.workers}
            for f in admin.status(address, timeout)
        ]
    except FleetError as error:
        return {"server": server, "error": str(error)}
    return {"server": server, "version": version, "functions": functions}


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
    put(f"  {'FUNCTION':<{width}}  {'QUEUED':>8}  {'RUNNING':>8}  {'WORKERS':>8}")
    for f in functions:
        put(f"  {f['name']:<{width}}  {f['queued']:>8}  {f['running']:>8}  {f['workers']:>8}")

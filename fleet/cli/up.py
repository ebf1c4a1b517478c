"""`fleet up`: a job server and a pool of image workers on this host, supervised."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from fleet.cli import options
from fleet.settings import DEFAULT_HOST, DEFAULT_PORT, FunctionPolicy, PoolLimits

FLEET = (sys.executable, "-P", "-m", "fleet")  # this very installation, whatever PATH and the directory hold
SERVER_STOP_S = 5.0  # it only says goodbye
POOL_MARGIN_S = 5.0  # beyond the grace of its running jobs


def up(
    workers: Annotated[
        int, typer.Option("--workers", "-w", min=1, max=1024, help="Jobs at a time.", show_default="the processors")
    ] = os.cpu_count() or 1,
    listen: options.Listen = DEFAULT_HOST,
    port: options.Port = DEFAULT_PORT,
    deadline: options.Deadline = PoolLimits.deadline_s,
    isolation: options.Isolation = None,
    sandbox: options.Sandbox = None,
    user: options.User = None,
    protocol: options.Protocols = None,
    http_port: options.HttpPort = None,
    store: options.Store = None,
    attempts: options.Attempts = 2,
    keep: options.Keep = FunctionPolicy.keep_s,
    cache: options.Cache = None,
) -> None:
    """Run a fleet on this host: a job server and a pool of image workers.

    Prints a line for each part when it is ready, and `ready` when all are. What dies is started again. Ctrl-C or
    SIGTERM lets running jobs finish and ends it; a second one ends it at once. Background jobs are kept on disk, and
    their results for a while, unless --store or --port 0 says otherwise.
    """
    from fleet import config
    from fleet.cli.keeping import default_store, policies
    from fleet.jobserver.gateways import listen_at
    from fleet.supervisor import Part, Supervisor

    gateways = listen_at(protocol or (), listen, {"http": http_port})
    spoken = [word for name, at in gateways for word in ("--protocol", name, f"--{name}-port", str(at.port))]
    policies(attempts, keep, cache or ())  # so that a mistake is told here
    kept = ["--store", store or default_store(port), "--attempts", str(attempts), "--keep", str(keep)]
    kept += [word for each in cache or () for word in ("--cache", each)]
    server = Part(
        "server",
        (*FLEET, "server", "--listen", listen, "--port", f"{{server.port:{port}}}", *spoken, *kept),
        ready="listening ",
        stop_s=SERVER_STOP_S,
    )
    contained = {"isolation": isolation, "sandbox": sandbox, "user": user}
    config.load().containment(**contained)  # a word that it may not be is told before anything starts
    pool = Part(
        "pool",
        (
            *FLEET,
            "worker",
            "--workers",
            str(workers),
            "--deadline",
            f"{deadline:g}",
            "--servers",
            "{server}",
            *(word for name, value in contained.items() if value for word in (f"--{name}", value)),
        ),
        ready="ready ",
        needs=("server",),
        stop_s=PoolLimits.grace_s + POOL_MARGIN_S,
    )
    sys.exit(Supervisor([server, pool]).run())

"""`fleet worker`: a pool of image workers by itself."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from fleet.cli import options
from fleet.settings import Containment, PoolLimits


def worker(
    workers: Annotated[
        int, typer.Option("--workers", "-w", min=1, max=1024, help="Jobs at a time.", show_default="the processors")
    ] = os.cpu_count() or 1,
    servers: options.Servers = None,
    deadline: options.Deadline = PoolLimits.deadline_s,
    sandbox: options.Sandbox = Containment.sandbox,
    user: options.User = Containment.user,
) -> None:
    """Run a pool of image workers in the foreground, for the functions `resize` and `thumbnail`.

    Its first line is `ready N slots: ...`. Ctrl-C or SIGTERM lets running jobs finish and ends it; a second one ends
    it at once.
    """
    from fleet.settings import parse_servers
    from fleet.workers.pool import run_pool

    contained = Containment(sandbox, user)
    sys.exit(run_pool(parse_servers(servers), workers, limits=PoolLimits(deadline_s=deadline), containment=contained))

"""`fleet worker`: a pool of image workers by itself."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from fleet.cli import options
from fleet.settings import PoolLimits


def worker(
    workers: Annotated[
        int, typer.Option("--workers", "-w", min=1, max=1024, help="Jobs at a time.", show_default="the processors")
    ] = os.cpu_count() or 1,
    servers: options.Servers = None,
    deadline: options.Deadline = PoolLimits.deadline_s,
    isolation: options.Isolation = None,
    sandbox: options.Sandbox = None,
    user: options.User = None,
) -> None:
    """Run a pool of image workers in the foreground: `resize`, `thumbnails`, and `thumb.NAME` for each preset.

    Its first line is `ready N slots: ...`. Ctrl-C or SIGTERM lets running jobs finish and ends it; a second one ends
    it at once.
    """
    from fleet import config
    from fleet.settings import parse_servers
    from fleet.workers.functions import kit
    from fleet.workers.pool import run_pool

    settings = config.load()
    pictures = kit(
        {name: spec.to_mapping() for name, spec in settings.presets.items()},
        {name: str(path) for name, path in settings.watermarks.items()},
        settings.images,
    )
    addresses = parse_servers(servers or settings.servers)
    contained = settings.containment(isolation=isolation, sandbox=sandbox, user=user)
    limits = PoolLimits(deadline_s=deadline)
    sys.exit(run_pool(addresses, workers, functions=pictures, limits=limits, containment=contained))

"""`fleet worker`: a pool of image workers by itself."""

from __future__ import annotations

import os
import sys

from fleet.cli import options


def worker(
    workers: options.Workers = None,
    servers: options.Servers = None,
    deadline: options.Deadline = None,
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
    addresses = parse_servers(servers)
    contained = settings.containment(isolation=isolation, sandbox=sandbox, user=user)
    limits = settings.pool_limits(deadline_s=deadline)
    slots = workers or settings.pool.get("workers") or os.cpu_count() or 1
    sys.exit(run_pool(addresses, slots, functions=pictures, limits=limits, containment=contained))

"""`fleet up`: a job server and a pool of image workers on this host, supervised."""

from __future__ import annotations

import sys

from fleet.cli import options
from fleet.settings import DEFAULT_HOST, DEFAULT_PORT

FLEET = (sys.executable, "-P", "-m", "fleet")  # this very installation, whatever PATH and the directory hold
SERVER_STOP_S = 5.0  # it only says goodbye
ATTEMPTS = 2  # of background jobs, where neither a flag nor the settings say how many
POOL_MARGIN_S = 5.0  # beyond the grace of its running jobs


def up(
    workers: options.Workers = None,
    listen: options.Listen = DEFAULT_HOST,
    port: options.Port = DEFAULT_PORT,
    deadline: options.Deadline = None,
    isolation: options.Isolation = None,
    sandbox: options.Sandbox = None,
    user: options.User = None,
    protocol: options.Protocols = None,
    http_port: options.HttpPort = None,
    store: options.Store = None,
    attempts: options.Attempts = None,
    keep: options.Keep = None,
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
    settings = config.load()
    containment = {"isolation": isolation, "sandbox": sandbox, "user": user}
    settings.containment(**containment)  # so that a mistake is told here, and not by each part again and again
    if attempts is None and "attempts" not in settings.functions.get(config.EVERY, {}):
        attempts = ATTEMPTS
    policies(settings.functions, cache or ())  # this, too
    kept = _flags(store=store or default_store(port), attempts=attempts, keep=keep)
    kept += [word for each in cache or () for word in ("--cache", each)]
    server = Part(
        "server",
        (*FLEET, "server", "--listen", listen, "--port", f"{{server.port:{port}}}", *spoken, *kept),
        ready="listening ",
        stop_s=SERVER_STOP_S,
    )
    pool = Part(
        "pool",
        (*FLEET, "worker", "--servers", "{server}", *_flags(workers=workers, deadline=deadline, **containment)),
        ready="ready ",
        needs=("server",),
        stop_s=settings.pool_limits().grace_s + POOL_MARGIN_S,
    )
    sys.exit(Supervisor([server, pool]).run())


def _flags(**values: object) -> list[str]:
    """Those that are given: what is not is the part's own business, which reads the settings, too."""
    return [word for name, value in values.items() if value is not None for word in (f"--{name}", str(value))]

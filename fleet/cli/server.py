"""`fleet server`: a job server by itself."""

from __future__ import annotations

from fleet.cli import options, put
from fleet.settings import DEFAULT_HOST, DEFAULT_PORT


def server(listen: options.Listen = DEFAULT_HOST, port: options.Port = DEFAULT_PORT) -> None:
    """Run a job server in the foreground.

    Its first line is `listening HOST:PORT`. Ctrl-C or SIGTERM ends it. The queues are in memory.
    """
    from fleet.jobserver.server import run
    from fleet.settings import Address, ServerSettings

    run(ServerSettings(listen=Address(listen, port)), ready=lambda server: put(f"listening {server.address}"))

"""`fleet server`: a job server by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet.cli import options, put
from fleet.settings import DEFAULT_HOST, DEFAULT_PORT

if TYPE_CHECKING:
    from fleet.jobserver.server import JobServer


def server(
    listen: options.Listen = DEFAULT_HOST,
    port: options.Port = DEFAULT_PORT,
    protocol: options.Protocols = None,
    http_port: options.HttpPort = None,
) -> None:
    """Run a job server in the foreground.

    Its first line is `listening HOST:PORT`; a line like `http listening HOST:PORT` follows for each other protocol.
    Ctrl-C or SIGTERM ends it. The queues are in memory.
    """
    from fleet.jobserver.gateways import listen_at
    from fleet.jobserver.server import run
    from fleet.settings import Address, ServerSettings

    gateways = listen_at(protocol or (), listen, {"http": http_port})
    run(ServerSettings(listen=Address(listen, port), gateways=gateways), ready=_announce)


def _announce(server: JobServer) -> None:
    put(f"listening {server.address}")
    for name, address in server.gateways.items():
        put(f"{name} listening {address}")

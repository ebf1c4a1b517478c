"""`fleet server`: a job server by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet.cli import options, put
from fleet.linux import ready_teller
from fleet.settings import DEFAULT_HOST, DEFAULT_PORT

if TYPE_CHECKING:
    from fleet.jobserver.server import JobServer


def server(
    listen: options.Listen = DEFAULT_HOST,
    port: options.Port = DEFAULT_PORT,
    protocol: options.Protocols = None,
    http_port: options.HttpPort = None,
    store: options.Store = None,
    attempts: options.Attempts = None,
    keep: options.Keep = None,
    cache: options.Cache = None,
) -> None:
    """Run a job server in the foreground.

    Its first line is `listening HOST:PORT`; a line like `http listening HOST:PORT` follows for each other protocol.
    Ctrl-C or SIGTERM ends it. Without --store the queues end with it.
    """
    from fleet import config
    from fleet.cli.keeping import policies
    from fleet.jobserver.gateways import listen_at
    from fleet.jobserver.server import run
    from fleet.settings import Address, ServerSettings

    gateways = listen_at(protocol or (), listen, {"http": http_port})
    settings = config.load()
    run(
        ServerSettings(
            listen=Address(listen, port),
            gateways=gateways,
            store="" if store == "none" else store or "",
            policies=policies(settings.functions, cache or (), attempts=attempts, keep_s=keep),
            limits=settings.server_limits,
        ),
        ready=_announce,
    )


def _announce(server: JobServer) -> None:
    put(f"listening {server.address}")
    for name, address in server.gateways.items():
        put(f"{name} listening {address}")
    ready_teller()()

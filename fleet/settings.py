"""The settings every part shares, as plain values with their units in their names and their reasons beside them.

Nothing here reads a file, a flag or the environment, except `servers_from_environment`, which the SDKs use for
their default: the commands build these values and hand them down.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fleet.errors import UsageError

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 4730  # Gearman's port, registered with IANA
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """Where a job server listens. Written ``host:port``, ``host``, or ``[v6]:port``."""

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read one address; a missing port is 4730.

        Raises:
            UsageError: the text is empty or its port is no number from 1 to 65535.
        """
        host, port = _split_port(text.strip())
        if not host or any(c.isspace() for c in host):
            raise UsageError(f"{text!r} is no job server address; write HOST:PORT, such as 127.0.0.1:4730")
        if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
            raise UsageError(f"{text!r} has no usable port; write HOST:PORT with a port from 1 to 65535")
        return cls(host, int(port))


def _split_port(text: str) -> tuple[str, str]:
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, rest.removeprefix(":") or str(DEFAULT_PORT)
    if text.count(":") > 1:  # a bare IPv6 address
        return text, str(DEFAULT_PORT)
    host, colon, port = text.partition(":")
    return host, port if colon else str(DEFAULT_PORT)


Servers = str | Address | Iterable[str | Address] | None


def parse_servers(servers: Servers = None, environ: Mapping[str, str] = os.environ) -> tuple[Address, ...]:
    """Addresses from ``"a:4730,b:4730"``, a list of such, or None for ``FLEET_SERVERS`` and else 127.0.0.1:4730.

    The order is kept and doubles are dropped.
    """
    if servers is None:
        servers = environ.get("FLEET_SERVERS", "").strip() or Address()
    if isinstance(servers, str | Address):
        servers = [servers]
    found: list[Address] = []
    for item in servers:
        found += (
            [item] if isinstance(item, Address) else [Address.parse(part) for part in item.split(",") if part.strip()]
        )
    if not found:
        raise UsageError("no job server is named; write --servers HOST:PORT or set FLEET_SERVERS")
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True)
class ServerLimits:
    """What one job server holds at most. Past a limit the peer gets an ERROR packet, or is cut with a reason."""

    packet_bytes: int = 64 * MIB  # one packet's body: twice the largest picture a worker takes
    line_bytes: int = 1024  # one line of the text protocol
    function_bytes: int = 512  # as in libgearman, both sides
    unique_bytes: int = 64  # as in gearmand
    client_id_bytes: int = 127  # as in gearmand
    functions: int = 10_000  # names known at a time
    functions_per_worker: int = 1000
    jobs: int = 1_000_000  # in all queues together
    queued_bytes: int = 1024 * MIB  # workloads of all jobs together
    jobs_per_worker: int = 64  # grabbed and unfinished on one connection
    unsent_bytes: int = 256 * MIB  # for one peer that does not read; it is cut beyond
    wake_s: float = 1.0  # a woken worker has this long to grab before another is woken


@dataclass(frozen=True)
class PoolLimits:
    """What one runner (one job's process) may use, and how long the pool waits for things."""

    deadline_s: float = 20.0  # wall clock per job; SIGKILL after it
    memory_bytes: int = 1024 * MIB  # address space: a 50-megapixel picture twice over, and the libraries
    result_bytes: int = 64 * MIB  # as a packet's body
    open_files: int = 32
    grace_s: float = 20.0  # SIGTERM to giving the running jobs up

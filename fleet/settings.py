"""The settings every part shares, as plain values with their units in their names and their reasons beside them.

Nothing here reads a file, a flag or the environment, except `servers_from_environment`, which the SDKs use for
their default: the commands build these values and hand them down.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final, Literal

from fleet.backoff import Backoff
from fleet.errors import HOPELESS, UsageError

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 4730  # Gearman's port, registered with IANA
MIB = 1024 * 1024
UNITS_S: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


def span_s(text: str) -> int:
    """Seconds, from a number and perhaps a unit.

    >>> span_s("90"), span_s("5m"), span_s("2h"), span_s("7d")
    (90, 300, 7200, 604800)

    Raises:
        UsageError: it is no span.
    """
    found = re.fullmatch(r"(\d{1,9})([smhd]?)", text.strip())
    if found is None:
        raise UsageError(f"{text!r} is no span of time; write 90, 5m, 2h or 7d")
    return int(found[1]) * UNITS_S[found[2]]


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
        if not _is_name(host):
            raise UsageError(f"{text!r} is no job server address; write HOST:PORT, such as 127.0.0.1:4730")
        if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
            raise UsageError(f"{text!r} has no usable port; write HOST:PORT with a port from 1 to 65535")
        return cls(host, int(port))


def _is_name(host: str) -> bool:
    """Whether a resolver can be asked for it: as with IDNA, each part of a name has 1 to 63 bytes."""
    try:
        name = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError:
        return False
    return (
        name.isprintable() and " " not in name and all(0 < len(part) < 64 for part in name.removesuffix(".").split("."))
    )


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
class StoreLimits:
    """What a job server with a store keeps at most."""

    stored_jobs: int = 10_000_000  # that only the store has; beyond, background submits are refused
    window: int = 1000  # of a queue that the store keeps, so many jobs at its head are in memory
    window_bytes: int = 64 * MIB  # with more workloads in memory, a queue's next job comes when it is asked for
    result_bytes: int = 64 * MIB  # of one background job, kept
    results_bytes: int = 1024 * MIB  # of all of them; the oldest go first
    dead_jobs: int = 100_000  # in the dead letter; the oldest go first: what is wrong now is seen in the newest
    dead_bytes: int = 1024 * MIB  # workloads of all of those together


@dataclass(frozen=True)
class ServerLimits(StoreLimits):
    """What one job server holds at most. Past a limit the peer gets an ERROR packet, or is cut with a reason."""

    packet_bytes: int = 64 * MIB  # one packet's body: twice the largest picture a worker takes
    line_bytes: int = 1024  # one line of the text protocol
    function_bytes: int = 512  # as in libgearman, both sides
    unique_bytes: int = 64  # as in gearmand
    client_id_bytes: int = 127  # as in gearmand
    functions: int = 10_000  # names known at a time
    functions_per_worker: int = 1000
    jobs: int = 1_000_000  # in all queues together
    listeners: int = 10_000  # submits that wait for one and the same job
    queued_bytes: int = 1024 * MIB  # workloads of all jobs together
    receiving_bytes: int = 1024 * MIB  # announced by large packets that are on their way in, together
    jobs_per_worker: int = 64  # grabbed and unfinished on one connection
    connections: int = 20_000  # and never so many that descriptors run out
    linger_s: float = 0.001  # a worker that has just ended a job waits so long for the next before it hears NO_JOB
    wake_s: float = 1.0  # a woken worker has this long to grab before another is woken

    unsent_bytes: int = 256 * MIB  # for one peer that does not read; it is cut beyond
    unsent_high_bytes: int = 8 * MIB  # from here on nothing is read from it, and from those that produce for it
    unread_s: float = 30.0  # a peer that stays over the high water for so long is cut
    slow_s: float = 10.0  # a peer that is within a packet all this time must have sent `slow_bytes`, or is cut
    slow_bytes: int = 100 * 1024
    idle_s: float = 3600.0  # of a connection that neither registered a function nor waits for a job
    guesses: int = 1000  # at unknown handles; after so many a connection is read from ten times a second


UNREAD_BYTES: Final = 256 * MIB  # of one task's data and warnings, that a client keeps for whoever reads them


@dataclass(frozen=True)
class Keepalive:
    """How a host that vanished without a word is noticed: by the defaults after 15 + 3 x 5 seconds."""

    idle_s: int = 15
    interval_s: int = 5
    count: int = 3


@dataclass(frozen=True)
class FunctionPolicy:
    """What becomes of background jobs of one function that fail, and of their results, where the server has a store."""

    attempts: int = 1  # failures that a worker reports until the job is given up; 1: none is tried again
    deaths: int = 3  # workers that die with the job, or run out of time, until it is taken for poison
    backoff_s: float = 1.0  # after the first failure; doubled after each, half of it left to chance
    backoff_most_s: float = 300.0
    hopeless: tuple[str, ...] = HOPELESS  # beginnings of errors that no retry would mend
    keep_s: int = 3600  # how a job ended, and its result, can be asked for so long
    cache_s: int = 0  # a submit with the unique of a job that completed so recently is answered with its result

    @property
    def backoff(self) -> Backoff:
        return Backoff(self.backoff_s, self.backoff_most_s)


@dataclass(frozen=True)
class ServerSettings:
    """How one job server behaves. The defaults are those of `fleet server`."""

    listen: Address = field(default_factory=lambda: Address())  # the host "" is every address of this machine
    gateways: tuple[tuple[str, Address], ...] = ()  # other protocols by name, and where each is spoken
    backlog: int = 1024  # connections the kernel keeps before they are accepted
    keepalive: Keepalive | None = field(default_factory=Keepalive)  # None leaves it to the system
    job_retries: int = -1  # how often a job may lose its worker: -1 any number, 0 never, N fails it at the Nth time
    exceptions: bool = False  # every client gets WORK_EXCEPTION packets, not only those that asked for them
    worker_wakeup: int = 1  # how many sleeping workers are woken for each job
    handle_prefix: str = ""  # what handles begin with; "" is H:<host>
    store: str = ""  # where background jobs are kept: "memory", "sqlite:PATH", or "" for nowhere but in the queue
    policies: Mapping[str, FunctionPolicy] = field(default_factory=dict)  # by function; "" is for all others
    admin: Literal["local", "any"] = "local"  # from where text commands are taken that change something
    limits: ServerLimits = field(default_factory=ServerLimits)


@dataclass(frozen=True)
class PoolLimits:
    """What one runner (one job's process) may use, and how long the pool waits for things."""

    deadline_s: float = 20.0  # wall clock per job, a second try included; SIGKILL after it
    memory_bytes: int = 1024 * MIB  # address space beyond the libraries' own; twice that at a second try
    result_bytes: int = 64 * MIB  # as a packet's body
    open_files: int = 32
    processes: int = 256  # of the runners' user, threads too: what a fork bomb gets where no filter stops it
    runner_jobs: int = 500  # that one runner does, where it is not for a single one; then another takes its place
    runner_bytes: int = 256 * MIB  # such a runner that ever held more goes after its job, and its memory with it
    grace_s: float = 20.0  # SIGTERM to giving the running jobs up
    late_bytes: int = 64 * MIB  # of results that are kept for a job server that is gone, all slots together
    late_s: float = 60.0  # for so long


@dataclass(frozen=True)
class Containment:
    """How far a pool keeps its runners from everything but their pictures, and one job from the next.

    Raises:
        UsageError: a word is none of those it may be, or two contradict each other.
    """

    sandbox: str = "preferred"  # what this kernel has of it, and loudly if that is not all; or "required", or "off"
    user: str = "nobody"  # whose rights runners have, by name or number, where the pool is root
    # "job": a process for each. "slot": one process for many, replaced after any that went wrong. "none": the same
    # without a sandbox or a limit of its own, for pictures that are trusted.
    isolation: str = "job"
    environment: tuple[str, ...] = ()  # variables that functions see, besides those that say how programs behave

    SANDBOX: ClassVar[tuple[str, ...]] = ("required", "preferred", "off")
    ISOLATION: ClassVar[tuple[str, ...]] = ("job", "slot", "none")

    def __post_init__(self) -> None:
        if self.sandbox not in self.SANDBOX:
            raise UsageError(f"sandbox is {self.sandbox!r}; it may be {', '.join(self.SANDBOX)}")
        if self.isolation not in self.ISOLATION:
            raise UsageError(f"isolation is {self.isolation!r}; it may be {', '.join(self.ISOLATION)}")
        if self.isolation == "none" and self.sandbox == "required":
            raise UsageError("isolation none has no sandbox, and the sandbox is required; choose one")

    @property
    def contained(self) -> bool:
        """Whether runners are locked in at all."""
        return self.sandbox != "off" and self.isolation != "none"

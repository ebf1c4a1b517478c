"""The job servers nobody here wrote. Each is started on a free port and awaited."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fleet.client import admin
from fleet.errors import Deadline, NoServer
from fleet.settings import Address
from tests import ports
from tests.conftest import missing
from tests.interop.families import PEERS, debian, pypi
from tests.processes import Program, until

# geard tells so much that it would fill its pipe, which nobody reads, and wait for ever.
UNHEARD = ("/bin/sh", "-c", 'exec "$0" "$@" >/dev/null 2>&1')


@dataclass(frozen=True)
class Server:
    """A job server.

    Attributes:
        name: as people call it.
        path: of its program; where that is missing, the test skips.
        options: behind the port.
        version: which one is here.
        lacks: the checks that it does not carry.
    """

    name: str
    path: Path
    options: tuple[str, ...]
    version: Callable[[], str]
    lacks: str = ""

    def __str__(self) -> str:
        return self.name.replace(" ", "-")

    def start(self, spawn: Callable[..., Program], port: int = 0) -> Address:
        """Start it, on any free port unless one is given."""
        if not self.path.exists():
            missing(f"{self.path} is not there; `make interop` installs it")
        with ports.held() as free:
            address = Address(port=port) if port else free
            spawn(*UNHEARD, str(self.path), "-p", str(address.port), *self.options)
            until(lambda: answers(address), f"{self.name} listens")
        return address


def answers(address: Address) -> bool:
    try:
        admin.status(address)
    except (NoServer, Deadline):
        return False
    return True


# Debian has both of them under the name gearmand.
GEARMAND = Server(
    "gearmand",
    Path("/usr/sbin/gearmand"),
    ("--listen=127.0.0.1", "--log-file=stderr", "--verbose=ERROR"),
    lambda: debian("gearman-job-server"),
)
PERL_SERVER = Server(
    "Perl Gearman::Server",
    Path("/usr/bin/gearmand"),
    ("--listen=127.0.0.1",),
    lambda: debian("gearman-server"),
    lacks="low data warning",
)
GEARD = Server("geard", PEERS / "bin" / "geard", ("-d", "--listen-address=127.0.0.1"), lambda: pypi("gear"))

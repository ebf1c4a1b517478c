"""The tool `gearman`, libgearman's and ours, as client and as worker of each other, and at every server."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from fleet.client import admin
from fleet.settings import Address
from tests.conftest import listening, need
from tests.interop.families import debian
from tests.interop.matrix import Named, row
from tests.interop.servers import GEARD, GEARMAND, PERL_SERVER
from tests.processes import FLEET, LIMIT_S, Program, until

pytestmark = [pytest.mark.interop, pytest.mark.system]

Spawn = Callable[..., Program]
THEIRS = ("gearman",)
OURS = (*FLEET, "gearman")


TOOL = Named("gearman (libgearman)", lambda: debian("gearman-tools"))


def our_server(spawn: Spawn) -> Address:
    return listening(spawn(*FLEET, "server", "--port", "0"))


PAIRS = [
    pytest.param(THEIRS, OURS, our_server, marks=row(TOOL, "its client, our worker")),
    pytest.param(OURS, THEIRS, our_server, marks=row(TOOL, "our client, its worker")),
    pytest.param(THEIRS, THEIRS, our_server, marks=row(TOOL, "its client, its worker")),
    *(
        pytest.param(OURS, OURS, server.start, marks=row(server, "fleet gearman with itself"))
        for server in (GEARMAND, GEARD, PERL_SERVER)
    ),
]


@pytest.mark.parametrize(("client", "worker", "start"), PAIRS)
def test_a_shell_client_and_a_shell_worker(
    client: tuple[str, ...], worker: tuple[str, ...], start: Callable[[Spawn], Address], spawn: Spawn
) -> None:
    need("gearman")
    server = start(spawn)
    where = ("-h", server.host, "-p", str(server.port), "-f", "wc")
    spawn(*worker, "-w", *where, "--", "wc", "-l")
    until(lambda: any(f.name == "wc" and f.workers for f in admin.status(server)), "the worker registered")
    for lines in (3, 200_000):
        done = subprocess.run(
            [*client, *where], input=b"line\n" * lines, capture_output=True, timeout=LIMIT_S, check=True
        )
        assert int(done.stdout) == lines

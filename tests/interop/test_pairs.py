"""Every library's client and worker at our job server: with each other, and with ours."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fleet.client import admin
from fleet.settings import Address
from tests.interop.families import OURS, SEEN, THEIRS, Family
from tests.interop.matrix import row
from tests.processes import Program, until

pytestmark = [pytest.mark.interop, pytest.mark.system]

PAIRS = [
    pytest.param(client, worker, marks=row(family, direction), id=f"{client}-{worker}")
    for family in THEIRS
    for client, worker, direction in (
        (family, OURS, "its client, our worker"),
        (OURS, family, "our client, its worker"),
        (family, family, "its client, its worker"),
    )
]


@pytest.mark.parametrize(("client", "worker"), PAIRS)
def test_a_client_sees_all_that_a_worker_does(
    client: Family, worker: Family, server: Address, spawn: Callable[..., Program]
) -> None:
    get_on(client, worker, server, spawn)


def get_on(client: Family, worker: Family, server: Address, spawn: Callable[..., Program]) -> None:
    """Have the client make all checks that the two can make together."""
    working = worker.worker(spawn, server)
    until(lambda: reversing(server) or working.process.poll() is not None, "the worker registered")
    checks = client.checks_with(worker)
    asking = client.client(spawn, server, checks)
    for check in checks:
        assert_seen(check, asking, working)
    assert asking.ended() == 0


def reversing(server: Address) -> bool:
    """Whether there is a worker for `reverse`."""
    return any(function.name == "reverse" and function.workers for function in admin.status(server))


def assert_seen(check: str, client: Program, worker: Program) -> None:
    """The client's next line says of this check what it should."""
    try:
        line = client.out.line()
    except AssertionError as nothing_came:
        line = str(nothing_came)
    if not (line.startswith(f"{check}: ") and line.endswith(SEEN[check])):
        pytest.fail(f"{check} should show {SEEN[check]}, not {line!r}. {complaints(client)} {complaints(worker)}")


def complaints(program: Program) -> str:
    """What it wrote to its standard error until now."""
    program.process.kill()
    return program.err.tail()[-2000:]

"""A client and a worker at a job server, and what the one sees of what the other does."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fleet.client import admin
from fleet.settings import Address
from tests.interop.families import SEEN, Family
from tests.processes import Program, until


def get_on(
    client: Family, worker: Family, server: Address, spawn: Callable[..., Program], *, without: str = ""
) -> None:
    """Have the client make all checks that the two can make together, but those that the server cannot carry."""
    working = worker.worker(spawn, server)
    until(lambda: reversing(server) or working.process.poll() is not None, "the worker registered")
    checks = [check for check in client.checks_with(worker) if check not in without.split()]
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

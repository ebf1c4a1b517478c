"""The talk's hello world in every pairing: PHP and Python workers; PHP, Python, and command line clients."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fleet import Client
from fleet.client import admin
from fleet.settings import Address
from tests.conftest import need
from tests.processes import FLEET, LIMIT_S, ROOT, Program, until

pytestmark = [pytest.mark.interop, pytest.mark.system]

EXAMPLES = ROOT / "examples"
GREETING = "!dlroW olleH"


@pytest.fixture(params=["php", "python"])
def reversing(request: pytest.FixtureRequest, spawn: Callable[..., Program], server: Address) -> Address:
    """A job server with a worker for `reverse`."""
    if request.param == "php":
        spawn(need_php(), str(EXAMPLES / "php" / "reverse_worker.php"), server.host, str(server.port))
    else:
        spawn(FLEET[0], str(EXAMPLES / "reverse_worker.py"), str(server))
    until(lambda: any(f.name == "reverse" and f.workers for f in admin.status(server)), "the worker registered")
    return server


def need_php() -> str:
    """PHP with its gearman extension."""
    import subprocess

    php = need("php")
    modules = subprocess.run([php, "-m"], capture_output=True, text=True, check=True).stdout.split()
    if "gearman" not in modules:
        need("php with ext-gearman")
    return php


def test_python_client(reversing: Address) -> None:
    with Client(reversing) as client:
        assert client.run("reverse", "Hello World!", timeout=LIMIT_S) == GREETING.encode()


def test_php_client(reversing: Address, spawn: Callable[..., Program]) -> None:
    script = str(EXAMPLES / "php" / "reverse_client.php")
    program = spawn(need_php(), script, reversing.host, str(reversing.port))
    assert (program.out.line(), program.ended()) == (GREETING, 0)


def test_fleet_run(reversing: Address, spawn: Callable[..., Program]) -> None:
    program = spawn(*FLEET, "run", "-f", "reverse", "Hello World!", "--servers", str(reversing))
    assert program.ended() == 0
    assert program.out.tail() == GREETING


def test_gearman_tool(reversing: Address, spawn: Callable[..., Program]) -> None:
    where = ("-h", reversing.host, "-p", str(reversing.port))
    program = spawn(need("gearman"), *where, "-f", "reverse", "Hello World!")
    assert program.ended() == 0
    assert program.out.tail() == GREETING

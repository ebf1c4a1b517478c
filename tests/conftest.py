"""What all tests share: programs that are gone when the test is."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

import hypothesis
import pytest

from fleet.settings import Address
from tests import ports
from tests.processes import FLEET, Program

# Whoever runs the tests in the background, or under nohup, ignores these, and what is started here would inherit that.
for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

# By default an example that takes 200 ms fails, which on a busy machine any does.
hypothesis.settings.register_profile("unhurried", hypothesis.settings(), deadline=None)
hypothesis.settings.load_profile("unhurried")

SAMPLES = Path(__file__).parents[1] / "samples" / "images"


@pytest.fixture
def spawn() -> Iterator[Callable[..., Program]]:
    """Start a program; it and all it started are killed after the test."""
    started: list[Program] = []

    def start(*argv: str, **how: object) -> Program:
        started.append(Program(*argv, **how))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for program in reversed(started):
        program.clear()


@pytest.fixture
def closed_port() -> Iterator[ports.ClosedPort]:
    """Makes ports that nobody listens on, unless the test has somebody do so; see ports.py."""
    with ExitStack() as held:
        yield lambda: held.enter_context(ports.held())


@pytest.fixture
def server(spawn: Callable[..., Program]) -> Address:
    """A running job server."""
    return listening(spawn(*FLEET, "server", "--port", "0"))


@pytest.fixture
def fleet_of_two(spawn: Callable[..., Program]) -> Address:
    """The job server of a whole fleet with two slots."""
    return up(spawn(*FLEET, "up", "--workers", "2", "--port", "0"))


def up(program: Program) -> Address:
    """Where the job server of a fleet listens, once `fleet up` said that all is ready."""
    line = program.out.line()
    assert line.startswith("server   listening "), (line, program.err.rest())
    program.out.until("ready ")
    assert program.out.line() == "ready"
    return Address.parse(line.split()[-1])


def listening(program: Program) -> Address:
    """Where a job server that was just started listens."""
    line = program.out.line()
    assert line.startswith("listening "), (line, program.err.rest())
    return Address.parse(line.removeprefix("listening "))


def start_at(where: Address, spawn: Callable[..., Program], *options: str) -> Program:
    """A job server that was just started on this port, one that is held for the test, and listens there."""
    program = spawn(*FLEET, "server", "--port", str(where.port), *options)
    assert listening(program) == where
    return program


def need(program: str) -> str:
    """The path of a program nobody here wrote: without it the test is skipped, and fails in CI."""
    found = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        missing(f"{program} is not installed; `make system` installs it where apt is")
    return found


def missing(reason: str) -> NoReturn:
    """Something that nobody here wrote is not here: the test is skipped, and fails in CI."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def large_jpeg() -> bytes:
    """The 12-megapixel kitten."""
    return (SAMPLES / "large.jpg").read_bytes()

"""A runner, forked from the test: what it does with errands, and what it is left with."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from fleet.linux import address_space
from fleet.settings import Containment, PoolLimits
from fleet.workers import channel, runner
from fleet.workers.channel import Errand, Kind, Progress, Record, Records
from fleet.workers.kit import Function, Part
from fleet.workers.sandbox import Sandbox
from tests.processes import LIMIT_S

pytestmark = pytest.mark.system

WORKLOAD = b"the workload"


def upper(workload: memoryview) -> bytes:
    return bytes(workload).upper()


def parts(workload: memoryview) -> Iterator[Part]:
    yield b"one"
    yield Progress(1, 2)
    yield b"two"


def wrong(workload: memoryview) -> bytes:
    raise ValueError("no such picture")


def left_with(workload: memoryview) -> bytes:
    """What the descriptors besides the standard ones are; a mapping has one of its own for what is mapped."""
    numbers = [int(name) for name in os.listdir("/proc/self/fd")]
    paths = [f"/proc/self/fd/{number}" for number in numbers if number > 2]
    return " ".join(sorted({os.readlink(path).partition(":")[0] for path in paths if os.path.lexists(path)})).encode()


def limits(workload: memoryview) -> bytes:
    core, files = resource.getrlimit(resource.RLIMIT_CORE), resource.getrlimit(resource.RLIMIT_FSIZE)
    return f"{core} {files}".encode()


FUNCTIONS: dict[str, Function] = {f.__name__: f for f in (upper, parts, wrong, left_with, limits)}


class Ours:
    """The pool's end of one runner."""

    def __init__(self, sock: socket.socket, pid: int) -> None:
        self._sock = sock
        self._pid = pid
        self._records = Records(1 << 20)
        self._said: list[Record] = []

    def ask(self, function: str, offset: int = 0, length: int = len(WORKLOAD)) -> list[Record]:
        """All that it says to an errand, up to its last record."""
        self._sock.sendall(channel.job(Errand(function, offset, length)))
        said = [self._next()]
        while said[-1].kind not in channel.LAST:
            said.append(self._next())
        return said

    def stays(self) -> bool:
        return self._next() == Record(Kind.STAYS)

    def _next(self) -> Record:
        while not self._said:
            data = self._sock.recv(65536)
            assert data, "it is gone"
            self._said += self._records.feed(data)
        return self._said.pop(0)

    def code(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])


@contextmanager
def running(isolation: Any = "job") -> Iterator[Ours]:
    containment = Containment(sandbox="off", isolation=isolation)
    limits = PoolLimits(runner_bytes=1 << 40)  # it begins with as much as the tests hold by then
    terms = runner.terms(limits, containment, Sandbox(containment), address_space())
    memory = os.memfd_create("workload")
    os.write(memory, WORKLOAD)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(LIMIT_S)
        pid = os.fork()
        if pid == 0:
            runner.run(FUNCTIONS, (memory, theirs.fileno()), 256 << 20, terms)
        os.close(memory)
        theirs.close()
        yield Ours(ours, pid)


def test_it_does_one_errand_and_is_gone() -> None:
    with running() as ours:
        assert ours.ask("upper") == [Record(Kind.RESULT, b"THE WORKLOAD")]
        assert ours.code() == 0


def test_the_workload_is_where_the_errand_says() -> None:
    with running() as ours:
        assert ours.ask("upper", 4, 4) == [Record(Kind.RESULT, b"WORK")]
        assert ours.code() == 0


def test_parts_and_progress_come_in_their_order() -> None:
    with running() as ours:
        data, status, more, end = ours.ask("parts")
        assert (data, more, end) == (Record(Kind.DATA, b"one"), Record(Kind.DATA, b"two"), Record(Kind.RESULT))
        assert channel.progress(status.body) == Progress(1, 2)
        assert ours.code() == 0


def test_one_that_may_do_many_says_that_it_stays_until_one_gives_trouble() -> None:
    with running("slot") as ours:
        for _ in range(3):
            assert ours.ask("upper")[-1].kind == Kind.RESULT
            assert ours.stays()
        (said,) = ours.ask("wrong")
        assert said.kind == Kind.ERROR
        assert b"no such picture" in said.body
        assert ours.code() == 0


def test_without_an_errand_it_goes_when_the_pool_does() -> None:
    with running() as ours:
        ours._sock.close()
        assert ours.code() == 0


def test_it_has_its_input_its_channel_and_nothing_else() -> None:
    with running() as ours:
        assert ours.ask("left_with") == [Record(Kind.RESULT, b"/memfd socket")]
        assert ours.code() == 0


def test_it_can_write_no_file_and_leave_no_core() -> None:
    with running() as ours:
        assert ours.ask("limits") == [Record(Kind.RESULT, b"(0, 0) (0, 0)")]
        assert ours.code() == 0

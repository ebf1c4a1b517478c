"""Jobs whose job server dies while a pool of ours is at them: a durable one is not done again."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from itertools import starmap
from pathlib import Path

import pytest

from fleet import Client
from fleet.client import admin
from fleet.protocol import REQ, RES, Decoder, encode
from fleet.protocol import packets as p
from fleet.settings import Address
from tests.conftest import start_at
from tests.interop.servers import GEARMAND
from tests.peer import Packet
from tests.ports import ClosedPort
from tests.processes import FLEET, LIMIT_S, Program, alive, descendants, until
from tests.workers.test_pool import begun, tell

pytestmark = pytest.mark.system

Start = Callable[[], Program]


@pytest.fixture
def where(closed_port: ClosedPort) -> Address:
    return closed_port()


@pytest.fixture
def start(spawn: Callable[..., Program], tmp_path: Path, where: Address) -> Start:
    """Starts a job server in the same place and on the same store each time."""
    return lambda: start_at(where, spawn, "--store", f"sqlite:{tmp_path}/jobs")


def start_pool(spawn: Callable[..., Program], address: Address, slots: int = 1) -> Program:
    pool = spawn(FLEET[0], "-m", "tests.workers.pool", str(address), str(slots))
    assert pool.out.line().startswith("ready")
    return pool


def kill(server: Program) -> None:
    server.send(signal.SIGKILL)
    server.ended()


@pytest.mark.parametrize("when", ["before the server is back", "afterwards"])
def test_a_job_that_ends_after_the_server_died_is_not_done_again(
    start: Start, spawn: Callable[..., Program], where: Address, when: str
) -> None:
    server = start()
    pool = start_pool(spawn, where, slots=3)  # two of which have nothing to do, and are back as early
    with Client(where, timeout=LIMIT_S) as client:
        task = client.submit("until_told", background=True)
    runner = begun(pool)
    kill(server)
    if when == "before the server is back":
        tell(runner)
        pool.err.until("ended")
    start()
    with Client(where, timeout=LIMIT_S) as client:
        if when == "afterwards":
            until(lambda: running(where) == 1, "the pool has the job again")
            tell(runner)
        assert client.run("fleet.result", str(task.handle)) == b"done"
    assert sum(function.jobs for function in admin.status(where)) == 0
    pool.stop()
    assert "begun" not in pool.err.rest()


def running(server: Address) -> int:
    return sum(function.running for function in admin.status(server))


def test_a_foreground_job_of_a_dead_server_is_killed_when_the_next_does_not_know_it(
    start: Start, spawn: Callable[..., Program], where: Address
) -> None:
    server = start()
    pool = start_pool(spawn, where)
    with socket.create_connection((where.host, where.port)) as client:
        client.sendall(encode(REQ, p.SUBMIT_JOB, b"until_told", b"", b""))
        runner = begun(pool)
        kill(server)
        assert alive(runner)
    start()
    until(lambda: not alive(runner), "the runner is gone")
    with Client(where, timeout=LIMIT_S) as again:
        assert again.run("reverse", b"abc") == b"cba"


@pytest.mark.interop
def test_another_kind_of_server_in_its_place_hears_nothing_of_it(
    start: Start, spawn: Callable[..., Program], where: Address
) -> None:
    server = start()
    pool = start_pool(spawn, where)
    with Client(where, timeout=LIMIT_S) as client:
        client.submit("until_told", background=True)
    runner = begun(pool)
    kill(server)
    tell(runner)
    pool.err.until("ended")
    with Recorder(where) as recorder, recorder.accepted() as stock:
        first = stock.until(p.OPTION_REQ)
        stock.send(p.ERROR, b"UNKNOWN_OPTION", b"Server does not recognize given option")
        heard = [*first, *stock.until(p.GRAB_JOB_UNIQ)]
    assert not {packet.kind for packet in heard} & {p.WORK_STATUS, p.WORK_COMPLETE, p.WORK_EXCEPTION}
    GEARMAND.start(spawn, where.port)
    with Client(where, timeout=LIMIT_S) as client:
        assert client.run("reverse", b"abc") == b"cba"


@pytest.mark.parametrize("function", ["reverse", "raises"])
def test_a_result_that_may_not_have_arrived_is_sent_again(spawn: Callable[..., Program], function: str) -> None:
    with Recorder() as recorder:
        pool = spawn(FLEET[0], "-m", "tests.workers.pool", str(recorder.address), "1")
        kind = p.WORK_COMPLETE if function == "reverse" else p.WORK_EXCEPTION
        with recorder.accepted() as link:
            link.until(p.OPTION_REQ)
            link.send(p.OPTION_RES, p.POOL)
            link.until(p.GRAB_JOB_UNIQ)
            link.send(p.JOB_ASSIGN_UNIQ, b"H:1", function.encode(), b"", b"abc")
            (*_, sent) = link.until(kind)  # and now the server dies
        with recorder.accepted() as link:
            link.until(p.OPTION_REQ)
            link.send(p.OPTION_RES, p.POOL)
            *before, again = link.until(kind)
            assert again == sent
            assert p.GRAB_JOB_UNIQ not in {packet.kind for packet in before}
            link.until(p.GRAB_JOB_UNIQ)
            link.send(p.NO_JOB)
            link.until(p.PRE_SLEEP)
        with recorder.accepted() as link:  # it is owed no more
            assert kind not in {packet.kind for packet in link.until(p.GRAB_JOB_UNIQ)}
    pool.stop()


def test_a_job_whose_parts_went_with_the_server_is_given_up(spawn: Callable[..., Program]) -> None:
    with Recorder() as recorder:
        pool = spawn(FLEET[0], "-m", "tests.workers.pool", str(recorder.address), "1")
        with recorder.accepted() as link:
            link.until(p.OPTION_REQ)
            link.send(p.OPTION_RES, p.POOL)
            link.until(p.GRAB_JOB_UNIQ)
            link.send(p.JOB_ASSIGN_UNIQ, b"H:1", b"begins", b"", b"")
            link.until(p.WORK_DATA)
            runner = descendants(pool.pid)[-1]
        until(lambda: not alive(runner), "the runner is gone")
        with recorder.accepted() as link:
            told = {packet.kind for packet in link.until(p.GRAB_JOB_UNIQ)}
    assert not told & {p.WORK_STATUS, p.WORK_COMPLETE, p.WORK_EXCEPTION}


class Recorder:
    """A job server played by the test, to see each packet of a pool."""

    def __init__(self, where: Address | None = None) -> None:
        self._listener = socket.create_server(("127.0.0.1", where.port if where else 0))
        self._listener.settimeout(LIMIT_S)
        self.address = Address(*self._listener.getsockname())

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *exc: object) -> None:
        self._listener.close()

    def accepted(self) -> Accepted:
        return Accepted(self._listener.accept()[0])


class Accepted:
    """One connection."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._sock.settimeout(LIMIT_S)
        self._packets = self._read()

    def __enter__(self) -> Accepted:
        return self

    def __exit__(self, *exc: object) -> None:
        self._sock.close()

    def send(self, kind: int, *args: bytes) -> None:
        self._sock.sendall(encode(RES, kind, *args))

    def until(self, kind: int) -> list[Packet]:
        """All packets up to the first of this kind."""
        found = []
        for packet in self._packets:
            found.append(packet)
            if packet.kind == kind:
                return found
        raise AssertionError(f"it closed after {found}")

    def _read(self) -> Iterator[Packet]:
        decoder = Decoder(REQ, body_bytes=1 << 20)
        while data := self._sock.recv(65536):
            yield from starmap(Packet, decoder.feed(data))

"""The launcher and the zygote it starts: real processes, without a job server."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager

import pytest

from fleet.settings import Containment, PoolLimits
from fleet.workers.death import Death, of_status
from fleet.workers.kit import Kit, kit_of
from fleet.workers.launcher import Launcher
from tests.processes import LIMIT_S, alive, descendants, open_files
from tests.workers.hostile import FUNCTIONS

pytestmark = pytest.mark.system

MEMORY_BYTES = 512 << 20
KILLED_TEXTS = {of_status(signal.SIGKILL, known).text for known in (True, False)}


class Bench:
    """A launcher, what it said, and what its runners came to."""

    def __init__(self, kit: Kit) -> None:
        self.said: list[str] = []
        self.deaths: dict[int, Death] = {}
        self._changed = asyncio.Event()
        self.launcher = Launcher(kit, PoolLimits(), Containment(sandbox="off"), self._changed.set, self._say)

    def _say(self, line: str) -> None:
        self.said.append(line)
        self._changed.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    def run(self) -> tuple[int, socket.socket]:
        """A runner that waits for its job; its number and our end of its channel."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        reader, writer = os.pipe()
        number = 0

        def ended(death: Death) -> None:
            self.deaths[number] = death
            self._changed.set()

        number = self.launcher.run(reader, theirs, MEMORY_BYTES, ended)
        theirs.close()
        os.close(reader)
        os.close(writer)
        return number, ours


@asynccontextmanager
async def launched(kit: Kit | None = None) -> AsyncIterator[Bench]:
    bench = Bench(kit or kit_of(FUNCTIONS))
    try:
        yield bench
    finally:
        bench.launcher.close()


def test_a_runner_that_is_killed_is_reported_once_by_its_number() -> None:
    async def scene() -> None:
        async with launched() as bench:
            bench.launcher.start()
            await bench.until(lambda: bench.launcher.ready)
            (first, one), (second, two) = bench.run(), bench.run()
            with one, two:
                bench.launcher.kill(second)
                await bench.until(lambda: bool(bench.deaths))
                assert list(bench.deaths) == [second]
                bench.launcher.kill(first)
                bench.launcher.kill(second)  # it is gone: nothing happens
                await bench.until(lambda: len(bench.deaths) == 2)

    asyncio.run(scene())


def test_a_zygote_that_dies_takes_its_runners_along_and_is_replaced() -> None:
    async def scene() -> None:
        async with launched() as bench:
            bench.launcher.start()
            await bench.until(lambda: bench.launcher.ready)
            number, channel = bench.run()
            with channel:
                (zygote,) = [pid for pid in descendants(os.getpid()) if pid in children()]
                os.kill(zygote, signal.SIGKILL)
                await bench.until(lambda: not bench.launcher.ready)
                assert bench.deaths[number].text == "the process that started it was lost"
                await bench.until(lambda: bench.launcher.ready)
                assert not alive(zygote)
        assert not children()

    def children() -> list[int]:
        path = f"/proc/{os.getpid()}/task/{os.getpid()}/children"
        with open(path) as file:
            return [int(pid) for pid in file.read().split()]

    asyncio.run(scene())


def test_more_runners_than_a_socket_holds_requests_for_are_all_started_and_killed() -> None:
    async def scene() -> None:
        async with launched() as bench:
            bench.launcher.start()
            await bench.until(lambda: bench.launcher.ready)
            assert bench.launcher._control
            bench.launcher._control._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
            with ExitStack() as channels:
                numbers = []
                for _ in range(30):
                    number, channel = bench.run()
                    channels.enter_context(channel)
                    numbers.append(number)
                for number in numbers:
                    bench.launcher.kill(number)
                await bench.until(lambda: len(bench.deaths) == 30)
            assert {death.text for death in bench.deaths.values()} <= KILLED_TEXTS

    asyncio.run(scene())


def test_a_kit_that_cannot_be_loaded_is_refused_in_words() -> None:
    async def scene() -> None:
        async with launched(kit_of({"f": "tests.workers.no_such:f"})) as bench:
            bench.launcher.start()
            await bench.until(lambda: bench.launcher.refusal is not None)
            assert "tests.workers.no_such" in str(bench.launcher.refusal)
            assert not bench.launcher.ready

    asyncio.run(scene())


def test_f12_without_descriptors_the_zygote_is_started_as_soon_as_there_are_some() -> None:
    async def scene() -> None:
        async with launched() as bench:
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            before = len(open_files())
            resource.setrlimit(resource.RLIMIT_NOFILE, (before, hard))
            try:
                bench.launcher.start()
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            assert "too many open files" in bench.said[0].lower()
            assert len(os.listdir("/proc/self/fd")) == before  # what was half open is closed
            await bench.until(lambda: bench.launcher.ready)

    asyncio.run(scene())

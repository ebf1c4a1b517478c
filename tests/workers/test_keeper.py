"""A runner's keeper, with a runner that is played here at the other end of its channel."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from collections.abc import Awaitable, Callable

import pytest

from fleet.workers import channel
from fleet.workers.channel import Errand, Kind, Progress, Record
from fleet.workers.death import Death
from fleet.workers.keeper import Ended, Keeper
from tests.processes import LIMIT_S, open_files

ERRAND = Errand("resize", 0, 5)
KILLED = Death("it was killed")


class Played:
    """A launcher, and the runners it would have started."""

    def __init__(self, many: bool = False) -> None:
        self.ready = True
        self.many = many
        self.channels: list[socket.socket] = []
        self.memory: list[int] = []
        self.killed: list[int] = []
        self._ended: list[Ended] = []
        self.events: list[Record | Death | None] = []

    def run(self, reader: int, channel: socket.socket, memory_bytes: int, ended: Ended) -> int:
        self.channels.append(channel.dup())
        self.memory.append(memory_bytes)
        self._ended.append(ended)
        return len(self.channels) - 1

    def kill(self, runner: int) -> None:
        self.killed.append(runner)

    def say(self, runner: int, *records: Record) -> None:
        for record in records:
            self.channels[runner].sendall(channel.head(record.kind, len(record.body)) + record.body)

    def ends(self, runner: int, death: Death) -> None:
        self.channels[runner].close()
        self._ended[runner](death)

    def errand(self, runner: int) -> Errand:
        (record,) = channel.Records(1000).feed(self.channels[runner].recv(1000))
        return channel.errand(record.body)


def play(script: Callable[[Keeper, Played], Awaitable[None]], many: bool = False) -> Played:
    """Run a script; returns what happened, and has checked that no channel was left open."""
    played = Played(many)

    async def run() -> None:
        keeper = Keeper(played, 0, 100, played.events.append, played.events.append)
        before = open_files()
        await script(keeper, played)
        keeper.dismiss()
        for end in played.channels:
            end.close()
        assert set(os.listdir("/proc/self/fd")) == before

    asyncio.run(run())
    return played


async def heard(played: Played, count: int) -> None:
    async with asyncio.timeout(LIMIT_S):
        while len(played.events) < count:
            await asyncio.sleep(0)


def test_a_runner_is_there_before_its_errand_and_is_heard_to_the_end() -> None:
    told = [Record(Kind.DATA, b"part"), Record(Kind.STATUS, channel.status(Progress(1, 2))[5:]), Record(Kind.RESULT)]

    async def script(keeper: Keeper, played: Played) -> None:
        keeper.prepare(64)
        keeper.prepare(64)
        assert played.memory == [64], "one is enough"
        keeper.send(ERRAND, 64)
        assert played.errand(0) == ERRAND
        played.say(0, *told)
        await heard(played, 3)
        played.ends(0, Death("it ended without a result"))

    assert play(script).events == [*told, Death("it ended without a result")]


def test_what_a_runner_wrote_before_it_died_is_told_first() -> None:
    async def script(keeper: Keeper, played: Played) -> None:
        keeper.send(ERRAND, 64)
        played.say(0, Record(Kind.DATA, b"one"), Record(Kind.RESULT, b"two"))
        played.ends(0, KILLED)

    assert play(script).events == [Record(Kind.DATA, b"one"), Record(Kind.RESULT, b"two"), KILLED]


def test_a_runner_that_dies_while_it_waits_costs_nothing() -> None:
    async def script(keeper: Keeper, played: Played) -> None:
        keeper.prepare(64)
        played.ends(0, KILLED)
        assert played.events == []
        keeper.send(ERRAND, 64)
        assert played.errand(1) == ERRAND
        played.ends(1, KILLED)

    assert play(script).events == [KILLED]


def test_one_that_is_dead_already_when_the_errand_comes_ends_it() -> None:
    async def script(keeper: Keeper, played: Played) -> None:
        keeper.prepare(64)
        played.channels[0].close()
        keeper.send(ERRAND, 64)
        played.ends(0, KILLED)

    assert play(script).events == [KILLED]


def test_f12_without_descriptors_an_errand_ends_and_the_next_has_a_runner() -> None:
    async def script(keeper: Keeper, played: Played) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) - 1, hard))
        try:
            keeper.prepare(64)
            await asyncio.sleep(0)  # that one there could not be costs nothing
            keeper.send(ERRAND, 64)
            await heard(played, 1)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        keeper.send(ERRAND, 64)
        assert played.errand(0) == ERRAND
        played.ends(0, KILLED)

    assert play(script).events == [Death("it could not be started: Too many open files", by_job=False), KILLED]


def test_more_memory_is_another_runner() -> None:
    async def script(keeper: Keeper, played: Played) -> None:
        keeper.prepare(64)
        keeper.send(ERRAND, 128)
        assert (played.memory, played.killed) == ([64, 128], [0])
        played.ends(0, KILLED)  # of it nothing is heard any more
        assert played.events == []
        played.ends(1, KILLED)

    assert play(script).events == [KILLED]


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (b"\0\xff\0\0\0\0", "it sent garbage"),
        (channel.head(Kind.RESULT, 101), "it sent more than a result may have"),
        (channel.head(Kind.STATUS, 1) + b"x", "it sent a status of the wrong size"),
        (channel.head(Kind.STAYS, 0), "it sent that it stays, before its errand was done"),
    ],
)
def test_what_no_runner_of_ours_writes_is_its_end(written: bytes, text: str) -> None:
    async def script(keeper: Keeper, played: Played) -> None:
        keeper.send(ERRAND, 64)
        played.channels[0].sendall(written)
        async with asyncio.timeout(LIMIT_S):
            while not played.killed:
                await asyncio.sleep(0)
        assert played.events == []
        played.ends(0, KILLED)

    assert play(script).events == [Death(text)]


def test_after_its_last_record_a_runner_for_one_job_is_not_heard() -> None:
    async def script(keeper: Keeper, played: Played) -> None:
        keeper.send(ERRAND, 64)
        played.say(0, Record(Kind.RESULT, b"x"))
        await heard(played, 1)
        with pytest.raises(BrokenPipeError):
            played.say(0, Record(Kind.STAYS), Record(Kind.RESULT, b"y"))
        played.ends(0, KILLED)

    assert play(script).events == [Record(Kind.RESULT, b"x"), KILLED]


def test_a_runner_that_stays_has_the_next_errand_and_no_answer_before_it() -> None:
    async def script(keeper: Keeper, played: Played) -> None:
        for turn in (1, 2):
            keeper.send(ERRAND, 64)
            assert played.errand(0) == ERRAND
            played.say(0, Record(Kind.RESULT, b"x"), Record(Kind.STAYS))
            await heard(played, 2 * turn)
        assert played.memory == [64]
        played.say(0, Record(Kind.RESULT, b"an answer to what nobody asked"))
        async with asyncio.timeout(LIMIT_S):
            while not played.killed:
                await asyncio.sleep(0)
        played.ends(0, KILLED)

    assert play(script, many=True).events == [Record(Kind.RESULT, b"x"), None] * 2


def test_one_that_could_stay_and_dies_instead_has_ended_its_errand_once() -> None:
    async def script(keeper: Keeper, played: Played) -> None:
        keeper.send(ERRAND, 64)
        played.say(0, Record(Kind.ERROR, b"x"))
        await heard(played, 1)
        played.ends(0, KILLED)
        keeper.prepare(64)
        assert len(played.channels) == 2

    assert play(script, many=True).events == [Record(Kind.ERROR, b"x"), KILLED]

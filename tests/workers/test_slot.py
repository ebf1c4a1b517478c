"""A slot by itself: the job server at one end and the runners at the other are played here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from itertools import starmap

import pytest

from fleet.protocol import REQ, RES, Data, Decoder, encode
from fleet.protocol import packets as p
from fleet.settings import Address, PoolLimits
from fleet.workers import channel, slot
from fleet.workers.channel import Errand, Kind, Record
from fleet.workers.death import Death
from fleet.workers.denials import Denials
from fleet.workers.late import Late
from fleet.workers.slot import Slot
from tests.peer import Packet
from tests.processes import LIMIT_S
from tests.workers.test_keeper import Played

MEMORY = PoolLimits().memory_bytes
CRASHED = Death("it crashed")
KILLED = Death("somebody killed it", by_job=False)
SAID = {p.WORK_DATA, p.WORK_STATUS, p.WORK_COMPLETE, p.WORK_FAIL, p.WORK_EXCEPTION}
OTHERS = p.ERROR, b"UNKNOWN_OPTION", b"Server does not recognize given option"


class Runners(Played):
    """As a keeper's, heard while the loop goes on."""

    async def errand(self, number: int) -> Errand:  # type: ignore[override]
        """What this one was given, once it was."""
        while len(self.channels) <= number:
            await asyncio.sleep(0)
        self.channels[number].setblocking(False)
        data = await asyncio.get_running_loop().sock_recv(self.channels[number], 1000)
        (record,) = channel.Records(1000).feed(data)
        return channel.errand(record.body)

    async def was_killed(self, number: int) -> None:
        while number not in self.killed:
            await asyncio.sleep(0)


class Connection:
    """A job server's end of the slot's connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._decoder = Decoder(REQ, body_bytes=1 << 20)
        self._came: list[Packet] = []

    def send(self, kind: int, *args: bytes) -> None:
        self._writer.write(encode(RES, kind, *args))

    def assign(self, handle: bytes = b"H:1", workload: bytes = b"work") -> None:
        self.send(p.JOB_ASSIGN_UNIQ, handle, b"f", b"", workload)

    async def until(self, kind: int) -> list[Packet]:
        """All packets up to the first of this kind."""
        found: list[Packet] = []
        while not found or found[-1].kind != kind:
            found.append(await self._next())
        return found

    async def asked_for_a_job(self, *, ours: bool = True) -> list[Packet]:
        """All up to its first grab; it is told before whose server this is."""
        found = await self.until(p.OPTION_REQ)
        self.send(*((p.OPTION_RES, p.POOL) if ours else OTHERS))
        return found + await self.until(p.GRAB_JOB_UNIQ)

    async def rest(self) -> list[Packet]:
        """All until it hangs up."""
        found = []
        try:
            while True:
                found.append(await self._next())
        except EOFError:
            return found

    async def _next(self) -> Packet:
        while not self._came:
            try:
                data = await self._reader.read(65536)
            except ConnectionResetError:
                data = b""  # it had not read all that was sent to it
            if not data:
                raise EOFError
            self._came += starmap(Packet, self._decoder.feed(data))
        return self._came.pop(0)

    def hang_up(self) -> None:
        self._writer.transport.abort()


class Scene:
    """A slot, and what is around it."""

    def __init__(self, address: Address, connections: asyncio.Queue[Connection], deadline_s: float) -> None:
        self.address = address
        self.runners = Runners()
        self.late = Late(1000, 60 * 1_000_000_000)
        limits = PoolLimits(deadline_s=deadline_s)
        self.slot = Slot("me", [address], ["f"], self.runners, limits, Denials(), self.late, lambda: None)
        self.connection = connections.get  # the next one

    async def at_a_job(self, *, ours: bool = True, workload: bytes = b"work") -> Connection:
        """The connection by which it got the job H:1; the first runner has the errand."""
        link = await self.connection()
        await link.asked_for_a_job(ours=ours)
        link.assign(workload=workload)
        await self.runners.errand(0)
        return link


def play(script: Callable[[Scene], Awaitable[None]], deadline_s: float = LIMIT_S) -> None:
    """Run a script with a slot that has just begun to connect."""

    async def run() -> None:
        connections: asyncio.Queue[Connection] = asyncio.Queue()
        open_writers: list[asyncio.StreamWriter] = []

        def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            open_writers.append(writer)
            connections.put_nowait(Connection(reader, writer))

        server = await asyncio.start_server(accepted, "127.0.0.1", 0)
        async with asyncio.timeout(LIMIT_S):
            scene = Scene(Address(*server.sockets[0].getsockname()), connections, deadline_s)
            (link,) = scene.slot.links
            link.open()
            await script(scene)
            scene.slot.abandon()
            for number in range(len(scene.runners.channels)):
                scene.runners.ends(number, KILLED)
            while not link.gone:
                await asyncio.sleep(0)
            for writer in open_writers:
                writer.close()
            server.close()

    asyncio.run(run())


def kinds(heard: list[Packet]) -> list[int]:
    return [packet.kind for packet in heard]


def said(heard: list[Packet]) -> list[tuple[Data, ...]]:
    """What was said of jobs."""
    return [packet.args for packet in heard if packet.kind in SAID]


# -- a job from its server to its runner, and back ----------------------------------------------------------------


def test_a_job_is_asked_for_when_a_runner_waits_and_the_next_when_it_is_gone() -> None:
    async def script(scene: Scene) -> None:
        link = await scene.connection()
        heard = await link.asked_for_a_job()
        assert {(p.SET_CLIENT_ID, (b"me",)), (p.CAN_DO, (b"f",))} <= set(heard)
        assert scene.runners.memory == [MEMORY]
        link.assign(workload=b"picture")
        errand = await scene.runners.errand(0)
        assert (errand.function, errand.length) == ("f", 7)
        scene.runners.say(0, Record(Kind.RESULT, b"thumbnail"))
        assert (await link.until(p.WORK_COMPLETE))[-1].args == (b"H:1", b"thumbnail")
        scene.runners.ends(0, KILLED)
        assert kinds(await link.until(p.GRAB_JOB_UNIQ)) == [p.GRAB_JOB_UNIQ]

    play(script)


def test_parts_and_progress_are_passed_on_as_they_come() -> None:
    async def script(scene: Scene) -> None:
        link = await scene.at_a_job()
        scene.runners.say(0, Record(Kind.DATA, b"one"))
        assert (await link.until(p.WORK_DATA))[-1].args == (b"H:1", b"one")
        scene.runners.say(0, Record(Kind.STATUS, channel.status(channel.Progress(1, 2))[channel.HEAD.size :]))
        assert (await link.until(p.WORK_STATUS))[-1].args == (b"H:1", b"1", b"2")
        scene.runners.say(0, Record(Kind.ERROR, b"BadImage: corrupt"))
        assert (await link.until(p.WORK_EXCEPTION))[-1].args == (b"H:1", b"BadImage: corrupt")

    play(script)


def test_where_there_is_nothing_to_do_it_sleeps_until_it_is_woken() -> None:
    async def script(scene: Scene) -> None:
        link = await scene.connection()
        await link.asked_for_a_job()
        link.send(p.NO_JOB)
        assert kinds(await link.until(p.PRE_SLEEP)) == [p.PRE_SLEEP]
        link.send(p.NOOP)
        assert kinds(await link.until(p.GRAB_JOB_UNIQ)) == [p.GRAB_JOB_UNIQ]

    play(script)


# -- runners that die (rule 3) --------------------------------------------------------------------------------------


def test_a_job_whose_runner_died_has_a_second_try_with_twice_the_memory() -> None:
    async def script(scene: Scene) -> None:
        link = await scene.at_a_job()
        scene.runners.ends(0, CRASHED)
        await scene.runners.errand(1)
        assert scene.runners.memory == [MEMORY, 2 * MEMORY]
        scene.runners.say(1, Record(Kind.RESULT, b"done"))
        assert kinds(await link.until(p.WORK_COMPLETE)) == [p.WORK_COMPLETE]

    play(script)


@pytest.mark.parametrize("death", [CRASHED, KILLED], ids=["by the job", "by somebody else"])
def test_one_that_killed_both_fails_and_is_refused_when_it_comes_again(death: Death) -> None:
    async def script(scene: Scene) -> None:
        link = await scene.at_a_job()
        scene.runners.ends(0, death)
        await scene.runners.errand(1)
        scene.runners.ends(1, death)
        _, text = (await link.until(p.WORK_EXCEPTION))[-1].args
        assert bytes(text).endswith(f"{death.text}, and so did a second one".encode())
        await link.until(p.GRAB_JOB_UNIQ)
        link.assign(b"H:2")
        if death.by_job:
            handle, text = (await link.until(p.WORK_EXCEPTION))[-1].args
            assert (handle, b"refused for a day: it crashed" in bytes(text)) == (b"H:2", True)
        else:
            await scene.runners.errand(2)

    play(script)


def test_one_that_ran_short_of_memory_twice_fails_with_its_own_words() -> None:
    async def script(scene: Scene) -> None:
        link = await scene.at_a_job()
        for number in (0, 1):
            if number:
                await scene.runners.errand(number)
            scene.runners.say(number, Record(Kind.SHORT, b"it needs more"))
            scene.runners.ends(number, KILLED)
        assert scene.runners.memory[:2] == [MEMORY, 2 * MEMORY]
        assert (await link.until(p.WORK_EXCEPTION))[-1].args == (b"H:1", b"it needs more")

    play(script)


def test_parts_that_were_passed_on_are_not_sent_twice() -> None:
    async def script(scene: Scene) -> None:
        link = await scene.at_a_job()
        scene.runners.say(0, Record(Kind.DATA, b"one"))
        await link.until(p.WORK_DATA)
        scene.runners.ends(0, CRASHED)
        assert kinds(await link.until(p.WORK_EXCEPTION)) == [p.WORK_EXCEPTION]

    play(script)


def test_a_second_try_waits_until_there_is_a_zygote_again() -> None:
    async def script(scene: Scene) -> None:
        link = await scene.at_a_job()
        scene.runners.ready = False
        scene.runners.ends(0, CRASHED)
        assert len(scene.runners.channels) == 1
        scene.runners.ready = True
        scene.slot.step()
        await scene.runners.errand(1)
        scene.runners.say(1, Record(Kind.RESULT, b"done"))
        await link.until(p.WORK_COMPLETE)

    play(script)


# -- deadlines and cancels (rule 1) ---------------------------------------------------------------------------------


def test_a_job_over_its_deadline_is_killed_and_has_no_second_try() -> None:
    async def script(scene: Scene) -> None:
        link = await scene.at_a_job()
        await scene.runners.was_killed(0)
        scene.runners.ends(0, KILLED)
        _, text = (await link.until(p.WORK_EXCEPTION))[-1].args
        assert bytes(text).endswith(b"it ran over its deadline of 0.05 s and was killed")
        assert 2 * MEMORY not in scene.runners.memory

    play(script, deadline_s=0.05)


def test_of_a_cancelled_job_nothing_more_is_said() -> None:
    async def script(scene: Scene) -> None:
        link = await scene.at_a_job()
        link.send(p.WORK_FAIL, b"H:another")
        link.send(p.WORK_FAIL, b"H:1")
        await scene.runners.was_killed(0)
        scene.runners.say(0, Record(Kind.RESULT, b"too late"))
        scene.runners.ends(0, KILLED)
        assert kinds(await link.until(p.GRAB_JOB_UNIQ)) == [p.GRAB_JOB_UNIQ]
        assert scene.runners.killed == [0], "and once: the other job is none of its own"

    play(script)


# -- jobs adrift (rule 2) -------------------------------------------------------------------------------------------


def test_a_job_whose_server_is_gone_goes_on_and_its_server_hears_of_it_when_it_is_back() -> None:
    async def script(scene: Scene) -> None:
        (await scene.at_a_job()).hang_up()
        back = await scene.connection()
        await back.until(p.OPTION_REQ)
        back.send(p.OPTION_RES, p.POOL)
        assert (await back.until(p.WORK_STATUS))[-1].args == (b"H:1", b"0", b"0")
        assert scene.runners.killed == []
        scene.runners.say(0, Record(Kind.RESULT, b"done"))
        assert kinds(await back.until(p.WORK_COMPLETE)) == [p.WORK_COMPLETE]

    play(script)


@pytest.mark.parametrize("ours", [True, False], ids=["its server", "another kind of server"])
def test_what_ended_meanwhile_is_told_before_a_job_is_asked_for_and_only_to_one_of_ours(ours: bool) -> None:
    async def script(scene: Scene) -> None:
        (await scene.at_a_job()).hang_up()
        back = await scene.connection()
        scene.runners.say(0, Record(Kind.RESULT, b"done"))
        scene.runners.ends(0, KILLED)
        heard = await back.asked_for_a_job(ours=ours)
        assert said(heard) == [(b"H:1", b"done")] * ours

    play(script)


@pytest.mark.parametrize("which", ["the first", "the next"])
def test_another_kind_of_server_gives_the_job_to_somebody_else_so_it_is_killed(which: str) -> None:
    async def script(scene: Scene) -> None:
        (await scene.at_a_job(ours=which != "the first")).hang_up()
        back = await scene.connection()
        if which == "the next":
            await back.until(p.OPTION_REQ)
            back.send(*OTHERS)
        await scene.runners.was_killed(0)
        scene.runners.ends(0, KILLED)
        heard = await back.until(p.GRAB_JOB_UNIQ) if which == "the next" else await back.asked_for_a_job(ours=False)
        assert not said(heard)

    play(script)


def test_a_job_adrift_that_has_parts_to_pass_on_is_given_up() -> None:
    async def script(scene: Scene) -> None:
        (await scene.at_a_job()).hang_up()
        await scene.connection()
        scene.runners.say(0, Record(Kind.DATA, b"a part"))
        await scene.runners.was_killed(0)

    play(script)


@pytest.mark.parametrize("arrived", [False, True], ids=["it may not have", "it has"])
def test_a_result_that_may_not_have_arrived_is_sent_again(arrived: bool) -> None:
    async def script(scene: Scene) -> None:
        link = await scene.at_a_job()
        scene.runners.say(0, Record(Kind.RESULT, b"done"))
        scene.runners.ends(0, KILLED)
        await link.until(p.GRAB_JOB_UNIQ)
        if arrived:
            link.send(p.NO_JOB)  # which the server says after it has read what was sent before
            await link.until(p.PRE_SLEEP)
        link.hang_up()
        back = await scene.connection()
        assert said(await back.asked_for_a_job()) == [(b"H:1", b"done")] * (not arrived)

    play(script)


@pytest.mark.parametrize("how", ["time", "news"])
def test_a_server_that_is_back_is_not_asked_before_another_slot_has_told_it_of_its_job(
    monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    hold_s = 0.1 if how == "time" else 2 * LIMIT_S
    monkeypatch.setattr(slot, "HOLD_S", hold_s)

    async def script(scene: Scene) -> None:
        scene.late.drifts(scene.address)
        began = time.monotonic()
        link = await scene.connection()
        await link.until(p.CAN_DO)
        if how == "news":
            scene.late.settled(scene.address)
            scene.slot.step()
        await link.until(p.GRAB_JOB_UNIQ)
        assert how == "news" or time.monotonic() - began >= hold_s

    play(script)


# -- the end --------------------------------------------------------------------------------------------------------


def test_a_slot_that_drains_does_its_job_to_the_end_and_takes_no_other() -> None:
    async def script(scene: Scene) -> None:
        link = await scene.at_a_job()
        scene.slot.drain()
        scene.runners.say(0, Record(Kind.RESULT, b"done"))
        scene.runners.ends(0, KILLED)
        assert kinds(await link.rest()) == [p.WORK_COMPLETE]

    play(script)


def test_a_slot_that_drains_does_not_begin_anew() -> None:
    async def script(scene: Scene) -> None:
        link = await scene.at_a_job()
        scene.slot.drain()
        scene.runners.ends(0, CRASHED)
        assert kinds(await link.rest()) == [p.WORK_EXCEPTION]

    play(script)


def test_an_idle_slot_that_drains_hangs_up_at_once() -> None:
    async def script(scene: Scene) -> None:
        link = await scene.connection()
        await link.asked_for_a_job()
        scene.slot.drain()
        assert await link.rest() == []
        assert scene.runners.killed == [0], "the runner that waited"

    play(script)


def test_a_job_that_is_given_up_is_killed_and_its_server_left_to_give_it_to_somebody_else() -> None:
    async def script(scene: Scene) -> None:
        link = await scene.at_a_job()
        scene.slot.abandon()
        assert scene.runners.killed == [0]
        assert await link.rest() == []

    play(script)


def test_a_job_for_which_there_is_no_runner_is_not_kept() -> None:
    async def script(scene: Scene) -> None:
        link = await scene.connection()
        await link.asked_for_a_job()
        scene.runners.ready = False
        link.assign()
        assert await link.rest() == []
        scene.runners.ready = True
        await (await scene.connection()).asked_for_a_job()

    play(script)

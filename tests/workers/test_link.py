"""A slot's connection, to job servers that are played here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from fleet.protocol import RES, encode, packets
from fleet.settings import Address
from fleet.workers import link as module
from fleet.workers.arena import Arena
from fleet.workers.conversation import Assigned, Event, Told
from fleet.workers.link import RECONNECT, Link
from tests.processes import LIMIT_S

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Listening:
    """A slot, as far as a link sees it: what happened, one thing after the other."""

    def __init__(self) -> None:
        self.arena = Arena()
        self.told: asyncio.Queue[str | Event] = asyncio.Queue()

    def opened(self, link: Link) -> None:
        self.told.put_nowait("opened")

    def lost(self, link: Link) -> None:
        self.told.put_nowait("lost")

    def happened(self, link: Link, event: Event) -> None:
        self.told.put_nowait(event)


def linked(serve: Serve, script: Callable[[Link, Listening], Awaitable[None]]) -> None:
    """Run a script with a link to a server, and see both off."""
    serving: list[asyncio.Task[None] | None] = []

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.current_task())
        try:
            await serve(reader, writer)
            await reader.read()
            writer.close()
            await writer.wait_closed()
        except OSError:
            pass  # the link was quicker

    async def run() -> None:
        slot = Listening()
        async with asyncio.timeout(LIMIT_S):
            server = await asyncio.start_server(served, "127.0.0.1", 0)
            link = Link(slot, Address("127.0.0.1", server.sockets[0].getsockname()[1]))
            link.open()
            await script(link, slot)
            link.close()
            server.close()
            while not link.gone:
                await asyncio.sleep(0)
            await asyncio.gather(*filter(None, serving))
        slot.arena.close()

    asyncio.run(run())


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until the other end has had enough."""


def says(*replies: bytes) -> Serve:
    """One that sends these, one to each connection, and then listens."""
    left = iter(replies)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(next(left, b""))

    return serve


def test_a_large_workload_is_received_into_the_slots_own_memory() -> None:
    workload = b"w" * 300_000

    async def script(link: Link, slot: Listening) -> None:
        assert await slot.told.get() == "opened"
        assigned = await slot.told.get()
        assert isinstance(assigned, Assigned)
        offset, length = slot.arena.place(assigned.workload)
        assert offset > 0, "it was copied: what is in place lies behind the packet's other arguments"
        assert length == len(workload)

    linked(says(encode(RES, packets.JOB_ASSIGN_UNIQ, b"H:1", b"resize", b"", workload)), script)


def test_a_server_that_does_not_answer_is_dropped_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_S", 0.05)

    async def script(link: Link, slot: Listening) -> None:
        for _ in range(2):
            assert await slot.told.get() == "opened"
            link.expect_answer()
            assert await slot.told.get() == "lost"

    linked(silent, script)


def test_an_answer_in_time_keeps_the_connection() -> None:
    asked = asyncio.Event()

    async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked.wait()
        writer.write(encode(RES, packets.NO_JOB))

    async def script(link: Link, slot: Listening) -> None:
        assert await slot.told.get() == "opened"
        link.expect_answer()
        timer = link._answer_timer
        asked.set()
        assert await slot.told.get() is Told.NO_JOB
        assert timer
        assert timer.cancelled()
        assert link.up

    linked(answers, script)


def test_a_server_that_breaks_the_protocol_is_dropped_and_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    async def script(link: Link, slot: Listening) -> None:
        assert [await slot.told.get() for _ in range(3)] == ["opened", "lost", "opened"]

    linked(says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), script)
    assert "broke the protocol" in capsys.readouterr().err


def test_one_that_takes_calls_and_says_nothing_is_not_called_again_at_once() -> None:
    """A proxy whose server is down: it must not be called thousands of times a second."""
    calls = 4

    async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def script(link: Link, slot: Listening) -> None:
        began = time.monotonic()
        assert [await slot.told.get() for _ in range(2 * calls)] == ["opened", "lost"] * calls
        assert time.monotonic() - began >= sum(RECONNECT.delay_s(number, 0.0) for number in range(1, calls))
        assert link.failures == calls

    linked(hangs_up, script)


def test_a_connection_that_was_of_use_is_opened_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def script(link: Link, slot: Listening) -> None:
        for _ in range(3):
            assert await slot.told.get() == "opened"
            assert await slot.told.get() is Told.NOOP
            link.abort()
            assert await slot.told.get() == "lost"
        assert link.failures == 0

    linked(says(*[encode(RES, packets.NOOP)] * 9), script)


def test_why_there_is_no_connection_is_known() -> None:
    async def script(link: Link, slot: Listening) -> None:
        nobody = Link(slot, Address("127.0.0.1", 1))
        nobody.open()
        while not nobody.failures:
            await asyncio.sleep(0)
        assert nobody.reason == "connection refused"
        nobody.close()
        lost = Link(slot, Address("nowhere.invalid"))
        lost.open()
        while not lost.failures:
            await asyncio.sleep(0)
        assert lost.reason.startswith(("name or service not known", "temporary failure"))
        lost.close()
        assert await slot.told.get() == "opened"

    linked(silent, script)

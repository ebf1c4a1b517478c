"""A slot: one job at a time, from one of the job servers, in one runner.

Rule 1: the slot answers for its job: it has the deadline, and it tells the client what became of it. Rule 2: a job
whose connection is gone is killed, for its job server has given it to somebody else.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Final, cast

from fleet.backoff import Backoff
from fleet.dial import keep_alive
from fleet.errors import ProtocolError
from fleet.protocol import Data
from fleet.settings import Address, PoolLimits, ServerLimits
from fleet.workers import channel
from fleet.workers.arena import Arena
from fleet.workers.channel import LAST, Errand, Kind, Record
from fleet.workers.conversation import Assigned, Conversation, Event, Told
from fleet.workers.functions import resource_failure
from fleet.workers.keeper import Keeper, Runners
from fleet.workers.turns import Turns

CONNECT_S: Final = 3.0
ANSWER_S: Final = 10.0  # for a job server to answer a grab
RECONNECT: Final = Backoff(first_s=0.1, cap_s=5.0)
SCRATCH_BYTES: Final = 64 * 1024


class Slot:
    """One of a pool's slots.

    Args:
        name: for the job server's `workers` table.
        functions: what it takes jobs of.
        on_change: called when it became connected, idle or closed.
    """

    def __init__(
        self,
        name: str,
        servers: Sequence[Address],
        functions: Sequence[str],
        runners: Runners,
        limits: PoolLimits,
        on_change: Callable[[], None],
    ) -> None:
        self.name = name
        self.functions = functions
        self.arena = Arena()
        self.running: Running | None = None
        self.draining = False
        self._keeper = Keeper(runners, limits.result_bytes, self._heard, self._ended)
        self._limits = limits
        self._on_change = on_change
        self._turns: Turns[Link] = Turns()
        self.links = [Link(self, address) for address in servers]

    @property
    def connected(self) -> bool:
        return any(link.up for link in self.links)

    def step(self) -> None:
        """Ask for a job, if there is nothing better to do."""
        if self.running or self.draining or not self._keeper.ready:
            return
        if link := self._turns.ask():
            link.conversation.grab()
            link.flush()
            link.expect_answer()

    def drain(self) -> None:
        """Take no more jobs; the connections are closed once the running job is done."""
        self.draining = True
        if self.running is None:
            self.close()

    def abandon(self) -> None:
        """Give the running job up: its job server gives it to somebody else."""
        self.draining = True
        if self.running:
            self.running.abandoned = True
            self._keeper.kill()
        self.close()

    def close(self) -> None:
        for link in self.links:
            link.close()
        self.arena.close()

    # -- what the links tell ----------------------------------------------------------------------------------

    def opened(self, link: Link) -> None:
        link.conversation.introduce(self.name, [(function, 0) for function in self.functions])
        link.flush()
        self._turns.awake(link)
        self._on_change()
        self.step()

    def lost(self, link: Link) -> None:
        self._turns.asleep(link)
        if self.running and self.running.link is link:
            self._keeper.kill()
        self._on_change()
        self.step()

    def happened(self, link: Link, event: Event) -> None:
        if isinstance(event, Assigned):
            self._turns.awake(link)
            self._start(link, event)
        elif event is Told.NOOP:
            if self._turns.asked is not link:
                self._turns.awake(link)
        elif event is Told.OTHER_GRAB:
            self._turns.awake(link)
        elif event is Told.NO_JOB:
            self._turns.asleep(link)
            link.conversation.sleep()
            link.flush()
        self.step()

    # -- a job ------------------------------------------------------------------------------------------------

    def _start(self, link: Link, assigned: Assigned) -> None:
        if self.running or self.draining or not self._keeper.ready:
            link.abort()  # an answer that came too late: the server may give the job to somebody else
            return
        errand = Errand(assigned.function.decode(), *self.arena.place(assigned.workload))
        self.running = running = Running(link, assigned.handle)
        running.timer = asyncio.get_running_loop().call_later(self._limits.deadline_s, self._overdue, running)
        self._keeper.send(errand, self.arena.reader)

    def _overdue(self, running: Running) -> None:
        running.overdue = True
        self._keeper.kill()

    def _heard(self, record: Record) -> None:
        """The runner sent a record: the client has it at once."""
        running = self.running
        assert running is not None
        if running.forgotten:
            return
        conversation, handle = running.link.conversation, running.handle
        if record.kind == Kind.DATA:
            conversation.data(handle, record.body)
        elif record.kind == Kind.STATUS:
            conversation.status(handle, *channel.progress(record.body))
        elif record.kind == Kind.RESULT:
            conversation.complete(handle, record.body)
        elif record.kind == Kind.ERROR:
            conversation.exception(handle, record.body.decode("utf-8", "replace"))
        running.answered = record.kind in LAST
        running.link.flush()

    def _ended(self, why: str | None) -> None:
        """The runner is gone; `why`, if it died."""
        running, self.running = self.running, None
        assert running is not None
        if running.timer:
            running.timer.cancel()
        if running.overdue and why:
            why = f"the job ran over its deadline of {self._limits.deadline_s:g} s and was killed"
        if not running.answered and not running.forgotten:
            text = resource_failure(why or "the runner left no verdict")
            running.link.conversation.exception(running.handle, text)
            running.link.flush()
        self.arena.settle()
        if self.draining:
            self.close()
        self._on_change()
        self.step()


class Running:
    """The job a slot is at."""

    def __init__(self, link: Link, handle: bytes) -> None:
        self.link = link
        self.handle = handle
        self.answered = False  # its client has the result, or the reason why there is none
        self.overdue = False
        self.abandoned = False  # its client is told nothing: another worker will do the job
        self.timer: asyncio.TimerHandle | None = None

    @property
    def forgotten(self) -> bool:
        """Whether its job server will hear no more of it."""
        return self.abandoned or not self.link.up


class Link(asyncio.BufferedProtocol):
    """A slot's connection to one job server, which it opens again whenever it is lost."""

    def __init__(self, slot: Slot, address: Address) -> None:
        self.address = address
        self.up = False
        self.failures = 0
        self.reason = ""  # why the last try failed
        self.conversation = Conversation(ServerLimits.packet_bytes)
        self._slot = slot
        self._transport: asyncio.Transport | None = None
        self._scratch = memoryview(bytearray(SCRATCH_BYTES))
        self._in_room = False
        self._closed = False
        self._answer_timer: asyncio.TimerHandle | None = None
        self._opening: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Connect, and go on trying until that succeeds or the link is closed."""
        self._opening = asyncio.get_running_loop().create_task(self._open())

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._closed:
            try:
                async with asyncio.timeout(CONNECT_S):
                    await loop.create_connection(lambda: self, self.address.host, self.address.port)
                return
            except TimeoutError:
                self.reason = f"no connection in {CONNECT_S:g} s"
            except OSError as error:
                self.reason = os.strerror(error.errno).lower() if error.errno else str(error)
            self.failures += 1
            await asyncio.sleep(RECONNECT.delay_s(self.failures, random.random()))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._closed:
            self._transport.abort()
            return
        keep_alive(transport.get_extra_info("socket"))
        self.conversation = Conversation(ServerLimits.packet_bytes, self._slot.arena.room)
        self.up = True
        self._slot.opened(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        room = self.conversation.decoder.room()
        self._in_room = room is not None
        return self._scratch if room is None else room

    def buffer_updated(self, nbytes: int) -> None:
        conversation = self.conversation
        arrived = conversation.filled(nbytes) if self._in_room else conversation.feed(self._scratch[:nbytes])
        try:
            self._tell(arrived)
        except ProtocolError as error:
            print(f"fleet worker: the job server {self.address} broke the protocol: {error}", file=sys.stderr)  # noqa: T201
            self.abort()

    def _tell(self, arrived: Iterator[Event]) -> None:
        for event in arrived:
            self.failures = 0
            if isinstance(event, Assigned) or event in (Told.NO_JOB, Told.OTHER_GRAB):
                self._answered()
            self._slot.happened(self, event)

    def expect_answer(self) -> None:
        """A grab was sent; a server that does not answer it in time is as good as gone."""
        self._answer_timer = asyncio.get_running_loop().call_later(ANSWER_S, self.abort)

    def _answered(self) -> None:
        if self._answer_timer:
            self._answer_timer.cancel()
            self._answer_timer = None

    def flush(self) -> None:
        outbox: list[Data] = self.conversation.outbox
        self.conversation.outbox = []
        if self._transport and outbox:
            self._transport.writelines(outbox)

    def connection_lost(self, exc: Exception | None) -> None:
        self.up = False
        self._transport = None
        self._answered()
        self._slot.lost(self)
        if not self._closed:
            self.failures += 1
            self.open()

    def abort(self) -> None:
        """Drop the connection at once; it is opened again."""
        if self._transport:
            self._transport.abort()

    def close(self) -> None:
        """For good, after what was written has been sent."""
        self._closed = True
        self._answered()
        if self._opening:
            self._opening.cancel()
        if self._transport:
            self._transport.close()

    @property
    def gone(self) -> bool:
        return self._closed and self._transport is None

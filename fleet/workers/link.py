"""A slot's connection to one job server, which it opens again whenever it is lost."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Iterator
from typing import Final, Protocol, cast

from fleet.backoff import Backoff
from fleet.dial import keep_alive, reason_of
from fleet.errors import ProtocolError
from fleet.protocol import Data
from fleet.settings import Address, ServerLimits
from fleet.workers.arena import Arena
from fleet.workers.conversation import Assigned, Conversation, Event, Told

CONNECT_S: Final = 3.0
ANSWER_S: Final = 10.0  # for a job server to answer a grab
RECONNECT: Final = Backoff(first_s=0.1, cap_s=5.0)
SCRATCH_BYTES: Final = 64 * 1024


class Listener(Protocol):
    """What a link needs of its slot."""

    arena: Arena

    def opened(self, link: Link) -> None: ...
    def lost(self, link: Link) -> None: ...
    def happened(self, link: Link, event: Event) -> None: ...


class Link(asyncio.BufferedProtocol):
    """One connection, and the next ones to the same job server."""

    def __init__(self, slot: Listener, address: Address) -> None:
        self.address = address
        self.up = False
        self.failures = 0  # in a row, to connect or to hear anything
        self.reason = ""  # why the last try failed
        self.conversation = Conversation(ServerLimits.packet_bytes)
        self._slot = slot
        self._transport: asyncio.Transport | None = None
        self._scratch = memoryview(bytearray(SCRATCH_BYTES))
        self._in_room = False
        self._heard = False  # anything, on this connection
        self._closed = False
        self._answer_timer: asyncio.TimerHandle | None = None
        self._opening: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Connect, and go on trying until that succeeds or the link is closed."""
        self._opening = asyncio.get_running_loop().create_task(self._open())

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._closed:
            if self.failures:
                await asyncio.sleep(RECONNECT.delay_s(self.failures, random.random()))
            try:
                async with asyncio.timeout(CONNECT_S):
                    await loop.create_connection(lambda: self, self.address.host, self.address.port)
                return
            except TimeoutError:
                self.reason = f"no connection in {CONNECT_S:g} s"
            except OSError as error:
                self.reason = reason_of(error)
            self.failures += 1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._closed:
            self._transport.abort()
            return
        keep_alive(transport.get_extra_info("socket"))
        self.conversation = Conversation(ServerLimits.packet_bytes, self._slot.arena.room)
        self.up, self._heard = True, False
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
            self._heard, self.failures = True, 0
            if isinstance(event, Assigned) or event in (Told.NO_JOB, Told.OTHER_GRAB):
                self.answered()
            self._slot.happened(self, event)

    def expect_answer(self) -> None:
        """Something was asked; a server that does not answer it in time is as good as gone."""
        self._answer_timer = asyncio.get_running_loop().call_later(ANSWER_S, self.abort)

    def answered(self) -> None:
        """It did."""
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
        self.answered()
        self._slot.lost(self)
        if not self._closed:
            self.failures += not self._heard  # who takes calls and says nothing is not called again at once
            self.open()

    def abort(self) -> None:
        """Drop the connection at once; it is opened again."""
        if self._transport:
            self._transport.abort()

    def close(self) -> None:
        """For good, after what was written has been sent."""
        self._closed = True
        self.answered()
        if self._opening:
            self._opening.cancel()
        if self._transport:
            self._transport.close()

    @property
    def gone(self) -> bool:
        return self._closed and self._transport is None

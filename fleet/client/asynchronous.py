"""The client for asyncio: one event loop's tasks await it, its sockets are watched by that loop.

Rule 1: nothing here blocks: names are resolved, and files read, in a thread of the loop's executor, and what the calls
need is loaded with this module, where others load it when it is called. Rule 2: all that is
due, to be sent, or to be told to who waits is done in one turn, `_turn`, which is asked for by `_soon` and comes once
for however much has happened. Rule 3: a client is at home in one event loop of one process. In another it begins anew
if that loop is closed, or its parent's; else it refuses.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import random
import select
import time
from collections.abc import Callable, Sequence
from typing import Any

from fleet.client import admin, calls, images
from fleet.client.admin import FunctionStatus
from fleet.client.dispatch import Dispatch
from fleet.client.images import AsyncPictureTask, AsyncThumbnails, Source
from fleet.client.kept import AsyncKeptJob
from fleet.client.link import Link, LinkLost
from fleet.client.shell import Shell
from fleet.client.waiting import AsyncTask, submitting
from fleet.dial import resolved
from fleet.errors import FleetError, UsageError
from fleet.protocol import payload
from fleet.settings import Address


class AsyncClient(Shell[AsyncTask, AsyncPictureTask, AsyncThumbnails, AsyncKeptJob]):
    """A client of one or several job servers, for one event loop; many tasks share it; it is a context manager.

    Its arguments are those of `Client`, and so are its calls, to be awaited.

        async with AsyncClient("img1:4730,img2:4730") as fleet:
            thumb = await fleet.resize(upload, 200, 150).result(timeout=5)
    """

    ELSEWHERE = "the task was submitted in another event loop, or before this process was forked"

    submit = submitting(calls.submit)
    run = calls.run
    resize = submitting(calls.resize)
    resize_later = calls.resize_later
    thumbnails = submitting(calls.thumbnails)
    job = calls.job
    jobs = calls.jobs
    dead = calls.dead

    _links: Sequence[WatchedLink] = ()
    _loop: asyncio.AbstractEventLoop | None = None

    def _prepare(self) -> None:
        self._home = (os.getpid(), 0)  # the process, and how often it began there

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Drop the connections. Tasks that have not ended fail; foreground jobs nobody else waits for are dropped."""
        if not self._closed and self._stays():
            self._dispatch.close(FleetError("the client was closed before the task ended"))
            self._turn()
        self._closed = True
        self._abandon()

    def __del__(self) -> None:
        self._abandon()

    # -- where it is at home ----------------------------------------------------------------------------------

    def _stays(self) -> bool:
        """Whether it is at home here. Raises UsageError if it is so elsewhere, and may not move."""
        if self._loop is None or self._home[0] != os.getpid() or self._loop.is_closed():
            return False
        if self._loop is not asyncio.get_running_loop():
            raise UsageError("an AsyncClient is for one event loop, the first that used it; make one for each")
        return True

    def _alive(self) -> object:
        if self._closed:
            raise UsageError("the client is closed")
        if not self._stays():
            self._begin(asyncio.get_running_loop())
        return self._home

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._abandon()
        self._loop, self._home = loop, (os.getpid(), self._home[1] + 1)
        self._links = [WatchedLink(address, self.limits.packet_bytes, loop, self._ready) for address in self.servers]
        self._dispatch = Dispatch({link.address: link for link in self._links}, random.random)
        self._waiters: dict[asyncio.Future[bool], Callable[[], bool]] = {}
        self._next_turn: asyncio.Handle | None = None
        self._alarm: asyncio.TimerHandle | None = None

    def _abandon(self) -> None:
        """Close the sockets, and leave the loop alone: it is closed, or the parent's."""
        for link in self._links:
            link.abandon()

    # -- turns ------------------------------------------------------------------------------------------------

    def _change(self, do: Callable[[float], None]) -> None:
        do(time.monotonic())
        self._soon()

    def _ready(self, link: WatchedLink, events: int) -> None:
        self._guarded(link, lambda: link.ready(events))
        self._soon()

    def _guarded(self, link: WatchedLink, do: Callable[[], None]) -> None:
        """Do something with a link; if it breaks, see to its tasks."""
        try:
            do()
        except LinkLost as lost:
            self._dispatch.lost(link, str(lost), time.monotonic())
            self._soon()

    def _soon(self) -> None:
        if self._next_turn is None and self._loop:
            self._next_turn = self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        """Do what is due, send what is to be sent, and wake those who have what they wait for."""
        self._next_turn = None
        self._dispatch.due(time.monotonic())
        for link in self._links:
            self._guarded(link, link.push)
        somebody_waits = any(not waiter.done() for waiter in self._waiters)
        for link in self._links:
            link.watch(reading=somebody_waits)
        self._set_alarm()
        for waiter, done in list(self._waiters.items()):
            if not waiter.done() and done():
                waiter.set_result(True)

    def _set_alarm(self) -> None:
        if self._alarm:
            self._alarm.cancel()
            self._alarm = None
        due_s = self._dispatch.next_due_s(time.monotonic())
        if due_s is not None and self._loop:
            self._alarm = self._loop.call_later(due_s, self._soon)

    async def _wait(self, done: Callable[[], bool], deadline: float) -> bool:
        assert self._loop
        if done():
            return True
        waiter: asyncio.Future[bool] = self._loop.create_future()
        self._waiters[waiter] = done
        self._soon()
        alarm = self._loop.call_later(max(0.0, deadline - time.monotonic()), _give_up, waiter)
        try:
            return await waiter
        finally:
            alarm.cancel()
            self._waiters.pop(waiter, None)

    # -- what is done aside -----------------------------------------------------------------------------------

    async def _functions_at(self, server: Address, seconds: float) -> Sequence[FunctionStatus]:
        return await asyncio.to_thread(admin.status, server, seconds)

    async def _loaded(self, source: Source) -> Source:
        """What an upload's own `read` is to be awaited for, and what may have to be waited for."""
        if isinstance(source, bytes | bytearray | memoryview):
            return source
        read: Any = getattr(source, "read", None)
        if inspect.iscoroutinefunction(read):
            return payload(await read(), "a picture")
        return await asyncio.to_thread(images.read, source)

    # -- kinds ------------------------------------------------------------------------------------------------

    def _task_kind(self) -> type[AsyncTask]:
        return AsyncTask

    def _picture_kind(self) -> type[AsyncPictureTask]:
        return AsyncPictureTask

    def _thumbs_kind(self) -> type[AsyncThumbnails]:
        return AsyncThumbnails

    def _job_kind(self) -> type[AsyncKeptJob]:
        return AsyncKeptJob


def _give_up(waiter: asyncio.Future[bool]) -> None:
    if not waiter.done():
        waiter.set_result(False)


class WatchedLink(Link):
    """A link whose socket a loop watches, and whose server's name is resolved aside."""

    def __init__(
        self,
        address: Address,
        packet_bytes: int,
        loop: asyncio.AbstractEventLoop,
        on_ready: Callable[[WatchedLink, int], None],
    ) -> None:
        super().__init__(address, packet_bytes)
        self._loop = loop
        self._on_ready = on_ready
        self._watched = 0  # poll events
        self._descriptor = -1  # on which they are
        self._names: asyncio.Future[list[Any]] | None = None  # while the server's name is being resolved

    def open(self, connect_by: float) -> None:
        self.begin(connect_by)
        try:
            numbers = resolved(self.address, numeric=True)
        except OSError:  # it is a name
            self.connecting = True
            self._names = self._loop.run_in_executor(None, resolved, self.address)
            self._names.add_done_callback(self._named)
        else:
            self.dial(lambda: numbers)

    def _named(self, names: asyncio.Future[list[Any]]) -> None:
        if names is self._names:  # and not of a connection that was given up meanwhile
            self._on_ready(self, 0)

    def ready(self, events: int) -> None:
        if self.connecting:
            self.unwatch()  # the next address has a socket of its own
        if self._names is None:
            super().ready(events)
        else:
            names, self._names = self._names, None
            self.dial(names.result)

    def push(self) -> None:
        """Send what there is, unless the loop is to tell when more can be sent. Raises LinkLost."""
        if self.sock and not self.connecting and not self._watched & select.POLLOUT:
            super().ready(select.POLLOUT)

    def watch(self, *, reading: bool) -> None:
        """Have the loop tell of what the link waits for now; what nobody waits for stays in the kernel."""
        wanted = self.interest() & (-1 if reading else ~select.POLLIN)
        if self.sock is None or wanted == self._watched:
            return
        self._descriptor = self.sock.fileno()
        for event, add, remove in (
            (select.POLLIN, self._loop.add_reader, self._loop.remove_reader),
            (select.POLLOUT, self._loop.add_writer, self._loop.remove_writer),
        ):
            if wanted & event & ~self._watched:
                add(self._descriptor, self._on_ready, self, event)
            elif self._watched & event & ~wanted:
                remove(self._descriptor)
        self._watched = wanted

    def unwatch(self) -> None:
        if self._watched:
            self._loop.remove_reader(self._descriptor)
            self._loop.remove_writer(self._descriptor)
        self._watched = 0

    def close(self) -> None:
        self.unwatch()
        if self._names:
            self._names.cancel()
            self._names = None
        super().close()

    def abandon(self) -> None:
        """Close the socket alone."""
        self._watched, self._names = 0, None
        super().close()

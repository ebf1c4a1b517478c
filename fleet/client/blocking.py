"""The blocking client: threads call it, sockets are polled, every wait has a deadline.

Rule 1: there is no thread of its own. Of the threads that wait, one at a time is the *pump*: it polls all sockets
and feeds all conversations; the others sleep on the condition until something changed. Rule 2: shared state is
touched only with the lock held; only the poll itself is outside. Rule 3: after a fork the child begins anew with
connections of its own, and never touches its parent's.
"""

from __future__ import annotations

import os
import random
import select
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from fleet.client import calls
from fleet.client.dispatch import Dispatch
from fleet.client.link import Link, LinkLost
from fleet.client.shell import Shell
from fleet.client.waiting import Task as Task
from fleet.client.waiting import blocking, blocking_each
from fleet.errors import FleetError, UsageError
from fleet.settings import Address

if TYPE_CHECKING:
    from fleet.client.admin import FunctionStatus
    from fleet.client.images import PictureTask, Thumbnails
    from fleet.client.kept import KeptJob

POLL_S: Final = 3600.0  # the longest poll; a wait may have no end


class Client(Shell["Task", "PictureTask", "Thumbnails", "KeptJob"]):
    """A client of one or several job servers. Threads may share it; it survives a fork; it is a context manager.

    Args:
        servers: ``"host:port"``, several of them with commas or in a list, or None for ``FLEET_SERVERS`` and else
            127.0.0.1:4730. Nothing is connected before it is needed.
        timeout: seconds that a wait lasts at most when the call does not say.
        unread_bytes: of one task's data and warnings that nobody has read yet, before the task fails.
        limits: what a packet may hold; see `ServerLimits`.
    """

    ELSEWHERE = "the task was submitted before this process was forked; its parent has its result"

    submit = blocking(calls.submit)
    run = blocking(calls.run)
    resize = blocking(calls.resize)
    resize_later = blocking(calls.resize_later)
    thumbnails = blocking(calls.thumbnails)
    job = calls.job
    jobs = blocking_each(calls.jobs)
    dead = blocking_each(calls.dead)

    def _prepare(self) -> None:
        self._pid = os.getpid()
        self._changed = threading.Condition()
        links = {address: Link(address, self.limits.packet_bytes) for address in self.servers}
        self._dispatch = Dispatch(links, random.random)
        self._pumping = False
        self._wake_out, self._wake_in = socket.socketpair()
        self._wake_out.setblocking(False)
        self._wake_in.setblocking(False)
        self._closed = False

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop the connections. Tasks that have not ended fail; foreground jobs nobody else waits for are dropped."""
        if self._pid != os.getpid():
            self._leave_to_parent()  # whose lock another of its threads may have held when this process was forked
        with self._changed:
            self._closed = True
            self._dispatch.close(FleetError("the client was closed before the task ended"))
            self._close_sockets()
            self._changed.notify_all()

    def __del__(self) -> None:
        if hasattr(self, "_wake_in") and not self._closed:
            self._close_sockets()

    def _close_sockets(self) -> None:
        for link in self._dispatch.links.values():
            link.close()
        self._wake_in.close()
        self._wake_out.close()

    # -- waiting ----------------------------------------------------------------------------------------------

    def _alive(self) -> object:
        if self._pid != os.getpid():
            self._leave_to_parent()
        if self._closed:
            raise UsageError("the client is closed")
        return self._pid

    def _change(self, do: Callable[[float], None]) -> None:
        with self._changed:
            self._alive()  # still: another thread may have closed it meanwhile
            do(time.monotonic())
            if self._pumping:
                self._wake_pump()
            else:
                self._push()

    def _leave_to_parent(self) -> None:
        self._close_sockets()  # this process's descriptors only; the parent's connections stay open
        self._prepare()

    async def _wait(self, done: Callable[[], bool], deadline: float) -> bool:
        with self._changed:
            while not done():
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                if self._pumping:
                    self._changed.wait(left)
                    continue
                self._pumping = True
                try:
                    self._pump(left)
                finally:
                    self._pumping = False
                    self._changed.notify_all()
            return True

    def _pump(self, left: float) -> None:
        """One round: poll all sockets with the lock released, then do what is possible and what is due."""
        poller = select.poll()
        poller.register(self._wake_out, select.POLLIN)
        polled = {link.sock.fileno(): (link, link.sock) for link in self._dispatch.links.values() if link.sock}
        for descriptor, (link, _) in polled.items():
            poller.register(descriptor, link.interest())
        due_s = self._dispatch.next_due_s(time.monotonic())
        wait_s = min(left, POLL_S if due_s is None else due_s)
        self._changed.release()
        try:
            events = poller.poll(wait_s * 1000 + 1)
        finally:
            self._changed.acquire()
        if self._closed:
            return  # by another thread, which failed all that is waited for
        for descriptor, event in events:
            if found := polled.get(descriptor):
                self._link_ready(*found, event)
            else:
                self._drain_wake()
        self._dispatch.due(time.monotonic())

    def _link_ready(self, link: Link, sock: socket.socket, event: int) -> None:
        if link.sock is not sock:
            return  # closed while nobody held the lock; another one may have its number by now
        try:
            link.ready(event)
        except LinkLost as lost:
            self._dispatch.lost(link, str(lost), time.monotonic())

    def _push(self) -> None:
        """Send what the kernel takes, which is nearly always all of it: to ask first whether it does takes longer."""
        for link in self._dispatch.links.values():
            if link.conversation.outbox and link.sock and not link.connecting:
                self._link_ready(link, link.sock, select.POLLOUT)

    def _wake_pump(self) -> None:
        """There is something new to send: the pumping thread polls with another interest."""
        try:
            self._wake_in.send(b"!")
        except BlockingIOError:
            pass  # it is awake

    def _drain_wake(self) -> None:
        try:
            while self._wake_out.recv(4096):
                pass
        except BlockingIOError:
            pass

    # -- kinds ------------------------------------------------------------------------------------------------

    def _task_kind(self) -> type[Task]:
        return Task

    def _picture_kind(self) -> type[PictureTask]:
        from fleet.client.images import PictureTask

        return PictureTask

    def _thumbs_kind(self) -> type[Thumbnails]:
        from fleet.client.images import Thumbnails

        return Thumbnails

    def _job_kind(self) -> type[KeptJob]:
        from fleet.client.kept import KeptJob

        return KeptJob

    async def _functions_at(self, server: Address, seconds: float) -> Sequence[FunctionStatus]:
        from fleet.client import admin

        return admin.status(server, seconds)

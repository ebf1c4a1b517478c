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
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from fleet.client import admin
from fleet.client.calls import KeptCalls, PictureCalls
from fleet.client.dispatch import Dispatch
from fleet.client.link import Link, LinkLost
from fleet.client.reasons import LONGER, late, nobody
from fleet.client.routing import CONTENT, content_key
from fleet.client.task import Priority, Status, StatusRequest, TaskState
from fleet.client.terms import AT_ONCE, Terms
from fleet.errors import Deadline, FleetError, UsageError
from fleet.protocol import Data, payload
from fleet.settings import UNREAD_BYTES, Address, ServerLimits, Servers, parse_servers

if TYPE_CHECKING:
    from datetime import datetime

POLL_S: Final = 3600.0  # the longest poll; a wait may have no end
DIAGNOSIS_S: Final = 1.0  # beyond a deadline at most, to say why it passed

Workload = Data | str
T = TypeVar("T", bound="Task")


class Task(TaskState):
    """A submitted job, to wait for. Made by `Client.submit`."""

    _client: Client
    _pid: int  # the process that submitted it

    def result(self, timeout: float | None = None) -> bytes:
        """What the worker returned: all its WORK_DATA that was not streamed, and its final data, in one.

        Args:
            timeout: seconds to wait at most; None for the client's own.

        Raises:
            JobFailed: the worker function failed; the text is its exception's.
            Deadline: nothing came in time. The job goes on; ask again if you like.
            NoServer: the job server went away, and none came back.
            UsageError: it is a background task, which sends no result.
        """
        if self.background:
            raise UsageError("a background task sends no result; use status(), or submit it in the foreground")
        self._client._wait_for(self, timeout, lambda: self.done)
        if self.error:
            raise self.error
        assert self.completed_with is not None
        return b"".join((*self.chunks, self.completed_with)) if self.chunks else self.completed_with

    def stream(self, timeout: float | None = None) -> Iterator[bytes]:
        """Each WORK_DATA as it arrives, and the final data last, if there is any. Raises as `result` does.

        `timeout` is for each wait, in seconds.
        """
        while True:
            self._client._wait_for(self, timeout, lambda: self.done or bool(self.chunks))
            while self.chunks:
                yield self.read()
            if self.error:
                raise self.error
            if self.completed_with is not None:
                if self.completed_with:
                    yield self.completed_with
                self.completed_with = b""
                return

    def status(self, timeout: float | None = None) -> Status:
        """Ask the job server where the job is. A job that ended, or never was, is not `known`."""
        return self._client._status(self, timeout)


class Client(PictureCalls, KeptCalls):
    """A client of one or several job servers. Threads may share it; it survives a fork; it is a context manager.

    Args:
        servers: ``"host:port"``, several of them with commas or in a list, or None for ``FLEET_SERVERS`` and else
            127.0.0.1:4730. Nothing is connected before it is needed.
        timeout: seconds that a wait lasts at most when the call does not say.
        unread_bytes: of one task's data and warnings that nobody has read yet, before the task fails.
        limits: what a packet may hold; see `ServerLimits`.
    """

    def __init__(
        self,
        servers: Servers = None,
        *,
        timeout: float = 60.0,
        unread_bytes: int = UNREAD_BYTES,
        limits: ServerLimits | None = None,
    ) -> None:
        self.servers = parse_servers(servers)
        self.timeout_s = timeout
        self.unread_bytes = unread_bytes
        self.limits = limits or ServerLimits()
        self._homes: dict[str, Address] = {}  # servers of kept jobs, by what their handles begin with
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._changed = threading.Condition()
        links = {address: Link(address, self.limits.packet_bytes) for address in self.servers}
        self._dispatch = Dispatch(links, random.random)
        self._pumping = False
        self._wake_out, self._wake_in = socket.socketpair()
        self._wake_out.setblocking(False)
        self._wake_in.setblocking(False)
        self._closed = False

    def __repr__(self) -> str:
        return f"<Client {','.join(map(str, self.servers))}>"

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

    # -- what people call -------------------------------------------------------------------------------------

    def submit(
        self,
        function: str,
        workload: Workload = b"",
        *,
        unique: str | bytes | None = None,
        priority: Priority = "normal",
        background: bool = False,
        at: datetime | float | None = None,
        delay: float | None = None,
        ttl: float | None = None,
        attempts: int | None = None,
        schedule: str | None = None,
        reducer: str = "",
        timeout: float | None = None,
    ) -> Task:
        """Hand a job to a job server and return once it has it.

        Args:
            function: what is to be done; 1 to 512 bytes in UTF-8, no NUL.
            workload: what it is to be done with; text is sent as UTF-8.
            unique: jobs of one function with equal uniques are one job while it lives. None: never; ``"content"``:
                those with equal workloads are, and a job server that caches the function's results answers the next
                of them at once. The digest is made here, so that it also says which of several servers has that
                result; the protocol's ``"-"`` has the server make it, and all such jobs of a function go to one.
            priority: ``high`` jobs go before ``normal`` before ``low`` ones, over all functions.
            background: nobody waits; the task has no result, but see `job`.
            at, delay: of a background job: it begins not before this moment (seconds since 1970), or so many seconds
                from now.
            ttl, attempts: of a background job, at a job server with a store: it expires if it has not begun after so
                many seconds, and is given up after so many failures.
            schedule: of a background job: it comes again and again, until it is cancelled: five fields as in cron's
                table, ``"minute hour mday month wday"``, in UTC; but weekdays are Gearman's, 0 is Monday.
            reducer: the function for the parts that a worker splits the job into, which it is told: `job.reducer`.
            timeout: seconds for a server to accept it.

        Raises:
            NoServer: none of the servers answered; the text says which were tried.
            QueueFull: try again later.
            NoStore: ttl or attempts are given, and the job server keeps no jobs.
            UsageError: the workload is neither bytes nor text, it or a name is too large, or the arguments make no
                sense together.
        """
        data = payload(workload, "a workload")
        unique = content_key(data) if unique == CONTENT else unique
        terms = Terms.of(time.time(), at, delay, ttl, attempts, schedule)
        if reducer and (terms != AT_ONCE or priority != "normal"):
            raise UsageError("the protocol has no word for a job with a reducer and a time or a priority of its own")
        if terms == AT_ONCE:
            return self._submit(Task, function, (data,), unique, priority, background, timeout, reducer=reducer)
        if not background:
            raise UsageError("at, delay, ttl, attempts and schedule are for background jobs; add background=True")
        return self._submit_on_terms(function, data, unique, priority, terms, timeout)

    def run(self, function: str, workload: Workload = b"", *, timeout: float | None = None, **how: Any) -> bytes:
        """`submit` and wait for the result; `timeout` (seconds) is for both. Raises as both do."""
        deadline = self._deadline(timeout)
        task = self.submit(function, workload, timeout=timeout, **how)
        try:
            return task.result(max(0.0, deadline - time.monotonic()))
        finally:
            task.given_up = True

    # -- submitting -------------------------------------------------------------------------------------------

    def _submit(
        self,
        kind: type[T],
        function: str,
        workload: Sequence[Data],
        unique: str | bytes | None,
        priority: Priority,
        background: bool,
        timeout: float | None,
        *,
        server: Address | None = None,
        terms: Terms = AT_ONCE,
        reducer: str = "",
    ) -> T:
        name = function.encode()
        # With a unique of its own a task that is sent again, because its server's answer was lost, is not doubled.
        key = (
            os.urandom(16).hex().encode() if unique is None else unique.encode() if isinstance(unique, str) else unique
        )
        self._check(name, key, sum(map(len, workload)))
        if reducer:
            self._check(reducer.encode(), key, 0)
        task = kind(name, workload, key, priority, background)
        task._client, task._pid, task.only, task.terms = self, os.getpid(), server, terms
        task.reducer, task.unread_most = reducer.encode(), self.unread_bytes
        self._alive()
        with self._changed:
            self._alive()  # still: another thread may have closed it meanwhile
            self._dispatch.place(task, time.monotonic())
            self._wake_pump()
        self._wait_for(task, timeout, lambda: task.accepted or task.done)
        if task.error and not task.accepted:
            raise task.error
        return task

    def _check(self, function: bytes, unique: bytes, size: int) -> None:
        limits = self.limits
        if not 0 < len(function) <= limits.function_bytes or b"\0" in function:
            raise UsageError(f"a function name has 1 to {limits.function_bytes} bytes and no NUL")
        if len(unique) > limits.unique_bytes or b"\0" in unique:
            raise UsageError(
                f"a unique has at most {limits.unique_bytes} bytes and no NUL; send a digest of a longer one"
            )
        if size + len(function) + len(unique) + 2 > limits.packet_bytes:
            raise UsageError(f"a workload of {size} bytes is too large; a packet holds {limits.packet_bytes} bytes")

    # -- waiting ----------------------------------------------------------------------------------------------

    def _deadline(self, timeout: float | None) -> float:
        return time.monotonic() + (self.timeout_s if timeout is None else timeout)

    def _alive(self) -> None:
        if self._pid != os.getpid():
            self._leave_to_parent()
        if self._closed:
            raise UsageError("the client is closed")

    def _leave_to_parent(self) -> None:
        self._close_sockets()  # this process's descriptors only; the parent's connections stay open
        self._begin()

    def _wait_for(self, task: Task, timeout: float | None, done: Callable[[], bool]) -> None:
        if done():
            return
        if task._pid != os.getpid():
            raise UsageError("the task was submitted before this process was forked; its parent has its result")
        if not self._wait(done, self._deadline(timeout)):
            waited_s = self.timeout_s if timeout is None else timeout
            who = f"{task.function.decode('utf-8', 'replace')} at {task.server or self.servers[0]}"
            what = f"no answer from {who} in {round(waited_s, 2):g} s"
            if task in self._dispatch.homeless:
                raise Deadline(f"{what}: its job server went away. {nobody(task)}")
            raise Deadline(f"{what}; {self._why_late(task, min(waited_s, DIAGNOSIS_S))}")

    def _why_late(self, task: Task, seconds: float) -> str:
        """What the job server says of it, over a connection of its own; there may be no worker at all."""
        if task.accepted and task.server and not task.only and seconds > 0:
            try:
                return late(task.function, admin.status(task.server, seconds))
            except (FleetError, ValueError):
                pass  # it answers in its own way, or not at all
        return LONGER

    def _wait(self, done: Callable[[], bool], deadline: float) -> bool:
        """Until `done`; False if the deadline (seconds, monotonic) came first."""
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
        links = {link.sock.fileno(): link for link in self._dispatch.links.values() if link.sock}
        for descriptor, link in links.items():
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
            if event_link := links.get(descriptor):
                self._link_ready(event_link, descriptor, event)
        self._drain_wake()
        self._dispatch.due(time.monotonic())

    def _link_ready(self, link: Link, descriptor: int, event: int) -> None:
        if link.sock is None or link.sock.fileno() != descriptor:
            return  # closed while nobody held the lock
        try:
            link.ready(event)
        except LinkLost as lost:
            self._dispatch.lost(link, str(lost), time.monotonic())

    def _wake_pump(self) -> None:
        """There is something new to send: the pumping thread, if there is one, polls with another interest."""
        if self._pumping:
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

    # -- asking -----------------------------------------------------------------------------------------------

    def _status(self, task: Task, timeout: float | None) -> Status:
        self._alive()
        if task.handle is None or task.server is None:
            raise UsageError("the task has no handle yet")
        request = StatusRequest(task.handle.encode("utf-8", "surrogateescape"))
        with self._changed:
            self._dispatch.ask_status(task.server, request, time.monotonic())
            self._wake_pump()
        self._wait_for(task, timeout, lambda: request.done)
        if request.error:
            raise request.error
        assert request.status is not None
        return request.status

"""The worker SDK: register functions, then `work`. One job at a time, in the calling thread.

Rule 1: a server that is gone never stops the others, and is tried again with growing, jittered pauses. Rule 2: a
function that raises costs its own job: the client hears the exception's text, the worker goes on; what it raises
because its job was cancelled, nobody hears. Rule 3: the connection is where a job's ownership lives. A result whose
connection is gone is owed to a job server of ours, which hears of it before it is asked for another job; for any other
server it is dropped, for that has given the job to somebody else.
"""

from __future__ import annotations

import logging
import math
import os
import random
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Final

from fleet.backoff import Backoff
from fleet.dial import Dial, reason_of, resolved
from fleet.errors import JobCancelled, JobFailed, ProtocolError, UsageError
from fleet.protocol import Data, payload
from fleet.settings import Address, PoolLimits, ServerLimits, Servers, parse_servers
from fleet.workers.conversation import Assigned, Cancelled, Conversation, Event, Refused, Told
from fleet.workers.job import Job
from fleet.workers.late import Answer, Late
from fleet.workers.turns import Turns

log = logging.getLogger("fleet.worker")

CONNECT_S: Final = 3.0  # for a server to accept the connection
ANSWER_S: Final = 10.0  # for a server to answer a grab, or to take what is sent
RECONNECT: Final = Backoff(first_s=0.1, cap_s=10.0)

Result = Data | str | None
WorkerFunction = Callable[[Job], Result]


class Worker:
    """A worker of one or several job servers.

        worker = Worker("img1:4730,img2:4730")
        worker.register("reverse", lambda job: job.workload[::-1])
        worker.work()

    Args:
        servers: as `Client` takes them.
        client_id: a name for the server's `workers` table; host and process number if there is none.
    """

    def __init__(self, servers: Servers = None, *, client_id: str | None = None) -> None:
        self.servers = parse_servers(servers)
        self.client_id = client_id if client_id is not None else f"{socket.gethostname()}-{os.getpid()}"
        self._functions: dict[str, tuple[WorkerFunction, int]] = {}
        self._links = [_Link(address) for address in self.servers]
        self._turns: Turns[_Link] = Turns()
        self._late = Late(PoolLimits.late_bytes, round(PoolLimits.late_s * 1e9))
        self._stopping = threading.Event()
        self._wake_out, self._wake_in = os.pipe()
        os.set_blocking(self._wake_in, False)

    def __repr__(self) -> str:
        return f"<Worker {','.join(self._functions) or 'no functions'} at {','.join(map(str, self.servers))}>"

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def register(self, function: str, call: WorkerFunction, *, timeout: float | None = None) -> Worker:
        """Take jobs of `function` and have `call` do them; returns the worker, to chain.

        Args:
            call: gets a `Job`; what it returns is the result: bytes, text (sent as UTF-8), or None for nothing.
                What it raises is the job's failure; the client gets ``TypeName: text``. JobFailed without a text
                is a failure without a reason.
            timeout: seconds after which the job server gives the job to another worker; at least 1.
        """
        if not function or len(function.encode()) > ServerLimits.function_bytes or "\0" in function:
            raise UsageError(f"a function name has 1 to {ServerLimits.function_bytes} bytes and no NUL")
        self._functions[function] = call, max(1000, round(timeout * 1000)) if timeout else 0
        return self

    def stop(self) -> None:
        """Have `work` return once the running job is done. Any thread, and a signal handler, may call this."""
        self._stopping.set()
        try:
            os.write(self._wake_in, b"!")
        except OSError:
            pass  # it is awake already, or closed

    def close(self) -> None:
        """Drop the connections; a running job goes back to its job server."""
        for link in self._links:
            link.close()
        if self._wake_out >= 0:
            os.close(self._wake_out)
            os.close(self._wake_in)
            self._wake_out = self._wake_in = -1

    def work(self, max_jobs: int | None = None, *, idle: float = math.inf) -> int:
        """Do jobs until `stop`, until `max_jobs` are done, or until there was none for `idle` seconds.

        Returns how many were done. It returns for nothing else: servers that are gone are waited for.
        KeyboardInterrupt passes through; the job that it broke off goes back to its job server.
        """
        if not self._functions:
            raise UsageError("register a function before calling work()")
        done = 0
        try:
            until = time.monotonic() + idle
            while not self._stopping.is_set() and (max_jobs is None or done < max_jobs) and time.monotonic() < until:
                if self._round(until):
                    done += 1
                    until = time.monotonic() + idle
        finally:
            for link in self._links:
                link.close()
                self._turns.asleep(link)
        self._stopping.clear()
        return done

    def _round(self, until: float) -> bool:
        """Connect what is due, ask whose turn it is, wait for something to happen; True if a job was done."""
        now = time.monotonic()
        for link in self._links:
            if link.sock is None and now >= link.retry_at:
                self._guarded(link, link.open)
        if link_to_ask := self._turns.ask():
            link_to_ask.asked_at = now
            self._guarded(link_to_ask, link_to_ask.grab)
        for link in self._ready_links(until):
            self._guarded(link, link.receive)
        for link in self._links:
            while link.events:
                if self._handle(link, link.events.pop(0)):
                    return True
        return False

    def _ready_links(self, until: float) -> list[_Link]:
        poller = select.poll()
        poller.register(self._wake_out, select.POLLIN)
        links = {link.sock.fileno(): link for link in self._links if link.sock}
        for descriptor, link in links.items():
            poller.register(descriptor, select.POLLOUT if link.connecting else select.POLLIN)
        due = [link.due(self._turns.asked is link) for link in self._links]
        wait_s = max(0.0, min(*due, until) - time.monotonic())
        events = poller.poll(wait_s * 1000 + 1)
        if any(descriptor == self._wake_out for descriptor, _ in events):
            os.read(self._wake_out, 4096)
        now = time.monotonic()
        for link in self._links:
            if link.sock and now >= link.due(self._turns.asked is link):
                self._lost(link, "it did not answer in time")
        return [links[descriptor] for descriptor, _ in events if descriptor in links and links[descriptor].sock]

    def _guarded(self, link: _Link, do: Callable[[], None]) -> None:
        """Do something with a link; if its connection breaks, note that."""
        was_connecting = link.connecting
        try:
            do()
        except (OSError, ProtocolError) as error:
            self._lost(link, reason_of(error) if isinstance(error, OSError) else str(error))
            return
        if was_connecting and not link.connecting:
            log.info("connected to %s", link.address)
            functions = [(name, ms) for name, (_, ms) in self._functions.items()]
            link.conversation.introduce(self.client_id, functions, pool=True, reducers=True)
            if self._late.owes(link.address, time.monotonic_ns()):
                link.unsure, link.asked_at = True, time.monotonic()
            else:
                link.conversation.sleep()  # the NOOP comes behind what the server says of itself, so the grab is right
            self._guarded(link, link.flush)

    def _lost(self, link: _Link, reason: str) -> None:
        if link.unconfirmed:
            self._owe(link, link.unconfirmed)
        link.lost(random.random())
        self._turns.asleep(link)
        log.log(logging.WARNING if link.failures < 3 else logging.DEBUG, "job server %s: %s", link.address, reason)

    def _handle(self, link: _Link, event: Event) -> bool:
        """True if it was a job."""
        if isinstance(event, Assigned):
            self._turns.awake(link)
            self._run(link, event)
            return True
        if isinstance(event, Refused):
            log.warning("job server %s refused: %s (%s)", link.address, event.text, event.code)
        elif event is Told.NOOP:
            if self._turns.asked is not link:
                self._turns.awake(link)
        elif event is Told.OTHER_GRAB:
            self._turns.awake(link)
        elif link.unsure and event in (Told.OURS, Told.NOT_OURS):
            link.unsure = False
            self._settle(link)
            self._turns.awake(link)
        elif event is Told.NO_JOB:
            self._turns.asleep(link)
            link.conversation.sleep()
            self._guarded(link, link.flush)
        return False

    def _settle(self, link: _Link) -> None:
        """Hand in what is owed to a job server that is back, if it is still one of ours."""
        for answer in self._late.take(link.address, time.monotonic_ns()):
            if link.conversation.ours:
                self._answer(link, answer)

    def _answer(self, link: _Link, answer: Answer, *, in_parts: bool = False) -> None:
        """Tell how the job ended. A server that was away has not all of a result `in_parts`, and does the job again."""
        if link.sock is not None:
            link.conversation.end(answer)
            link.unconfirmed = None if in_parts else answer
            self._guarded(link, link.flush)
        elif not in_parts:
            self._owe(link, answer)

    def _owe(self, link: _Link, answer: Answer) -> None:
        link.unconfirmed = None
        if link.conversation.ours:
            self._late.keep(link.address, answer, time.monotonic_ns())

    def _run(self, link: _Link, assigned: Assigned) -> None:
        def flush() -> None:
            self._guarded(link, link.flush)

        def is_over() -> bool:
            if link.sock is not None:
                self._guarded(link, link.receive)
            is_lost = link.sock is None and (job.in_parts or not link.conversation.ours)
            return is_lost or Cancelled(assigned.handle) in link.events

        job = Job(assigned, link.conversation, flush, is_over)
        if answer := self._outcome(job, assigned.handle):
            self._answer(link, answer, in_parts=job.in_parts)

    def _outcome(self, job: Job, handle: bytes) -> Answer | None:
        """Run the function; None: nobody is to hear how that ended."""
        call = self._functions.get(job.function)
        try:
            if call is None:
                raise JobFailed(f"this worker does not know the function {job.function}")
            result = call[0](job)
            return Answer(handle, b"" if result is None else payload(result, f"the result of {job.function}"))
        except JobFailed as failure:
            return Answer(handle, b"", f"{type(failure).__name__}: {failure}" if failure.explained else "")
        except Exception as error:
            if isinstance(error, JobCancelled) and job.cancelled:
                log.info("job %s of %s was cancelled", job.handle, job.function)
                return None
            log.exception("job %s of %s failed", job.handle, job.function)
            return Answer(handle, b"", f"{type(error).__name__}: {error}")


class _Link:
    """One job server's connection. What breaks it is raised: OSError, or ProtocolError."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.sock: socket.socket | None = None
        self.connecting = False
        self.conversation = Conversation(ServerLimits.packet_bytes)
        self.events: list[Event] = []
        self.failures = 0
        self.retry_at = 0.0  # seconds, monotonic, as all times here
        self.opened_at = 0.0
        self.asked_at = 0.0
        self.unsure = False  # it is owed something, and has not said yet whether it is one of ours
        self.unconfirmed: Answer | None = None  # sent, but the server has said nothing since

    def open(self) -> None:
        self.conversation = Conversation(ServerLimits.packet_bytes)
        self.events.clear()
        self.unsure, self.unconfirmed = False, None
        self.opened_at = time.monotonic()
        self._dial = Dial(resolved(self.address))
        self.sock = self._dial.sock
        self.connecting = True

    def due(self, asked: bool) -> float:
        """When something must have happened here at the latest."""
        if self.sock is None:
            return self.retry_at
        if self.connecting:
            return self.opened_at + CONNECT_S
        return self.asked_at + ANSWER_S if asked or self.unsure else time.monotonic() + 3600

    def grab(self) -> None:
        self.conversation.grab()
        self.flush()

    def flush(self) -> None:
        """Send all, waiting for the server to take it."""
        outbox, self.conversation.outbox = self.conversation.outbox, []
        if self.sock is None:
            return  # the connection is gone, and with it the job
        self.sock.settimeout(ANSWER_S)
        try:
            for data in _joined(outbox):
                self.sock.sendall(data)
        finally:
            self.sock.settimeout(0)

    def receive(self) -> None:
        assert self.sock is not None
        if self.connecting:
            self.connecting = not self._dial.connected()
            self.sock = self._dial.sock
            return
        while True:
            room = self.conversation.decoder.room()
            try:
                if room is None:
                    data = self.sock.recv(65536)
                    count = len(data)
                else:
                    count = self.sock.recv_into(room)
            except BlockingIOError:
                return
            if not count:
                raise ConnectionResetError("it closed the connection")
            self.failures, self.unconfirmed = 0, None
            self.events += self.conversation.feed(data) if room is None else self.conversation.filled(count)

    def lost(self, chance: float) -> None:
        self.close()
        self.failures += 1
        self.retry_at = time.monotonic() + RECONNECT.delay_s(self.failures, chance)

    def close(self) -> None:
        if self.sock is not None:
            self.sock.close()
        self.sock = None
        self.connecting = False
        self.events.clear()


def _joined(outbox: list[Data]) -> list[Data]:
    """Small packets in one; large ones as they are."""
    return [b"".join(outbox)] if sum(map(len, outbox)) < 65536 else outbox

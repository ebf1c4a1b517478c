"""The job server's shell: sockets, the clock and signals around the broker and its connections.

All that has arrived is fed; then, once and nowhere else (`JobServer.turn`): tick, wake sleepers, hand what must be
kept to the store, flush. So every peer gets one write however many packets were made for it; and what must not be said
before the store has answered waits in the outbox for that, see `Wire.later`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, cast

from fleet.errors import FleetError
from fleet.jobserver import failpoints
from fleet.jobserver.broker import Broker
from fleet.jobserver.connection import Connection, Speak
from fleet.jobserver.durable import DurableBroker
from fleet.jobserver.gateways import wire_for
from fleet.jobserver.handles import handle_maker, made_with
from fleet.jobserver.job import Peer
from fleet.jobserver.keeper import Keeper
from fleet.jobserver.listening import connections_possible, open_sockets
from fleet.jobserver.log import log
from fleet.jobserver.memory import collect_seldom, give_freed_pages_back, keep_freed_pages, next_growth
from fleet.jobserver.patience import Patience
from fleet.jobserver.session import Session
from fleet.jobserver.stores.choice import mark as mark_of
from fleet.jobserver.stores.choice import opener
from fleet.jobserver.wire import Hub
from fleet.jobserver.workforce import NEVER
from fleet.settings import Address, ServerSettings

# What a read takes at most where large packets are received in place: how one begins, which is copied from here.
SCRATCH_BYTES: Final = 16 * 1024
LOOK_S: Final = 1.0  # between two looks at those that are within a message
MS: Final = 1_000_000  # ns; uvloop's timers have milliseconds, and one that is too early would come again and again
IDLE_LOOK_S: Final = 15.0  # between two looks for connections that nobody would miss, or a quarter of their time

Ready = Callable[["JobServer"], None]


class JobServer:
    """A job server on the running event loop. `start` it, and `close` it."""

    def __init__(self, settings: ServerSettings | None = None) -> None:
        self.settings = settings = settings or ServerSettings()
        self._keeper: Keeper | None = None
        self._requests: Sequence[object] = ()  # what the keeper is to carry out: seen here, most turns have nothing
        self.broker = self._broker()
        level = logging.getLevelName(log.getEffectiveLevel())
        self.hub = Hub(self.broker, exceptions=settings.exceptions, pid=os.getpid(), verbose=level)
        self.address = settings.listen  # once started, with the real port
        self.gateways: dict[str, Address] = {}  # by name, as `address`
        self.connections: dict[Peer | None, Connection] = {}
        self.scratch = memoryview(bytearray(SCRATCH_BYTES))  # see `InPlace`
        self.finished = asyncio.Event()  # it retired, and the last job is done
        self._most_connections = connections_possible(settings.limits.connections)
        self._patience = Patience(settings.limits)
        self._idle_look_s = min(IDLE_LOOK_S, settings.limits.idle_s / 4)
        self._listeners: list[asyncio.Server] = []
        self._timers: dict[str, asyncio.TimerHandle] = {}  # by what they are for
        self._timer_at = NEVER  # ns: when the timer for the broker ends
        self._tables_grow_at = next_growth(0)
        self._retiring = False
        self._turn_is_due = False
        self._failure: FleetError | None = None  # why it finished, if it had to

    def _broker(self) -> Broker:
        settings = self.settings
        how: dict[str, Any] = {"job_retries": settings.job_retries, "worker_wakeup": settings.worker_wakeup}
        if not settings.store:
            return Broker(handle_maker(settings.handle_prefix), settings.limits, **how)
        mark = mark_of(settings.store)
        how |= {"policies": settings.policies, "chance": random.random, "is_ours": partial(made_with, mark)}
        broker = DurableBroker(handle_maker(settings.handle_prefix, mark), settings.limits, **how)
        self._keeper = Keeper(broker, opener(settings.store), self._stored, self._fail)
        self._requests = broker.requests
        return broker

    async def start(self) -> None:
        """Open the store and listen; afterwards `address` and `gateways` have the real ports.

        Raises:
            CannotListen: a port is taken, or an address is not this machine's.
            StoreInUse, StoreBroken: the store cannot be opened.
            UsageError: there is no such gateway.
        """
        self._loop = asyncio.get_running_loop()
        if self._keeper:
            await self._keeper.start(time.monotonic_ns())
            self.turn(time.monotonic_ns())
        try:
            self.address = await self._listen(self.settings.listen, Session)
            for name, address in self.settings.gateways:
                self.gateways[name] = await self._listen(address, wire_for(name))
        except FleetError:
            await self.close()  # the store, too, whose thread would tell a loop that is over of what it did
            raise
        self._later("idle", self._idle_look_s, self._drop_idle)

    async def _listen(self, address: Address, speak: Speak) -> Address:
        for sock in open_sockets(address, self.settings.backlog):
            port = sock.getsockname()[1]
            connection = cast(Callable[[], asyncio.Protocol], partial(Connection, self, speak))
            self._listeners.append(await self._loop.create_server(connection, sock=sock, backlog=self.settings.backlog))
        log.info("listening on %s", Address(address.host, port))
        return Address(address.host, port)

    def retire(self) -> None:
        """Accept no more connections; `finished` is set once no job is left."""
        log.info("retiring: %d jobs are left", len(self.broker.jobs))
        self._retiring = True
        for listener in self._listeners:
            listener.close()
        self.turn(time.monotonic_ns())

    async def close(self) -> None:
        """Stop listening and drop all connections, after what is ready for them was sent.

        Raises:
            StoreBroken: that is why it finished.
        """
        for listener in self._listeners:
            listener.close()
        for connection in self.connections.values():
            connection.hold()  # else it would go on asking for things to be kept
        if self._keeper and not self._failure:
            await self._keeper.close()
        self._flush()
        for connection in list(self.connections.values()):
            connection.transport.close()
        for timer in self._timers.values():
            timer.cancel()
        for listener in self._listeners:
            await listener.wait_closed()
        if self._failure:
            raise self._failure

    # -- what the connections tell ----------------------------------------------------------------------------

    def joined(self, connection: Connection) -> None:
        self.connections[connection.wire] = connection
        log.debug("connected: %s", connection.wire.label)
        if len(self.connections) > self._most_connections:
            connection.cut("TOO_MANY_CONNECTIONS", f"the job server has {self._most_connections} connections")
            self._flush()

    def left(self, connection: Connection, now: int) -> None:
        log.debug("gone: %s", connection.wire.label)
        self.connections.pop(connection.wire, None)
        self._patience.forget(connection)
        self.turn(now)

    def watch(self, connection: Connection, now: int) -> None:
        """It is within a message: it must go on."""
        self._patience.watch(connection, now)
        if "patience" not in self._timers:
            self._later("patience", min(LOOK_S, self.settings.limits.slow_s), self._drop_slow)

    def soon(self) -> None:
        """Something was fed: have a `turn` once all that has arrived by now was."""
        if not self._turn_is_due:
            self._turn_is_due = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._turn_is_due = False
        self.turn(time.monotonic_ns())

    def turn(self, now: int) -> None:
        """What follows everything that was fed: due timers, then one write to each peer that has something."""
        broker = self.broker
        if broker.due <= now:
            broker.tick(now, time.time())
        elif broker.calling:
            broker.wake(now)
        if self._requests and self._keeper:
            self._keeper.carry_out()
        self._flush()
        if broker.due < self._timer_at:
            # A timer that stands for an earlier time is left alone: it finds nothing to do and asks again.
            self._timer_at = broker.due
            self._later("due", max(0, -(-(broker.due - now) // MS)) / 1e3, self._due)
        if len(broker.jobs) >= self._tables_grow_at:
            self._tables_grow_at = next_growth(len(broker.jobs))
            give_freed_pages_back()
        if self._retiring and not self._busy():
            self.finished.set()

    def _busy(self) -> bool:
        """Whether a job would be lost, or a client left without an answer, if the server ended now."""
        if not self._keeper:
            return bool(self.broker.jobs)
        return any(job.worker or job.listeners for job in self.broker.jobs.values())

    def _stored(self) -> None:
        """The store has answered: who waited for that can be told."""
        self.turn(time.monotonic_ns())

    def _fail(self, failure: FleetError) -> None:
        self._failure = failure
        self.finished.set()

    def _flush(self) -> None:
        dirty = self.hub.dirty
        while dirty:
            wire, _ = dirty.popitem()
            if connection := self.connections.get(wire):
                connection.flush()

    # -- timers -----------------------------------------------------------------------------------------------

    def _later(self, name: str, wait_s: float, do: Callable[[], None]) -> None:
        """Have `do` called once; the earlier timer of this name is forgotten."""
        if timer := self._timers.pop(name, None):
            timer.cancel()
        self._timers[name] = self._loop.call_later(wait_s, self._fire, name, do)

    def _fire(self, name: str, do: Callable[[], None]) -> None:
        del self._timers[name]
        do()

    def _due(self) -> None:
        self._timer_at = NEVER
        self.turn(time.monotonic_ns())

    def _drop_slow(self) -> None:
        for connection in self._patience.exhausted(time.monotonic_ns()):
            assert isinstance(connection, Connection)
            connection.cut("TOO_SLOW", f"less than {self.settings.limits.slow_bytes} bytes came in time")
        self._flush()
        if self._patience:
            self._later("patience", min(LOOK_S, self.settings.limits.slow_s), self._drop_slow)

    def _drop_idle(self) -> None:
        since = time.monotonic_ns() - round(self.settings.limits.idle_s * 1e9)
        for connection in list(self.connections.values()):
            if connection.last_read < since and connection.wire.idle:
                connection.drop("it was idle for too long")
            elif connection.gone:
                connection.transport.abort()
        self._later("idle", self._idle_look_s, self._drop_idle)


def run(settings: ServerSettings, ready: Ready | None = None, reopen_log: Callable[[], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; after SIGUSR1, until no job is left.

    Args:
        ready: called once the server listens.
        reopen_log: called on SIGHUP; without it SIGHUP ends the process, as a terminal that goes away should.

    Raises:
        CannotListen, UsageError: as `JobServer.start`.
    """
    failpoints.arm(os.environ.get("FLEET_FAILPOINT", ""))
    keep_freed_pages()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_serve(settings, ready, reopen_log))


async def _serve(settings: ServerSettings, ready: Ready | None, reopen_log: Callable[[], None] | None) -> None:
    server = JobServer(settings)
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, server.finished.set)
    loop.add_signal_handler(signal.SIGUSR1, server.retire)
    if reopen_log:
        loop.add_signal_handler(signal.SIGHUP, reopen_log)
    await server.start()
    collect_seldom()
    if ready:
        ready(server)
    await server.finished.wait()
    await server.close()


STOP_SIGNALS: Final[Sequence[signal.Signals]] = (signal.SIGTERM, signal.SIGINT)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, if it is there: it takes about half of the processor time for small packets."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Any = uvloop.new_event_loop
    return factory  # type: ignore[no-any-return]

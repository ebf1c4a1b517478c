"""The job server's shell: sockets, the clock and signals around the broker and its sessions.

Once for everything that arrives, in this order and nowhere else (`JobServer.turn`): feed what arrived, tick,
flush. So every peer gets one write however many packets were made for it.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

from fleet.errors import FleetError
from fleet.jobserver.broker import Broker
from fleet.jobserver.memory import keep_freed_pages
from fleet.jobserver.session import JOIN_BYTES, Session
from fleet.settings import MIB, Address, ServerLimits

SCRATCH_BYTES: Final = 64 * 1024  # what one read takes at most when no large body is on its way
HIGH_WATER_BYTES: Final = 8 * MIB  # unsent for one peer before no more is read from it
# The kernel's send buffer for each peer. Its default grows to megabytes, which pushes a large payload out of the
# processor's cache between the copy in and the copy out; see docs/performance.md.
SEND_BUFFER_BYTES: Final = 192 * 1024
UNREAD_S: Final = 30.0  # a peer that stays over the high water for so long is cut
BACKLOG: Final = 1024
# A host that vanished without a word is noticed after 15 + 3 x 5 seconds.
KEEPALIVE: Final = ((socket.TCP_KEEPIDLE, 15), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3))


class CannotListen(FleetError):
    """The job server's address cannot be listened on."""

    exit_code = 78  # EX_CONFIG of sysexits.h: trying again would not help


class JobServer:
    """A job server on the running event loop. `start` it, and `close` it.

    Args:
        address: where to listen; port 0 lets the kernel choose.
        limits: see `ServerLimits`.
    """

    def __init__(self, address: Address, limits: ServerLimits | None = None) -> None:
        self.address = address
        self.broker = Broker(handle_maker(), limits)
        self.dirty: dict[Session, None] = {}
        self.connections: dict[Session, Connection] = {}
        # Shared by all connections: what is read into it is consumed before the next read.
        self.scratch = memoryview(bytearray(SCRATCH_BYTES))
        self._timer: asyncio.TimerHandle | None = None
        self._listener: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; afterwards `address` has the real port.

        Raises:
            CannotListen: the port is taken, or the address is not this machine's.
        """
        self._loop = asyncio.get_running_loop()
        try:
            self._listener = await self._loop.create_server(
                lambda: Connection(self), self.address.host, self.address.port, backlog=BACKLOG
            )
        except OSError as error:
            reason = os.strerror(error.errno).lower() if error.errno else str(error)
            raise CannotListen(
                f"cannot listen on {self.address}: {reason}; stop what uses the port or choose another with --port"
            ) from error
        self.address = Address(self.address.host, self._listener.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening and drop all connections, after what is ready for them was sent."""
        if self._listener:
            self._listener.close()
        self._flush()
        for connection in list(self.connections.values()):
            connection.transport.close()
        if self._timer:
            self._timer.cancel()
        if self._listener:
            await self._listener.wait_closed()

    def turn(self, now: int) -> None:
        """What follows everything that was fed: due timers, then one write to each peer that has something."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        wait_ns = self.broker.tick(now)
        self._flush()
        if wait_ns is not None:
            self._timer = self._loop.call_later(wait_ns / 1e9, self._due)

    def _due(self) -> None:
        self._timer = None
        self.turn(time.monotonic_ns())

    def _flush(self) -> None:
        while self.dirty:
            session, _ = self.dirty.popitem()
            if connection := self.connections.get(session):
                connection.flush()


class Connection(asyncio.BufferedProtocol):
    """One peer's socket: it moves bytes between the transport and the session."""

    transport: asyncio.Transport
    session: Session

    def __init__(self, server: JobServer) -> None:
        self._server = server
        self._in_room = False  # the last buffer handed out was the decoder's own
        self._ended = False  # the peer sends no more
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by descent
        self.transport.set_write_buffer_limits(high=HIGH_WATER_BYTES)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in KEEPALIVE:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
        peer = transport.get_extra_info("peername")
        label = f"{sock.fileno()} {peer[0] if peer else '-'}"
        self.session = Session(self._server.broker, self._server.dirty, label)
        self._server.connections[self.session] = self

    def get_buffer(self, sizehint: int) -> memoryview:
        room = self.session.decoder.room()
        self._in_room = room is not None
        return self._server.scratch if room is None else room

    def buffer_updated(self, nbytes: int) -> None:
        now = time.monotonic_ns()
        if self._in_room:
            self.session.filled(nbytes, now)
        else:
            self.session.feed(self._server.scratch[:nbytes], now)
        self._server.turn(now)

    def flush(self) -> None:
        """Send what the session has, joined if it is small."""
        session = self.session
        outbox, session.outbox = session.outbox, []
        if len(outbox) == 1:
            self.transport.write(outbox[0])
        elif sum(map(len, outbox)) <= JOIN_BYTES:
            self.transport.write(b"".join(outbox))
        else:
            self.transport.writelines(outbox)
        if self.transport.get_write_buffer_size() > self._server.broker.limits.unsent_bytes:
            self.transport.abort()
        elif session.closing or (self._ended and not session.listening):
            self.transport.close()

    def eof_received(self) -> bool:
        """Half-closed: the answers still owed are sent before the connection is closed."""
        self._ended = True
        return bool(self.session.listening)

    def pause_writing(self) -> None:
        self.transport.pause_reading()
        self._unread = asyncio.get_running_loop().call_later(UNREAD_S, self.transport.abort)

    def resume_writing(self) -> None:
        if self._unread:
            self._unread.cancel()
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._unread:
            self._unread.cancel()
        self._server.connections.pop(self.session, None)
        now = time.monotonic_ns()
        self.session.lost(now)
        self._server.turn(now)


def handle_maker(host: str | None = None) -> Callable[[], bytes]:
    """Makes handles ``H:host:n-random``: short enough for libgearman (63 bytes), and 80 bits that nobody guesses.

    The random part also keeps handles apart across restarts, so that an old one never comes to mean another job.
    """
    name = (host or socket.gethostname() or "fleet").split(".")[0][:20]
    prefix = b"H:" + "".join(c if c.isalnum() or c in "-_" else "-" for c in name).encode("ascii", "replace") + b":"
    numbers = itertools.count(1)
    pool: list[str] = []

    def make() -> bytes:
        if not pool:
            fresh = os.urandom(10 * 512).hex()  # one system call for many handles
            pool.extend(fresh[at : at + 20] for at in range(0, len(fresh), 20))
        return b"%s%d-%s" % (prefix, next(numbers), pool.pop().encode())

    return make


def run(address: Address, limits: ServerLimits | None = None, ready: Callable[[Address], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT. `ready` is called with the real address once the server listens."""
    keep_freed_pages()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(address, limits, ready))


async def _serve(address: Address, limits: ServerLimits | None, ready: Callable[[Address], None] | None) -> None:
    server = JobServer(address, limits)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop.set)
    await server.start()
    if ready:
        ready(server.address)
    await stop.wait()
    await server.close()


STOP_SIGNALS: Final[Sequence[signal.Signals]] = (signal.SIGTERM, signal.SIGINT)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, if it is there: it takes about half of the processor time for small packets."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Any = uvloop.new_event_loop
    return factory  # type: ignore[no-any-return]

"""One peer's socket: it moves bytes between the transport and the wire that is spoken on it.

Rule 1: nothing is decided here but what keeps one peer from harming the others: how much waits for it, how long, and
who is not read from meanwhile. Rule 2: whoever produces for a peer that does not read is held up until it does.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

from fleet.jobserver.log import log
from fleet.jobserver.session import JOIN_BYTES
from fleet.jobserver.wire import Hub, Wire, is_local
from fleet.protocol import Data
from fleet.settings import Keepalive

if TYPE_CHECKING:
    from fleet.jobserver.server import JobServer

# The kernel's send buffer for each peer. Its default grows to megabytes, which pushes a large payload out of the
# processor's cache between the copy in and the copy out; see docs/performance.md.
SEND_BUFFER_BYTES: Final = 192 * 1024
QUICKACK: Final = getattr(socket, "TCP_QUICKACK", None)  # of Linux; it holds until the kernel thinks otherwise
GUESSING_PAUSE_S: Final = 0.1
PROBE_S: Final = 1.0  # for a reset to come back from a peer that has left

Speak = Callable[[Hub, str, bool], Wire]


class Connection:
    """A connection of `server` on which `speak`, a class below `Wire`, is spoken."""

    transport: asyncio.Transport
    wire: Wire

    def __init__(self, server: JobServer, speak: Speak) -> None:
        self.received = 0  # bytes, ever
        self.last_read = 0  # ns, monotonic
        self._server = server
        self._limits = server.settings.limits
        self._speak = speak
        self._full = False  # the wire has enough for now
        self._resuming = False  # it is about to be told to go on with what it has
        self._in_place = False  # `InPlace` reads for it
        self._ended = False  # the peer sends no more
        self._holds = 0  # reasons not to read from it
        self._held_up: dict[Connection, None] = {}  # who is not read from until this one reads
        self._unread: asyncio.TimerHandle | None = None  # runs while too much waits for it

    @property
    def midway(self) -> bool:
        return self.wire.midway

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by descent
        self.transport.set_write_buffer_limits(high=self._limits.unsent_high_bytes)
        self._sock = sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        _keep_alive(sock, self._server.settings.keepalive)
        host = (transport.get_extra_info("peername") or ("-",))[0]
        self.last_read = time.monotonic_ns()
        admin = self._server.settings.admin == "any" or is_local(host)
        self.wire = self._speak(self._server.hub, f"{sock.fileno()} {host}", admin)
        self._server.joined(self)

    def data_received(self, data: Data) -> None:
        wire = self.wire
        self.received += len(data)
        self.last_read = now = time.monotonic_ns()
        wire.feed(data, now)
        self._server.soon()
        if wire.full != self._full:
            self._pace()
        if wire.midway:
            self._server.watch(self, now)
            if not self._in_place and wire.room() is not None:
                self._receive_in_place()
        if wire.guesses >= self._limits.guesses:
            self._slow_down()

    def partly_filled(self, nbytes: int) -> None:
        """Bytes were received where they belong, and nothing can come of them yet."""
        self.received += nbytes
        self.last_read = now = time.monotonic_ns()
        self._acknowledge()
        self._server.watch(self, now)

    def filled(self, nbytes: int, filled: int) -> None:
        """As `data_received`, for the last `nbytes` of `filled` bytes that were received where they belong."""
        self.received += nbytes
        self.last_read = now = time.monotonic_ns()
        self.wire.filled(filled, now)
        self._server.soon()
        if self.wire.midway:
            self._server.watch(self, now)

    def _acknowledge(self) -> None:
        """Have the kernel say at once what has arrived.

        libgearman's send buffer holds one loopback segment, and the next waits for its acknowledgement, which the
        kernel would delay by 40 ms to save a packet: 3 MB took two seconds, in 64 kB steps.
        """
        if QUICKACK is not None:
            self._sock.setsockopt(socket.IPPROTO_TCP, QUICKACK, 1)

    def _receive_in_place(self) -> None:
        """From now on: who has sent one large packet sends more, and until then the other way is quicker."""
        self._in_place = True
        self.transport.set_protocol(InPlace(self, self._server.scratch))
        if not self._holds and not self.transport.is_closing():
            self.transport.pause_reading()  # uvloop looks at the protocol when reading begins
            self.transport.resume_reading()

    def _slow_down(self) -> None:
        pause_s = GUESSING_PAUSE_S * (self.wire.guesses // self._limits.guesses)
        self.wire.guesses = 0
        self.hold()
        asyncio.get_running_loop().call_later(pause_s, self.release)

    def flush(self) -> None:
        """Send what the wire has, joined if it is small."""
        wire = self.wire
        outbox = wire.take()
        if len(outbox) == 1:
            self.transport.write(outbox[0])
        elif sum(map(len, outbox)) <= JOIN_BYTES:
            self.transport.write(b"".join(outbox))
        else:
            self.transport.writelines(outbox)
        if self._unread:
            self._hold_up_workers()
        if wire.full or self._full:
            self._pace()
        self._close_if_over()

    def _close_if_over(self) -> None:
        wire = self.wire
        if not wire.outbox and (wire.closing or (self._ended and not wire.owed)):
            self.transport.close()

    def _hold_up_workers(self) -> None:
        """It does not read: no more is read from those who work for it, lest it pile up here."""
        if self.transport.get_write_buffer_size() > self._limits.unsent_bytes:
            self.drop("it does not read, and too much waits for it")
            return
        for job in self.wire.listening:
            producer = self._server.connections.get(job.worker)
            if producer is not None and producer is not self and producer not in self._held_up:
                self._held_up[producer] = None
                producer.hold()

    def _pace(self) -> None:
        """Read no more than the wire deals with."""
        if self.wire.full != self._full:
            self._full = not self._full
            (self.hold if self._full else self.release)()
        if self.wire.behind and not (self._resuming or self._unread):
            self._resuming = True
            asyncio.get_running_loop().call_soon(self._resume)

    def _resume(self) -> None:
        self._resuming = False
        if not self.transport.is_closing():
            now = time.monotonic_ns()
            self.wire.feed(b"", now)
            self._server.soon()
            self._pace()
            if self.wire.midway:
                self._server.watch(self, now)
            self._close_if_over()

    # -- what is not read from --------------------------------------------------------------------------------

    def hold(self) -> None:
        """Do not read from it until `release` was called as often."""
        self._holds += 1
        if self._holds == 1 and not self.transport.is_closing():
            self.transport.pause_reading()

    def release(self) -> None:
        self._holds -= 1
        if self._holds == 0 and not self.transport.is_closing():
            self.transport.resume_reading()

    def pause_writing(self) -> None:
        self.hold()
        self._unread = asyncio.get_running_loop().call_later(self._limits.unread_s, self.drop, "it does not read")

    def resume_writing(self) -> None:
        if self._unread:
            self._unread.cancel()
            self._unread = None
            self._release_all()
            self.release()
            self._pace()

    def _release_all(self) -> None:
        held_up, self._held_up = self._held_up, {}
        for producer in held_up:
            producer.release()

    # -- its end ----------------------------------------------------------------------------------------------

    def eof_received(self) -> bool:
        """Half-closed: the answers still owed are sent before the connection is closed."""
        self._ended = True
        if self.wire.owed:
            self._probe()
            asyncio.get_running_loop().call_later(PROBE_S, self._probe)
        return bool(self.wire.owed or self.wire.outbox)

    @property
    def gone(self) -> bool:
        """It sent no more and has left since. Nobody reads from it, so only the kernel knows, by its keep-alives."""
        ended = self._ended and not self.transport.is_closing()
        return ended and self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0

    def _probe(self) -> None:
        """A peer that has left answers the first bytes with a reset, on which the next ones fail."""
        if not self.transport.is_closing():
            self.wire.probe()
            self._server.turn(time.monotonic_ns())

    def cut(self, code: str, reason: str) -> None:
        """End it with a word to the peer."""
        log.warning("cut %s: %s", self.wire.label, reason)
        self.wire.cut(code.encode(), reason.encode())

    def drop(self, reason: str) -> None:
        """End it at once, with what waits for it."""
        log.warning("dropped %s: %s", self.wire.label, reason)
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._unread:
            self._unread.cancel()
        self._release_all()
        now = time.monotonic_ns()
        self.wire.lost(now)
        self._server.left(self, now)


class InPlace(asyncio.BufferedProtocol):
    """Stands in for its connection at the transport: the kernel writes large packets to where they belong.

    What is read into `scratch` is consumed before the next read, so that all connections share one.
    """

    def __init__(self, connection: Connection, scratch: memoryview) -> None:
        self._connection = connection
        self._scratch = scratch
        self._room: memoryview | None = None  # what is left of the wire's own; None: the scratch was handed out
        self._filled = 0  # bytes of it that the wire has not been told of: it only has a use for all of them

    def get_buffer(self, sizehint: int) -> memoryview:
        if self._room is None:
            self._room = self._connection.wire.room()
        return self._scratch if self._room is None else self._room

    def buffer_updated(self, nbytes: int) -> None:
        room = self._room
        if room is None:
            self._connection.data_received(self._scratch[:nbytes])
        elif nbytes < len(room):
            self._room = room[nbytes:]
            self._filled += nbytes
            self._connection.partly_filled(nbytes)
        else:
            filled, self._filled, self._room = self._filled + nbytes, 0, None
            self._connection.filled(nbytes, filled)

    def pause_writing(self) -> None:
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        self._connection.resume_writing()

    def eof_received(self) -> bool:
        return self._connection.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connection.connection_lost(exc)


def _keep_alive(sock: socket.socket, keepalive: Keepalive | None) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if keepalive:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, keepalive.idle_s)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, keepalive.interval_s)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, keepalive.count)

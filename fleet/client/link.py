"""One job server as a client sees it: a non-blocking socket, its conversation, and its health.

Every `OSError` becomes a reason in words here; the client decides what to do about it.
"""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Callable
from typing import Any, Final

from fleet.client.conversation import Conversation
from fleet.client.routing import Health
from fleet.dial import Dial, reason_of, resolved
from fleet.errors import ProtocolError
from fleet.settings import MIB, Address

SCRATCH_BYTES: Final = 64 * 1024
TURN_BYTES: Final = 4 * MIB  # received, or sent, before others have their turn, whoever reads what came among them
ABORT: Final = struct.pack("ii", 1, 0)  # to close is to break off: no lingering, not even for what is unsent
IOV_MAX: Final = 64  # buffers per sendmsg; the system's own limit is 1024


class LinkLost(Exception):
    """The connection failed or ended; the text says how."""


class Link:
    """Not connected until `open`; then `connecting` until the socket is writable; then up."""

    def __init__(self, address: Address, packet_bytes: int) -> None:
        self.address = address
        self.health = Health()
        self.sock: socket.socket | None = None
        self.connecting = False
        self.connect_by = 0.0  # seconds, monotonic
        self._packet_bytes = packet_bytes
        self._scratch = memoryview(bytearray(SCRATCH_BYTES))
        self.conversation = Conversation(packet_bytes)

    def __repr__(self) -> str:
        state = "down" if self.sock is None else "connecting" if self.connecting else "up"
        return f"<Link {self.address} {state}>"

    @property
    def down(self) -> bool:
        return self.sock is None and not self.connecting

    def open(self, connect_by: float) -> None:
        """Begin to connect.

        Raises:
            LinkLost: the name does not resolve, or the connection was refused at once.
        """
        self.begin(connect_by)
        self.dial(lambda: resolved(self.address))

    def begin(self, connect_by: float) -> None:
        self.conversation = Conversation(self._packet_bytes)
        self.connect_by = connect_by

    def dial(self, find: Callable[[], list[Any]]) -> None:
        """Connect to one of the addresses that are found. Raises LinkLost."""
        try:
            self._dial = Dial(find())
        except OSError as error:
            raise LinkLost(reason_of(error)) from error
        self.sock, self.connecting = self._dial.sock, True

    def close(self) -> None:
        if self.sock is not None:
            self.sock.close()
        self.sock = None
        self.connecting = False

    def break_off(self) -> None:
        """Close it so that the server drops the foreground jobs that were submitted here.

        A connection that is closed in good order looks like one that has only stopped sending, which gets its answers.
        """
        if self.sock is not None and not all(task.background for task in self.conversation.tasks()):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
        self.close()

    def ended(self) -> bool:
        """All that the server sent was read, and it has closed the connection."""
        if self.sock is None or self.connecting:
            return False
        try:
            return self.sock.recv(1, socket.MSG_PEEK) == b""
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            return True

    def interest(self) -> int:
        """The poll events this link waits for."""
        if self.connecting:
            return select.POLLOUT
        return select.POLLIN | (select.POLLOUT if self.conversation.outbox else 0)

    def ready(self, events: int) -> None:
        """Do what `poll` said is possible.

        Raises:
            LinkLost: the connection failed, ended, or broke the protocol.
        """
        assert self.sock is not None
        try:
            if self.connecting:
                self.connecting = not self._dial.connected()
                self.sock = self._dial.sock
                if self.connecting:
                    return
            if events & ~select.POLLOUT:
                self._receive(self.sock)
            self.send()
        except OSError as error:
            raise LinkLost(reason_of(error)) from error
        except ProtocolError as error:
            raise LinkLost(f"it broke the protocol: {error}") from error

    def send(self) -> None:
        """Send as much as the kernel takes now. Raises OSError."""
        outbox, in_all = self.conversation.outbox, 0
        while outbox and in_all < TURN_BYTES and self.sock is not None and not self.connecting:
            batch = [outbox[at] for at in range(min(len(outbox), IOV_MAX))]
            try:
                sent = self.sock.sendmsg(batch)
            except (BlockingIOError, InterruptedError):
                return
            in_all += sent
            while outbox and sent >= len(outbox[0]):
                sent -= len(outbox.popleft())
            if sent:
                outbox[0] = memoryview(outbox[0])[sent:]

    def _receive(self, sock: socket.socket) -> None:
        received = 0
        while received < TURN_BYTES:
            room = self.conversation.decoder.room()
            try:
                count = sock.recv_into(self._scratch if room is None else room)
            except (BlockingIOError, InterruptedError):
                return
            if count == 0:
                raise LinkLost("it closed the connection")
            self.health.answered()
            received += count
            if room is None:
                self.conversation.feed(self._scratch[:count])
                if count < SCRATCH_BYTES:
                    return
            else:
                self.conversation.filled(count)

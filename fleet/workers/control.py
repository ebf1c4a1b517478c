"""The pool's end of the socket to its zygote: messages out, in their order, and messages in.

Rule: nothing that is sent is lost while the zygote lives. It takes milliseconds to fork a runner, and a pool may ask
for a thousand at once, which is more than a socket holds: the rest waits here, with descriptors of its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, Final

from fleet.workers.zygote import MESSAGE_BYTES

Waiting = tuple[bytes, Sequence[int]]
NOTHING: Final = b""


class Control:
    """One end of a SOCK_SEQPACKET pair, which is its own from now on. `heard` has each message; None at their end."""

    def __init__(self, sock: socket.socket, heard: Callable[[dict[str, Any] | None], None]) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._heard = heard
        self._waiting: deque[Waiting] = deque()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock.fileno(), self._read)

    def send(self, message: dict[str, Any], fds: Sequence[int] = ()) -> None:
        """Raises OSError: the zygote is gone, or there are no descriptors to be had for what has to wait."""
        data = json.dumps(message).encode()
        if self._waiting or not self._sent(data, fds):
            self._wait(data, fds)

    def _sent(self, data: bytes, fds: Sequence[int]) -> bool:
        """False: there is no room now."""
        try:
            socket.send_fds(self._sock, [data], fds) if fds else self._sock.send(data)
        except BlockingIOError:
            return False
        return True

    def _wait(self, data: bytes, fds: Sequence[int]) -> None:
        held: list[int] = []
        with ExitStack() as undo:
            for fd in fds:
                held.append(os.dup(fd))
                undo.callback(os.close, held[-1])
            undo.pop_all()
        if not self._waiting:
            self._loop.add_writer(self._sock.fileno(), self._send_waiting)
        self._waiting.append((data, held))

    def _send_waiting(self) -> None:
        try:
            while self._waiting and self._sent(*self._waiting[0]):
                self._forget()
        except OSError:  # the zygote is gone, and `heard` will be told
            self._forget_all()
        if not self._waiting:
            self._loop.remove_writer(self._sock.fileno())

    def _forget(self) -> None:
        for fd in self._waiting.popleft()[1]:
            os.close(fd)

    def _forget_all(self) -> None:
        while self._waiting:
            self._forget()

    def _read(self) -> None:
        try:
            data = self._sock.recv(MESSAGE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = NOTHING
        self._heard(json.loads(data) if data else None)

    def close(self) -> None:
        self._forget_all()
        self._loop.remove_reader(self._sock.fileno())
        self._loop.remove_writer(self._sock.fileno())
        self._sock.close()

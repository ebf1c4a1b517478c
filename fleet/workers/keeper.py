"""A runner's keeper, in the pool: it has one started, hands it an errand, hears its records, and says how it ended.

Rule 1: a runner is believed nothing but well-formed records, and no more bytes than a result may have. Rule 2: each
errand ends in exactly one call of `ended`, and no record is told after it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Final, Protocol

from fleet.workers import channel
from fleet.workers.channel import LAST, BadRecord, Errand, Record
from fleet.workers.death import Death

READ_BYTES: Final = 64 * 1024

Ended = Callable[[Death], None]  # called once, whatever happens


class Runners(Protocol):
    """What a keeper needs of the launcher."""

    ready: bool

    def run(self, reader: int, channel: socket.socket, memory_bytes: int, ended: Ended) -> int: ...
    def kill(self, runner: int) -> None: ...


class Keeper:
    """One runner at a time.

    Args:
        result_bytes: what it may send for one errand.
        heard: called with each record.
        ended: called when the runner is gone, with how it ended.
    """

    def __init__(self, runners: Runners, result_bytes: int, heard: Callable[[Record], None], ended: Ended) -> None:
        self._runners = runners
        self._result_bytes = result_bytes
        self._heard = heard
        self._ended = ended
        self._socket: socket.socket | None = None
        self._records = channel.Records(0)
        self._number = 0
        self._wrong: str | None = None  # what it sent that made us stop listening

    @property
    def ready(self) -> bool:
        return self._runners.ready

    def send(self, errand: Errand, reader: int, memory_bytes: int) -> None:
        """Start a runner for the errand; `reader` is its input."""
        ours, theirs = socket.socketpair()
        with theirs:
            ours.setblocking(False)
            ours.send(channel.job(errand))
            self._socket, self._wrong = ours, None
            self._records = channel.Records(self._result_bytes)
            asyncio.get_running_loop().add_reader(ours.fileno(), self._read)
            self._number = self._runners.run(reader, theirs, memory_bytes, self._over)

    def kill(self) -> None:
        self._runners.kill(self._number)

    def _read(self) -> bool:
        """One piece of what it wrote, then others have their turn; False if there was none."""
        if self._socket is None:
            return False
        try:
            data = self._socket.recv(READ_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if data:
            self._feed(data)
        else:
            self._stop_listening()
        return True

    def _feed(self, data: bytes) -> None:
        try:
            for record in self._records.feed(data):
                if record.kind == channel.Kind.STATUS:
                    channel.progress(record.body)
                self._heard(record)
                if record.kind in LAST:
                    self._stop_listening()
                    return
        except BadRecord as error:
            self._wrong = f"it sent {error}"
            self._stop_listening()
            self.kill()

    def _over(self, death: Death) -> None:
        while self._read():  # what it wrote before it ended, no more than a socket holds
            pass
        self._stop_listening()
        self._ended(Death(self._wrong) if self._wrong else death)

    def _stop_listening(self) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None

"""A runner's keeper, in the pool: it has one wait for an errand, hears its records, and says how the errand ended.

Rule 1: a runner is believed nothing but well-formed records, and no more bytes than a result may have. Rule 2: each
errand ends in exactly one call of `ended`, and no record is told after it. Rule 3: a runner is started when the one
before is gone, so that it is locked in by the time there is a job; one that dies while it waits costs nothing.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from enum import Enum, auto
from functools import partial
from typing import Final, Protocol

from fleet.workers import channel
from fleet.workers.channel import LAST, BadRecord, Errand, Kind, Record
from fleet.workers.death import Death

READ_BYTES: Final = 64 * 1024

Ended = Callable[[Death], None]  # called once, whatever happens


class Runners(Protocol):
    """What a keeper needs of the launcher."""

    ready: bool
    many: bool  # whether one may stay for another errand

    def run(self, reader: int, channel: socket.socket, memory_bytes: int, ended: Ended) -> int: ...
    def kill(self, runner: int) -> None: ...


class State(Enum):
    """Of a runner."""

    WAITING = auto()  # for an errand
    BUSY = auto()
    DONE = auto()  # it said how its errand ended, and now says that it stays, or goes


class Runner:
    """One of them, as seen from here."""

    def __init__(self, memory_bytes: int) -> None:
        self.memory_bytes = memory_bytes
        self.number = 0  # the launcher's name for it
        self.socket: socket.socket | None = None  # None: nothing more is heard from it
        self.records = channel.Records(0)
        self.state = State.WAITING
        self.wrong: str | None = None  # what it sent that made us stop listening


class Keeper:
    """One runner at a time.

    Args:
        reader: their input.
        result_bytes: what one may send for one errand.
        heard: called with each record.
        ended: called at the end of each errand, with how its runner ended, or None if it stays.
    """

    def __init__(
        self,
        runners: Runners,
        reader: int,
        result_bytes: int,
        heard: Callable[[Record], None],
        ended: Callable[[Death | None], None],
    ) -> None:
        self._runners = runners
        self._reader = reader
        self._result_bytes = result_bytes
        self._heard = heard
        self._ended = ended
        self._runner: Runner | None = None

    @property
    def ready(self) -> bool:
        return self._runners.ready

    def prepare(self, memory_bytes: int) -> None:
        """Have a runner wait, if there is none."""
        if self._runner is None:
            self._start(memory_bytes)

    def send(self, errand: Errand, memory_bytes: int) -> None:
        """Give the errand to a runner with so much memory."""
        if self._runner and self._runner.memory_bytes != memory_bytes:
            self.dismiss()
        runner = self._runner or self._start(memory_bytes)
        assert runner.state is State.WAITING
        runner.state, runner.records = State.BUSY, channel.Records(self._result_bytes)
        try:
            if runner.socket:
                runner.socket.send(channel.job(errand))
        except OSError:
            pass  # it is dead, and that is on its way here

    def kill(self) -> None:
        """End it and, with it, its errand."""
        if self._runner:
            self._runners.kill(self._runner.number)

    def dismiss(self) -> None:
        """End a runner that waits; there is no errand, and nothing is heard of it any more."""
        if self._runner and self._runner.state is State.WAITING:
            runner, self._runner = self._runner, None
            self._stop_listening(runner)
            self._runners.kill(runner.number)

    def _start(self, memory_bytes: int) -> Runner:
        runner = self._runner = Runner(memory_bytes)
        loop = asyncio.get_running_loop()
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            death = Death(f"it could not be started: {error.strerror}", by_job=False)
            loop.call_soon(self._over, runner, death)
            return runner
        with theirs:
            ours.setblocking(False)
            runner.socket = ours
            loop.add_reader(ours.fileno(), self._read, runner)
            runner.number = self._runners.run(self._reader, theirs, memory_bytes, partial(self._over, runner))
        return runner

    def _read(self, runner: Runner) -> bool:
        """One piece of what it wrote, then others have their turn; False if there was none."""
        if runner.socket is None:
            return False
        try:
            data = runner.socket.recv(READ_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if data:
            self._feed(runner, data)
        else:
            self._stop_listening(runner)
        return True

    def _feed(self, runner: Runner, data: bytes) -> None:
        records = runner.records
        try:
            for record in records.feed(data):
                self._take(runner, record)
                if runner.socket is None or runner.records is not records:
                    return
        except BadRecord as error:
            runner.wrong = f"it sent {error}"
            self._stop_listening(runner)
            self._runners.kill(runner.number)

    def _take(self, runner: Runner, record: Record) -> None:
        if record.kind == Kind.STAYS:
            if runner.state is not State.DONE:
                raise BadRecord("that it stays, before its errand was done")
            runner.state, runner.records = State.WAITING, channel.Records(0)
            self._ended(None)
            return
        if runner.state is not State.BUSY:
            raise BadRecord("more when its errand was done")
        if record.kind == Kind.STATUS:
            channel.progress(record.body)
        self._heard(record)
        if record.kind in LAST:
            runner.state = State.DONE
            if not self._runners.many:
                self._stop_listening(runner)

    def _over(self, runner: Runner, death: Death) -> None:
        while self._read(runner):  # what it wrote before it ended, no more than a socket holds
            pass
        self._stop_listening(runner)
        if runner is not self._runner:
            return
        self._runner = None
        if runner.state is not State.WAITING:
            self._ended(Death(runner.wrong) if runner.wrong else death)

    def _stop_listening(self, runner: Runner) -> None:
        if runner.socket is not None:
            asyncio.get_running_loop().remove_reader(runner.socket.fileno())
            runner.socket.close()
            runner.socket = None

"""The supervisor's shell: waits for signals, lines, exits and time, and does what the machine decides.

Rule 1: nothing is decided here. Rule 2: one thread, one wait, one timeout. Per turn, in this order: lines, then
signals and exits, then `tick`, then its actions. A dead child's last lines are told before its exit.
"""

from __future__ import annotations

import random
import select
import selectors
import signal
import socket
import sys
import time
from collections.abc import Iterable
from types import FrameType
from typing import Any, Final, TextIO

from fleet.lines import Output
from fleet.linux import ready_teller
from fleet.supervisor.children import STOP_SIGNALS, Child, Children, unstarted
from fleet.supervisor.machine import NS, READY, Action, Announce, Kill, Machine, Relay, Report, Spawn, Terminate
from fleet.supervisor.spec import Part, Plan, Policy

LEAVE_S: Final = 2.0  # for the killed to be gone at the very end; longer only hangs in the kernel


class Signals:
    """Signals as bytes to read: the handlers do nothing, Python writes each number to a socket.

    Only in the main thread. The handlers that were there before come back at the end. A terminal that goes away
    (SIGHUP) asks for an end like Ctrl-C does, unless nohup asked us to stay.
    """

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._wakeup = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._handlers: dict[int, Any] = {}
        for number in (*STOP_SIGNALS, signal.SIGCHLD):
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                self._handlers[number] = signal.signal(number, _noted)

    def fileno(self) -> int:
        return self._reader.fileno()

    def wait(self, timeout_s: float) -> None:
        """Wait for any signal."""
        select.select([self._reader], [], [], timeout_s)

    def stops(self) -> list[int]:
        """The requests to stop that came since the last call, in their order; the others only woke us."""
        try:
            return [number for number in self._reader.recv(4096) if number in STOP_SIGNALS]
        except BlockingIOError:
            return []

    def close(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        self._reader.close()
        self._writer.close()


def _noted(number: int, frame: FrameType | None) -> None:
    pass


class Supervisor:
    """Starts `parts`, keeps them running and stops them; `out` and `err` are the standard streams by default.

    To `out` goes one line per part when it first becomes ready, and `ready` when all are; to `err` everything that
    goes wrong after or before, each line with ``fleet up:`` or the part's name in front.

    Raises:
        UsageError: the parts make no sense together.
    """

    def __init__(
        self,
        parts: Iterable[Part],
        out: TextIO | None = None,
        err: TextIO | None = None,
        *,
        policy: Policy | None = None,
    ) -> None:
        self._plan = Plan(tuple(parts))
        self._parts = {part.name: part for part in self._plan}
        self._out = Output(out or sys.stdout)
        self._err = Output(err or sys.stderr)
        self.machine = Machine(self._plan, policy or Policy(), random.random)

    def __repr__(self) -> str:
        return f"<Supervisor of {self.machine!r}>"

    def run(self) -> int:
        """Run until SIGINT, SIGTERM or SIGHUP; return the exit code. Once, and in the main thread.

        0: stopped as asked, running jobs finished. 128 + the signal: a second one asked for an end at once. Else the
        code of the part that could not be started at first. No child is left, whichever it was. The process is the
        supervisor's while this runs: its signal handlers are replaced, and every child it has is reaped here.
        """
        self._tell_ready = ready_teller()
        self._signals = Signals()
        self._children = Children()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._signals, selectors.EVENT_READ)
        try:
            while not self.machine.over:
                self._wait(self.machine.due())
                for action in self.machine.tick(time.monotonic_ns()):
                    self._do(action)
            assert self.machine.code is not None
            return self.machine.code
        finally:
            self._leave_nobody()
            self._selector.close()
            self._children.close()
            self._signals.close()

    def _wait(self, due: int | None) -> None:
        """Wait until something happens or `due` (ns) comes, and tell the machine."""
        woken = self._selector.select(None if due is None else max(0, due - time.monotonic_ns()) / NS)
        now = time.monotonic_ns()
        for key, _ in woken:
            if key.data is not None:
                self._read(key.data, now)
        for number in self._signals.stops():
            self.machine.asked(number)
        self._reap(now)

    def _read(self, child: Child, now: int) -> None:
        lines = child.read()
        if lines is None:
            self._selector.unregister(child.fd)
        for line in lines or ():
            self.machine.said(child.name, line, now)

    def _reap(self, now: int) -> None:
        for child, end in self._children.reap():
            for line in child.last_words():
                self.machine.said(child.name, line, now)
            self.machine.exited(child.name, end, now)
            if child.fd in self._selector.get_map():
                self._selector.unregister(child.fd)
            self._children.release(child)

    def _do(self, action: Action) -> None:
        match action:
            case Spawn(name, argv):
                self._spawn(self._parts[name], argv)
            case Terminate(name):
                self._children.terminate(name)
            case Kill(name):
                self._children.kill(name)
            case Announce(text):
                self._out.line(text)
                if text == READY:
                    self._tell_ready()
            case Report(text):
                self._err.line(f"fleet up: {text}")
            case Relay(name, text):
                self._err.line(f"{name}: {text}")

    def _spawn(self, part: Part, argv: tuple[str, ...]) -> None:
        try:
            child = self._children.spawn(part, argv)
        except OSError as error:
            self.machine.exited(part.name, unstarted(error), time.monotonic_ns())
            return
        self._selector.register(child.fd, selectors.EVENT_READ, child)
        self.machine.started(part.name, child.pid)

    def _leave_nobody(self) -> None:
        """Kill and reap all that is left; for LEAVE_S at most, since a process may hang in the kernel."""
        until = time.monotonic() + LEAVE_S
        while self._children.left() and (rest_s := until - time.monotonic()) > 0:
            self._children.kill_all()  # again each time: the dead leave us their children
            self._signals.wait(min(rest_s, 0.05))
            self._signals.stops()
            for child, _ in self._children.reap():
                self._children.release(child)

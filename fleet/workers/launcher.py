"""The pool's end of its zygote: it starts one, hands it jobs, hears how they ended, and replaces it when it dies."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any, Final

from fleet.backoff import Backoff
from fleet.linux import oom_kills
from fleet.settings import Containment, PoolLimits
from fleet.workers.chatter import Chatter
from fleet.workers.control import Control
from fleet.workers.death import Death, of_status
from fleet.workers.environment import for_runners
from fleet.workers.keeper import Ended
from fleet.workers.kit import Kit

RESTART: Final = Backoff(first_s=0.1, cap_s=10.0)
KILL_S: Final = 2.0  # for the zygote to report a runner it was told to kill; else it is stuck, and killed itself
REAP_S: Final = 1.0  # for a zygote to be gone that was killed; it takes 0.1 ms
ZYGOTE: Final = (sys.executable, "-P", "-m", "fleet.workers.zygote")


class Launcher:
    """Runs jobs in runners, through one zygote at a time.

    Args:
        kit: the functions that the runners have.
        on_change: called when `ready` has changed.
        say: called with each line that runners write, and when none can be started.
    """

    def __init__(
        self,
        kit: Kit,
        limits: PoolLimits,
        containment: Containment,
        on_change: Callable[[], None],
        say: Callable[[str], None],
    ) -> None:
        self.ready = False
        self.many = containment.isolation != "job"
        self.lacks: dict[str, str] = {}  # layers of the sandbox that are not to be had here, and why
        self.refusal: str | None = None  # why there will never be a zygote
        self._config = json.dumps(
            {
                "kit": kit,
                "limits": asdict(limits),
                "containment": asdict(containment),
                "path": sys.path,
            }
        )
        self._environment = for_runners(os.environ, containment.environment)
        self._say = say
        self._chatter = Chatter(say)
        self._oom_kills = oom_kills()
        self._on_change = on_change
        self._process: subprocess.Popen[bytes] | None = None
        self._control: Control | None = None
        self._runners: dict[int, Ended] = {}  # by number
        self._last_runner = 0
        self._failures = 0
        self._closed = False
        self._loop = asyncio.get_running_loop()

    def start(self) -> None:
        """Start a zygote; `on_change` is called when it is ready. Where none can be started, it is tried again."""
        if self._closed:
            return
        try:
            self._start()
        except OSError as error:  # no descriptors, no memory, no room for a process: that passes
            self._say(f"no process could be started for the runners: {error.strerror}; trying again")
            self._start_later()

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ExitStack() as undo, theirs:
            undo.callback(ours.close)
            self._process = subprocess.Popen(
                [*ZYGOTE, str(theirs.fileno()), str(os.getpid()), self._config],
                stdin=subprocess.DEVNULL,
                stdout=self._chatter.writer,  # what a function prints is a message, never the pool's own output
                stderr=self._chatter.writer,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                env=self._environment,
            )
            undo.pop_all()
        self._control = Control(ours, self._hear)

    def run(self, reader: int, channel: socket.socket, memory_bytes: int, ended: Ended) -> int:
        """Start a runner with this input and this channel; returns its number. `ended` is called once, at its end."""
        assert self._control is not None
        self._last_runner += 1
        number = self._last_runner
        self._runners[number] = ended
        try:
            self._control.send({"run": number, "memory_bytes": memory_bytes}, [reader, channel.fileno()])
        except OSError as error:
            self._loop.call_soon(self._over, number, Death(f"it could not be started: {error.strerror}", False))
        return number

    def kill(self, runner: int) -> None:
        """Kill the runner. If its end is not reported in time, the zygote is stuck and dies for it."""
        if runner not in self._runners or self._control is None:
            return
        try:
            self._control.send({"kill": runner})
        except OSError:
            pass  # the zygote does not listen: the check below sees to it
        self._loop.call_later(KILL_S, self._check_killed, runner)

    def _check_killed(self, runner: int) -> None:
        if runner in self._runners and self._process is not None:
            self._process.kill()

    def _hear(self, message: dict[str, Any] | None) -> None:
        if message is None:
            self._zygote_lost()
            return
        if "ready" in message:
            self._failures = 0
            self.ready = True
            self.lacks = message["lacks"]
            self._on_change()
        elif "refused" in message:
            self.refusal = message["refused"]
            self._on_change()
        elif "ended" in message:
            self._over(message["ended"], self._death(message["status"]))
        elif "failed" in message:
            self._over(message["failed"], Death(message["text"], False))

    def _death(self, status: int) -> Death:
        before = self._oom_kills
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            self._oom_kills = oom_kills()
        return of_status(status, None if before is None else before != self._oom_kills)

    def _over(self, runner: int, death: Death) -> None:
        if ended := self._runners.pop(runner, None):
            ended(death)

    def _zygote_lost(self) -> None:
        self._drop_zygote()
        for runner in list(self._runners):
            self._over(runner, Death("the process that started it was lost", False))
        if not self._closed:
            self._start_later()
            self._on_change()

    def _start_later(self) -> None:
        self._failures += 1
        self._loop.call_later(RESTART.delay_s(self._failures, random.random()), self.start)

    def _drop_zygote(self) -> None:
        self.ready = False
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.kill()  # its runners die with it
            try:
                self._process.wait(REAP_S)
            except subprocess.TimeoutExpired:
                pass  # whoever starts the next process reaps it
            self._process = None

    def close(self) -> None:
        """End the zygote and all runners."""
        self._closed = True
        self._runners.clear()
        self._drop_zygote()
        self._chatter.close()

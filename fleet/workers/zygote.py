"""The zygote: a process with one thread and the libraries loaded, which forks a runner for each job.

Run by the pool as ``python -m fleet.workers.zygote DESCRIPTOR PARENT CONFIG``. It holds no connection and decodes
nothing. It is the one that kills and reaps runners, because only a parent knows which process numbers still mean
what they meant. On its control socket each message is one JSON object:

    from the pool   {"run": number, "memory_bytes": n}   and two descriptors, the runner's input and its channel
                    {"kill": number}
    to the pool     {"ready": true, "lacks": {layer of the sandbox: why it is not there}}
                    {"refused": why it cannot do its work as it is told to}
                    {"ended": number, "status": wait status}
                    {"failed": number, "text": why no runner could be forked}
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import sys
import threading
from errno import EMFILE
from typing import Any, Final

from fleet.errors import UsageError
from fleet.linux import address_space, adopt_orphans, follow_parent, fork_alone, offspring
from fleet.settings import Containment, PoolLimits
from fleet.workers import runner
from fleet.workers.kit import Function, Kit
from fleet.workers.runner import Terms, terms
from fleet.workers.sandbox import Sandbox

MESSAGE_BYTES: Final = 64 * 1024


class Zygote:
    """Its loop. `control` is one end of a SOCK_SEQPACKET pair."""

    def __init__(self, control: socket.socket, functions: dict[str, Function], terms: Terms) -> None:
        self._control = control
        self._functions = functions
        self._terms = terms
        self._runners: dict[int, int] = {}  # their numbers in the pool, by process number
        self._fork = fork_alone if threading.active_count() == 1 else os.fork  # a function's module may start some

    def serve(self) -> None:
        """Until the pool closes its end."""
        wake_out, wake_in = socket.socketpair()
        for sock in (wake_out, wake_in):
            sock.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(wake_in.fileno(), warn_on_full_buffer=False)
        poller = select.poll()
        poller.register(self._control, select.POLLIN)
        poller.register(wake_out, select.POLLIN)
        self._tell({"ready": True, "lacks": self._terms.sandbox.lacks})
        while True:
            for descriptor, _ in poller.poll():
                if descriptor == wake_out.fileno():
                    wake_out.recv(4096)
                    self._reap()
                elif not self._obey():
                    return

    def _obey(self) -> bool:
        """Do what the next message says; False if there are no more."""
        data, fds, _, _ = socket.recv_fds(self._control, MESSAGE_BYTES, 2)
        if not data:
            return False
        message = json.loads(data)
        if "run" in message:
            self._run(message, fds)
        elif "kill" in message:
            self._kill(message["kill"])
        return True

    def _run(self, message: dict[str, Any], fds: list[int]) -> None:
        try:
            if len(fds) < 2:
                raise OSError(EMFILE, os.strerror(EMFILE))  # the kernel had to leave some out
            pid = self._fork()
        except OSError as error:
            self._tell({"failed": message["run"], "text": f"no process could be forked: {error.strerror}"})
        else:
            if pid == 0:
                runner.run(self._functions, (fds[0], fds[1]), message["memory_bytes"], self._terms)
            self._runners[pid] = message["run"]
        finally:
            for fd in fds:
                os.close(fd)

    def _kill(self, number: int) -> None:
        for pid, held in self._runners.items():
            if held == number:
                _kill_group(pid)

    def _reap(self) -> None:
        while pid := _dead():
            # Not yet reaped, its number is still its own while what it left in its group is killed.
            _kill_group(pid)
            _, status = os.waitpid(pid, 0)
            if pid in self._runners:
                self._tell({"ended": self._runners.pop(pid), "status": status})
        if not self._terms.sandbox.filters_calls:
            self._end_orphans()

    def _end_orphans(self) -> None:
        """What runners left behind in sessions of its own came to us; where calls are filtered there is no such."""
        for pid in offspring():
            if pid not in self._runners:
                _kill_group(pid)
                try:
                    os.waitpid(pid, os.WNOHANG)
                except ChildProcessError:
                    pass

    def _tell(self, message: dict[str, Any]) -> None:
        self._control.send(json.dumps(message).encode())


def _dead() -> int:
    """The number of a child that has ended, 0 if none has."""
    try:
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:  # there are no children
        return 0
    return found.si_pid if found else 0


def _kill_group(pid: int) -> None:
    for kill in (os.killpg, os.kill):  # the group is its own once it has called setsid, and it alone before
        try:
            kill(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass


def main() -> None:
    descriptor, parent, config = int(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])
    follow_parent(parent)
    # A terminal's Ctrl-C and a stop of the pool are the pool's business.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then a runner's write to a file is an error, and has a text
    sys.path[:] = config["path"]  # what the pool's program can import, its functions can be
    with socket.socket(fileno=descriptor) as control:
        try:
            _serve(control, Kit(*config["kit"]), PoolLimits(**config["limits"]), Containment(**config["containment"]))
        except (BrokenPipeError, ConnectionResetError):
            pass  # the pool is gone


def _serve(control: socket.socket, kit: Kit, limits: PoolLimits, containment: Containment) -> None:
    try:
        functions = kit.load()
        sandbox = Sandbox(containment)
        if sandbox.lacks and containment.sandbox == "required":
            raise UsageError(f"the sandbox is required and not whole: {'; '.join(sandbox.lacks.values())}")
    except UsageError as error:
        control.send(json.dumps({"refused": str(error)}).encode())
        control.recv(1)  # until the pool closes its end
        return
    # Nothing that is here now is garbage, and a collection in a runner would touch, and so copy, all of it.
    gc.collect()
    gc.disable()
    gc.freeze()
    os.chdir("/")
    adopt_orphans(True)
    Zygote(control, functions, terms(limits, containment, sandbox, address_space())).serve()


if __name__ == "__main__":
    main()

"""Child processes: spawned so that they cannot outlive us, signalled by group, reaped with a named cause.

Rule 1: every child leads a session of its own, and the kernel kills it when the supervisor dies; what it starts
must bind itself to it in the same way (the pool's zygote does). Rule 2: a process is signalled only before it is
reaped, so a number that was given to somebody else is never hit. Rule 3: what a child leaves behind is ours: the
orphans come to us instead of to init, are killed and are reaped. Rule 4: nothing here waits.

The binding is to the *thread* that spawned: spawn from the main thread.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Final

from fleet.lines import Lines
from fleet.linux import adopt_orphans, follow_parent, offspring, oom_kills, prctl
from fleet.supervisor.spec import Exit, Part

READ_BYTES: Final = 16 * 1024
LAST_WORDS_BYTES: Final = 256 * 1024  # read of what a dead child left in its pipe; a pipe holds less
STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
CAN_ADOPT: Final = prctl is not None


class Child:
    """A process of a part: `pid` is also its group and its session, `fd` reads its standard output."""

    __slots__ = ("_lines", "fd", "name", "process")

    def __init__(self, name: str, process: subprocess.Popen[bytes], fd: int) -> None:
        self.name = name
        self.process = process
        self.fd = fd
        self._lines = Lines()

    def __repr__(self) -> str:
        return f"<Child {self.name}, pid {self.pid}, exit status {self.process.returncode}>"

    @property
    def pid(self) -> int:
        return self.process.pid

    def read(self) -> list[str] | None:
        """The lines that are complete by now, perhaps none; None: the child closed its output."""
        try:
            data = os.read(self.fd, READ_BYTES)
        except BlockingIOError:
            return []
        return self._lines.feed(data) if data else None

    def last_words(self) -> list[str]:
        """What a dead child left behind. A descendant may still hold the pipe, so this ends without its end."""
        lines: list[str] = []
        for _ in range(LAST_WORDS_BYTES // READ_BYTES):
            more = self.read()
            if not more:
                break
            lines += more
        return lines + self._lines.rest()


class Children:
    """The processes we started, by part, and those we were left with.

    With `adopt` (Linux) this process takes over the orphans of its descendants, kills them and reaps every child it
    has: then the process must be nothing else than a supervisor. Without, only what `spawn` started is touched.
    """

    def __init__(self, *, adopt: bool = CAN_ADOPT) -> None:
        self._children: dict[int, Child] = {}  # by pid, until reaped
        self._adopts = adopt and CAN_ADOPT
        # Inherited through an exec, as in `postgres & exec fleet up`: not ours to kill.
        self._strangers = frozenset(offspring())
        self._oom_kills = oom_kills()
        self._subreaper(True)

    def __repr__(self) -> str:
        return f"<Children: {', '.join(f'{c.name} {c.pid}' for c in self._children.values()) or 'none'}>"

    def close(self) -> None:
        """Adopt no more. Whoever wants no process left kills and reaps before."""
        self._subreaper(False)

    def left(self) -> bool:
        """Whether a process that we started or adopted has not been reaped yet."""
        return bool(self._children or self._adopted())

    def spawn(self, part: Part, argv: tuple[str, ...]) -> Child:
        """Start the part.

        Raises:
            OSError: it could not be started; `unstarted` says it as an exit.
        """
        unblocked = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)  # why: see `_binder`
        try:
            process = subprocess.Popen(
                argv,
                bufsize=0,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                env={**os.environ, **part.env},
                start_new_session=True,
                preexec_fn=_binder(os.getpid(), unblocked),
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        child = Child(part.name, process, process.stdout.fileno())
        self._children[child.pid] = child
        return child

    def terminate(self, name: str) -> None:
        """SIGTERM to the part's process alone: what it does with its own children is its affair."""
        for child in self._named(name):
            _send(child.pid, signal.SIGTERM)

    def kill(self, name: str) -> None:
        """SIGKILL to the part's group."""
        for child in self._named(name):
            _send(-child.pid, signal.SIGKILL)

    def kill_all(self) -> None:
        """SIGKILL to all groups and to everything adopted."""
        for pid in self._children:
            _send(-pid, signal.SIGKILL)
        self._kill_adopted()

    def reap(self) -> list[tuple[Child, Exit]]:
        """The children that have ended since the last call, with the causes; call it after every SIGCHLD.

        What was left of their groups is killed, and so is what they left to us; that is reaped silently.
        """
        ended: list[tuple[Child, Exit]] = []
        reaped = False
        for pid, status in self._statuses():
            reaped = True
            child = self._children.pop(pid, None)
            if child is not None:
                child.process.returncode = status  # or Popen would wait for a number that is free again
                ended.append((child, Exit(status, self._cause(status))))
        if reaped:
            self._kill_adopted()
        return ended

    def release(self, child: Child) -> None:
        """Close the output of a reaped child."""
        assert child.process.stdout is not None
        child.process.stdout.close()

    def _named(self, name: str) -> list[Child]:
        return [child for child in self._children.values() if child.name == name]

    def _subreaper(self, wanted: bool) -> None:
        if self._adopts:
            adopt_orphans(wanted)

    def _statuses(self) -> Iterator[tuple[int, int]]:
        """Reap: the pid and status (minus the signal, if one killed it) of each child that has ended."""
        if not self._adopts:
            for pid in list(self._children):
                done, status = os.waitpid(pid, os.WNOHANG)
                if done:
                    _send(-pid, signal.SIGKILL)
                    yield pid, os.waitstatus_to_exitcode(status)
            return
        while (ended := _ended()) is not None:
            if ended not in self._strangers:
                # Before it is reaped: until then nobody else can be given its number.
                _send(-ended, signal.SIGKILL)
            _, status = os.waitpid(ended, 0)
            yield ended, os.waitstatus_to_exitcode(status)

    def _kill_adopted(self) -> None:
        """The dead leave processes in sessions of their own; they die here, and theirs at the next reaping."""
        for pid in self._adopted():
            _send(pid, signal.SIGKILL)

    def _adopted(self) -> list[int]:
        """Our children that `spawn` did not start.

        As process 1 of a container we inherit strangers too and cannot tell them apart: none is called adopted, all
        are reaped, and the kernel ends them with us.
        """
        if not self._adopts or os.getpid() == 1:
            return []
        return [pid for pid in offspring() if pid not in self._children and pid not in self._strangers]

    def _cause(self, status: int) -> str:
        if status >= 0:
            return f"exited with code {status}"
        if -status != signal.SIGKILL:
            return f"killed by {_signal_name(-status)}"
        before, self._oom_kills = self._oom_kills, oom_kills()
        known_innocent = before is not None and before == self._oom_kills
        return "killed by SIGKILL" if known_innocent else "killed by SIGKILL (maybe out of memory)"


def unstarted(error: OSError) -> Exit:
    """A process that could not be started, with the code that a shell would give for it."""
    code = {FileNotFoundError: 127, PermissionError: 126}.get(type(error), 1)
    return Exit(code, f"could not be started: {error.strerror or error} ({error.filename})")


def _binder(parent: int, mask: set[int | signal.Signals]) -> Callable[[], None]:
    """What a child does between fork and exec: bind its life to ours, and become deaf to our signals.

    Until it left our group, a Ctrl-C in the terminal was sent to both. Our handler would have written the child's
    copy to the socket that both still share, and one Ctrl-C would have been taken for two. So the child was forked
    with these signals blocked, forgets those that wait, and lets the next ones through.
    """

    def bind() -> None:
        follow_parent(parent)
        for number in STOP_SIGNALS:
            if signal.signal(number, signal.SIG_IGN) is not signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    return bind


def _ended() -> int | None:
    """A child that has ended and is not reaped."""
    if sys.platform != "linux":
        return None
    try:
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return found.si_pid if found is not None else None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # the real-time ones have no names
        return f"signal {number}"


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):  # gone, or a setuid program: nothing more can be done
        pass

"""Real processes for tests: started with what they need, read line by line with a limit, and never left behind."""

from __future__ import annotations

import gc
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
FLEET = (sys.executable, "-m", "fleet")
LIMIT_S = 30.0  # generous, for a busy machine; nothing takes it unless it fails


def until(holds: Callable[[], bool], what: str, limit_s: float = LIMIT_S) -> None:
    """Poll until it holds; fail with `what` after `limit_s`."""
    end = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < end, f"not within {limit_s} s: {what}"
        time.sleep(0.01)


def state_of(pid: int) -> str:
    """The letter of the process's state, Z for a zombie; empty when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def heard(pid: int, number: signal.Signals) -> bool:
    """Whether no such signal waits to be delivered: two at once would be one."""
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return not any(int(status[name], 16) & 1 << (number - 1) for name in ("SigPnd", "ShdPnd"))


def alive(pid: int) -> bool:
    return state_of(pid) not in ("", "Z", "X")


def open_files() -> set[str]:
    """The numbers of what this process has open, but for what is garbage and has only not been closed yet."""
    gc.collect()
    return set(os.listdir("/proc/self/fd"))


class Stream:
    """The lines of a pipe, with a limit on every wait."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._held = b""
        self.seen: list[str] = []

    def line(self) -> str:
        """The next line; empty at the end."""
        end = time.monotonic() + LIMIT_S
        while b"\n" not in self._held:
            ready, _, _ = select.select([self._fd], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"no line within {LIMIT_S} s after {self.seen}"
            data = os.read(self._fd, 4096)
            if not data:
                return ""
            self._held += data
        line, _, self._held = self._held.partition(b"\n")
        self.seen.append(line.decode())
        return self.seen[-1]

    def until(self, text: str) -> str:
        """The next line that holds `text`."""
        while text not in (line := self.line()):
            assert line, f"{text!r} did not come, but {self.seen}"
        return line

    def tail(self) -> str:
        """All to the end, in one, a last line without a newline included."""
        lines = self.rest()
        return "\n".join([*lines, self._held.decode()] if self._held else lines)

    def rest(self) -> list[str]:
        """All lines to the end."""
        return list(iter(self.line, ""))


def descendants(pid: int) -> list[int]:
    """The living processes below `pid`, whatever sessions they are in."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if fields[0] not in "ZX":
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def zygote_below(pool: int) -> int:
    """The zygote of a pool, by its process number."""

    def read(pid: int, name: str) -> str:
        try:
            return Path(f"/proc/{pid}/{name}").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return ""

    (found,) = [
        pid
        for pid in descendants(pool)
        if "fleet.workers.zygote" in read(pid, "cmdline") and f"\nPPid:\t{pool}\n" in read(pid, "status")
    ]
    return found


class Program:
    """A running program whose output a test reads."""

    def __init__(self, *argv: str, env: Mapping[str, str] | None = None, cwd: Path = ROOT) -> None:
        self.process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
            cwd=cwd,
            start_new_session=True,
        )
        assert self.process.stdout
        assert self.process.stderr
        self.out = Stream(self.process.stdout.fileno())
        self.err = Stream(self.process.stderr.fileno())

    @property
    def pid(self) -> int:
        return self.process.pid

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ended(self, limit_s: float = LIMIT_S) -> int:
        """Its exit code, once it has ended."""
        return self.process.wait(limit_s)

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.send(signal.SIGTERM)
        return self.ended()

    def clear(self) -> None:
        """Kill what is left of it and of all it started."""
        below = descendants(self.pid)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(LIMIT_S)
        for pid in below:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        until(lambda: not any(map(alive, below)), f"all that {self.process.args!r} started is gone")
        for stream in (self.process.stdout, self.process.stderr):
            assert stream
            stream.close()

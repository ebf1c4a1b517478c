"""Real supervisors and real children. Every wait has a limit, and no process outlives its test."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.processes import LIMIT_S, Stream, until

HERE = Path(__file__).parent
ENV = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}


class Notes:
    """What the parts of one test wrote down about themselves."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "notes"
        self.path.touch()

    def lives(self, name: str) -> list[dict[str, Any]]:
        """Each process of this name that was started, in order: its pid, words and env."""
        notes = [json.loads(line) for line in self.path.read_text().splitlines()]
        return [one for one in notes if one["name"] == name]

    def pid(self, name: str) -> int:
        """The newest."""
        pid: int = self.lives(name)[-1]["pid"]
        return pid

    def argv(self, name: str, *words: str) -> list[str]:
        return [sys.executable, "-S", "-E", str(HERE / "part.py"), str(self.path), name, *words]

    def running(self) -> list[int]:
        """The processes of this test that live, however they were started."""
        mark, found = str(self.path).encode(), []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and mark in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except (FileNotFoundError, ProcessLookupError):
                pass
        return found

    def gone(self) -> None:
        until(lambda: not self.running(), f"no process is left of {self.path.read_text()}")


def driver(*parts: dict[str, Any], **policy: Any) -> list[str]:
    """The command of a supervisor of these parts."""
    return [sys.executable, str(HERE / "driver.py"), json.dumps({"parts": parts, "policy": policy})]


class Up:
    """A supervisor as a process, in a session of its own."""

    def __init__(self, notes: Notes, command: list[str]) -> None:
        self.notes = notes
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=ENV,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.out = Stream(self.process.stdout.fileno())
        self.err = Stream(self.process.stderr.fileno())

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def ctrl_c(self) -> None:
        """As a terminal does it: to the whole group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def code(self) -> int:
        return self.process.wait(LIMIT_S)

    def children(self) -> list[int]:
        """The supervisor's own, zombies included."""
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()


@pytest.fixture
def notes(tmp_path: Path) -> Iterator[Notes]:
    notes = Notes(tmp_path)
    yield notes
    for pid in notes.running():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it was just ending
    notes.gone()


StartUp = Callable[..., Up]


@pytest.fixture
def up(notes: Notes) -> Iterator[StartUp]:
    """`up(part, ..., **policy)` starts a supervisor of these."""
    started: list[Up] = []

    def start(*parts: dict[str, Any], **policy: Any) -> Up:
        started.append(Up(notes, driver(*parts, **policy)))
        return started[-1]

    yield start
    for one in started:
        one.close()


MakePart = Callable[..., dict[str, Any]]


@pytest.fixture
def part(notes: Notes) -> MakePart:
    """`part(name, *words, ready=..., needs=..., ...)`: what `Part` is given, for a process of part.py."""

    def make(name: str, *words: str, ready: str = "ready ", **more: Any) -> dict[str, Any]:
        return {"name": name, "argv": notes.argv(name, *words), "ready": ready, "needs": [], **more}

    return make

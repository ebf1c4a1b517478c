"""A zygote as a process of its own, with the pool's end of its socket here, and runners that are real."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from fleet.settings import Containment, PoolLimits
from fleet.workers import channel
from fleet.workers.arena import Arena
from fleet.workers.channel import Errand, Kind, Record, Records
from fleet.workers.kit import Kit, kit_of
from tests.processes import LIMIT_S, alive, descendants, until
from tests.workers.hostile import FUNCTIONS

pytestmark = pytest.mark.system

MEMORY_BYTES = 512 << 20


class Zygote:
    """One, and what it says."""

    def __init__(self, kit: Kit) -> None:
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(LIMIT_S)
        parts = {"kit": kit, "limits": asdict(PoolLimits()), "containment": asdict(Containment(sandbox="off"))}
        config = json.dumps({**parts, "path": sys.path})
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "fleet.workers.zygote", str(theirs.fileno()), str(os.getpid()), config],
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def says(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.control.recv(1 << 16))
        return found

    def send(self, message: dict[str, Any], *fds: int) -> None:
        socket.send_fds(self.control, [json.dumps(message).encode()], list(fds))

    @contextmanager
    def runner(self, number: int, workload: bytes = b"") -> Iterator[Runner]:
        """One that waits for an errand on this workload, which lies in a slot's memory."""
        arena = Arena()
        place = arena.place(workload)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.settimeout(LIMIT_S)
            self.send({"run": number, "memory_bytes": MEMORY_BYTES}, arena.reader, theirs.fileno())
            arena.close()
            theirs.close()
            yield Runner(ours, place)

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def children(self) -> str:
        return Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()


class Runner:
    """The pool's end of one."""

    def __init__(self, sock: socket.socket, place: tuple[int, int]) -> None:
        self._sock = sock
        self._place = place

    def begin(self, function: str) -> None:
        self._sock.sendall(channel.job(Errand(function, *self._place)))

    def ask(self, function: str) -> Record:
        """The first that it says to the errand."""
        self.begin(function)
        records = Records(1 << 24)
        while True:
            data = self._sock.recv(65536)
            assert data, "it is gone"
            for record in records.feed(data):
                return record


@contextmanager
def zygote(kit: Kit | None = None, *, ready: bool = True) -> Iterator[Zygote]:
    """One, that is gone with all it forked when its pool has closed its end."""
    made = Zygote(kit or kit_of(FUNCTIONS))
    try:
        if ready:
            assert made.says()["ready"]
        yield made
        below = descendants(made.pid)
        made.control.close()
        made.process.wait(LIMIT_S)
        until(lambda: not any(map(alive, below)), "what it forked is gone with it")
    finally:
        made.control.close()
        made.process.kill()
        made.process.wait(LIMIT_S)


def test_a_runner_has_what_it_was_given_and_its_end_is_reported_by_its_number() -> None:
    with zygote() as made:
        for number, workload in ((7, b"workload"), (8, bytes(range(256)) * 10_000)):
            with made.runner(number, workload) as runner:
                assert runner.ask("reverse") == Record(Kind.RESULT, workload[::-1])
                assert made.says() == {"ended": number, "status": 0}


def test_runners_are_side_by_side_and_one_is_killed_by_its_number() -> None:
    with zygote() as made, made.runner(1, b"600") as first, made.runner(2, b"0.01") as second:
        first.begin("slow")
        assert second.ask("slow") == Record(Kind.RESULT, b"slept")
        assert made.says() == {"ended": 2, "status": 0}
        made.send({"kill": 2})  # it is gone: nothing happens
        made.send({"kill": 3})  # nor was there ever such a one
        made.send({"kill": 1})
        assert made.says() == {"ended": 1, "status": signal.SIGKILL}


def test_what_a_runner_has_started_goes_with_it() -> None:
    with zygote() as made:
        with made.runner(1) as runner:
            grandchild = int(runner.ask("leaves_a_grandchild").body)
            assert made.says() == {"ended": 1, "status": 0}
        until(lambda: not alive(grandchild), "its child is gone")
        with made.runner(2) as runner:
            outsider = int(runner.ask("leaves_a_session").body)
            assert made.says() == {"ended": 2, "status": 0}
        until(lambda: not alive(outsider), "so is one that had left its session")
        until(lambda: not made.children(), "and nobody is left unburied")


def test_a_crash_is_told_by_its_signal_and_the_zygote_goes_on() -> None:
    with zygote() as made:
        for number, (function, sign) in enumerate({"segfault": signal.SIGSEGV, "aborts": signal.SIGABRT}.items()):
            with made.runner(number) as runner:
                runner.begin(function)
                assert made.says() == {"ended": number, "status": sign}
        with made.runner(9, b"ab") as runner:
            assert runner.ask("reverse").body == b"ba"


def test_it_keeps_nothing_of_the_runners_that_are_gone() -> None:
    with zygote() as made:
        before = made.descriptors()
        for number in range(100):
            with made.runner(number):
                pass  # its channel is closed before it has an errand
            assert made.says() == {"ended": number, "status": 0}
        assert made.descriptors() == before
        assert made.children() == ""


def test_f12_a_runner_whose_descriptors_did_not_arrive_is_not_started() -> None:
    with zygote() as made:
        before = made.descriptors()
        soft, hard = resource.prlimit(made.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(made.pid, resource.RLIMIT_NOFILE, (3, hard))
        with made.runner(1):
            assert made.says() == {"failed": 1, "text": "no process could be forked: Too many open files"}
        resource.prlimit(made.pid, resource.RLIMIT_NOFILE, (soft, hard))
        assert made.descriptors() == before
        with made.runner(2, b"ab") as runner:
            assert runner.ask("reverse").body == b"ba"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_terminals_signals_are_the_pools_business(number: signal.Signals) -> None:
    with zygote() as made, made.runner(1, b"ab") as runner:
        made.process.send_signal(number)
        assert runner.ask("reverse").body == b"ba"


def test_when_it_is_killed_its_runners_are_too() -> None:
    with zygote() as made, made.runner(1, b"600") as runner:
        runner.begin("slow")
        until(lambda: len(descendants(made.pid)) == 1, "the runner is there")
        (pid,) = descendants(made.pid)
        made.process.kill()
        until(lambda: not alive(pid), "the runner is gone with it")
        made.process.wait(LIMIT_S)


def test_functions_that_cannot_be_loaded_are_refused_in_words_and_it_waits_to_be_dismissed() -> None:
    with zygote(kit_of({"f": "tests.workers.no_such:f"}), ready=False) as made:
        assert "tests.workers.no_such" in made.says()["refused"]
        assert made.process.poll() is None

"""`Children` in this process, so without adopting: that is tested with whole supervisors."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.supervisor.children import Child, Children, unstarted
from fleet.supervisor.spec import Exit, Part
from tests.processes import LIMIT_S, alive, until
from tests.supervisor.conftest import ENV, Notes


class Nursery:
    """Children with patience."""

    def __init__(self, notes: Notes) -> None:
        self.children = Children(adopt=False)
        self.notes = notes
        self._ended: list[tuple[Child, Exit]] = []

    def spawn(self, *words: str, env: dict[str, str] | None = None) -> Child:
        argv = tuple(self.notes.argv("child", *words))
        return self.children.spawn(Part("child", argv, "ready ", env=env or {}), argv)

    def lines(self, child: Child, count: int) -> list[str]:
        lines: list[str] = []
        while len(lines) < count:
            ready, _, _ = select.select([child.fd], [], [], LIMIT_S)
            assert ready, f"only {lines}"
            more = child.read()
            assert more is not None, f"only {lines}"
            lines += more
        return lines

    def exit(self, child: Child) -> Exit:
        """Wait for it to end."""
        until(lambda: any(one is child for one, _ in self._reaped()), f"{child} ends")
        return next(end for one, end in self._ended if one is child)

    def _reaped(self) -> list[tuple[Child, Exit]]:
        self._ended += self.children.reap()
        return self._ended

    def close(self) -> None:
        self.children.kill_all()
        until(lambda: self._reaped() is not None and not self.children.left(), "all are reaped")
        for child, _ in self._ended:
            self.children.release(child)
        self.children.close()


@pytest.fixture
def nursery(notes: Notes) -> Iterator[Nursery]:
    nursery = Nursery(notes)
    yield nursery
    nursery.close()


EXITS = [
    ("exit=0", Exit(0, "exited with code 0")),
    ("exit=78", Exit(78, "exited with code 78")),
    (f"kill={int(signal.SIGSEGV)}", Exit(-11, "killed by SIGSEGV")),
    (f"kill={int(signal.SIGRTMIN) + 3}", Exit(-signal.SIGRTMIN - 3, f"killed by signal {signal.SIGRTMIN + 3}")),
]


@pytest.mark.parametrize(("word", "end"), EXITS)
def test_exits_have_causes(nursery: Nursery, word: str, end: Exit) -> None:
    assert nursery.exit(nursery.spawn(word)) == end


def test_sigkill_is_suspicious(nursery: Nursery, monkeypatch: pytest.MonkeyPatch) -> None:
    counts: Iterator[int | None] = iter([3, 3, 4, None, None])
    monkeypatch.setattr("fleet.supervisor.children.oom_kills", lambda: next(counts))
    nursery.children = Children(adopt=False)
    causes = [nursery.exit(nursery.spawn("kill=9")).cause for _ in range(4)]
    maybe = "killed by SIGKILL (maybe out of memory)"
    assert causes == ["killed by SIGKILL", maybe, maybe, maybe]


def test_lines_and_last_words(nursery: Nursery) -> None:
    child = nursery.spawn("say=one", "say=two", "wait")
    assert nursery.lines(child, 2) == ["one", "two"]
    assert child.read() == []
    nursery.children.terminate("child")
    assert nursery.exit(child).status == 0
    assert child.last_words() == []
    assert child.read() is None


def test_last_words_survive_the_child(nursery: Nursery) -> None:
    child = nursery.spawn("say=one", "say=two", "exit=1")
    nursery.exit(child)
    assert child.last_words() == ["one", "two"]


def test_it_leads_a_session_and_hears_nothing(nursery: Nursery) -> None:
    child = nursery.spawn("say=up", "wait", env={"PART_TEST": "seen"})
    nursery.lines(child, 1)
    assert os.getsid(child.pid) == os.getpgid(child.pid) == child.pid
    assert os.readlink(f"/proc/{child.pid}/fd/0") == "/dev/null"
    assert nursery.notes.lives("child")[0]["env"] == "seen"


def test_it_is_not_deaf(nursery: Nursery) -> None:
    """Blocked and ignored signals are inherited; a child must get none of what we need for spawning it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    argv = (sys.executable, "-c", "print(open('/proc/self/status').read())")
    child = nursery.children.spawn(Part("child", argv, "ready "), argv)
    nursery.exit(child)
    masks = dict(line.split(":\t") for line in child.last_words() if line.startswith("Sig"))
    unwanted = sum(1 << (number - 1) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    assert int(masks["SigBlk"], 16) & unwanted == 0
    assert int(masks["SigIgn"], 16) & unwanted == 0
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


BETWEEN_FORK_AND_EXEC = """
import os, signal, socket
from fleet.supervisor.children import STOP_SIGNALS, _binder
reader, writer = socket.socketpair()
reader.setblocking(False)
writer.setblocking(False)
signal.set_wakeup_fd(writer.fileno())
for number in STOP_SIGNALS:
    signal.signal(number, lambda *_: None)
before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
for number in STOP_SIGNALS:
    os.kill(os.getpid(), number)
_binder(os.getppid(), before)()
try:
    print("told the supervisor of", list(reader.recv(100)))
except BlockingIOError:
    print("deaf")
"""


def test_one_ctrl_c_is_not_taken_for_two() -> None:
    """A signal that reaches the child before its exec must not be written to the socket that it still shares."""
    done = subprocess.run(
        [sys.executable, "-c", BETWEEN_FORK_AND_EXEC], env=ENV, capture_output=True, text=True, timeout=LIMIT_S
    )
    assert (done.stdout, done.stderr, done.returncode) == ("deaf\n", "", 0)


def test_its_group_dies_with_it(nursery: Nursery) -> None:
    child = nursery.spawn("mate", "say=up", "wait")
    nursery.lines(child, 1)
    mate = nursery.notes.pid("child-mate")
    assert alive(mate)
    nursery.children.terminate("child")
    assert nursery.exit(child).status == 0
    until(lambda: not alive(mate), "the mate is gone")


def test_the_deaf_are_killed(nursery: Nursery) -> None:
    child = nursery.spawn("deaf", "mate", "say=up", "wait")
    nursery.lines(child, 1)
    nursery.children.terminate("child")
    nursery.children.kill("child")
    assert nursery.exit(child).status == -signal.SIGKILL
    until(lambda: not alive(nursery.notes.pid("child-mate")), "the mate is gone")


def test_signals_to_nobody(nursery: Nursery) -> None:
    nursery.exit(nursery.spawn("exit=0"))
    nursery.children.terminate("child")
    nursery.children.kill("child")


NOT_STARTED = [("missing", 127, "No such file or directory"), ("closed", 126, "Permission denied")]


@pytest.mark.parametrize(("name", "code", "text"), NOT_STARTED)
def test_what_cannot_be_started(nursery: Nursery, tmp_path: Path, name: str, code: int, text: str) -> None:
    (tmp_path / "closed").touch(mode=0o600)
    argv = (str(tmp_path / name),)
    with pytest.raises(OSError, match=text) as caught:
        nursery.children.spawn(Part("child", argv, "ready "), argv)
    assert unstarted(caught.value) == Exit(code, f"could not be started: {text} ({argv[0]})")
    assert not nursery.children.left()


def test_reprs(nursery: Nursery) -> None:
    assert repr(nursery.children) == "<Children: none>"
    child = nursery.spawn("exit=0")
    assert repr(nursery.children) == f"<Children: child {child.pid}>"
    nursery.exit(child)
    assert repr(child) == f"<Child child, pid {child.pid}, exit status 0>"

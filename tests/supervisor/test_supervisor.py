"""Whole supervisors as processes, with parts that are processes."""

from __future__ import annotations

import os
import re
import shlex
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from fleet.errors import UsageError
from fleet.supervisor import Part, Supervisor
from tests.processes import LIMIT_S, alive, until
from tests.supervisor.conftest import MakePart, Notes, StartUp, Up, driver

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and needs prctl")


def a_fleet(part: MakePart, server: tuple[str, ...] = (), pool: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """A server and a pool; the words are what each does before it is ready."""
    return [
        part("server", *server, "listen={server.port:0}", "wait", ready="listening "),
        part("pool", *pool, "say=ready 16 slots: {server}", "wait", needs=["server"]),
    ]


def ready(fleet: Up) -> str:
    """Wait until it is ready; return the server's address."""
    server, pool, last = fleet.out.line(), fleet.out.line(), fleet.out.line()
    found = re.fullmatch(r"server   listening (127\.0\.0\.1:\d+)", server)
    assert found, server
    assert pool == f"pool     ready 16 slots: {found[1]}"
    assert last == "ready"
    return found[1]


def stopped(fleet: Up) -> None:
    """End it as people do, and see that it ends well."""
    fleet.ctrl_c()
    assert fleet.code() == 0
    assert fleet.notes.running() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_up_and_down(up: StartUp, part: MakePart, notes: Notes, number: int) -> None:
    fleet = up(*a_fleet(part))
    ready(fleet)
    fleet.signal(number)
    assert fleet.code() == 0
    assert notes.running() == []
    assert fleet.out.rest() == []
    assert fleet.err.rest() == [
        "fleet up: finishing what runs; a second signal stops at once",
        "fleet up: pool stopped: exited with code 0",
        "fleet up: server stopped: exited with code 0",
    ]


def test_nohup(up: StartUp, part: MakePart) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        fleet = up(*a_fleet(part))
    finally:
        signal.signal(signal.SIGHUP, before)
    ready(fleet)
    fleet.signal(signal.SIGHUP)
    os.kill(fleet.notes.pid("pool"), signal.SIGKILL)
    assert "pool killed by SIGKILL" in fleet.err.line()  # and not that it is finishing
    assert "pool is back" in fleet.err.line()
    stopped(fleet)


def test_the_pool_waits_for_the_server(up: StartUp, part: MakePart, notes: Notes, tmp_path: Path) -> None:
    go = tmp_path / "go"
    fleet = up(*a_fleet(part, server=("say=hello", f"ask={go}")))
    assert fleet.err.until("hello") == "server: hello"
    assert notes.lives("pool") == []
    go.touch()
    ready(fleet)
    stopped(fleet)


def test_a_dead_server_comes_back_on_its_port(up: StartUp, part: MakePart, notes: Notes) -> None:
    fleet = up(*a_fleet(part))
    address = ready(fleet)
    pool = notes.pid("pool")
    os.kill(notes.pid("server"), signal.SIGKILL)
    assert re.match(r"fleet up: server killed by SIGKILL.*; restarting in 0\.\d s", fleet.err.until("SIGKILL"))
    assert fleet.err.until("back") == f"fleet up: server is back: listening {address}"
    assert notes.lives("server")[1]["words"] == [f"listen={address.rpartition(':')[2]}", "wait"]
    assert notes.pid("pool") == pool
    assert alive(pool)
    stopped(fleet)
    assert fleet.out.rest() == []


def test_a_crash_is_named_and_mended(up: StartUp, part: MakePart) -> None:
    fleet = up(*a_fleet(part, pool=("first:kill=11",)))
    assert "pool killed by SIGSEGV; restarting in" in fleet.err.line()
    ready(fleet)
    stopped(fleet)


def test_into_quarantine_and_out_of_it(up: StartUp, part: MakePart) -> None:
    fleet = up(*a_fleet(part, pool=("first:exit=1",)), quarantine_after=1, quarantine_s=0.1)
    assert "pool exited with code 1, 1 times in a row before it was ready; it is quarantined" in fleet.err.line()
    ready(fleet)
    stopped(fleet)


def test_not_ready_in_time(up: StartUp, part: MakePart) -> None:
    slow = part("server", "first:wait", "listen=0", "wait", ready="listening ", start_s=0.5)
    fleet = up(slow)
    assert "server did not become ready in 0.5 s; restarting" in fleet.err.line()
    fleet.signal(signal.SIGTERM)
    assert fleet.code() == 0


@pytest.mark.parametrize("code", [2, 78])
def test_hopeless_at_the_first_start(up: StartUp, part: MakePart, notes: Notes, code: int) -> None:
    pool = part("pool", f"exit={code}", needs=["server"])
    fleet = up(a_fleet(part)[0], pool)
    assert fleet.code() == code
    assert notes.running() == []
    assert fleet.err.rest() == []  # the pool has said why by itself
    assert len(notes.lives("pool")) == 1


def test_no_such_command(up: StartUp, part: MakePart) -> None:
    fleet = up({**part("server"), "argv": ["./no-such-command"]})
    assert fleet.code() == 127
    text = "could not be started: No such file or directory (./no-such-command)"
    assert fleet.err.rest() == [f"fleet up: server {text}; at the first start that is not tried again"]


def test_ctrl_c_twice(up: StartUp, part: MakePart, notes: Notes) -> None:
    fleet = up(*a_fleet(part, pool=("deaf", "bound", "stray", "mate")))
    ready(fleet)
    fleet.ctrl_c()
    fleet.err.until("a second signal stops at once")
    before = time.monotonic()
    fleet.ctrl_c()
    assert fleet.code() == 130
    assert time.monotonic() - before < LIMIT_S / 2  # stop_s is 25 s
    notes.gone()


def test_sigterm_the_second_time(up: StartUp, part: MakePart, notes: Notes) -> None:
    fleet = up(*a_fleet(part, pool=("deaf",)))
    ready(fleet)
    fleet.signal(signal.SIGINT)
    fleet.err.until("a second signal stops at once")
    fleet.signal(signal.SIGTERM)
    assert fleet.code() == 143
    assert notes.running() == []


def test_who_does_not_go_is_killed(up: StartUp, part: MakePart, notes: Notes) -> None:
    server, pool = a_fleet(part, pool=("deaf", "mate"))
    fleet = up(server, {**pool, "stop_s": 0.3})
    ready(fleet)
    fleet.ctrl_c()
    assert fleet.code() == 0
    assert notes.running() == []
    assert fleet.err.rest()[1:] == [
        "fleet up: pool is still there after 0.3 s; killing it",
        "fleet up: pool stopped: killed, it did not stop in 0.3 s",
        "fleet up: server stopped: exited with code 0",
    ]


def test_a_killed_supervisor_leaves_nobody(up: StartUp, part: MakePart, notes: Notes) -> None:
    fleet = up(*a_fleet(part, pool=("deaf", "bound")))
    ready(fleet)
    assert len(notes.running()) == 4  # the supervisor's own command names the notes, too
    fleet.signal(signal.SIGKILL)
    assert fleet.code() == -signal.SIGKILL
    notes.gone()


def test_what_a_dead_part_leaves_is_killed_and_reaped(up: StartUp, part: MakePart, notes: Notes) -> None:
    fleet = up(*a_fleet(part, pool=("first:bound", "first:stray", "first:mate")))
    ready(fleet)
    left = [notes.pid(f"pool-{kind}") for kind in ("bound", "stray", "mate")]
    assert all(map(alive, left))
    os.kill(notes.pid("pool"), signal.SIGKILL)
    fleet.err.until("pool is back")
    until(lambda: set(fleet.children()) == {notes.pid("server"), notes.pid("pool")}, "all are reaped")
    assert not any(map(alive, left))
    stopped(fleet)


def test_what_was_inherited_is_left_alone(part: MakePart, notes: Notes) -> None:
    """`database & exec fleet up`: the shell's child becomes the supervisor's, but is not its to kill."""
    database = shlex.join(notes.argv("database", "say=up", "wait"))
    fleet = Up(notes, ["/bin/sh", "-c", 'eval "exec $0" & exec "$@"', database, *driver(*a_fleet(part))])
    try:
        fleet.out.until("ready 16 slots")
        until(lambda: bool(notes.lives("database")), "the database lives")
        os.kill(notes.pid("pool"), signal.SIGKILL)
        fleet.err.until("pool is back")
        fleet.signal(signal.SIGTERM)
        assert fleet.code() == 0
        assert notes.running() == [notes.pid("database")]
    finally:
        fleet.close()


def test_without_prctl(part: MakePart, notes: Notes) -> None:
    """Where the kernel binds nobody to anybody (macOS), the rest works."""
    python, script, told = driver(*a_fleet(part, pool=("first:mate",)))
    pretend = f"import runpy, sys; sys.platform = 'other'; runpy.run_path({script!r}, run_name='__main__')"
    fleet = Up(notes, [python, "-c", pretend, told])
    try:
        ready(fleet)
        os.kill(notes.pid("pool"), signal.SIGKILL)
        fleet.err.until("pool is back")
        until(lambda: not alive(notes.pid("pool-mate")), "the mate is gone")
        stopped(fleet)
    finally:
        fleet.close()


def test_later_lines_are_passed_on(up: StartUp, part: MakePart, tmp_path: Path) -> None:
    fleet = up(part("server", "listen=0", f"ask={tmp_path / 'go'}", "say=strange", "wait", ready="listening "))
    assert fleet.out.until("server").startswith("server   listening ")
    (tmp_path / "go").touch()
    assert fleet.err.line() == "server: strange"
    stopped(fleet)


def test_nobody_reads(up: StartUp, part: MakePart, notes: Notes) -> None:
    """A paused terminal or a stuck log collector: lines are lost, the supervisor is not."""
    fleet = up(part("server", "listen=0", "flood=1000", "mate", "wait", ready="listening "))
    until(lambda: bool(notes.lives("server-mate")), "the server could write all of it")
    fleet.signal(signal.SIGTERM)
    assert fleet.code() == 0


def test_nobody_is_there(up: StartUp, part: MakePart) -> None:
    fleet = up(*a_fleet(part))
    ready(fleet)
    assert fleet.process.stderr is not None
    fleet.process.stderr.close()
    os.kill(fleet.notes.pid("pool"), signal.SIGKILL)
    until(lambda: len(fleet.notes.lives("pool")) == 2, "the pool is back")
    fleet.signal(signal.SIGTERM)
    assert fleet.code() == 0


def test_parts_that_make_no_sense() -> None:
    with pytest.raises(UsageError, match="nothing to supervise"):
        Supervisor([])
    supervisor = Supervisor([Part("server", ("serve",), "listening ")])
    assert repr(supervisor) == "<Supervisor of <Machine: server STOPPED, exit code None>>"

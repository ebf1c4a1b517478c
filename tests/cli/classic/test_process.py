"""Pid files and daemons, with real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fleet.cli.classic.process import pid_file
from fleet.errors import FleetError
from tests.processes import LIMIT_S, ROOT, alive, until

DAEMON = """
import os, sys, time
from fleet.cli.classic.process import detach
before = os.getsid(0)
ready = detach()
print("still at the terminal", file=sys.stderr)
if "fail" in sys.argv:
    sys.exit(7)
open(sys.argv[1], "w").write(f"{os.getpid()} {os.getsid(0)} {before}")
ready()
print("nobody reads this", flush=True)
time.sleep(600)
"""


def daemon(*argv: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", DAEMON, *argv]
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, cwd=ROOT, check=False)


def test_a_pid_file_is_there_while_the_block_runs(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    path.write_text("an old one that is longer than ours")
    with pid_file(str(path)):
        assert path.read_text() == f"{os.getpid()}\n"
    assert not path.exists()


def test_a_pid_file_that_somebody_else_removed_is_no_trouble(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    with pid_file(str(path)):
        path.unlink()


def test_a_pid_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FleetError, match=r"cannot write the pid file .*: no such file or directory"):
        pid_file(str(tmp_path / "absent" / "pid")).__enter__()


def test_the_parent_leaves_when_the_daemon_is_ready(tmp_path: Path) -> None:
    note = tmp_path / "note"
    done = daemon(str(note))
    pid, session, before = map(int, note.read_text().split())
    try:
        assert (done.returncode, done.stderr, done.stdout) == (0, "still at the terminal\n", "")
        assert session == pid != before
        assert alive(pid)
        assert {os.readlink(f"/proc/{pid}/fd/{number}") for number in (0, 1, 2)} == {"/dev/null"}
    finally:
        os.kill(pid, 9)
        until(lambda: not alive(pid), "the daemon is gone")


def test_a_daemon_that_cannot_begin_gives_the_parent_its_code() -> None:
    done = daemon("fail")
    assert (done.returncode, done.stderr) == (7, "still at the terminal\n")

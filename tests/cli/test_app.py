"""The command line as a whole: help, version, exit codes, and what is not imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fleet.version import __version__
from tests.cli.command import Done, complaint, fleet
from tests.processes import ROOT

COMMANDS = ("up", "resize", "run", "result", "status", "config", "server", "worker")


def test_version() -> None:
    done = fleet("--version")
    assert (done.returncode, done.stdout.decode()) == (0, f"fleet {__version__}\n")


def test_help_lists_every_command_and_begins_with_an_example() -> None:
    help = fleet("--help").stdout.decode()
    assert all(command in help for command in COMMANDS)
    assert "fleet up --workers 4" in help


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_stands_in_the_reference(command: str) -> None:
    assert fleet(command, "--help").returncode == 0
    assert f"fleet {command}" in (ROOT / "docs" / "reference.md").read_text()


@pytest.mark.parametrize(
    "command", ["jobs list", "jobs show", "jobs cancel", "dead list", "dead show", "dead retry", "dead purge"]
)
def test_every_command_of_a_group_has_help_and_its_group_stands_in_the_reference(command: str) -> None:
    assert fleet(*command.split(), "--help").returncode == 0
    group, verb = command.split()
    row = next(line for line in (ROOT / "docs" / "reference.md").read_text().splitlines() if f"`fleet {group}" in line)
    assert verb in row


def test_help_breaks_lines_where_the_terminal_ends() -> None:
    help = fleet("up", "--help").stdout.decode()
    assert "What dies is started again. Ctrl-C or SIGTERM lets running jobs finish" in help


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["resiz"], "no such command 'resiz'. Did you mean 'resize'? See fleet --help"),
        (["--nonsense"], "no such option: --nonsense. See fleet --help"),
        (["resize"], "missing argument 'FILE...'. See fleet resize --help"),
        (["run", "-f"], "option '-f' requires an argument. See fleet run --help"),
        (["jobs", "list", "--limit"], "option '--limit' requires an argument. See fleet jobs list --help"),
        (["jobs", "--limit"], "no such option: --limit. See fleet jobs --help"),
        (["--nonsense", "run"], "no such option: --nonsense. See fleet --help"),
        (["up", "--workers", "0"], "invalid value for '--workers' / '-w': "),
        (["server", "--port", "70000"], "invalid value for '--port' / '-p': "),
    ],
)
def test_a_senseless_command_line_is_told_in_one_line_and_exits_with_2(words: list[str], text: str) -> None:
    done = fleet(*words)
    assert done.returncode == 2
    assert complaint(done).startswith(f"fleet: {text}")
    assert complaint(done).endswith(" --help")


def test_the_command_alone_shows_its_help() -> None:
    done = fleet()
    assert done.returncode == 2
    assert b"fleet up --workers 4" in done.stdout


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import fleet", ["PIL", "asyncio", "socket", "typer", "wand", "fabric"]),
        ("import fleet.client", ["PIL", "asyncio", "typer", "uvloop"]),
        ("import fleet.workers", ["PIL", "asyncio", "typer", "uvloop"]),
        ("import fleet.images", ["PIL", "asyncio", "socket"]),
        ("import fleet.cli.app", ["PIL", "asyncio", "uvloop", "wand", "fabric", "fleet.client", "fleet.jobserver"]),
    ],
)
def test_heavy_imports_are_not_paid_for_before_they_are_used(statement: str, absent: list[str]) -> None:
    check = f"{statement}; import sys; print([m for m in {absent!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -m fleet --help | head -n 1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, cwd=ROOT, check=False)
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("fleet --help >/dev/full", "fleet: cannot read stdin or write stdout: no space left on device"),
        ("fleet identify samples/images/kitten.png >/dev/full", "no space left on device"),
        ("fleet gearadmin --help >/dev/full", "gearadmin: cannot read stdin or write stdout: no space left on device"),
    ],
)
def test_a_stream_that_is_of_no_use_is_told_in_one_line(command: str, text: str) -> None:
    done = in_shell(command)
    assert done.returncode == (1 if "gearadmin" in command else 2)
    assert text in complaint(done)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_was_closed_is_the_null_device(closed: str) -> None:
    done = in_shell(f"fleet identify samples/images/kitten.png {closed}")
    assert (done.returncode, done.stderr) == (0, b"")
    assert bool(done.stdout) == (">&-" not in closed.replace("2>&-", ""))
    done = in_shell(f"fleet identify nosuch {closed}")
    assert (done.returncode, done.stdout) == (2, b"")  # no message among the results


def test_nan_is_no_time_to_wait() -> None:
    done = fleet("status", "--timeout", "nan")
    assert (done.returncode, "nan is no number of seconds" in complaint(done)) == (2, True)


def in_shell(command: str) -> Done:
    words = command.replace("fleet ", f"{sys.executable} -m fleet ", 1)
    return subprocess.run(["bash", "-c", words], capture_output=True, cwd=ROOT, stdin=subprocess.DEVNULL, check=False)

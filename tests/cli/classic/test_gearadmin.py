"""`fleet gearadmin` with real job servers, beside the original."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable

import pytest

from fleet import Client
from fleet.cli.classic.gearadmin import COMMANDS, OPTIONS, commands_of
from fleet.client import admin
from fleet.settings import Address
from fleet.version import __version__
from tests.cli.command import Done, complaint, fleet
from tests.client.test_blocking import silent
from tests.conftest import need
from tests.interop.servers import GEARMAND
from tests.peer import worker
from tests.ports import ClosedPort
from tests.processes import LIMIT_S, Program

pytestmark = pytest.mark.system


def gearadmin(server: Address, *words: str) -> Done:
    return fleet("gearadmin", "-h", server.host, "-p", str(server.port), *words)


def stock(server: Address, *words: str) -> Done:
    argv = [need("gearadmin"), "-h", server.host, "-p", str(server.port), *words]
    return subprocess.run(argv, capture_output=True, timeout=LIMIT_S, check=False)


@pytest.fixture
def busy(server: Address) -> Address:
    """A job server with some jobs."""
    with Client(server) as client:
        for function, unique in (("f", "u1"), ("f", "u2"), ("g", "u3")):
            client.submit(function, background=True, unique=unique)
    return server


TABLES = ["--status", "--priority-status", "--show-jobs", "--show-unique-jobs"]
OTHERS = ["--getpid", "--server-version", "--server-verbose", "--create-function=g"]
ERRORS = ["--drop-function=f", "--drop-function=absent", "--cancel-job=H:absent:1"]


@pytest.mark.interop
@pytest.mark.parametrize("action", TABLES + OTHERS + ERRORS)
def test_it_prints_what_the_original_prints(busy: Address, action: str) -> None:
    original = stock(busy, action)
    ours = gearadmin(busy, action)
    assert ours.stdout == original.stdout
    assert ours.stderr.splitlines() == original.stderr.splitlines()  # it leaves the \\r in
    assert ours.stdout or ours.stderr
    assert (ours.returncode, original.returncode) == (int(action in ERRORS), 0)


@pytest.mark.interop
def test_it_understands_gearmand_and_does_several_actions_in_the_originals_order(
    spawn: Callable[..., Program],
) -> None:
    gearmand = GEARMAND.start(spawn)

    def told(done: Done) -> list[bytes]:
        """Without connections that have no function: a tool's own, and perhaps the one before it, just closed."""
        return [line for line in done.stdout.splitlines() if not re.fullmatch(rb"\d+ 127\.0\.0\.1 - :", line)]

    actions = ["--status", "--workers", "--getpid", "--create-function=abc", "--show-jobs", "--server-verbose"]
    actions += ["--cancel-job=x", "--priority-status", "--show-unique-jobs", "--server-version"]
    with worker(gearmand, f=silent):
        original = stock(gearmand, *actions)
        ours = gearadmin(gearmand, *actions)
    assert told(ours) == told(original)
    assert b" 127.0.0.1 - : f\n" in ours.stdout
    assert b"abc\t0\t0\t0" in ours.stdout
    assert ours.stderr.splitlines() == original.stderr.splitlines() == [b"Error: UNKNOWN_JOB"]


def test_a_large_table_comes_whole(server: Address) -> None:
    names = [f"function-{number:04}" for number in range(1000)]
    with worker(server, **dict.fromkeys(names, silent)):
        rows = gearadmin(server, "--status").stdout.decode().splitlines()
        assert rows == [f"{name}\t0\t0\t1" for name in names] + ["."]
        workers = gearadmin(server, "--workers").stdout.decode()
    assert all(name in workers for name in names)


def test_functions_and_uniques_that_look_like_answers(server: Address) -> None:
    with Client(server) as client:
        client.submit("ERR a", background=True, unique="ERR b")
        client.submit("OK", background=True, unique="OK")
    assert gearadmin(server, "--status").stdout == b"ERR a\t1\t0\t0\nOK\t1\t0\t0\n.\n"
    assert gearadmin(server, "--show-unique-jobs").stdout == b"ERR b\nOK\n.\n"


def test_options_may_be_cut_short_and_words_are_ignored(server: Address) -> None:
    assert gearadmin(server, "--server-vers", "what").stdout.decode() == f"{__version__}\n"
    done = fleet("gearadmin", f"--ho={server.host}", "--po", str(server.port), "--stat")
    assert (done.returncode, done.stdout) == (0, b".\n")


def test_a_job_is_cancelled_and_a_function_dropped(busy: Address) -> None:
    handle = gearadmin(busy, "--show-jobs").stdout.split()[0].decode()
    assert gearadmin(busy, "--cancel-job", handle).stdout == b"OK\n"
    assert [f.jobs for f in admin.status(busy) if f.name == "f"] == [1]
    assert gearadmin(busy, "--create-function", "new").stdout == b"OK\n"
    assert "new" in [f.name for f in admin.status(busy)]
    assert gearadmin(busy, "--drop-function", "new").stdout == b"OK\n"
    assert "new" not in [f.name for f in admin.status(busy)]


def test_every_action_has_an_option_and_every_option_an_action() -> None:
    others = {"help", "host", "port", "ssl"}
    assert {option.name for option in OPTIONS} - others == set(COMMANDS)


def test_a_name_cannot_smuggle_a_command_in() -> None:
    assert commands_of({"cancel-job": ["H:\udcff:1"], "status": [""]}) == [b"cancel job H:\xff:1", b"status"]
    done = fleet("gearadmin", "--create-function", "f\ndrop function g")
    assert done.returncode == 1
    assert "would be two commands" in complaint(done)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], "what is to be done?"),
        (["--server-ver"], "option --server-ver not a unique prefix"),
        (["--bogus", "--status"], "option --bogus not recognized"),
        (["--cancel-job"], "option --cancel-job requires argument"),
        (["--create-function=a", "--create-function=b"], "--create-function was given twice"),
        (["-S", "--status"], "-S is refused: there is no TLS yet"),
        (["-p", "x", "--status"], "port x: neither"),
    ],
)
def test_a_senseless_command_line_exits_with_1(words: list[str], text: str) -> None:
    done = fleet("gearadmin", *words)
    assert done.returncode == 1
    assert complaint(done).startswith("gearadmin: ")
    assert text in complaint(done)


def test_no_job_server_exits_with_1(closed_port: ClosedPort) -> None:
    where = closed_port()
    done = gearadmin(where, "--status", "--workers")
    assert done.returncode == 1
    assert complaint(done).startswith(f"Error: no job server answered: {where} (connection refused)")


def test_help_lists_the_actions() -> None:
    done = fleet("gearadmin", "--help")
    assert done.returncode == 0
    assert all(f"--{name}" in done.stdout.decode() for name in COMMANDS)

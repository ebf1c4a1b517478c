"""Debian's own gearman and gearadmin against our job server."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

import pytest

from fleet.client import admin
from fleet.settings import Address
from tests.client.test_kept import keeping
from tests.conftest import need
from tests.interop.families import debian
from tests.interop.matrix import Named, row
from tests.peer import explode, fail, reverse, worker
from tests.processes import LIMIT_S, Program, until

TOOLS = Named("gearman, gearadmin", lambda: debian("gearman-tools"))

pytestmark = [pytest.mark.interop, pytest.mark.system, row(TOOLS, "every option, at our server")]


def tool(name: str, address: Address, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    argv = [need(name), "-h", address.host, "-p", str(address.port), *words]
    return subprocess.run(argv, input=stdin, capture_output=True, timeout=LIMIT_S, check=False)


def registered(address: Address, *functions: str) -> bool:
    return {f.name for f in admin.status(address) if f.workers} >= set(functions)


def test_one_job_for_each_line_and_each_function(server: Address, spawn: Callable[..., Program]) -> None:
    need("gearman")
    for name in ("logger1", "logger2"):
        spawn("gearman", "-h", server.host, "-p", str(server.port), "-w", "-f", name, "--", "cat")
    until(lambda: registered(server, "logger1", "logger2"), "the workers registered")
    done = tool("gearman", server, "-n", "-P", "-f", "logger1", "-f", "logger2", stdin=b"one\ntwo\n")
    assert sorted(done.stdout.splitlines()) == [b"logger1: one", b"logger1: two", b"logger2: one", b"logger2: two"]


def test_a_failed_job_and_an_exception_end_the_tool_instead_of_hanging_it(server: Address) -> None:
    with worker(server, fail=fail, explode=explode):
        assert tool("gearman", server, "-f", "fail", "x").returncode == 1
        assert tool("gearman", server, "-f", "explode", "x").returncode == 1


def test_a_background_job_returns_at_once(server: Address) -> None:
    done = tool("gearman", server, "-b", "-v", "-f", "nobody", "x")
    assert done.returncode == 0
    assert done.stdout.startswith(b"Task created: H:")


def test_the_tool_asks_what_became_of_a_background_job(spawn: Callable[..., Program]) -> None:
    keeper = keeping(spawn)
    with worker(keeper, reverse=reverse):
        created = tool("gearman", keeper, "-b", "-v", "-f", "reverse", "abc").stdout
        handle = created.removeprefix(b"Task created: ").strip().decode()
        assert tool("gearman", keeper, "-f", "fleet.result", handle).stdout == b"cba"
    shown = json.loads(tool("gearman", keeper, "-f", "fleet.jobs", json.dumps({"do": "show", "handle": handle})).stdout)
    assert (shown["state"], shown["function"]) == ("completed", "reverse")
    terms = b'{"function": "f", "ttl": 60}\n'
    later = tool("gearman", keeper, "-f", "fleet.submit", stdin=terms + b"payload").stdout.decode()
    listed = json.loads(tool("gearman", keeper, "-f", "fleet.jobs", '{"do": "list"}').stdout)
    assert [(job["handle"], job["bytes"]) for job in listed["jobs"]] == [(later, 7)]
    assert b"There never was such a job here" in tool("gearman", keeper, "-f", "fleet.result", "H:none").stderr


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("--status", b"f\t1\t0\t0\n.\n"),
        ("--priority-status", b"f\t0\t1\t0\t0\n.\n"),
        ("--show-unique-jobs", b"me\n.\n"),
        ("--server-version", b"0."),
    ],
)
def test_gearadmin_reads_our_answers(server: Address, option: str, expected: bytes) -> None:
    tool("gearman", server, "-b", "-u", "me", "-f", "f", "x")
    done = tool("gearadmin", server, option)
    assert done.returncode == 0
    assert done.stdout.startswith(expected)


def test_gearadmin_creates_and_drops_functions(server: Address) -> None:
    assert tool("gearadmin", server, "--create-function", "new").stdout.strip() == b"OK"
    assert tool("gearadmin", server, "--status").stdout == b"new\t0\t0\t0\n.\n"
    assert tool("gearadmin", server, "--drop-function", "new").stdout.strip() == b"OK"
    assert tool("gearadmin", server, "--status").stdout == b".\n"
    assert tool("gearadmin", server, "--drop-function", "new").stderr.startswith(b"Error: ")


def test_gearadmin_asks_several_things_at_once(server: Address) -> None:
    process, level, version = tool(
        "gearadmin", server, "--server-version", "--server-verbose", "--getpid"
    ).stdout.splitlines()
    assert process.isdigit()
    assert level.isupper()
    assert version.startswith(b"0.")


def test_gearadmin_lists_workers_and_cancels_jobs(server: Address) -> None:
    tool("gearman", server, "-b", "-f", "f", "x")
    assert b"127.0.0.1" in tool("gearadmin", server, "--workers").stdout
    handle = tool("gearadmin", server, "--show-jobs").stdout.split()[0].decode()
    assert tool("gearadmin", server, "--cancel-job", handle).stdout.strip() == b"OK"
    assert tool("gearadmin", server, "--show-jobs").stdout == b".\n"

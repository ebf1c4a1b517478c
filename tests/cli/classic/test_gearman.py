"""`fleet gearman` with a real job server, as client and as worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleet.cli.classic import gearman as program
from fleet.cli.classic.options import parse
from fleet.client import admin
from fleet.errors import UsageError
from fleet.protocol import packets
from fleet.settings import Address
from tests.cli.command import Done, complaint, fleet
from tests.client.test_blocking import silent
from tests.conftest import listening, start_at
from tests.peer import Peer, chatty, explode, fail, reverse, worker
from tests.ports import ClosedPort
from tests.processes import FLEET, LIMIT_S, ROOT, Program, alive, until

pytestmark = pytest.mark.system

Start = Callable[..., Program]


def gearman(server: Address, *words: str, stdin: bytes = b"") -> Done:
    return fleet("gearman", "-h", server.host, "-p", str(server.port), *words, stdin=stdin)


@pytest.fixture
def start(spawn: Callable[..., Program], server: Address) -> Start:
    """A `fleet gearman` in the background, registered if it is a worker."""

    def begin(*words: str, **how: object) -> Program:
        started = spawn(*FLEET, "gearman", "-h", server.host, "-p", str(server.port), *words, **how)
        if "-w" in words:
            name = words[words.index("-f") + 1]
            until(lambda: any(f.name == name and f.workers for f in admin.status(server)), f"{name} registered")
        return started

    return begin


@pytest.fixture
def echo(server: Address) -> Iterator[Address]:
    """A job server with a worker that sends back what it gets, in upper case for `upper`."""

    def same(peer: Peer, handle: bytes, workload: bytes) -> None:
        peer.send(packets.WORK_COMPLETE, handle, workload)

    def upper(peer: Peer, handle: bytes, workload: bytes) -> None:
        peer.send(packets.WORK_COMPLETE, handle, workload.upper())

    with worker(server, same=same, upper=upper):
        yield server


# -- what the jobs work on ----------------------------------------------------------------------------------------


def test_all_of_stdin_is_one_job(echo: Address) -> None:
    data = bytes(range(256)) * 5000
    done = gearman(echo, "-f", "same", stdin=data)
    assert (done.returncode, done.stdout, done.stderr) == (0, data, b"")


def test_each_word_is_a_job_and_stdin_is_not_read(echo: Address) -> None:
    assert gearman(echo, "-f", "same", "one ", "two", stdin=b"three").stdout == b"one two"


def test_nothing_is_sent_instead_of_stdin_with_s(echo: Address) -> None:
    assert gearman(echo, "-s", "-P", "-f", "same", stdin=b"x").stdout == b""


def test_each_line_is_a_job_with_n_and_keeps_its_newline(echo: Address) -> None:
    done = gearman(echo, "-n", "-P", "-f", "same", stdin=b"a\n\nb")
    assert done.stdout == b"same: a\nsame: \nsame: b"


def test_only_a_real_newline_is_stripped_with_capital_n(echo: Address) -> None:
    assert gearman(echo, "-N", "-P", "-f", "same", stdin=b"first\nlast").stdout == b"same: firstsame: last"
    assert gearman(echo, "-N", "-f", "same", stdin=b"a\n\nb").stdout == b"ab"


def test_a_long_line_is_one_job_and_may_hold_nul_bytes(echo: Address) -> None:
    line = b"x" * 20_000 + b"\0" + b"y" * 20_000 + b"\n"
    assert gearman(echo, "-n", "-P", "-f", "same", stdin=line + b"z\n").stdout == b"same: " + line + b"same: z\n"


def test_a_line_is_sent_when_it_is_there_and_not_at_the_end(echo: Address) -> None:
    argv = [*FLEET, "gearman", "-n", "-h", echo.host, "-p", str(echo.port), "-f", "upper"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as tail:
        assert tail.stdin
        assert tail.stdout
        for line, answer in ((b"one\n", b"ONE\n"), (b"two\n", b"TWO\n")):
            tail.stdin.write(line)
            tail.stdin.flush()
            assert tail.stdout.readline() == answer
        tail.stdin.close()
        assert tail.wait(LIMIT_S) == 0


def test_too_much_for_a_packet_is_refused_and_not_cut(echo: Address) -> None:
    done = gearman(echo, "-f", "same", stdin=bytes(64 * 1024 * 1024 + 1))
    assert done.returncode != 0
    assert "is too large" in complaint(done)


# -- what is printed ----------------------------------------------------------------------------------------------


def test_everything_is_printed_in_the_order_in_which_it_came(server: Address) -> None:
    with worker(server, chatty=chatty):
        done = gearman(server, "-P", "-f", "chatty", "x")
    progress = [b"chatty: 33% Complete\nchatty: part 1\n", b"chatty: 66% Complete\nchatty: part 2\n"]
    assert done.stdout == b"".join(progress) + b"chatty: 100% Complete\nchatty: part 3\nchatty: end"
    assert (done.returncode, done.stderr) == (0, b"chatty: nearly done")


def test_progress_of_nothing_is_no_crash(server: Address) -> None:
    def idle(peer: Peer, handle: bytes, workload: bytes) -> None:
        peer.send(packets.WORK_STATUS, handle, b"0", b"0")
        peer.send(packets.WORK_COMPLETE, handle, b"done")

    with worker(server, idle=idle):
        done = gearman(server, "-f", "idle", "x")
    assert (done.returncode, done.stdout) == (0, b"0% Complete\ndone")


def test_functions_run_side_by_side_and_are_sent_in_their_order(server: Address) -> None:
    """Both run before either may end; and the first one named was the first one created."""
    waiting: list[tuple[bytes, bytes]] = []

    def together(peer: Peer, handle: bytes, workload: bytes) -> None:
        waiting.append((handle, workload))
        if len(waiting) == 2:
            for one, data in waiting:
                peer.send(packets.WORK_COMPLETE, one, data)

    with worker(server, b=together, a=together):
        done = gearman(server, "-v", "-P", "-f", "b", "-f", "a", "x\n")
    created, created_too, *results = done.stdout.decode().splitlines()
    assert created.startswith("Task created: H:")
    assert [created.split()[-1].encode(), created_too.split()[-1].encode()] == [handle for handle, _ in waiting]
    assert results == ["b: x", "a: x"]


def test_a_background_job_is_not_waited_for(server: Address) -> None:
    done = gearman(server, "-b", "-f", "nobody", "x")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    done = gearman(server, "-b", "-v", "-I", "-f", "nobody", "x", "y")
    assert [line.split(b":")[0] for line in done.stdout.splitlines()] == [b"Task created"] * 2
    assert admin.ask(server, "prioritystatus") == "nobody\t2\t1\t0\t0\n"


def test_a_unique_makes_jobs_one(server: Address) -> None:
    for _ in range(2):
        gearman(server, "-b", "-L", "-u", "me", "-f", "f", "x")
        gearman(server, "-b", "-L", "-u", "#", "-f", "g", "x")
        gearman(server, "-b", "-L", "-f", "h", "x")
    assert admin.ask(server, "prioritystatus") == "f\t0\t0\t1\t0\ng\t0\t0\t1\t0\nh\t0\t0\t2\t0\n"


# -- how it ends --------------------------------------------------------------------------------------------------


def test_a_failed_job_exits_with_1(server: Address) -> None:
    with worker(server, fail=fail, explode=explode, reverse=reverse):
        done = gearman(server, "-P", "-f", "fail", "-f", "reverse", "abc")
        assert (done.returncode, done.stdout, complaint(done)) == (1, b"reverse: cba", "fail: Job failed")
        done = gearman(server, "-f", "explode", "no")
        assert (done.returncode, complaint(done)) == (1, "Job failed: ValueError: no")


def test_no_job_server_exits_with_3(closed_port: ClosedPort) -> None:
    where = closed_port()
    done = gearman(where, "-f", "f", "x")
    assert done.returncode == 3
    assert complaint(done).startswith(f"gearman: no job server answered: {where} (connection refused)")
    assert "--servers" not in complaint(done)  # which this program does not have
    done = gearman(Address("no.such.host.invalid"), "-f", "f", "x")
    assert done.returncode == 3
    assert "no.such.host.invalid" in complaint(done)


def test_a_deadline_exits_with_4(server: Address) -> None:
    with worker(server, silent=silent):
        done = gearman(server, "-t", "200", "-f", "silent", "x")
    assert done.returncode == 4
    assert complaint(done).startswith(f"gearman: no answer from silent at {server} in 0.2 s")


def test_a_server_that_dies_in_the_middle_of_the_output_is_told(spawn: Callable[..., Program]) -> None:
    """What was printed cannot be taken back, so the job is not begun anew."""
    process = spawn(*FLEET, "server", "--port", "0")
    address = listening(process)

    def half(peer: Peer, handle: bytes, workload: bytes) -> None:
        peer.send(packets.WORK_DATA, handle, b"half\n")

    with worker(address, half=half):
        client = spawn(*FLEET, "gearman", "-h", address.host, "-p", str(address.port), "-f", "half", "x")
        assert client.out.line() == "half"
        process.send(signal.SIGKILL)
        assert client.ended() == 3
    assert "in the middle of the job's output" in client.err.line()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], "which function?"),
        (["-f", "f", "-Z"], "option -Z not recognized"),
        (["-f"], "option -f requires argument"),
        (["-S", "-f", "f"], "-S is refused: there is no TLS yet"),
        (["-p", "x", "-f", "f"], "port x: neither a number nor the name of a service"),
        (["-t", "soon", "-f", "f"], "--timeout soon: that is no whole number"),
        (["-w", "-f", "wc", "wc", "-l", "-x"], "a program with options of its own needs -- before it"),
    ],
)
def test_a_senseless_command_line_exits_with_1(words: list[str], text: str) -> None:
    done = fleet("gearman", *words)
    assert done.returncode == 1
    assert text in complaint(done)


def test_help_lists_the_options() -> None:
    done = fleet("gearman", "-H")
    assert done.returncode == 0
    assert all(f"-{letter}" in done.stdout.decode() for letter in "bcdfhHiILnNpPstuvw")


# -- where it connects to -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "environ", "servers"),
    [
        ("", {}, "localhost:4730"),
        ("-h a", {}, "a:4730"),
        ("-h a -p 1", {}, "a:1"),
        ("-h ::1 -p 1", {}, "[::1]:1"),
        ("-h a -p 1", {"GEARMAN_SERVER": "b,c:2"}, "b:4730 c:2"),
        ("-h a", {"GEARMAN_SERVERS": "b:2,c"}, "a:4730 b:2 c:4730"),
        ("", {"GEARMAN_SERVERS": "b:2,c"}, "b:2 c:4730"),
        ("", {"GEARMAN_SERVERS": "b:2", "GEARMAN_SERVER": "c"}, "c:4730"),
    ],
)
def test_where_the_job_servers_are(line: str, environ: dict[str, str], servers: str) -> None:
    chosen, _ = parse(line.split(), program.COMMON)
    assert " ".join(map(str, program.servers_of(chosen, environ))) == servers


def test_a_senseless_server_in_the_environment_is_an_error() -> None:
    with pytest.raises(UsageError, match="'a:x' has no usable port"):
        program.servers_of({}, {"GEARMAN_SERVER": "a:x"})


# -- as a worker --------------------------------------------------------------------------------------------------


def test_a_program_does_the_jobs(server: Address, start: Start) -> None:
    start("-w", "-f", "wc", "--", "wc", "-l")
    assert gearman(server, "-f", "wc", stdin=b"a\nb\n").stdout.strip() == b"2"


def test_each_line_of_a_program_is_sent_once(server: Address, start: Start) -> None:
    start("-w", "-n", "-f", "kept", "--", "printf", "a\nb\nc")
    start("-w", "-N", "-f", "stripped", "--", "printf", "a\nb\nc")
    assert gearman(server, "-P", "-f", "kept", "x").stdout == b"kept: a\nkept: b\nkept: c"
    assert gearman(server, "-P", "-f", "stripped", "x").stdout == b"stripped: astripped: bstripped: c"


def test_a_program_that_fails_fails_its_job_and_the_worker_goes_on(server: Address, start: Start) -> None:
    program = start("-w", "-f", "f", "--", "sh", "-c", "cat; read nothing; exit 3")
    for _ in range(2):
        done = gearman(server, "-f", "f", "said this")
        assert (done.returncode, done.stdout, complaint(done)) == (1, b"said this", "Job failed")
        assert program.err.line() == "gearman: sh ended with 3"


def test_a_program_that_is_not_there_fails_its_job(server: Address, start: Start) -> None:
    program = start("-w", "-f", "f", "/no/such/program")
    assert gearman(server, "-f", "f", "x").returncode == 1
    assert program.err.line() == "gearman: cannot run /no/such/program: no such file or directory"


def test_without_a_program_every_workload_is_printed(server: Address, start: Start) -> None:
    program = start("-w", "-f", "logger")
    assert gearman(server, "-n", "-f", "logger", stdin=b"one\ntwo\n").stdout == b""
    assert [program.out.line(), program.out.line()] == ["one", "two"]


def test_a_worker_whose_output_is_gone_ends_and_its_job_is_not_lost(server: Address, spawn: Start) -> None:
    gearman(server, "-b", "-f", "logger", "kept")
    logger = f"{sys.executable} -m fleet gearman -h {server.host} -p {server.port} -w -c 1 -f logger"
    broken = spawn("sh", "-c", f"exec {logger} > /dev/full")
    assert broken.ended() == 1
    assert broken.err.tail() == "gearman: cannot write to stdout: no space left on device"
    assert spawn("sh", "-c", f"exec {logger}").out.tail() == "kept"


def test_a_count_is_enough(server: Address, start: Start) -> None:
    program = start("-w", "-c", "2", "-f", "f", "cat")
    assert gearman(server, "-n", "-f", "f", stdin=b"1\n2\n").stdout == b"1\n2\n"
    assert program.ended() == 0


def test_a_wait_in_vain_counts_as_well(server: Address) -> None:
    done = gearman(server, "-w", "-c", "2", "-t", "50", "-f", "f", "cat")
    assert (done.returncode, done.stderr) == (0, b"gearman: no job in 0.05 s\n" * 2)


def test_a_worker_waits_for_a_job_server_that_is_not_there_yet(
    spawn: Callable[..., Program], closed_port: ClosedPort
) -> None:
    where = closed_port()
    worker = spawn(*FLEET, "gearman", "-h", where.host, "-p", str(where.port), "-w", "-c", "1", "-f", "f", "cat")
    assert "connection refused" in worker.err.line().lower()
    start_at(where, spawn)
    assert gearman(where, "-f", "f", "late").stdout == b"late"
    assert worker.ended() == 0


def test_sigterm_kills_the_program_and_gives_the_job_back(server: Address, start: Start, tmp_path: Path) -> None:
    note = tmp_path / "note"
    command = f"echo $$ > {note}.new; mv {note}.new {note}; exec sleep 600"
    program = start("-w", "-i", str(tmp_path / "pid"), "-f", "f", "--", "sh", "-c", command)
    assert int((tmp_path / "pid").read_text()) == program.pid
    gearman(server, "-b", "-f", "f", "x")
    until(note.exists, "the program runs")
    assert program.stop() == 143
    until(lambda: not alive(int(note.read_text())), "the program is gone")
    assert not (tmp_path / "pid").exists()
    until(lambda: admin.status(server)[0][1:] == (1, 0, 0), "the job is queued again")


def test_a_daemon_leaves_the_terminal_and_works_on(server: Address, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    done = gearman(server, "-d", "-i", str(note), "-w", "-f", "f", "cat")
    pid = int(note.read_text())
    try:
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        assert os.getsid(pid) == pid
        assert gearman(server, "-f", "f", "hello").stdout == b"hello"
    finally:
        os.kill(pid, signal.SIGTERM)
    until(lambda: not alive(pid) and not note.exists(), "the daemon is gone, and its pid file")


def test_a_pid_file_that_cannot_be_written_exits_with_1(server: Address, tmp_path: Path) -> None:
    done = gearman(server, "-i", str(tmp_path / "absent" / "pid"), "-b", "-f", "f", "x")
    assert done.returncode == 1
    assert "cannot write the pid file" in complaint(done)
    assert admin.status(server) == []


def test_what_a_program_does_not_need_is_not_loaded() -> None:
    check = (
        "import fleet.cli, sys; from fleet.cli.classic import gearman, process; import fleet.client.watched; "
        "print([m for m in ('typer', 'asyncio', 'subprocess', 'logging', 'fleet.workers', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"

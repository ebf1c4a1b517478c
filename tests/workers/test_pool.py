"""The pool as a process: whatever a function does costs its own job, and never the pool."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet import Client
from fleet.client import admin
from fleet.errors import JobFailed
from fleet.settings import Address
from tests.conftest import listening, start_at
from tests.ports import ClosedPort
from tests.processes import FLEET, LIMIT_S, Program, alive, descendants, heard, until, zygote_below

pytestmark = pytest.mark.system

StartPool = Callable[..., Program]


@pytest.fixture
def start_pool(spawn: Callable[..., Program], server: Address) -> StartPool:
    """Start a pool of the hostile functions, and wait until it is ready."""

    def start(slots: int = 2, *limits: str) -> Program:
        program = spawn(FLEET[0], "-m", "tests.workers.pool", str(server), str(slots), *limits)
        line = program.out.line()
        assert line.startswith(f"ready {slots} slots: "), (line, program.err.rest())
        return program

    return start


@pytest.fixture
def client(server: Address) -> Client:
    return Client(server, timeout=LIMIT_S)


def zygote_of(pool: Program) -> int:
    return zygote_below(pool.pid)


def runner_of(zygote: int) -> int:
    """The runner of a pool with one slot: there is always one, but for the moment until the next is forked."""
    found: list[int] = []

    def look() -> bool:
        found[:] = descendants(zygote)
        return len(found) == 1

    until(look, "there is a runner")
    return found[0]


def begun(pool: Program) -> int:
    """The runner that is at an `until_told`, once it is."""
    return int(pool.err.until("begun").split()[-1])


def tell(runner: int) -> None:
    """Let its `until_told` end."""
    os.kill(runner, signal.SIGUSR1)


BESIDE = """
import sys

from fleet.settings import parse_servers
from fleet.workers.pool import run_pool

sys.exit(run_pool(parse_servers(), 1, functions={"shout": "mine:shout"}))
"""


def test_functions_may_stand_beside_the_program_that_starts_the_pool(
    spawn: Callable[..., Program], server: Address, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEET_SERVERS", str(server))
    (tmp_path / "pool.py").write_text(BESIDE)
    (tmp_path / "mine.py").write_text("def shout(workload):\n    return bytes(workload).upper()\n")
    program = spawn(FLEET[0], str(tmp_path / "pool.py"))
    assert program.out.line() == "ready 1 slots: shout"
    assert client.run("shout", b"hello") == b"HELLO"


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (None, "ModuleNotFoundError: No module named 'mine'$"),
        ("import json\nimport nowhere\n", r"ModuleNotFoundError: No module named 'nowhere' \(.*/mine.py, line 2\)$"),
        ("def whisper(workload): ...\n", "AttributeError: module 'mine' has no attribute 'shout'$"),
        ("shout = 1\n", "that is no function$"),
    ],
)
def test_a_function_that_cannot_be_loaded_ends_the_pool_in_one_line(
    spawn: Callable[..., Program], server: Address, tmp_path: Path, source: str | None, why: str
) -> None:
    (tmp_path / "pool.py").write_text(BESIDE)
    if source:
        (tmp_path / "mine.py").write_text(source)
    program = spawn(FLEET[0], str(tmp_path / "pool.py"), env={"FLEET_SERVERS": str(server)})
    assert program.ended() == 2
    (line,) = program.err.rest()
    assert re.match(f"fleet worker: the function shout cannot be loaded from mine:shout: {why}", line), line


def limited(spawn: Callable[..., Program], server: Address, slots: int, limit: str) -> Program:
    pool = f"exec {FLEET[0]} -m tests.workers.pool {server} {slots}"
    return spawn("sh", "-c", f"ulimit {limit} || exit 9; {pool}")


def test_f12_a_pool_raises_its_limit_of_open_files_as_far_as_it_may(
    spawn: Callable[..., Program], server: Address, client: Client
) -> None:
    pool = limited(spawn, server, 20, "-S -n 60")
    assert pool.out.line().startswith("ready 20 slots: ")
    assert client.run("reverse", b"ab") == b"ba"


def test_f12_more_workers_than_there_can_be_open_files_for_are_refused_in_one_line(
    spawn: Callable[..., Program], server: Address
) -> None:
    pool = limited(spawn, server, 20, "-n 134")
    assert pool.ended() == 2
    assert pool.err.rest() == [
        "fleet worker: 20 workers need 204 open files, and this process may have enough for 10; raise ulimit -n"
    ]


def test_jobs_small_and_large(start_pool: StartPool, client: Client) -> None:
    start_pool()
    with client:
        for size in (0, 1, 1000, 100_000, 5_000_000, 10, 3_000_000):
            data = os.urandom(size)
            if size < 2_000_000:
                assert client.run("reverse", data) == data[::-1]
            else:
                assert client.run("peeks_behind", data.rstrip(b"\0")).endswith(data.rstrip(b"\0"))


@pytest.mark.parametrize(
    ("function", "text"),
    [
        ("opens_a_file", "^PermissionError: .*Permission denied"),
        ("lists_a_directory", "^PermissionError: .*Permission denied"),
        ("connects", "^PermissionError: .*Operation not permitted"),
        ("forks", "^PermissionError: .*Operation not permitted"),
        ("fork_bomb", "^PermissionError: .*Operation not permitted"),
        ("executes", "the sandbox stopped it.*SIGSYS"),
        ("kills_its_parent", "^PermissionError: .*Operation not permitted"),
        ("kills_everybody", "^PermissionError: .*Operation not permitted"),
        ("traces", "the sandbox stopped it.*SIGSYS"),
        ("makes_memory_executable", "^PermissionError: .*Operation not permitted"),
        ("aborts", "it gave up .SIGABRT."),
    ],
)
def test_m53_what_no_decoder_does_is_refused_or_ends_the_runner(
    start_pool: StartPool, client: Client, function: str, text: str
) -> None:
    start_pool(1, "sandbox=required")
    with client:
        with pytest.raises(JobFailed, match=text):
            client.run(function, b"x")
        assert client.run("reverse", b"abc") == b"cba"


def test_m53_threads_are_bounded_by_memory(start_pool: StartPool, client: Client) -> None:
    start_pool(1, f"memory_bytes={128 << 20}")
    with client, pytest.raises(JobFailed, match="can't start new thread"):
        client.run("starts_100_threads")


def test_root_is_not_what_runners_are(start_pool: StartPool, client: Client) -> None:
    start_pool(1)
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        nobody = pwd.getpwnam("nobody")
        user, group = nobody.pw_uid, nobody.pw_gid
    with client:
        assert client.run("who") == b"%d %d" % (user, group)


def test_m56_a_job_that_killed_its_runner_is_refused_at_once(start_pool: StartPool, client: Client) -> None:
    start_pool(1)
    with client:
        for _ in range(3):
            with pytest.raises(JobFailed, match=r"it crashed \(SIGSEGV\)") as caught:
                client.run("segfault", b"x")
        assert "refused for a day" in str(caught.value)
        with pytest.raises(JobFailed, match="and so did a second one"):
            client.run("segfault", b"another")


def test_parts_are_with_the_client_before_the_job_ends(start_pool: StartPool, client: Client) -> None:
    start_pool(1)
    with client:
        task = client.submit("parts", b"abc")
        assert list(task.stream()) == [b"a", b"b", b"c"]
        assert task.progress == (3, 3)


@pytest.mark.parametrize(
    ("function", "text"),
    [
        ("raises", "^ValueError: no such thing$"),
        ("segfault", r"it crashed \(SIGSEGV\), and so did a second one$"),
        ("ignores_sigterm", "it ran over its deadline of 2 s and was killed$"),
        ("leaks", "^BadImage: resource: it needs more memory than a job may have$"),
        ("floods", "it sent more than a result may have"),
        ("sends_to_no_end", "it sent more than a result may have"),
        ("breaks_off", "^ValueError: no second part$"),
        ("exits_without_a_verdict", "it ended without a result"),
        ("exits_with_a_code", "it ended with code 3 and no result"),
        ("writes_garbage", "it sent garbage"),
        ("writes_its_input", "TypeError"),
    ],
)
def test_what_a_runner_does_wrong_costs_its_own_job(
    start_pool: StartPool, client: Client, function: str, text: str
) -> None:
    deadline_s = 2 if function == "ignores_sigterm" else LIMIT_S
    start_pool(1, f"deadline_s={deadline_s}", f"memory_bytes={80 << 20}", f"result_bytes={1 << 20}")
    with client:
        with pytest.raises(JobFailed, match=text):
            client.run(function, b"x")
        assert client.run("reverse", b"abc") == b"cba"


def test_f24_a_job_that_hangs_in_c_with_the_gil_is_killed_at_its_deadline(
    start_pool: StartPool, client: Client
) -> None:
    pool = start_pool(1, "deadline_s=1")
    with client:
        task = client.submit("hangs_with_the_gil")
        until(lambda: task.status().running, "the job runs")
        runner = runner_of(zygote_of(pool))
        with pytest.raises(JobFailed, match="deadline of 1 s and was killed"):
            task.result()
        assert not alive(runner)
        assert client.run("reverse", b"abc") == b"cba"


def test_a_runner_killed_by_somebody_else_costs_a_second_try(start_pool: StartPool, client: Client) -> None:
    pool = start_pool(1)
    with client:
        task = client.submit("until_told")
        os.kill(begun(pool), signal.SIGKILL)
        tell(begun(pool))  # it was not its doing: it has a second try
        assert task.result() == b"done"


def test_a_runner_that_waits_is_locked_in_and_its_death_costs_no_job(start_pool: StartPool, client: Client) -> None:
    pool = start_pool(1)
    waiting = runner_of(zygote_of(pool))
    until(lambda: "Seccomp:\t2" in Path(f"/proc/{waiting}/status").read_text(), "it is locked in")
    os.kill(waiting, signal.SIGKILL)
    until(lambda: not alive(waiting), "it is dead")
    with client:
        assert client.run("reverse", b"abc") == b"cba"
        assert runner_of(zygote_of(pool)) != waiting


def test_runners_do_not_share_their_chances(start_pool: StartPool, client: Client) -> None:
    start_pool(1)
    with client:
        assert len({client.run("rolls_dice") for _ in range(5)}) == 5


def test_grandchildren_go_with_their_runner(start_pool: StartPool, client: Client) -> None:
    start_pool(1, "sandbox=off")
    with client:
        grandchild = int(client.run("leaves_a_grandchild"))
        until(lambda: not alive(grandchild), "the grandchild is gone")


def test_a_runner_has_nothing_open_but_its_input_and_output(start_pool: StartPool, client: Client) -> None:
    start_pool(1)
    with client:
        assert client.run("descriptors", b"x") == b"0 1 2 3 4 5"  # 5 maps the input


def test_the_next_runner_cannot_see_what_the_last_job_left(start_pool: StartPool, client: Client) -> None:
    start_pool(1)
    with client:
        assert len(client.run("peeks_behind", b"secret" * 50_000)) > 300_000
        assert client.run("peeks_behind", b"mine") == b"mine"
        assert b"secret" not in client.run("peeks_behind", b"y" * 100_000)


def test_what_a_function_prints_is_not_the_pools_output(start_pool: StartPool, client: Client) -> None:
    pool = start_pool(1)
    with client:
        assert client.run("prints") == b"printed"
    pool.stop()
    assert pool.out.rest() == []
    assert "runner: hello from a runner" in pool.err.rest()


def test_f33_a_flood_on_stderr_stops_nobody_and_is_not_passed_on(start_pool: StartPool, client: Client) -> None:
    pool = start_pool(1)
    with client:
        for _ in range(3):
            assert client.run("shouts") == b"shouted"
    assert pool.stop() == 0
    lines = pool.err.rest()
    assert sum(map(len, lines)) < 100_000
    assert lines[0] == "runner: ?[2Jfleet worker: all is well"
    assert "runner: ... writes more than is shown" in lines


def test_a_pools_secrets_are_not_in_its_runners(spawn: Callable[..., Program], server: Address, client: Client) -> None:
    secret = {"DATABASE_URL": "postgres://secret", "AWS_SECRET_ACCESS_KEY": "secret", "LC_TIME": "C"}
    pool = spawn(FLEET[0], "-m", "tests.workers.pool", str(server), "1", "sandbox=off", env=secret)
    assert pool.out.line().startswith("ready")
    with client:
        found = client.run("environment").decode()
    assert "secret" not in found
    assert "LC_TIME=C" in found
    zygote = zygote_of(pool)
    assert b"secret" not in Path(f"/proc/{zygote}/environ").read_bytes()
    for pid in descendants(zygote):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # the runner of this job may just be ending
            assert b"secret" not in Path(f"/proc/{pid}/environ").read_bytes()


def test_a_runner_for_many_jobs_is_replaced_after_one_that_went_wrong(start_pool: StartPool, client: Client) -> None:
    pool = start_pool(1, "isolation=slot", "runner_jobs=4", "deadline_s=3")
    with client:

        def runner_after(function: str, workload: bytes = b"abc") -> bytes:
            try:
                client.run(function, workload)
            except JobFailed:
                pass
            return client.run("own_number")

        first = client.run("own_number")
        assert runner_after("reverse") == first
        assert runner_after("reverse") != first, "it has done its four"
        for function in ("raises", "segfault", "aborts", "exits_without_a_verdict", "hangs_with_the_gil"):
            before = client.run("own_number")
            assert runner_after(function) != before, function
        assert client.run("who") == client.run("who")
    assert any("isolation is by SLOT" in line for line in (pool.err.line(),))


def test_a_runner_for_many_jobs_is_replaced_when_it_grew(start_pool: StartPool, client: Client) -> None:
    start_pool(1, "isolation=slot", f"runner_bytes={100 << 20}")
    with client:
        first = client.run("own_number")
        assert client.run("grows") == b"grew"
        assert client.run("own_number") != first


def test_without_isolation_there_is_no_sandbox_and_that_is_said(start_pool: StartPool, client: Client) -> None:
    pool = start_pool(1, "isolation=none")
    assert "isolation is NONE" in pool.err.line()
    with client:
        assert client.run("who") == b"%d %d" % (os.geteuid(), os.getegid())
        assert client.run("opens_a_file")
        assert client.run("own_number") == client.run("own_number")


def test_slots_run_side_by_side(start_pool: StartPool, client: Client) -> None:
    pool = start_pool(4)
    with client:
        tasks = [client.submit("until_told") for _ in range(4)]
        runners = [begun(pool) for _ in tasks]  # none of which ends before
        for runner in runners:
            tell(runner)
        assert [task.result() for task in tasks] == [b"done"] * 4


def test_a_lost_zygote_is_replaced_and_its_jobs_begin_anew(start_pool: StartPool, client: Client) -> None:
    pool = start_pool(1)
    with client:
        task = client.submit("until_told")
        first, runner = zygote_of(pool), begun(pool)
        os.kill(first, signal.SIGKILL)
        until(lambda: not alive(runner), "the runner went with its zygote")
        tell(begun(pool))
        assert task.result() == b"done"
        assert client.run("reverse", b"abc") == b"cba"
        assert zygote_of(pool) != first


def test_a_stuck_zygote_is_replaced(start_pool: StartPool, client: Client) -> None:
    pool = start_pool(1, "deadline_s=1")
    with client:
        task = client.submit("slow", b"600")
        first = zygote_of(pool)
        until(lambda: task.status().running, "the job runs")
        os.kill(first, signal.SIGSTOP)
        with pytest.raises(JobFailed):
            task.result()
        assert client.run("reverse", b"abc") == b"cba"


def test_sigterm_lets_the_running_job_finish(start_pool: StartPool, client: Client) -> None:
    pool = start_pool(2)
    with client:
        task = client.submit("until_told")
        runner = begun(pool)
        pool.send(signal.SIGTERM)
        until(lambda: heard(pool.pid, signal.SIGTERM), "the pool drains")
        tell(runner)
        assert task.result() == b"done"
        assert pool.ended() == 0


@pytest.mark.parametrize("how", ["the grace is over", "a second signal"])
def test_a_job_that_does_not_finish_goes_back_to_its_server(
    start_pool: StartPool, client: Client, server: Address, how: str
) -> None:
    pool = start_pool(1, f"grace_s={0.1 if how == 'the grace is over' else 600}")
    with client:
        task = client.submit("slow", b"600")
        until(lambda: task.status().running, "the job runs")
        runner = runner_of(zygote_of(pool))
        pool.send(signal.SIGTERM)
        if how == "a second signal":
            until(lambda: heard(pool.pid, signal.SIGTERM), "it drains")
            pool.send(signal.SIGTERM)
        assert pool.ended() == 0
        until(lambda: not alive(runner), "the runner is gone")
        until(lambda: not task.status().running, "the job is queued again")
        assert task.status().known


def test_a_cancelled_jobs_runner_is_killed_and_each_client_told_once(
    start_pool: StartPool, client: Client, server: Address
) -> None:
    pool = start_pool(1)
    with client, Client(server, timeout=LIMIT_S) as other:
        tasks = [waiting.submit("slow", b"600", unique="the same") for waiting in (client, other)]
        until(lambda: tasks[0].status().running, "the job runs")
        runner = runner_of(zygote_of(pool))
        assert admin.ask(server, f"cancel job {tasks[0].handle}") == "OK"
        for task in tasks:
            with pytest.raises(JobFailed):
                task.result()
        until(lambda: not alive(runner), "the runner is gone")
        assert client.run("slow", b"0") == b"slept"  # nothing is held against the function, or the slot
    counters = (admin.counters(server) or {})["functions"]["slow"]
    assert (counters["cancelled"], counters["completed"], counters["failed"]) == (1, 1, 0)


def test_killing_the_pool_leaves_no_process(start_pool: StartPool, client: Client) -> None:
    pool = start_pool(2)
    with client:
        task = client.submit("slow", b"600")
        until(lambda: task.status().running, "the job runs")
        below = descendants(pool.pid)
        pool.send(signal.SIGKILL)
        until(lambda: not any(map(alive, below)), "zygote and runner are gone")


def test_the_pool_outlives_its_server(spawn: Callable[..., Program], closed_port: ClosedPort) -> None:
    where = closed_port()
    first = start_at(where, spawn)
    pool = spawn(FLEET[0], "-m", "tests.workers.pool", str(where), "2")
    assert pool.out.line().startswith("ready")
    first.process.kill()
    first.ended()
    start_at(where, spawn)
    with Client(where, timeout=LIMIT_S) as client:
        assert client.run("reverse", b"abc") == b"cba"


def test_a_pool_without_a_server_says_so_and_waits(spawn: Callable[..., Program], server: Address) -> None:
    pool = spawn(FLEET[0], "-m", "tests.workers.pool", "127.0.0.1:1", "1")
    assert pool.err.line() == "fleet worker: no job server at 127.0.0.1:1 (connection refused) yet; trying on"
    assert pool.stop() == 0


def test_a_pool_serves_several_servers(spawn: Callable[..., Program], server: Address) -> None:
    other = listening(spawn(*FLEET, "server", "--port", "0"))
    pool = spawn(FLEET[0], "-m", "tests.workers.pool", f"{server},{other}", "1")
    assert pool.out.line().startswith("ready")
    with Client(server, timeout=LIMIT_S) as one, Client(other, timeout=LIMIT_S) as two:
        for _ in range(10):
            assert one.run("reverse", b"abc") == two.run("reverse", b"abc") == b"cba"

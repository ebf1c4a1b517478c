"""`fleet run` and `fleet status`."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fleet import Job, Worker
from fleet.settings import Address
from fleet.version import __version__
from tests.cli.command import complaint, fleet
from tests.client.test_blocking import silent
from tests.interop.servers import GEARMAND
from tests.peer import chatty, explode, reverse, worker
from tests.ports import ClosedPort
from tests.processes import LIMIT_S, Program

pytestmark = pytest.mark.system


def test_run_prints_the_result(server: Address) -> None:
    with worker(server, reverse=reverse):
        assert fleet("run", "-f", "reverse", "Hello World!", server=server).stdout == b"!dlroW olleH"
        assert fleet("run", "-f", "reverse", stdin=b"abc", server=server).stdout == b"cba"
        assert fleet("run", "-f", "reverse", "-", stdin=b"\0\xff", server=server).stdout == b"\xff\0"


def test_run_streams_data_and_tells_warnings(server: Address) -> None:
    with worker(server, chatty=chatty):
        done = fleet("run", "-f", "chatty", "x", server=server)
    assert done.stdout == b"part 1\npart 2\npart 3\nend"
    assert complaint(done) == "fleet: chatty warns: nearly done"


def test_run_in_the_background_prints_the_handle(server: Address) -> None:
    done = fleet("run", "-f", "nobody", "-b", "--priority", "low", "x", server=server)
    assert done.returncode == 0
    assert done.stdout.startswith(b"H:")


@pytest.mark.parametrize("background", [False, True])
def test_the_worker_is_told_the_reducer(server: Address, background: bool) -> None:
    words = ("run", "-f", "split", "--reducer", "words", "a text", *(["-b"] if background else []))
    with Worker(server) as splitter, ThreadPoolExecutor(1) as thread:
        told: list[str] = []

        def split(job: Job) -> str:
            told.append(job.reducer)
            return f"{job.reducer}: {job.workload.decode()}"

        splitter.register("split", split)
        works = thread.submit(splitter.work, 1)
        done = fleet(*words, server=server)
        works.result(LIMIT_S)
    assert (done.returncode, told) == (0, ["words"])
    assert done.stdout.startswith(b"H:") if background else done.stdout == b"words: a text"


def test_a_reducer_with_a_priority_is_refused() -> None:
    done = fleet("run", "-f", "f", "--reducer", "r", "--priority", "high", "x")
    assert (done.returncode, "a job with a reducer and a time or a priority" in complaint(done)) == (2, True)


def test_terms_without_the_background_are_refused_in_the_commands_own_words() -> None:
    done = fleet("run", "-f", "f", "--delay", "5m", "x")
    assert (done.returncode, complaint(done).endswith("add -b")) == (2, True)


def test_a_failed_job_exits_with_1_and_a_late_one_with_4(server: Address) -> None:
    with worker(server, explode=explode):
        done = fleet("run", "-f", "explode", "no", server=server)
        assert (done.returncode, complaint(done)) == (1, "fleet: ValueError: no")
    done = fleet("run", "-f", "nobody", "-t", "0.1", "x", server=server)
    assert done.returncode == 4
    assert "no answer from nobody" in complaint(done)


@pytest.mark.parametrize(
    "command", [["run", "-f", "f", "x"], ["status"], ["resize", "samples/images/kitten.png", "-o", "-"]]
)
def test_no_server_exits_with_3_and_says_where(command: list[str], closed_port: ClosedPort) -> None:
    where = closed_port()
    done = fleet(*command, server=where)
    assert done.returncode == 3
    assert f"{where} (connection refused)" in complaint(done)


@pytest.mark.parametrize(
    "command",
    [["run", "-f", "f", "x"], ["status"], ["jobs", "list"], ["resize", "samples/images/kitten.png", "-o", "-"]],
)
def test_the_servers_of_the_settings_are_those_of_every_command(
    command: list[str], tmp_path: Path, closed_port: ClosedPort
) -> None:
    settings, where = tmp_path / "fleet.toml", closed_port()
    settings.write_text(f'servers = "{where}"\n')
    assert f"{where} (connection refused)" in complaint(fleet(*command, settings=settings))
    elsewhere = closed_port()
    assert f"{elsewhere} (connection refused)" in complaint(fleet(*command, settings=settings, server=elsewhere))
    settings.write_text("servers = 5\n")
    done = fleet(*command, settings=settings)
    assert done.returncode == 2
    assert 'servers is 5; write "HOST:PORT,HOST:PORT"' in complaint(done)


def test_a_senseless_address_exits_with_2() -> None:
    done = fleet("status", "--servers", "host:port")
    assert done.returncode == 2
    assert "'host:port' has no usable port" in complaint(done)


def test_status_for_people_and_for_programs(server: Address) -> None:
    assert b"no functions yet" in fleet("status", server=server).stdout
    with worker(server, resize=silent):
        fleet("run", "-f", "other", "-b", "x", server=server)
        table = fleet("status", server=server).stdout.decode().splitlines()
        assert table[0] == f"{server}  version {__version__}"
        assert table[2].split()[:6] == ["other", "1", "0", "0", "0", "0"]
        assert table[2].endswith(" s")  # it waits already
        assert table[3].split() == ["resize", "0", "0", "1", "0", "0", "-"]
        text = fleet("status", "--json", server=server).stdout.decode()
    found = json.loads(text)
    assert len(text.splitlines()) < 70  # a list of numbers is a line
    assert '\n          "name": "other",\n' in text
    other = found["servers"][0]["functions"][0]
    assert other.items() >= {"name": "other", "queued": 1, "running": 0, "workers": 0, "submitted": 1}.items()
    assert 0 < other["oldest_s"] < 60


@pytest.mark.interop
def test_status_of_a_job_server_that_does_not_count(spawn: Callable[..., Program]) -> None:
    gearmand = GEARMAND.start(spawn)
    fleet("run", "-f", "other", "-b", "x", server=gearmand)
    table = fleet("status", server=gearmand).stdout.decode().splitlines()
    expected = [["FUNCTION", "QUEUED", "RUNNING", "WORKERS"], ["other", "1", "0", "0"]]
    assert [line.split() for line in table[1:]] == expected


def test_status_of_several_servers_of_which_one_is_down(server: Address, closed_port: ClosedPort) -> None:
    down = closed_port()
    done = fleet("status", "--json", "--servers", f"{server},{down}")
    assert done.returncode == 6
    up, gone = json.loads(done.stdout)["servers"]
    assert up["version"] == __version__
    assert "connection refused" in gone["error"]

"""What became of background jobs, asked of real job servers."""

from __future__ import annotations

import re
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fleet.client import Client, admin
from fleet.client.routing import content_key
from fleet.errors import (
    Deadline,
    FleetError,
    JobCancelled,
    JobDead,
    JobFailed,
    JobTooLate,
    NoServer,
    NoStore,
    NoSuchJob,
    ResultGone,
    UsageError,
)
from fleet.protocol import packets
from fleet.settings import Address
from tests.client.test_blocking import silent
from tests.conftest import listening, start_at
from tests.interop.servers import GEARMAND
from tests.peer import Peer, explode, fail, reverse, worker
from tests.ports import ClosedPort
from tests.processes import FLEET, LIMIT_S, Program, until

pytestmark = pytest.mark.system

Spawn = Callable[..., Program]


def keeping(spawn: Spawn, *options: str, store: str = "memory") -> Address:
    """A job server with a store."""
    return listening(spawn(*FLEET, "server", "--port", "0", "--store", store, *options))


@pytest.fixture
def keeper(spawn: Spawn) -> Address:
    return keeping(spawn)


def submitted(client: Client, function: str, workload: bytes = b"x", **how: object) -> str:
    handle = client.submit(function, workload, background=True, **how).handle  # type: ignore[arg-type]
    assert handle
    return handle


def test_a_result_is_fetched_afterwards_by_anybody(keeper: Address) -> None:
    with worker(keeper, reverse=reverse), Client(keeper) as client:
        handle = submitted(client, "reverse", b"abc", unique="user-17")
        assert client.job(handle).result(LIMIT_S) == b"cba"
    with Client(keeper) as another:
        job = another.job(handle)
        assert job.result() == b"cba"
        assert another.job(function="reverse", unique="user-17").result() == b"cba"
        info = job.status()
        assert (info.state, info.function, info.unique, info.bytes) == ("completed", "reverse", "user-17", 3)
        assert (info.server, info.handle) == (keeper, handle)
        assert not list(another.jobs())


def test_equal_contents_are_made_once_while_the_cache_has_the_result(spawn: Spawn, tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text('[functions.reverse]\ncache = "1h"\n')
    servers = [listening(spawn(*FLEET, "server", "--port", "0", "--store", "memory", cwd=tmp_path)) for _ in range(2)]
    made: list[bytes] = []

    def count(peer: Peer, handle: bytes, workload: bytes) -> None:
        made.append(workload)
        reverse(peer, handle, workload)

    with worker(servers[0], reverse=count), worker(servers[1], reverse=count):
        with Client(servers) as client:
            first = submitted(client, "reverse", b"abc", unique="content")
            assert client.job(first).result(LIMIT_S) == b"cba"
        with Client(reversed(servers)) as another:
            assert another.run("reverse", b"abc", unique="content", timeout=LIMIT_S) == b"cba"
            assert submitted(another, "reverse", b"abc", unique="content") == first
            assert made == [b"abc"]
            assert another.run("reverse", b"abd", unique="content", timeout=LIMIT_S) == b"dba"
    assert made == [b"abc", b"abd"]


def test_what_is_said_of_a_job_is_no_part_of_its_content(keeper: Address) -> None:
    with Client(keeper) as client:
        one = submitted(client, "f", b"abc", unique="content", ttl=100)
        assert submitted(client, "f", b"abc", unique="content", attempts=7) == one
        assert client.job(one).status().unique == content_key(b"abc").decode()


@pytest.mark.parametrize("terms", [{}, {"attempts": 3}, {"priority": "low"}], ids=["packet", "attempts", "priority"])
def test_a_job_comes_on_its_schedule_until_it_is_cancelled(keeper: Address, terms: dict[str, Any]) -> None:
    with Client(keeper) as client:
        job = client.job(submitted(client, "f", schedule="30 3 * * 0", unique="nightly", **terms))
        info = job.status()
        assert (info.state, info.schedule, info.unique) == ("waiting", "30 3 * * 0", "nightly")
        when = datetime.fromtimestamp(info.run_at, UTC)
        assert (when.hour, when.minute, when.weekday()) == (3, 30, 0)
        assert submitted(client, "f", schedule="30 3 * * 0", unique="nightly") == job.handle
        assert job.cancel()
        assert not list(client.jobs())


def test_a_server_that_keeps_nothing_takes_schedules_too(server: Address) -> None:
    with Client(server) as client:
        assert client.submit("f", background=True, schedule="* * * * *").status().known


@pytest.mark.parametrize("terms", [{}, {"attempts": 3}], ids=["packet", "attempts"])
def test_a_schedule_that_makes_no_sense_is_told_by_its_field(keeper: Address, terms: dict[str, Any]) -> None:
    with Client(keeper) as client:
        for schedule, text in [("0 3 * * 7", "wday is * or numbers from 0 to 6"), ("0 0 31 2 *", "no such day")]:
            with pytest.raises(UsageError, match=re.escape(text)) as caught:
                client.submit("f", background=True, schedule=schedule, **terms)
            assert str(caught.value).startswith(f"schedule '{schedule}' makes no sense: ")
        assert not list(client.jobs())


def test_a_job_that_has_not_ended_is_waited_for_and_the_deadline_leaves_it_alone(keeper: Address) -> None:
    with Client(keeper) as client:
        job = client.job(submitted(client, "reverse", b"abc"))
        assert job.status().state == "queued"
        with pytest.raises(Deadline, match="has not ended in time"):
            job.result(0.1)
        found: list[bytes] = []
        waiting = threading.Thread(target=lambda: found.append(job.result(LIMIT_S)))
        waiting.start()
        with worker(keeper, reverse=reverse):
            waiting.join(LIMIT_S)
        assert found == [b"cba"]


def test_how_a_job_ended_is_told_apart(spawn: Spawn) -> None:
    once, twice = keeping(spawn), keeping(spawn, "--attempts", "2")
    with worker(once, explode=explode, fail=fail), Client(once) as client:
        with pytest.raises(JobFailed, match="ValueError: x") as failed:
            client.job(submitted(client, "explode")).result(LIMIT_S)
        assert type(failed.value) is JobFailed
        with pytest.raises(JobFailed):
            client.job(submitted(client, "fail")).result(LIMIT_S)
        cancelled = client.job(submitted(client, "nobody"))
        assert cancelled.cancel()
        assert not cancelled.cancel()
        with pytest.raises(JobCancelled, match="was cancelled"):
            cancelled.result()
        with pytest.raises(NoSuchJob, match=f"there never was a job H:none at {once}"):
            client.job("H:none").result()
        with pytest.raises(NoSuchJob, match="no job of explode with the unique u is known"):
            client.job(function="explode", unique="u").result()
    with worker(twice, explode=explode), Client(twice) as client:
        dead = client.job(submitted(client, "explode"))
        with pytest.raises(JobDead, match="ValueError: x"):
            dead.result(LIMIT_S)
        info = dead.status()
        assert (info.state, info.errors) == ("dead", ("ValueError: x",) * 2)
        assert [job.handle for job in client.dead()] == [dead.handle]


def test_a_result_that_is_kept_no_longer_is_gone_also_after_a_restart(spawn: Spawn, tmp_path: Path) -> None:
    store = f"sqlite:{tmp_path}/jobs"
    first = spawn(*FLEET, "server", "--port", "0", "--store", store, "--keep", "0")
    address = listening(first)
    with worker(address, reverse=reverse), Client(address) as client:
        handle = submitted(client, "reverse")
        until(lambda: not list(client.jobs()), "the job is done")
        with pytest.raises(ResultGone, match=f"the job {handle} has ended, and what came of it is not kept any more"):
            client.job(handle).result()
    first.send(signal.SIGKILL)
    first.ended()
    with Client(keeping(spawn, store=store)) as client, pytest.raises(ResultGone):
        client.job(handle).status()


def test_with_several_servers_the_one_that_has_the_job_is_found(spawn: Spawn) -> None:
    first, second = keeping(spawn), keeping(spawn)
    with Client(second) as client:
        handle = submitted(client, "reverse", b"abc", unique="u")
    with worker(second, reverse=reverse), Client([first, second]) as client:
        assert client.job(handle).result(LIMIT_S) == b"cba"
        assert client.job(function="reverse", unique="u").status().server == second
        with pytest.raises(NoSuchJob, match=f"at {first}, {second}"):
            client.job("H:none").result()


def test_jobs_whose_handles_begin_alike_are_looked_for_where_the_last_one_was(spawn: Spawn) -> None:
    first, second = keeping(spawn), keeping(spawn)
    with Client(second) as client:
        handles = [submitted(client, "f") for _ in range(3)]
    with Client([first, second]) as client:
        assert client.job(handles[0]).status().server == second
        assert client.job(handles[1])._servers() == [second, first]
        assert client.job("H:elsewhere:1")._servers() == [first, second]
        assert client.job(function="f", unique="u")._servers() == [first, second]


def test_a_server_that_is_down_might_have_had_the_job(keeper: Address, closed_port: ClosedPort) -> None:
    down = closed_port()
    with worker(keeper, reverse=reverse), Client([down, keeper]) as client:
        handle = client.submit("reverse", b"abc", background=True).handle
        assert client.job(handle).result(LIMIT_S) == b"cba"
        with pytest.raises(NoServer, match=str(down)):
            client.job("H:none").result()


def test_a_server_without_a_store_says_so(server: Address, closed_port: ClosedPort) -> None:
    with Client(server) as client:
        for ask in (client.job("H:1").result, client.job("H:1").status, client.job(function="f", unique="u").result):
            with pytest.raises(NoStore, match="start it with --store"):
                ask()
        with pytest.raises(NoStore):
            list(client.dead())
    with Client([server, closed_port()]) as client, pytest.raises(NoServer):
        client.job("H:1").result()


def test_jobs_are_listed_over_all_servers_and_over_many_pages(spawn: Spawn) -> None:
    first, second = keeping(spawn), keeping(spawn)
    with Peer(first) as peer:
        for _ in range(2345):
            peer.send(packets.SUBMIT_JOB_BG, b"f", b"", b"x")
        for _ in range(2345):
            assert peer.read().kind == packets.JOB_CREATED
    with Client(second) as client:
        submitted(client, "g")
    with Client([first, second]) as client:
        found = list(client.jobs())
        assert len({job.handle for job in found}) == 2346
        assert (found[0].server, found[-1].server) == (first, second)
        assert len(list(client.jobs(function="g"))) == 1
        assert not list(client.jobs(older=3600))


def test_a_job_must_be_named() -> None:
    for names in ({}, {"function": "f"}, {"unique": "u"}, {"handle": "h", "function": "f", "unique": "u"}):
        with pytest.raises(UsageError, match="by its handle, or else by its function and unique"):
            Client().job(**names)


def test_the_server_that_comes_back_is_asked_again(spawn: Spawn, tmp_path: Path, closed_port: ClosedPort) -> None:
    address, store = closed_port(), f"sqlite:{tmp_path}/jobs"
    first = start_at(address, spawn, "--store", store)
    with Client(address) as client:
        job = client.job(submitted(client, "reverse", b"abc"))
        found: list[bytes | FleetError] = []
        waiting = threading.Thread(target=lambda: found.append(job.result(LIMIT_S)))
        waiting.start()
        until(lambda: job.server is not None, "the server has the question")
        first.send(signal.SIGKILL)
        first.ended()
        start_at(address, spawn, "--store", store)
        with worker(address, reverse=reverse):
            waiting.join(LIMIT_S)
    assert found == [b"cba"]


def test_the_handle_of_a_running_job_shows_how_far_it_got(keeper: Address) -> None:
    def half(peer: Peer, handle: bytes, workload: bytes) -> None:
        peer.send(packets.WORK_STATUS, handle, b"1", b"2")
        silent(peer, handle, workload)

    with Client(keeper) as client:
        job = client.job(submitted(client, "half"))
        with worker(keeper, half=half):
            until(lambda: job.status().progress == (1, 2), "it has got half way")
            assert job.status().state == "running"


# -- terms ------------------------------------------------------------------------------------------------------


def test_a_job_for_later_needs_no_store_and_begins_when_it_is_time(server: Address) -> None:
    with worker(server, reverse=reverse), Client(server) as client:
        begun = time.time()
        submitted(client, "reverse", b"abc", delay=1)
        until(lambda: not client.submit("reverse", background=True).status().known, "what is submitted now is done now")
        until(lambda: admin.status(server)[0].jobs == 0, "the other is done, too")
        assert time.time() - begun >= 1


def test_a_jobs_own_terms_travel_and_hold(keeper: Address) -> None:
    with Client(keeper) as client:
        task = client.submit("explode", b"x", background=True, priority="high", ttl=100, attempts=2, unique="u")
        again = client.submit("explode", b"x", background=True, unique="u")
        assert task.background
        assert task.handle == again.handle
        info = client.job(task.handle).status()
        assert (info.priority, info.attempts, info.bytes, info.unique) == ("high", 2, 1, "u")
        assert abs(info.expires - 100 - time.time()) < LIMIT_S
        with worker(keeper, explode=explode), pytest.raises(JobDead):
            client.job(task.handle).result(LIMIT_S)
        later = client.job(submitted(client, "f", at=time.time() + 1000, priority="low")).status()
        assert (later.state, later.priority) == ("waiting", "low")


def test_a_job_that_nobody_begins_in_time_is_too_late(keeper: Address) -> None:
    with Client(keeper) as client:
        job = client.job(submitted(client, "reverse", ttl=0.1))
        until(lambda: time.time() > job.status().expires, "its time is over")
        with worker(keeper, reverse=reverse), pytest.raises(JobTooLate, match="was not done while it was wanted"):
            job.result(LIMIT_S)


def test_terms_that_a_server_cannot_hold_to_are_refused(server: Address) -> None:
    with Client(server) as client:
        with pytest.raises(NoStore, match="start it with --store"):
            client.submit("f", background=True, ttl=5)
        with pytest.raises(UsageError, match="add background=True"):
            client.submit("f", attempts=2)
        assert not admin.status(server)


@pytest.mark.interop
def test_another_kind_of_job_server_takes_no_question_for_a_job(spawn: Spawn) -> None:
    gearmand = GEARMAND.start(spawn)
    with Client(gearmand) as client:
        for ask in (
            lambda: client.submit("f", background=True, ttl=5),
            client.job("H:none").result,
            lambda: list(client.dead()),
        ):
            with pytest.raises(NoStore, match="is a job server of another kind, which keeps no jobs"):
                ask()

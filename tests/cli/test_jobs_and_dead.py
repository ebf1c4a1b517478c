"""`fleet jobs` and `fleet dead`."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fleet.client import Client
from fleet.errors import UsageError
from fleet.jobserver.stores.sqlite import SqliteStore
from fleet.settings import Address, span_s
from tests.cli.command import complaint, fleet
from tests.client.test_kept import keeping, submitted
from tests.conftest import listening
from tests.jobserver.stores.test_stores import entry, put
from tests.peer import explode, reverse, worker
from tests.ports import ClosedPort
from tests.processes import FLEET, LIMIT_S, Program, until

pytestmark = pytest.mark.system

Spawn = Callable[..., Program]


@pytest.fixture
def keeper(spawn: Spawn) -> Address:
    return keeping(spawn, "--attempts", "2")


def bury(keeper: Address, *functions: str) -> list[str]:
    """Have a job of each function die."""
    with worker(keeper, **dict.fromkeys(functions, explode)), Client(keeper) as client:
        handles = [submitted(client, function, b"no\nway") for function in functions]
        until(lambda: len(list(client.dead())) == len(functions), "all are dead")
    return handles


def lines(out: bytes) -> list[Any]:
    return [json.loads(line) for line in out.splitlines()]


def table(out: bytes) -> list[list[str]]:
    return [line.split() for line in out.decode().splitlines()]


# -- jobs -------------------------------------------------------------------------------------------------------


def test_jobs_are_listed_for_people_and_for_programs(keeper: Address) -> None:
    with Client(keeper) as client:
        handles = [submitted(client, function, b"12345", unique=function) for function in ("f", "g", "f")]
        assert handles[0] == handles[2]
    head, *rows = table(fleet("jobs", "list", server=keeper).stdout)
    assert " ".join(head) == "HANDLE FUNCTION STATE AGE BYTES TRIED LAST ERROR"
    expected = [(handles[0], "f", "queued", "5"), (handles[1], "g", "queued", "5")]
    assert [(row[0], row[1], row[2], row[5]) for row in rows] == expected
    found = lines(fleet("jobs", "list", "--json", "-f", "g", server=keeper).stdout)
    assert [(job["handle"], job["unique"], job["server"]) for job in found] == [(handles[1], "g", str(keeper))]
    assert lines(fleet("jobs", "list", "--json", "--older", "1h", server=keeper).stdout) == []
    some = fleet("jobs", "list", "-n", "1", server=keeper)
    assert (len(table(some.stdout)), complaint(some)) == (2, "fleet: there may be more than 1; --limit 0 shows all")


def test_a_job_is_shown_before_and_after_it_has_ended(keeper: Address) -> None:
    with Client(keeper) as client:
        job = client.job(submitted(client, "reverse", b"12345", unique="u"))
        shown = json.loads(fleet("jobs", "show", str(job.handle), "--json", server=keeper).stdout)
        assert (shown["state"], shown["bytes"]) == ("queued", 5)
        assert abs(shown["submitted"] - time.time()) < LIMIT_S
        with worker(keeper, reverse=reverse):
            job.result(LIMIT_S)
    shown = dict(table(fleet("jobs", "show", "-f", "reverse", "-u", "u", server=keeper).stdout)[:4])
    assert (shown["handle"], shown["state"]) == (job.handle, "completed")
    done = fleet("jobs", "show", "H:none", server=keeper)
    assert (done.returncode, complaint(done)) == (7, f"fleet: there never was a job H:none at {keeper}")


def test_nothing_that_others_sent_reaches_the_terminal_as_it_is(keeper: Address) -> None:
    with Client(keeper) as client:
        handle = submitted(client, "f\x1b[2J", unique="\x07")
    for command in (["jobs", "list"], ["jobs", "show", handle]):
        assert not set(fleet(*command, server=keeper).stdout) & {7, 27}


def test_jobs_are_cancelled_by_their_handles_and_by_filters(keeper: Address) -> None:
    with Client(keeper) as client:
        first, *_ = [submitted(client, function) for function in "fffgg"]
        done = fleet("jobs", "cancel", first, server=keeper)
        assert (done.returncode, done.stdout) == (0, b"cancelled 1 job\n")
        done = fleet("jobs", "cancel", first, server=keeper)
        assert (done.returncode, done.stdout) == (7, b"cancelled 0 jobs\n")
        assert complaint(done) == "fleet: 1 of 1 are not there any more, or cannot be cancelled"
        assert json.loads(fleet("jobs", "cancel", "-f", "f", "--json", server=keeper).stdout) == {"cancelled": 2}
        assert fleet("jobs", "cancel", "--all", server=keeper).stdout == b"cancelled 2 jobs\n"
        assert client.job(first).status().state == "cancelled"


@pytest.mark.parametrize("command", [["jobs", "cancel"], ["dead", "retry"], ["dead", "purge"]])
def test_nothing_is_changed_unless_it_was_chosen(keeper: Address, command: list[str]) -> None:
    done = fleet(*command, server=keeper)
    assert (done.returncode, "--function, --older or --all" in complaint(done)) == (2, True)
    done = fleet(*command, "H:1", "--all", server=keeper)
    assert (done.returncode, "but not both" in complaint(done)) == (2, True)
    done = fleet(*command, "--older", "soon", server=keeper)
    assert (done.returncode, "'soon' is no span of time" in complaint(done)) == (2, True)


def test_a_job_is_run_later_for_so_long_and_so_often(keeper: Address) -> None:
    terms = ["--delay", "1h", "--ttl", "10m", "--attempts", "3"]
    handle = fleet("run", "-b", "-f", "f", *terms, "x", server=keeper).stdout.decode().strip()
    shown = json.loads(fleet("jobs", "show", handle, "--json", server=keeper).stdout)
    assert (shown["state"], shown["attempts"], shown["expires"] - shown["run_at"]) == ("waiting", 3, 600)
    assert abs(shown["run_at"] - 3600 - time.time()) < LIMIT_S
    assert fleet("run", "-b", "-f", "f", "--at", "2999-01-01", "x", server=keeper).returncode == 0
    assert fleet("run", "-b", "-f", "f", "--at", "2999-01-01", "--delay", "1", "x", server=keeper).returncode == 2
    done = fleet("run", "-f", "f", "--ttl", "5", "x", server=keeper)
    assert (done.returncode, "background" in complaint(done)) == (2, True)


def test_a_job_is_run_on_a_schedule(keeper: Address) -> None:
    handle = fleet("run", "-b", "-f", "f", "--schedule", "0 3 * * *", "x", server=keeper).stdout.decode().strip()
    shown = json.loads(fleet("jobs", "show", handle, "--json", server=keeper).stdout)
    assert (shown["state"], shown["schedule"]) == ("waiting", "0 3 * * *")
    done = fleet("run", "-b", "-f", "f", "--schedule", "0 24 * * *", "x", server=keeper)
    expected = "fleet: schedule '0 24 * * *' makes no sense: hour is * or numbers from 0 to 23, such as 0, 0-23 or */2"
    assert (done.returncode, complaint(done)) == (2, expected)
    done = fleet("run", "-b", "-f", "f", "--schedule", "0 3 * *", "x", server=keeper)
    assert (done.returncode, "has 4 fields, and not the five minute hour " in complaint(done)) == (2, True)
    done = fleet("run", "-f", "f", "--schedule", "0 3 * * *", "x", server=keeper)
    assert (done.returncode, "background" in complaint(done)) == (2, True)


# -- the dead letter --------------------------------------------------------------------------------------------


def test_the_dead_are_listed_with_their_last_error_and_shown_with_all(keeper: Address, tmp_path: Path) -> None:
    handle, _ = bury(keeper, "f", "g")
    rows = table(fleet("dead", "list", "-f", "f", server=keeper).stdout)[1:]
    assert [row[:3] + row[-4:] for row in rows] == [[handle, "f", "dead", "2", "ValueError:", "no", "way"]]
    out = fleet("dead", "show", handle, server=keeper).stdout.decode()
    assert "error 1    ValueError: no" in out
    assert "error 2    ValueError: no" in out
    shown = json.loads(fleet("dead", "show", handle, "--json", server=keeper).stdout)
    assert shown["errors"] == ["ValueError: no\nway"] * 2
    assert lines(fleet("dead", "list", "--older", "7d", "--json", server=keeper).stdout) == []
    assert fleet("dead", "show", handle, "--json", "-w", tmp_path / "poison", server=keeper).returncode == 0
    assert (tmp_path / "poison").read_bytes() == b"no\nway"


def test_the_dead_are_retried_and_purged(keeper: Address) -> None:
    bury(keeper, "f", "g")
    assert fleet("dead", "retry", "-f", "f", server=keeper).stdout == b"retried 1 job\n"
    assert [job["function"] for job in lines(fleet("jobs", "list", "--json", server=keeper).stdout)] == ["f"]
    assert fleet("dead", "purge", "--all", server=keeper).stdout == b"purged 1 job\n"
    assert lines(fleet("dead", "list", "--json", server=keeper).stdout) == []


def test_a_full_dead_letter_lets_the_oldest_go_and_says_so(spawn: Spawn, tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text("[store]\ndead_jobs = 1\n")
    words = "server", "--port", "0", "--store", f"sqlite:{tmp_path}/jobs", "--attempts", "2"
    server = spawn(*FLEET, *words)
    bury(listening(server), "f", "g", "h")
    assert server.stop() == 0
    server = spawn(*FLEET, *words, cwd=tmp_path)
    address = listening(server)
    assert "the dead letter is full with 1 jobs of 6 bytes" in server.err.until("dead letter")
    (found,) = json.loads(fleet("status", "--json", server=address).stdout)["servers"]
    assert found["dead_letter"] == {"jobs": 1, "bytes": 6, "jobs_most": 1, "bytes_most": 1 << 30}
    assert sum(function["evicted"] for function in found["functions"]) == 2
    assert b"the dead letter is full: 2 jobs left it" in fleet("status", server=address).stdout
    assert len(lines(fleet("dead", "list", "--json", server=address).stdout)) == 1


# -- servers ----------------------------------------------------------------------------------------------------


def test_where_there_is_nothing_to_list_that_is_a_message_and_no_result(keeper: Address) -> None:
    for words, message in (
        (["dead", "list"], "fleet: no dead jobs"),
        (["jobs", "list"], "fleet: no background jobs"),
        (["jobs", "list", "-f", "f"], "fleet: no background jobs like that"),
    ):
        done = fleet(*words, server=keeper)
        assert (done.returncode, done.stdout, complaint(done)) == (0, b"", message)
    done = fleet("dead", "list", "--json", server=keeper)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_one_server_of_several_that_is_down_is_told_and_the_others_are_asked(
    keeper: Address, closed_port: ClosedPort
) -> None:
    with Client(keeper) as client:
        submitted(client, "f")
    done = fleet("jobs", "list", "--json", "--servers", f"{closed_port()},{keeper}")
    assert (done.returncode, len(lines(done.stdout))) == (6, 1)
    assert "connection refused" in complaint(done)
    assert fleet("jobs", "list", server=closed_port()).returncode == 3


def test_a_job_server_without_a_store_says_so(server: Address) -> None:
    for command in (["jobs", "list"], ["dead", "list", "--json"], ["jobs", "cancel", "H:1"], ["dead", "show", "H:1"]):
        done = fleet(*command, server=server)
        assert (done.returncode, "start it with --store" in complaint(done)) == (78, True)


def test_more_than_a_thousand_are_cancelled_at_once(keeper: Address) -> None:
    with Client(keeper) as client:
        for _ in range(1001):
            client.submit("f", background=True)
    assert fleet("jobs", "cancel", "--all", server=keeper).stdout == b"cancelled 1001 jobs\n"


@pytest.mark.parametrize("text", ["", "h", "1.5h", "-1", "2 weeks"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no span of time"):
        span_s(text)


def test_f07_what_a_damaged_store_has_is_saved_as_the_job_server_says_that_refuses_it(tmp_path: Path) -> None:
    damaged = tmp_path / "jobs"
    store = SqliteStore(damaged)
    put(store, *(entry(number, workload=bytes(500)) for number in range(100)))
    store.close()
    with damaged.open("r+b") as file:
        file.seek(-4096, os.SEEK_END)
        file.write(bytes(4096))
    refused = fleet("server", "--port", "0", "--store", f"sqlite:{damaged}")
    assert refused.returncode == 78
    (advice,) = re.findall("`fleet (.*)`", complaint(refused))
    saved = fleet(*advice.split())
    assert saved.returncode == 0
    (jobs,) = re.findall(
        rf"{damaged}.saved: (\d+) jobs, 0 in the dead letter, 0 results; go on with ", saved.stdout.decode()
    )
    assert 90 <= int(jobs) < 100
    assert "is there already" in complaint(fleet(*advice.split()))

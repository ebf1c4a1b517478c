"""A copy of the store, made while clients submit, and what a job server finds in it elsewhere."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet import Client
from fleet.client import admin
from fleet.jobserver import stores
from fleet.jobserver.stores.sqlite import SqliteStore
from tests.cli.command import complaint, fleet
from tests.conftest import listening
from tests.peer import reverse, worker
from tests.processes import FLEET, Program, until

pytestmark = [pytest.mark.system]

COPIES = 3


def jobs_in(store: Path) -> set[str]:
    opened = SqliteStore(store)
    (listed,) = opened.carry_out([stores.ListJobs(limit=10**9)])
    opened.close()
    return {each.entry.handle.decode() for each in listed}


def test_f21_a_copy_made_under_load_has_all_that_was_acknowledged_before(
    spawn: Callable[..., Program], tmp_path: Path
) -> None:
    store = tmp_path / "jobs"
    address = listening(spawn(*FLEET, "server", "--port", "0", "--store", f"sqlite:{store}"))
    acknowledged: list[str] = []
    enough = threading.Event()

    def submit() -> None:
        with Client(address) as client:
            while not enough.is_set():
                acknowledged.append(str(client.submit("f", b"abc", background=True).handle))

    busy = [threading.Thread(target=submit) for _ in range(2)]
    for thread in busy:
        thread.start()
    try:
        for number in range(COPIES):
            until(lambda: len(acknowledged) > 50 * (number + 1), "some were submitted")  # noqa: B023
            before = set(acknowledged)
            done = fleet("jobs", "backup", server=address)
            assert (done.returncode, done.stdout.decode()) == (0, f"{store}.backup\n")
            copy = tmp_path / f"copy-{number}"
            shutil.copy(f"{store}.backup", copy)
            assert jobs_in(copy) >= before
    finally:
        enough.set()
        for thread in busy:
            thread.join()
    assert not Path(f"{store}.backup.new").exists()
    assert jobs_in(copy) <= set(acknowledged)
    elsewhere = listening(spawn(*FLEET, "server", "--port", "0", "--store", f"sqlite:{copy}"))
    with worker(elsewhere, f=reverse), Client(elsewhere) as client:
        assert {client.job(handle).result() for handle in before} == {b"cba"}
    assert sum(function.jobs for function in admin.status(address)) == len(acknowledged)


def test_a_store_in_memory_has_no_copy(spawn: Callable[..., Program]) -> None:
    address = listening(spawn(*FLEET, "server", "--port", "0", "--store", "memory"))
    done = fleet("jobs", "backup", server=address)
    assert done.returncode == 1
    assert "the store is in memory, and has no file to copy" in complaint(done)

"""Free pages of the embedded store's file: kept, or given back."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from fleet.jobserver import stores
from fleet.jobserver.stores import spare
from fleet.jobserver.stores.sqlite import SqliteStore
from fleet.settings import MIB
from tests.jobserver.stores.test_stores import ask, entry, finish, put, sweep

JOBS = [entry(number, workload=bytes(MIB)) for number in range(1, 13)]


def file_mib(store: SqliteStore, path: Path) -> float:
    store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.stat().st_size / MIB


@pytest.mark.parametrize("kept", [0, 4])
def test_a_file_whose_jobs_are_done_shrinks_by_and_by_to_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    monkeypatch.setattr(spare, "SPARE_BYTES", kept * MIB)
    monkeypatch.setattr(spare, "AT_ONCE_S", 0.001)
    path = tmp_path / "jobs"
    store = SqliteStore(path)
    put(store, *JOBS, claim=True)
    for job in JOBS[:-1]:  # the last one is at the end of the file
        ask(store, finish(job))
    before = file_mib(store, path)
    assert before > 12
    for _ in range(100):
        ask(store, sweep())
        if (after := file_mib(store, path)) < kept + 2:
            break
    assert 1 < after < kept + 2
    assert ask(store, stores.Fetch(JOBS[-1].handle)) == JOBS[-1]
    store.close()


def test_little_that_is_free_is_kept_for_the_next_jobs(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "jobs")
    put(store, *JOBS, claim=True)
    for job in JOBS:
        ask(store, finish(job))
    before = file_mib(store, tmp_path / "jobs")
    ask(store, sweep())
    assert file_mib(store, tmp_path / "jobs") == before
    store.close()


@pytest.mark.parametrize("before", ["NONE", "FULL"])
def test_a_file_that_was_made_in_another_way_is_taken_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    monkeypatch.setattr(spare, "AT_ONCE_S", 60.0)
    db = sqlite3.connect(tmp_path / "jobs")
    db.executescript(f"PRAGMA auto_vacuum = {before}; CREATE TABLE t (a); DROP TABLE t;")
    db.close()
    store = SqliteStore(tmp_path / "jobs")
    put(store, *JOBS, claim=True)
    for job in JOBS:
        ask(store, finish(job))
    spare.give_back(store._db, beyond=0)
    assert (file_mib(store, tmp_path / "jobs") < 2) == (before == "FULL")
    put(store, JOBS[0])
    store.close()

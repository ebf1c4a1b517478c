"""What only a store on a disk has to withstand."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest

from fleet.jobserver import stores
from fleet.jobserver.stores import End, Spoiled, Stored
from fleet.jobserver.stores.sqlite import SqliteStore
from tests.jobserver.stores.test_stores import ask, entry, finish, put


def test_f07_a_damaged_workload_is_never_handed_out_and_is_in_the_dead_letter(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("UPDATE job SET workload = x'00' WHERE handle = ?", (b"H:1",))
    db.close()
    store = SqliteStore(path)
    good, spoiled = ask(store, stores.Claim(b"f", 1, 10))
    assert good == entry(2)
    assert isinstance(spoiled, Spoiled)
    assert spoiled.entry.handle == b"H:1"
    (dead,) = ask(store, stores.ListJobs(dead=True))
    assert dead.entry.errors == ("the disk has changed it",)
    assert dead.ended > 0  # so it is told of as a dead one
    store.close()


@pytest.mark.parametrize(
    "damage",
    [
        "function = 999",
        "priority = 7",
        "run_at = 'x'",
        "run_at = 5, function = 999",
        "errors = '['",
        "submitted = 'x'",
        "handle = 'text'",
        "uniq = 5",
        "schedule = x'00ff'",
    ],
)
def test_f07_a_damaged_row_can_be_looked_at_and_is_in_the_dead_letter_at_last(path: Path, damage: str) -> None:
    with sqlite3.connect(path) as db:
        db.execute(f"UPDATE job SET {damage} WHERE id = 1")
    db.close()
    store = SqliteStore(path)
    backlog = store.recover()[b"f"]
    for dead in (False, True):
        ask(store, stores.ListJobs(dead=dead))
        ask(store, stores.Look(b"H:1"))
    claimed = [*ask(store, stores.Claim(b"f", 1, 10)), *ask(store, stores.ClaimDue(10, 10))]
    assert len(claimed) == backlog.total
    assert [each for each in claimed if not isinstance(each, Spoiled)] == [entry(2)]
    (dead_one,) = ask(store, stores.ListJobs(dead=True))
    assert dead_one.entry.errors == ("the disk has changed it",)
    store.close()


def test_f07_a_damaged_job_does_not_run_either_when_it_was_brought_back(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("UPDATE job SET workload = x'00' WHERE id = 1")
    db.close()
    store = SqliteStore(path)
    for _ in range(2):
        spoiled, *_ = reversed(ask(store, stores.Claim(b"f", 1, 10)))
        assert isinstance(spoiled, Spoiled)
        assert [revived.handle for revived in ask(store, stores.Revive((b"H:1",)))] == [b"H:1"]
    store.close()


def test_a_function_whose_name_became_text_is_still_that_function(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("UPDATE function SET name = 'f'")
    db.close()
    store = SqliteStore(path)
    assert store.recover()[b"f"].total == 2
    store.close()


def test_a_job_put_with_a_claim_hides_none_from_before_the_restart(path: Path) -> None:
    store = SqliteStore(path)
    store.recover()
    put(store, entry(3), claim=True)
    assert ask(store, stores.Claim(b"f", 1, 10)) == [entry(1), entry(2)]
    store.close()


def test_a_copy_has_what_was_committed_with_it_and_takes_the_place_of_the_one_before(path: Path) -> None:
    store = SqliteStore(path)
    copy = path.with_name("jobs.backup")
    for number in (3, 4):
        stored, backed_up = store.carry_out([stores.Put(entry(number)), stores.BackUp()])
        assert (stored, backed_up) == (Stored(), stores.BackedUp(str(copy), copy.stat().st_size))
        assert stat.S_IMODE(copy.stat().st_mode) == stat.S_IMODE(path.stat().st_mode)
    again = SqliteStore(copy)
    assert [job.handle for job in ask(again, stores.Claim(b"f", 1, 10))] == [b"H:1", b"H:2", b"H:3", b"H:4"]
    again.close()
    assert ask(store, stores.Claim(b"f", 1, 1)) == [entry(1)]  # the store goes on
    store.close()


def test_a_copy_that_cannot_be_made_says_why_and_leaves_the_store_and_the_last_copy_alone(path: Path) -> None:
    store = SqliteStore(path)
    copy = path.with_name("jobs.backup")
    copy.mkdir()
    (copy / "in the way").touch()
    refused = ask(store, stores.BackUp())
    assert f"the store cannot be copied to {copy}: " in refused.reason
    assert not path.with_name("jobs.backup.new").exists()
    assert ask(store, stores.Claim(b"f", 1, 1)) == [entry(1)]
    store.close()


def test_a_dead_job_is_found_by_its_handle_however_many_there_are(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "jobs")
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    def steps_to_purge(one: int) -> int:
        nonlocal steps
        steps = 0
        store._db.set_progress_handler(count, 10)
        assert ask(store, stores.Purge((b"H:%d" % one,))) == 1
        store._db.set_progress_handler(None, 0)
        return steps

    found = []
    for first in (0, 1000):
        jobs = [entry(number) for number in range(first, first + 1000)]
        put(store, *jobs, claim=True)
        store.carry_out([finish(job, End.DEAD) for job in jobs])
        found.append(steps_to_purge(first + 500))
    assert max(found) < 100
    store.close()


def test_what_a_finished_job_had_is_not_written_once_more(tmp_path: Path) -> None:
    store, large = SqliteStore(tmp_path / "jobs"), entry(1, workload=bytes(1 << 20))
    put(store, large, claim=True)
    store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert ask(store, finish(large)) is True
    assert (tmp_path / "jobs-wal").stat().st_size < len(large.workload) / 4
    store.close()


def test_a_dead_job_keeps_its_history(path: Path) -> None:
    store = SqliteStore(path)
    (job, _) = ask(store, stores.Claim(b"f", 1, 10))
    result = stores.Result(job.handle, b"f", b"", End.DEAD, b"why", 5)
    ask(store, stores.Finish(result, 0, entry(1, failures=2, errors=("a", "b"))))
    store.close()
    again = SqliteStore(path)
    ((dead, _, ended, _),) = ask(again, stores.ListJobs(dead=True))
    assert (dead.errors, dead.failures, ended) == (("a", "b"), 2, 5)
    again.close()

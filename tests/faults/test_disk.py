"""What a disk may do to the store: tear the end of a file, flip a bit, be full; and others who want the same file."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet.jobserver import stores
from fleet.jobserver.stores import Refused, Spoiled, StoreBroken, Stored, StoreInUse, opening
from fleet.jobserver.stores.sqlite import SqliteStore
from tests.faults.scene import entry
from tests.jobserver.stores.test_stores import ask, finish

ROUNDS = int(os.environ.get("FLEET_FAULT_ROUNDS", "20"))
SEED = 20261127
SECTOR = 512
TAIL = 64 * 1024
JOBS = [entry(f"job-{number}") for number in range(120)]


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store as it is when its server is killed: half of it in the file, half in the log."""
    folder = tmp_path_factory.mktemp("left")
    (folder / "open").mkdir()
    store = SqliteStore(folder / "open" / "jobs")
    for number, job in enumerate(JOBS):
        assert ask(store, stores.Put(job)) == Stored()
        if number == len(JOBS) // 2:
            store._db.execute("PRAGMA wal_checkpoint")
    for name in ("jobs", "jobs-wal"):
        shutil.copy(folder / "open" / name, folder / name)
    store.close()
    return folder


@pytest.fixture
def path(left: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    for name in ("jobs", "jobs-wal"):
        shutil.copy(left / name, tmp_path / name)
    return tmp_path / "jobs"


def claimed(path: Path) -> list[stores.Entry | Spoiled]:
    store = SqliteStore(path)
    try:
        store.recover()
        found: list[stores.Entry | Spoiled] = ask(store, stores.Claim(b"f", 1, 1000))
        return found
    finally:
        store.close()


def torn_at() -> list[int]:
    """Bytes before the end of the log, at sectors' borders."""
    every = list(range(SECTOR, TAIL + 1, SECTOR))
    return every if len(every) <= ROUNDS else random.Random(SEED).sample(every, ROUNDS)


@pytest.mark.parametrize("how", ["cut", "garbled"])
def test_f06_a_torn_log_opens_with_all_commits_before_the_tear(
    path: Path, left: Path, how: str, record_property: Callable[[str, object], None]
) -> None:
    record_property("injected", len(torn_at()))
    log = path.with_name("jobs-wal")
    whole = (left / "jobs-wal").read_bytes()
    for before_end in torn_at():
        at = len(whole) - before_end
        shutil.copy(left / "jobs", path)
        log.write_bytes(whole[:at] + (b"" if how == "cut" else os.urandom(SECTOR) + whole[at + SECTOR :]))
        there = claimed(path)
        assert there == JOBS[: len(there)]
        assert len(there) > len(JOBS) // 2


def test_f07_a_flipped_bit_is_noticed_or_does_no_harm(
    path: Path, left: Path, record_property: Callable[[str, object], None]
) -> None:
    """It may be in what no job needs; but never is a job handed out that is not as it was put, and none is missing."""
    record_property("injected", ROUNDS)
    claimed(path)  # moves the log into the file
    whole = path.read_bytes()
    known, noticed = {job.handle: job for job in JOBS}, 0
    for round in range(ROUNDS):
        chance = random.Random(SEED + round)
        flipped = bytearray(whole)
        flipped[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        path.write_bytes(flipped)
        try:
            found = claimed(path)
        except StoreBroken:
            noticed += 1
            continue
        spoiled = [each for each in found if isinstance(each, Spoiled)]
        noticed += bool(spoiled)
        assert len(found) == len(JOBS)
        assert all(as_put(known[job.handle]) == as_put(job) for job in found if not isinstance(job, Spoiled))
    assert noticed


def as_put(job: stores.Entry) -> stores.Entry:
    """Without what changes while it is tried; that has no checksum."""
    return job._replace(submitted=0, run_at=0, expires=0, max_attempts=0, failures=0, deaths=0, errors=())


# -- a full disk ------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 32 MiB, of which a file called ballast takes 12."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "none", place], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here: that takes root")
    try:
        (place / "ballast").write_bytes(bytes(12 << 20))
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def test_f09_a_full_disk_refuses_new_jobs_lets_old_ones_end_and_heals_unaided(small_disk: Path) -> None:
    store = SqliteStore(small_disk / "jobs")
    kept: list[stores.Entry] = []
    answer: Any = Stored()
    while answer == Stored():
        batch = [stores.Entry(b"H:%d" % number, b"f", bytes(4000)) for number in range(len(kept), len(kept) + 50)]
        answers = store.carry_out([stores.Put(job, claim=True) for job in batch])
        kept += [job for job, answer in zip(batch, answers, strict=True) if answer == Stored()]
        answer = answers[-1]
    assert isinstance(answer, Refused)
    assert "the disk is full" in answer.reason
    assert len(kept) > 500
    for job in kept:
        assert ask(store, finish(job)) is True
    assert all(isinstance(ask(store, stores.Look(job.handle)), stores.Result) for job in kept)
    assert ask(store, stores.Put(entry("again"))) == Stored()  # there is room where they were
    store.close()


def test_f09_with_room_from_elsewhere_it_takes_new_jobs_unaided(
    small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store, numbers = SqliteStore(small_disk / "jobs"), itertools.count()
    while ask(store, stores.Put(entry(f"job-{next(numbers)}")._replace(workload=bytes(400_000)))) == Stored():
        pass
    (told,) = caplog.messages
    assert told == f"the disk of {small_disk}/jobs is full: no new background job is taken until there is room"
    (small_disk / "ballast").unlink()
    assert ask(store, stores.Put(entry("again"))) == Stored()
    store.close()


# -- others -----------------------------------------------------------------------------------------------------------


def test_f11_a_file_that_another_program_holds_is_not_waited_for_for_ever(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "WAIT_S", 0.1)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreInUse, match="in use by another program"):
        SqliteStore(path)
    other.close()
    assert claimed(path) == JOBS


def test_f11_another_program_cannot_take_the_file_from_the_server(path: Path) -> None:
    store = SqliteStore(path)
    other = sqlite3.connect(path, timeout=0, isolation_level=None)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    other.close()
    assert ask(store, stores.Put(entry("more"))) == Stored()
    store.close()

"""What is saved of a store that is damaged, wherever that is."""

from __future__ import annotations

import random
import shutil
import sqlite3
from pathlib import Path

import pytest

from fleet.jobserver import stores
from fleet.jobserver.stores import Entry, StoreInUse, StoreUnusable
from fleet.jobserver.stores.salvage import Salvaged, salvage
from fleet.jobserver.stores.sqlite import SqliteStore
from tests.jobserver.stores.test_stores import ask, entry, finish, put

PAGE_BYTES = 4096
JOBS = 200
A_PAGE = 10  # jobs on it, at most


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A store of many pages: jobs, one that is dead, and how two ended."""
    path = tmp_path / "whole"
    store = SqliteStore(path)
    put(store, *(entry(number, workload=bytes(500)) for number in range(JOBS)))
    put(store, entry(JOBS), claim=True)
    put(store, entry(JOBS + 1), claim=True)
    ask(store, finish(entry(JOBS)))
    ask(store, finish(entry(JOBS + 1), end=stores.End.DEAD))
    store.close()
    return path


def jobs_in(path: Path) -> list[Entry]:
    """Those that are whole."""
    store = SqliteStore(path)
    try:
        return [each for each in ask(store, stores.Claim(b"f", 1, JOBS)) if isinstance(each, Entry)]
    finally:
        store.close()


def test_a_sound_store_is_saved_whole(whole: Path, tmp_path: Path) -> None:
    before = whole.read_bytes()
    assert salvage(whole, tmp_path / "new") == Salvaged(JOBS, 1, 2)
    assert whole.read_bytes() == before
    assert jobs_in(tmp_path / "new") == [entry(number, workload=bytes(500)) for number in range(JOBS)]


def test_f07_of_a_store_with_any_page_damaged_all_is_saved_that_is_on_the_others(whole: Path, tmp_path: Path) -> None:
    pages = whole.stat().st_size // PAGE_BYTES
    saved = []
    for page in range(1, pages):  # the first, which says what all others are, is a store no longer
        damaged, new = tmp_path / f"damaged-{page}", tmp_path / f"new-{page}"
        shutil.copy(whole, damaged)
        with damaged.open("r+b") as file:
            file.seek(page * PAGE_BYTES)
            file.write(random.Random(page).randbytes(PAGE_BYTES))
        saved.append(salvage(damaged, new).jobs)
        SqliteStore(new).close()  # it is sound
    assert [count for count in saved if count < JOBS - A_PAGE] == [0]  # the one that leads to those with jobs
    assert sum(count < JOBS for count in saved) > JOBS / A_PAGE


def test_jobs_whose_functions_name_is_lost_are_in_the_dead_letter(whole: Path, tmp_path: Path) -> None:
    with sqlite3.connect(whole) as db:
        db.execute("DELETE FROM function")
    db.close()
    new = tmp_path / "new"
    assert salvage(whole, new).jobs == JOBS
    store = SqliteStore(new)
    found = ask(store, stores.Claim(b"lost function 1", 1, JOBS))
    assert {type(each) for each in found} == {stores.Spoiled}
    assert len(ask(store, stores.ListJobs(dead=True, limit=2 * JOBS))) == JOBS + 1
    store.close()


def test_what_is_there_already_or_in_use_or_no_store_is_left_alone(whole: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    new.write_bytes(b"precious")
    with pytest.raises(StoreUnusable, match="new is there already"):
        salvage(whole, new)
    assert new.read_bytes() == b"precious"
    with pytest.raises(StoreUnusable, match="there is no store"):
        salvage(tmp_path / "nowhere", tmp_path / "other")
    with pytest.raises(StoreUnusable, match=r"nothing can be read of .*new: file is not a database"):
        salvage(new, tmp_path / "other")
    store = SqliteStore(whole)
    with pytest.raises(StoreInUse):
        salvage(whole, tmp_path / "another")
    store.close()

"""Opening the file of the embedded store: what is refused, with which words, and what is brought up to date."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path
from zlib import crc32

import pytest

from fleet.jobserver import stores
from fleet.jobserver.stores import StoreInUse, StoreUnusable
from fleet.jobserver.stores.choice import opener
from fleet.jobserver.stores.schema import MIGRATIONS
from fleet.jobserver.stores.sqlite import SqliteStore
from tests.jobserver.stores.test_stores import ask, entry


def test_f11_one_store_has_one_owner_at_a_time(path: Path) -> None:
    store = SqliteStore(path)
    with pytest.raises(StoreInUse, match="in use by another job server"):
        SqliteStore(path)
    store.close()
    SqliteStore(path).close()


def test_f17_a_file_of_a_newer_version_is_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    db.close()
    with pytest.raises(StoreUnusable, match="written by a newer version"):
        SqliteStore(path)


def test_f17_a_file_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "old") as db:
        db.executescript(f"{MIGRATIONS[0]}; PRAGMA user_version = 1;")
        db.execute("INSERT INTO function VALUES (1, x'66')")
        for table, handle in (("job", b"H:1"), ("dead", b"H:2")):
            fields = (
                handle,
                1,
                b"u",
                None,
                1,
                b"",
                5,
                0,
                0,
                0,
                1,
                0,
                '["why"]',
                0,
                crc32(b"work", crc32(handle)),
                b"work",
            )
            db.execute(f"INSERT INTO {table} VALUES (7, {', '.join('?' * len(fields))})", fields)
    db.close()
    store = SqliteStore(tmp_path / "old")
    assert store.recover()[b"f"].ready == [0, 1, 0]
    (job,) = ask(store, stores.Claim(b"f", 1, 10))
    assert job == stores.Entry(b"H:1", b"f", b"work", b"u", submitted=5, failures=1, errors=("why",))
    ((dead, size, _, _),) = ask(store, stores.ListJobs(dead=True))
    assert (dead.handle, size, dead.schedule) == (b"H:2", 4, "")
    store.close()


def test_a_file_that_is_no_store_is_refused_and_left_alone(tmp_path: Path) -> None:
    place, content = tmp_path / "picture.jpg", b"this is no store" * 1000
    place.write_bytes(content)
    with pytest.raises(StoreUnusable, match=r"picture\.jpg is no store, but another kind of file; mend the path"):
        SqliteStore(place)
    assert place.read_bytes() == content


def test_a_database_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "queue")
    db.executescript("PRAGMA auto_vacuum = FULL; CREATE TABLE gearman_queue (unique_key TEXT, data BLOB);")
    db.close()
    content = (tmp_path / "queue").read_bytes()
    with pytest.raises(StoreUnusable, match="queue is no store, but the database of another program; mend the path"):
        SqliteStore(tmp_path / "queue")
    assert (tmp_path / "queue").read_bytes() == content


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("mistyped/store/jobs", "there is no directory .*/mistyped; mend the path"),
        ("folder", "is a directory; mend the path"),
        ("file/jobs", "not a directory; mend the path"),
        ("folder/" + "x" * 300, "name too long; mend the path"),
    ],
)
def test_a_place_where_no_file_can_be_is_refused_and_nothing_is_made(tmp_path: Path, place: str, why: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnusable, match=f"cannot open the store .*{why}, or use another store"):
        SqliteStore(tmp_path / place)
    assert {each.name for each in tmp_path.rglob("*")} <= {"folder", "file", "folder.lock"}


def test_the_last_directory_is_made_and_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    store = opener(f"sqlite:{tmp_path}/new/jobs")()
    ask(store, stores.Put(entry(1)))
    files = [each for each in (tmp_path / "new").iterdir() if each.suffix != ".reserve"]
    assert {stat.S_IMODE(each.stat().st_mode) for each in files} == {0o600}
    store.close()


def test_a_tilde_is_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    opener("sqlite:~/jobs")().close()
    assert (tmp_path / "jobs").exists()


def test_f07_a_file_that_was_cut_is_refused_with_the_way_to_save_what_is_in_it(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StoreUnusable, match=r"is damaged: .*`fleet jobs salvage .*jobs .*jobs.saved`"):
        SqliteStore(path)

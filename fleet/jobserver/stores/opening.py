"""Opening the file of the embedded store: one owner at a time, the schema brought up to date.

Rule: what cannot be opened is left as it was, with a sentence that says why.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from pathlib import Path
from typing import Final

from fleet.jobserver.stores import StoreBroken, StoreInUse
from fleet.jobserver.stores.schema import MIGRATIONS, WEIGHT
from fleet.settings import MIB

WAIT_S: Final = 5.0  # for another program that looks into the file to let go of it
CHECKED_BYTES: Final = 32 * MIB  # a smaller file is read at the start, to see whether it is sound


def locked(path: Path) -> int:
    """The descriptor of a lock beside `path` that goes with the process, however it ends.

    Raises:
        StoreInUse: another process has it.
        StoreBroken: there cannot be a file.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreBroken(f"cannot open the store {path}: {(error.strerror or '').lower()}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise StoreInUse(f"the store {path} is in use by another job server; stop it, or use --store") from error
    return lock


def opened(path: Path, synchronous: str) -> sqlite3.Connection:
    """The one connection to the file, which is made if it is not there.

    Raises:
        StoreInUse: another program looks into it, and did not let go within `WAIT_S`.
        StoreBroken: it is no store, is corrupt, or was written by a newer version.
    """
    with contextlib.ExitStack() as unless_opened:
        try:
            db = sqlite3.connect(path, timeout=WAIT_S, isolation_level=None, cached_statements=256)
            unless_opened.callback(db.close)
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # see spare.py; only a new file can be given any
            db.execute("PRAGMA secure_delete = FAST")  # else what is deleted is written once more, as zeros
            db.execute("PRAGMA journal_mode = WAL")
            db.execute(f"PRAGMA synchronous = {synchronous}")
            _migrate(db, path)
            _check(db, path)
            db.executescript(WEIGHT)
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY"):
                raise StoreInUse(f"the store {path} is in use by another program; stop it, or use --store") from error
            raise StoreBroken(f"cannot open the store {path}: {error}") from error
        unless_opened.pop_all()
    return db


def _migrate(db: sqlite3.Connection, path: Path) -> None:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise StoreBroken(
            f"the store {path} was written by a newer version of fleet (schema {version}; this one knows "
            f"{len(MIGRATIONS)}); run that version, or use another --store"
        )
    for number in range(version, len(MIGRATIONS)):
        db.executescript(f"BEGIN IMMEDIATE; {MIGRATIONS[number]}; PRAGMA user_version = {number + 1}; COMMIT;")


def _check(db: sqlite3.Connection, path: Path) -> None:
    """A row has its checksum; but an index that lost one would hide it."""
    (pages,), (page_bytes,) = db.execute("PRAGMA page_count").fetchone(), db.execute("PRAGMA page_size").fetchone()
    if pages * page_bytes > CHECKED_BYTES:
        return
    (verdict,) = db.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != "ok":
        raise StoreBroken(
            f"the store {path} is damaged: {verdict}; save what there is with `sqlite3 {path} .recover`, "
            "or use another --store"
        )

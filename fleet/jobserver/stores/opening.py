"""Opening the file of the embedded store: one owner at a time, the schema brought up to date.

Rule 1: what cannot be opened is left as it was, with a sentence that says why, and what to do. Rule 2: what is made is
for its owner alone to read, and never more than one directory: a path that was mistyped is told, and not made true.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import sqlite3
from pathlib import Path
from typing import Final

from fleet.jobserver.stores import StoreBroken, StoreInUse, StoreUnusable
from fleet.jobserver.stores.schema import MIGRATIONS, WEIGHT
from fleet.settings import MIB

WAIT_S: Final = 5.0  # for another program that looks into the file to let go of it
CHECKED_BYTES: Final = 32 * MIB  # a smaller file is read at the start, to see whether it is sound
ANOTHER: Final = "mend the path, or use another store"
PASSING: Final = {errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE, errno.ENFILE}


def locked(path: Path) -> int:
    """The descriptor of a lock beside `path` that goes with the process, however it ends; the file is there then.

    Raises:
        StoreInUse: another process has it.
        StoreUnusable: there cannot be a file.
        StoreBroken: the system failed.
    """
    try:
        folder = path.parent
        if not folder.parent.exists():
            raise StoreUnusable(f"cannot open the store {path}: there is no directory {folder.parent}; {ANOTHER}")
        if not folder.exists():
            folder.mkdir(exist_ok=True)
        lock = _made(path.with_name(path.name + ".lock"))
    except OSError as error:
        raise _refused(path, error) from error
    with contextlib.ExitStack() as unless_locked:
        unless_locked.callback(os.close, lock)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.close(_made(path))
        except BlockingIOError as error:
            in_use = f"the store {path} is in use by another job server; stop it, or use another store"
            raise StoreInUse(in_use) from error
        except OSError as error:
            raise _refused(path, error) from error
        unless_locked.pop_all()
    return lock


def _made(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _refused(path: Path, error: OSError) -> StoreBroken:
    why = f"cannot open the store {path}: {(error.strerror or '').lower()}"
    return StoreBroken(why) if error.errno in PASSING else StoreUnusable(f"{why}; {ANOTHER}")


def opened(path: Path, synchronous: str) -> sqlite3.Connection:
    """The one connection to the file, which is there and may be empty.

    Raises:
        StoreInUse: another program looks into it, and did not let go within `WAIT_S`.
        StoreUnusable: it is no store, is damaged, or was written by a newer version.
        StoreBroken: the system failed.
    """
    with contextlib.ExitStack() as unless_opened:
        try:
            db = sqlite3.connect(path, timeout=WAIT_S, isolation_level=None, cached_statements=256)
            unless_opened.callback(db.close)
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            version = _version(db, path)
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # see spare.py; a file that was made without stays so
            db.execute("PRAGMA secure_delete = FAST")  # else what is deleted is written once more, as zeros
            db.execute("PRAGMA journal_mode = WAL")
            db.execute(f"PRAGMA synchronous = {synchronous}")
            for number in range(version, len(MIGRATIONS)):
                db.executescript(f"BEGIN IMMEDIATE; {MIGRATIONS[number]}; PRAGMA user_version = {number + 1}; COMMIT;")
            _check(db, path)
            db.executescript(WEIGHT)
        except sqlite3.Error as error:
            raise _told(path, error) from error
        unless_opened.pop_all()
    return db


def _version(db: sqlite3.Connection, path: Path) -> int:
    """Of the schema; 0: the file is new."""
    version: int
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise StoreUnusable(
            f"the store {path} was written by a newer version of fleet (schema {version}; this one knows "
            f"{len(MIGRATIONS)}); run that version, or use another store"
        )
    if not version and db.execute("SELECT 1 FROM sqlite_schema").fetchone():
        raise StoreUnusable(f"{path} is no store, but the database of another program; {ANOTHER}")
    return version


def _told(path: Path, error: sqlite3.Error) -> StoreBroken | StoreInUse:
    """What went wrong, for people."""
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith("SQLITE_BUSY"):
        return StoreInUse(f"the store {path} is in use by another program; stop it, or use another store")
    if name.startswith("SQLITE_NOTADB"):
        return StoreUnusable(f"{path} is no store, but another kind of file; {ANOTHER}")
    if name.startswith("SQLITE_CORRUPT"):
        return _damaged(path, str(error))
    return StoreBroken(f"cannot open the store {path}: {error}")


def _check(db: sqlite3.Connection, path: Path) -> None:
    """A row has its checksum; but an index that lost one would hide it."""
    (pages,), (page_bytes,) = db.execute("PRAGMA page_count").fetchone(), db.execute("PRAGMA page_size").fetchone()
    if pages * page_bytes > CHECKED_BYTES:
        return
    (verdict,) = db.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != "ok":
        raise _damaged(path, verdict)


def _damaged(path: Path, how: str) -> StoreUnusable:
    what = how.splitlines()[-1]  # below which database it is in
    remedy = f"save what can be read of it with `fleet jobs salvage {path} {path}.saved`, or use another store"
    return StoreUnusable(f"the store {path} is damaged: {what}; {remedy}")

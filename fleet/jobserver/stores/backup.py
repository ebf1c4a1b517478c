"""A copy of the embedded store, made while it is in use: all that was committed by then, beside the store's own file.

Rule: the copy before is there until the new one is whole, and on the disk.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from fleet.jobserver.stores import BackedUp, Refused


def back_up(db: sqlite3.Connection, path: Path) -> BackedUp | Refused:
    """Copy the file `path`, which `db` has open, without what is free in it. The caller is in no transaction."""
    copy = path.with_name(path.name + ".backup")
    begun = path.with_name(path.name + ".backup.new")
    try:
        begun.unlink(missing_ok=True)
        os.close(os.open(begun, os.O_WRONLY | os.O_CREAT | os.O_EXCL, path.stat().st_mode & 0o777))
        db.execute("VACUUM INTO ?", (str(begun),))
        _sync(begun)
        begun.rename(copy)
        _sync(copy.parent)
        return BackedUp(str(copy.absolute()), copy.stat().st_size)
    except (sqlite3.Error, OSError) as error:
        begun.unlink(missing_ok=True)
        return Refused(f"the store cannot be copied to {copy}: {error}")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

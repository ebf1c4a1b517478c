"""Saving what can be read of a damaged store into a new one. The damaged file is only read.

Rule 1: a row is taken whole or passed over, and what cannot be read is gone around from both sides. Rule 2: nothing
is judged here: whether a job is as it was put, its checksum says when it is claimed, as in any store.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from fleet.jobserver.stores import StoreUnusable
from fleet.jobserver.stores.opening import locked, opened
from fleet.jobserver.stores.schema import MIGRATIONS

NUMBERED: Final = ("function", "job", "dead")  # tables, by `id`
PASSED_OVER_MOST: Final = 20_000  # numbers at one place, each of which is a look into the file
LAST: Final = 2**63 - 1

# Jobs whose function's name is lost: each is found damaged when it is claimed, and goes to the dead letter.
NAMELESS: Final = """
    INSERT OR IGNORE INTO function (id, name)
    SELECT DISTINCT function, CAST('lost function ' || function AS BLOB) FROM {}
    WHERE function NOT IN (SELECT id FROM function)
"""


class Salvaged(NamedTuple):
    """How many of each are in the new store."""

    jobs: int
    dead: int
    results: int


def salvage(damaged: Path, new: Path) -> Salvaged:
    """Make a store in the file `new` of what can be read of the one in `damaged`.

    Raises:
        StoreUnusable: `damaged` is not there, no store, or of another version; or there is something at `new`.
        StoreInUse: a job server has one of them.
        StoreBroken: the system failed.
    """
    if not damaged.is_file():
        raise StoreUnusable(f"there is no store {damaged}; mend the path")
    if new.exists():
        raise StoreUnusable(f"{new} is there already; name a file that is not, for what is saved")
    with contextlib.ExitStack() as stack:
        for path in (damaged, new):
            stack.callback(os.close, locked(path))
        source = stack.enter_context(contextlib.closing(_readable(damaged)))
        target = stack.enter_context(contextlib.closing(opened(new, "FULL")))
        target.execute("BEGIN")
        for table in NUMBERED:
            _save(target, table, _numbered(source, table, up=True))
            _save(target, table, _numbered(source, table, up=False))
        for order in ("ASC", "DESC"):
            _save(target, "result", _until_unreadable(source, f"SELECT * FROM result ORDER BY handle {order}"))
        for table in ("job", "dead"):
            target.execute(NAMELESS.format(table))
        target.execute("COMMIT")
        return Salvaged(*(_count(target, table) for table in ("job", "dead", "result")))


def _readable(path: Path) -> sqlite3.Connection:
    """Read-only, with what its log has. Raises StoreUnusable."""
    with contextlib.ExitStack() as unless_readable:
        try:
            db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
            unless_readable.callback(db.close)
            (version,) = db.execute("PRAGMA user_version").fetchone()
        except sqlite3.Error as error:
            raise StoreUnusable(f"nothing can be read of {path}: {error}") from error
        if version != len(MIGRATIONS):
            text = f"{path} has the schema {version}, and this version of fleet saves {len(MIGRATIONS)}"
            raise StoreUnusable(f"{text}; use the version that wrote it")
        unless_readable.pop_all()
    return db


def _numbered(db: sqlite3.Connection, table: str, *, up: bool) -> Iterator[tuple[Any, ...]]:
    """Each row that can be read, by number; behind those that cannot the next ones are looked for."""
    at, step, compare, order = (-1, 1, ">", "ASC") if up else (LAST, -1, "<", "DESC")
    passed_over = 0
    while passed_over < PASSED_OVER_MOST and at >= -1:
        try:
            # By the rows alone: an index may be what is damaged.
            for row in db.execute(f"SELECT * FROM {table} NOT INDEXED WHERE id {compare} ? ORDER BY id {order}", (at,)):
                at, passed_over = row[0], 0
                yield row
            return
        except sqlite3.DatabaseError:
            at, passed_over = at + step, passed_over + 1


def _until_unreadable(db: sqlite3.Connection, query: str) -> Iterator[tuple[Any, ...]]:
    with contextlib.suppress(sqlite3.DatabaseError):
        yield from db.execute(query)


def _save(db: sqlite3.Connection, table: str, rows: Iterator[tuple[Any, ...]]) -> None:
    """What is there already, or contradicts what is, is left out."""
    for row in rows:
        db.execute(f"INSERT OR IGNORE INTO {table} VALUES ({', '.join('?' * len(row))})", row)


def _count(db: sqlite3.Connection, table: str) -> int:
    count: int
    (count,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()
    return count

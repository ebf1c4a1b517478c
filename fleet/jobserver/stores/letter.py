"""The dead letter in the embedded store's file: jobs that were given up, kept until somebody decides, or newer ones
need the room.

Rule: all of it happens within the transaction that the store has begun.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from typing import Any

from fleet.jobserver.stores import Entry, Exhume, Purge, Result, Revive, Sweep, Swept, death, rows
from fleet.jobserver.stores.numbers import Numbers
from fleet.jobserver.stores.schema import COLUMNS, INSERT


class DeadLetter:
    """The dead jobs in the file of this connection.

    Args:
        new_row: a number for a row of a live job.
    """

    def __init__(self, db: sqlite3.Connection, functions: Numbers, new_row: Callable[[], int]) -> None:
        self._db = db
        self._functions = functions
        self._new_row = new_row

    def bury(self, entry: Entry, ended: int, *, sound: bool = True) -> None:
        """One that is not sound is found damaged again, if it is ever brought back."""
        *values, checksum, workload = rows.whole(entry, self._functions.made(entry.function), ended)
        self._db.execute(INSERT.format("dead"), (None, *values, checksum if sound else ~checksum, workload))

    def find(self, condition: str, *values: Any) -> Result | None:
        """How the newest of those jobs ended."""
        found = self._one(f"SELECT {COLUMNS}, ended FROM dead WHERE {condition} ORDER BY id DESC", *values)
        return death(rows.legible(found[:-1], self._functions.names), found[-1]) if found else None

    def exhume(self, request: Exhume) -> Entry | None:
        found = self._one(f"SELECT {COLUMNS}, workload FROM dead WHERE handle = ?", request.handle)
        return rows.legible(found[:-1], self._functions.names)._replace(workload=found[-1]) if found else None

    def revive(self, request: Revive) -> list[Entry]:
        revived = []
        fields = f"{COLUMNS}, ended, checksum, workload"
        copy = f"INSERT OR IGNORE INTO job (id, {fields}) SELECT ?, {fields} FROM dead WHERE handle = ?"
        alive = "failures = 0, deaths = 0, run_at = 0, expires = 0, ended = 0 WHERE id = last_insert_rowid()"
        for handle in request.handles:
            if self._db.execute(copy, (self._new_row(), handle)).rowcount:
                found = self._one(f"UPDATE job SET {alive} RETURNING {COLUMNS}")
                revived.append(rows.legible(found or (), self._functions.names))
                self._db.execute("DELETE FROM dead WHERE handle = ?", (handle,))
        return revived

    def purge(self, request: Purge) -> int:
        forget = "DELETE FROM dead WHERE handle = ?"
        return sum(self._db.execute(forget, (handle,)).rowcount for handle in request.handles)

    def evict(self, request: Sweep) -> Swept:
        """The oldest make room for the newest."""
        evicted: Counter[bytes] = Counter()
        jobs, size = self._weight()
        while (jobs > request.dead_jobs or size > request.dead_bytes) and evicted.total() < request.limit:
            found = self._one("DELETE FROM dead WHERE id = (SELECT min(id) FROM dead) RETURNING function")
            if found:
                evicted[self._functions.names.get(found[0], rows.OF_NO_FUNCTION)] += 1
            jobs, size = self._weight()
        return Swept(jobs, size, dict(evicted))

    def _weight(self) -> tuple[int, int]:
        """How many jobs there are, and the bytes of their workloads; see `schema.WEIGHT`."""
        jobs, size = self._one("SELECT jobs, bytes FROM temp.weight") or (0, 0)
        return jobs, size

    def _one(self, query: str, *values: Any) -> tuple[Any, ...] | None:
        found: tuple[Any, ...] | None = self._db.execute(query, values).fetchone()
        return found

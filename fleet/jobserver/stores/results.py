"""Results in the embedded store's file: how jobs ended, and what came of them, for a while.

Rule: all of it happens within the transaction that the store has begun.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from fleet.jobserver.stores import End, Result


class Results:
    """The results in the file of this connection."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def keep(self, result: Result, until: int) -> None:
        """Until then; 0: not at all."""
        if until:
            self._db.execute("INSERT OR REPLACE INTO result VALUES (?, ?, ?, ?, ?, ?, ?)", (*result, until))

    def find(self, condition: str, *values: Any) -> Result | None:
        """The first of those that the condition, and its order, name."""
        columns = "handle, function, key, end, data, ended"
        row = self._db.execute(f"SELECT {columns} FROM result WHERE {condition} LIMIT 1", values).fetchone()
        return Result(row[0], row[1], row[2], End(row[3]), row[4], row[5]) if row else None

    def sweep(self, now: int, most_bytes: int) -> None:
        """Forget those whose time is over, and the oldest until the rest have no more bytes than that."""
        self._db.execute("DELETE FROM result WHERE until <= ?", (now,))
        if self._file_bytes() <= most_bytes:
            return
        (size,) = self._db.execute("SELECT coalesce(sum(length(data)), 0) FROM result").fetchone()
        while size > most_bytes:
            oldest = "SELECT handle FROM result ORDER BY ended LIMIT 100"
            gone = self._db.execute(f"DELETE FROM result WHERE handle IN ({oldest}) RETURNING length(data)").fetchall()
            size -= sum(length for (length,) in gone)

    def _file_bytes(self) -> int:
        """At least what all results take together, and known at once."""
        (pages,) = self._db.execute("PRAGMA page_count").fetchone()
        (page_bytes,) = self._db.execute("PRAGMA page_size").fetchone()
        return int(pages * page_bytes)

"""The numbers that functions have in the embedded store's file: each name is there once, and a row has its number.

Rule: it is read anew when a transaction came to nothing, for that may have numbered a function.
"""

from __future__ import annotations

import sqlite3
from typing import Final

NONE_SUCH: Final = -1


class Numbers:
    """Those in the file of this connection."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.read()

    def read(self) -> None:
        self.names: dict[int, bytes] = dict(self._db.execute("SELECT id, CAST(name AS BLOB) FROM function"))
        self._numbers = {name: number for number, name in self.names.items()}

    def of(self, name: bytes) -> int:
        """`NONE_SUCH`, which no row has, if there never was a job of it."""
        return self._numbers.get(name, NONE_SUCH)

    def made(self, name: bytes) -> int:
        """A new one, if there is none."""
        number = self._numbers.get(name)
        if number is None:
            number = self._db.execute("INSERT INTO function (name) VALUES (?)", (name,)).lastrowid
            assert number is not None
            self._numbers[name], self.names[number] = number, name
        return number

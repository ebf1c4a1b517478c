"""Room on the disk that is set aside while there is some, and given up when it is full, so what runs can still end."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from fleet.settings import MIB

RESERVE_BYTES: Final = 8 * MIB  # twice what SQLite's log may hold


class Reserve:
    """A file beside the store `path` that nobody reads."""

    def __init__(self, path: Path) -> None:
        self._file = path.with_name(path.name + ".reserve")
        self._there = False

    def make(self) -> bool:
        """Whether it is there, or there is room for it now. The disk is asked no more than it must be."""
        self._there = self._there or self._made()
        return self._there

    def _made(self) -> bool:
        try:
            with open(self._file, "wb") as file:
                os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)
        except OSError:
            self.give_up()
            return False
        return True

    def give_up(self) -> None:
        self._there = False
        self._file.unlink(missing_ok=True)

"""What is free in the embedded store's file: kept for the next jobs, and given back to the file system if it is much.

To give a page back costs as much as to write it, since what is at the end of the file has to move to where there is
room. So a job that ends leaves its pages where they are, and whoever empties a long queue gets the disk back by and by.
"""

from __future__ import annotations

import sqlite3
import time
from typing import Final

from fleet.settings import MIB

SPARE_BYTES: Final = 64 * MIB  # as much as the workloads of a window in memory
STEP_PAGES: Final = 256  # in one transaction
AT_ONCE_S: Final = 0.05  # nobody waits for the store longer than this, and one step


def give_back(db: sqlite3.Connection, beyond: int) -> None:
    """Give back what is free beyond so many bytes, as far as there is time. The caller is in no transaction."""
    until = time.monotonic() + AT_ONCE_S
    (free,) = db.execute("PRAGMA freelist_count").fetchone()
    (page_bytes,) = db.execute("PRAGMA page_size").fetchone()
    left = free - beyond // page_bytes
    while left > 0 and time.monotonic() < until:
        db.executescript(f"PRAGMA incremental_vacuum({min(left, STEP_PAGES)})")  # `execute` would take one step of it
        left -= STEP_PAGES

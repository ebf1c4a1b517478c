"""Which rows of the embedded store are claimed. Pure, and in memory only: a new process has claimed nothing.

Rule: what a transaction claims or lets go of is as it was before, if that transaction comes to nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Queue = tuple[int, int]  # a function's number and a priority


class Claims:
    """Claimed rows, and how far into each queue all of them are."""

    def __init__(self) -> None:
        self._rows: set[int] = set()
        self._passed: dict[Queue, int] = {}
        self._left: dict[Queue, int] = {}
        self._undo: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []

    def __contains__(self, row: int) -> bool:
        return row in self._rows

    def passed(self, queue: Queue) -> int:
        """The row up to which all of this queue are claimed."""
        return self._passed.get(queue, 0)

    def claim(self, row: int) -> None:
        if row not in self._rows:
            self._rows.add(row)
            self._undo.append((self._rows.discard, (row,)))

    def release(self, row: int) -> None:
        if row in self._rows:
            self._rows.remove(row)
            self._undo.append((self._rows.add, (row,)))

    def pass_by(self, queue: Queue, row: int) -> None:
        """All of the queue up to this row are claimed now."""
        self._undo.append((self._passed.__setitem__, (queue, self.passed(queue))))
        self._passed[queue] = row

    def leave(self, queue: Queue, row: int) -> None:
        """There may be some of the queue up to this row that are not claimed."""
        self._undo.append((self._left.__setitem__, (queue, self._left.get(queue, 0))))
        self._left[queue] = row

    def follow(self, queue: Queue, row: int) -> None:
        """The last of the queue is claimed, perhaps before others."""
        if self._left.get(queue, 0) <= self.passed(queue):
            self.pass_by(queue, row)

    def settle(self) -> None:
        """The transaction is done."""
        self._undo.clear()

    def undo(self) -> None:
        """The transaction came to nothing."""
        while self._undo:
            back, values = self._undo.pop()
            back(*values)

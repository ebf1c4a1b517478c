"""Jobs by when something is due for them. Pure: times are numbers, of whatever clock the owner likes.

Rule: a job that is taken off the agenda costs nothing later. Its entry in the heap stays, is skipped when it comes
up, and all such entries go at once when they are the most: a server that runs for months must not collect them.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import Final

from fleet.jobserver.job import Job

MIN_ENTRIES: Final = 64  # fewer are not worth tidying up


class Agenda:
    """Each job stands on it once at most; equal times come in the order in which they were set."""

    __slots__ = ("_sequence", "_valid", "entries")

    def __init__(self) -> None:
        self.entries: list[tuple[int, int, Job]] = []  # a heap of (when, sequence, job); empty if nothing is set
        self._valid: dict[Job, int] = {}  # to the sequence of its entry
        self._sequence = 0

    def __len__(self) -> int:
        return len(self._valid)

    def __contains__(self, job: Job) -> bool:
        return job in self._valid

    def set(self, job: Job, when: int) -> None:
        """Put the job on the agenda, or move it."""
        self._sequence += 1
        self._valid[job] = self._sequence
        heappush(self.entries, (when, self._sequence, job))

    def drop(self, job: Job) -> None:
        """Take the job off, if it stands there."""
        if self._valid.pop(job, None) and len(self.entries) > MIN_ENTRIES + 2 * len(self._valid):
            self.entries = [entry for entry in self.entries if self._stands(entry)]
            heapify(self.entries)

    def due(self, now: int) -> Iterator[Job]:
        """Take off and yield each job whose time has come."""
        while (when := self.next()) is not None and when <= now:
            job = heappop(self.entries)[2]
            del self._valid[job]
            yield job

    def next(self) -> int | None:
        """The earliest time on the agenda."""
        while self.entries:
            if self._stands(self.entries[0]):
                return self.entries[0][0]
            heappop(self.entries)
        return None

    def _stands(self, entry: tuple[int, int, Job]) -> bool:
        return self._valid.get(entry[2]) == entry[1]

"""What became of a function's jobs since the server started: counters, and how long they waited and ran.

Rule: counting costs the queue next to nothing. The broker adds to these numbers where it makes the change, puts a span
into a bucket by the length of its milliseconds in binary, and all else is done when somebody asks.
"""

from __future__ import annotations

from typing import Any, Final

from fleet.jobserver.stores import End

MS: Final = 1_000_000  # ns
BOUNDS_S: Final = tuple(
    2**n / 1000 for n in range(20)
)  # what is below 1 ms, 2 ms, 4 ms, ... nine minutes is told apart
COUNTERS: Final = ("submitted", "completed", "failed", "retried", "dead", "expired", "cancelled", "evicted")


class Tally:
    """One function's. To add a span of `ns` to `waits` or `runs`: ``waits[(ns // MS).bit_length()] += 1``."""

    __slots__ = (*COUNTERS, "runs", "waits")

    def __init__(self) -> None:
        self.submitted = 0  # jobs, however many submits were attached to one
        self.completed = 0
        self.failed = 0  # for good
        self.retried = 0  # attempts that were not the last: they failed, or lost their worker
        self.dead = 0  # put into the dead letter
        self.expired = 0
        self.cancelled = 0  # also those that were dropped because nobody waited for them any more
        self.evicted = 0  # dead ones that had to leave the dead letter for newer ones
        self.waits = [0] * 48  # from when a job could have run until a worker had it; 48: longer than any
        self.runs = [0] * 48  # from then until it ended

    def ended(self, end: End) -> None:
        """One more job ended so."""
        setattr(self, end, getattr(self, end) + 1)

    def report(self) -> dict[str, Any]:
        """All of it, by name; of spans, how many are below each of BOUNDS_S and not the one before, and the rest."""
        counted = {name: getattr(self, name) for name in COUNTERS}
        return {**counted, "waits": _told(self.waits), "runs": _told(self.runs)}


def _told(buckets: list[int]) -> list[int]:
    most = len(BOUNDS_S)
    return [*buckets[:most], sum(buckets[most:])]

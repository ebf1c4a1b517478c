"""What a worker of ours owes to job servers that are gone: results that were ready meanwhile, within bounds, and, of a
pool, jobs that go on.

Pure. Rule: a result is kept once and delivered once. What becomes of it is the job server's to decide: the new process
takes it if it has the job and nobody else is at it, and drops it otherwise.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import NamedTuple

from fleet.protocol import Data
from fleet.settings import Address


class Answer(NamedTuple):
    """How a job ended at its worker."""

    handle: bytes
    result: Data
    error: str | None = None  # then there is no result; empty: it did not say why


class Late:
    """What is owed to job servers that are gone, in order; the oldest go first beyond `most_bytes` or `keep_ns`."""

    def __init__(self, most_bytes: int, keep_ns: int) -> None:
        self._most_bytes = most_bytes
        self._keep_ns = keep_ns
        self._kept: deque[tuple[int, Address, Answer]] = deque()  # with when they were ready
        self._bytes = 0
        self._adrift: Counter[Address] = Counter()  # jobs that go on without their server

    def drifts(self, server: Address) -> None:
        """One more job goes on without its server."""
        self._adrift[server] += 1

    def settled(self, server: Address) -> None:
        """One less does: it has ended, or its server was told of it."""
        self._adrift[server] -= 1

    def has_adrift(self, server: Address) -> bool:
        return self._adrift[server] > 0

    def keep(self, server: Address, answer: Answer, now: int) -> None:
        self._kept.append((now, server, answer))
        self._bytes += len(answer.result)
        self._forget(now)

    def take(self, server: Address, now: int) -> list[Answer]:
        """All that is owed to this server, which the caller delivers."""
        self._forget(now)
        answers = [answer for _, where, answer in self._kept if where == server]
        self._kept = deque(kept for kept in self._kept if kept[1] != server)
        self._bytes -= sum(len(answer.result) for answer in answers)
        return answers

    def owes(self, server: Address, now: int) -> bool:
        self._forget(now)
        return any(where == server for _, where, _ in self._kept)

    def _forget(self, now: int) -> None:
        while self._kept and (self._bytes > self._most_bytes or self._kept[0][0] + self._keep_ns <= now):
            _, _, answer = self._kept.popleft()
            self._bytes -= len(answer.result)

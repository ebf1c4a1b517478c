"""Which job server a task goes to. Pure: the clock is an argument.

Rendezvous hashing over the servers' names keeps equal uniques on one server, so that they coalesce there, and
moves only a dead server's share when one dies. (Thaler and Ravishankar, "A name-based mapping scheme for
rendezvous", 1996.)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from fleet.backoff import Backoff
from fleet.protocol import Data
from fleet.settings import Address

RECONNECT = Backoff(first_s=0.05, cap_s=5.0)
CONTENT: Final = "content"  # the unique that stands for a digest of the workload


def content_key(workload: Data) -> bytes:
    """What is the same for equal workloads, and as hard to forge as a signature's digest: results may hang on it."""
    from hashlib import blake2b

    return b"content:" + blake2b(workload, digest_size=24).hexdigest().encode()


def ranked(servers: Iterable[Address], unique: bytes) -> list[Address]:
    """The servers in this unique's order of preference: the same order in every process that has the same list."""
    listed = list(servers)
    if len(listed) < 2:
        return listed
    from hashlib import blake2b

    return sorted(listed, key=lambda server: blake2b(f"{server} ".encode() + unique, digest_size=8).digest())


@dataclass(slots=True)
class Health:
    """What is known of one server: since when, and for how long, it is left alone after failures."""

    failures: int = 0
    retry_at: float = 0.0  # seconds, monotonic
    reason: str = field(default="")  # why it failed last

    def failed(self, now: float, chance: float, reason: str) -> None:
        self.failures += 1
        self.retry_at = now + RECONNECT.delay_s(self.failures, chance)
        self.reason = reason

    def answered(self) -> None:
        self.failures = 0
        self.retry_at = 0.0

    def resting(self, now: float) -> bool:
        return now < self.retry_at

"""Where background jobs are kept, so that an acknowledged one is never lost; and their results, for a while.

A store keeps the backlog, the broker a window of it: the head of each queue. The broker says what it wants in
*requests*, which are values; a store carries out a batch of them in order and in one transaction, and returns an answer
for each. When `carry_out` has returned, all of the batch outlives a power cut. The rule for the rest of the job server:
nothing is acknowledged before the batch that holds its request has been carried out.

A job that was *claimed* is this process's to hand out; only that, and nothing on disk, is forgotten when it ends. So a
job that ran when the server died is ready again, and nobody is blamed for it. Several servers may share a store only if
it keeps claims by itself, with a lease for each server; the stores here belong to one process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple, Protocol

from fleet.errors import FleetError
from fleet.protocol import Data


class StoreBroken(FleetError):
    """The store can no longer promise anything; the job server must stop. What it acknowledged is on disk."""

    exit_code = 74  # EX_IOERR of sysexits.h


class StoreUnusable(StoreBroken):
    """What is there cannot be opened as a store. Somebody has to do what it says; trying again would not help."""

    exit_code = 78  # EX_CONFIG


class StoreInUse(FleetError):
    """Another job server uses this store."""

    exit_code = 78  # EX_CONFIG: trying again would not help


class End(StrEnum):
    """How a background job ended."""

    COMPLETED = "completed"
    FAILED = "failed"  # for good: nobody asked for retries, or the worker said that they would not help
    DEAD = "dead"  # after its last retry: kept in the dead letter
    CANCELLED = "cancelled"
    EXPIRED = "expired"  # it was not done while it was still wanted


class Entry(NamedTuple):
    """A background job as it is kept. Times are seconds since 1970."""

    handle: bytes
    function: bytes
    workload: Data
    unique: bytes = b""
    key: bytes = b""  # what coalesces with it in its function; empty: nothing does
    priority: int = 1
    reducer: bytes = b""
    submitted: int = 0
    run_at: int = 0  # not before; 0: at once
    expires: int = 0  # not after; 0: never too late
    max_attempts: int = 0  # 0: what its function's policy says
    failures: int = 0  # attempts that ended in a failure that a worker reported
    deaths: int = 0  # workers that died with it
    errors: tuple[str, ...] = ()  # why the attempts failed, oldest first
    schedule: str = ""  # when it comes again after it has ended; empty: it does not


class Result(NamedTuple):
    """How a job ended and what came of it."""

    handle: bytes
    function: bytes
    key: bytes
    end: End
    data: bytes  # of COMPLETED the result, of FAILED and DEAD the error's text
    ended: int  # seconds since 1970


def death(entry: Entry, ended: int) -> Result:
    """How a job in the dead letter ended."""
    why = entry.errors[-1] if entry.errors else "the job was given up"
    return Result(entry.handle, entry.function, entry.key, End.DEAD, why.encode(), ended)


NO_LIMIT: Final = 2**62  # bytes


# -- requests ---------------------------------------------------------------------------------------------------


class Put(NamedTuple):
    """Keep a new job, which is claimed at once with `claim`. Answer: Stored, Exists, or Refused."""

    entry: Entry
    claim: bool = False


class Probe(NamedTuple):
    """Look for a live job with this coalescing key. Answer: its Entry, which is now claimed, or None."""

    function: bytes
    key: bytes


class Fetch(NamedTuple):
    """Claim this one job. Answer: its Entry, or None if it does not live."""

    handle: bytes


class Claim(NamedTuple):
    """Claim jobs at the head of a queue, of those that need not wait. Answer: a list of Entry or Spoiled.

    Up to `limit` of them, and none after one with which their workloads have `most_bytes`.
    """

    function: bytes
    priority: int
    limit: int
    most_bytes: int = NO_LIMIT


class ClaimDue(NamedTuple):
    """Claim jobs whose `run_at` is not after `before`, the earliest first, as `Claim` does. Answer: likewise."""

    before: int
    limit: int
    most_bytes: int = NO_LIMIT


class Finish(NamedTuple):
    """A job ended: forget it, and keep its result until `keep_until` (0: not at all). Answer: whether it was there.

    DEAD keeps the job itself, in the dead letter, with `entry` as it was at last.
    """

    result: Result
    keep_until: int = 0
    entry: Entry | None = None


class Amend(NamedTuple):
    """A claimed job has changed: keep it as `entry` now is. Answer: None. The workload never changes."""

    entry: Entry


class Postpone(NamedTuple):
    """As Amend, and the job is claimed no more. Answer: None."""

    entry: Entry


class Again(NamedTuple):
    """As Finish for the result, but the job comes again as `entry`, claimed no more. Answer: None."""

    result: Result
    keep_until: int
    entry: Entry


class Look(NamedTuple):
    """What is known of a handle. Answer: its Entry if it lives, else its Result, else None.

    What is in the dead letter has a Result as long as it is there.
    """

    handle: bytes


class LookKey(NamedTuple):
    """A live job with this coalescing key, of any function. Answer: its Entry, or None."""

    key: bytes


class LookNamed(NamedTuple):
    """What is known of a function's coalescing key. Answer: a live job's Entry, else its newest Result, else None."""

    function: bytes
    key: bytes


class LookUnique(NamedTuple):
    """The newest kept result with this coalescing key that COMPLETED, not before `since`. Answer: Result or None."""

    function: bytes
    key: bytes
    since: int


class Cancel(NamedTuple):
    """End a job that is not claimed as CANCELLED, keeping that until `keep_until`. Answer: its Entry, or None."""

    handle: bytes
    now: int
    keep_until: int


class Expire(NamedTuple):
    """End jobs that are not claimed and whose `expires` is not after `now` as EXPIRED, keeping that until `keep_until`.

    Answer: their Entries.
    """

    now: int
    keep_until: int
    limit: int


class ListJobs(NamedTuple):
    """Live jobs, or those in the dead letter, in their order. Answer: a list of Listed, without the workloads."""

    dead: bool = False
    handle: bytes | None = None  # only this one
    function: bytes | None = None  # only of this function
    until: int | None = None  # only those that were submitted, or died, no later
    after: int = 0  # only those behind this place
    limit: int = 100


class Listed(NamedTuple):
    """A job in a list."""

    entry: Entry  # with an empty workload
    size: int  # of the workload, bytes
    ended: int  # when it came into the dead letter; 0 while it lives
    place: int  # in the order of what is listed


class Exhume(NamedTuple):
    """Look at a dead job with its workload. Answer: its Entry, or None."""

    handle: bytes


class Revive(NamedTuple):
    """Bring dead jobs back, to be done at once, with nothing held against them and unclaimed.

    Answer: their Entries, or Refused. Those whose key a live job has meanwhile stay dead.
    """

    handles: tuple[bytes, ...]


class Purge(NamedTuple):
    """Forget dead jobs for good. Answer: how many."""

    handles: tuple[bytes, ...]


class Sweep(NamedTuple):
    """Forget results that are kept no longer, and the oldest beyond `result_bytes` in all; and the oldest dead jobs
    beyond `dead_jobs`, or `dead_bytes` of workloads, but no more than `limit` of them.

    Answer: Swept.
    """

    now: int
    result_bytes: int
    dead_jobs: int
    dead_bytes: int
    limit: int


class BackUp(NamedTuple):
    """Copy all that is kept, as it is after this batch, to where the store says. Answer: BackedUp, or Refused."""


Request = (Put | Probe | Fetch | Claim | ClaimDue | Finish | Again | Amend | Postpone | Cancel | Expire) | (
    Look | LookKey | LookNamed | LookUnique | ListJobs | Exhume | Revive | Purge | Sweep | BackUp
)

# -- answers ----------------------------------------------------------------------------------------------------


class Stored(NamedTuple):
    """The job is kept."""


class Exists(NamedTuple):
    """A live job of the same function has the key already; it is not claimed by this."""

    handle: bytes


class Refused(NamedTuple):
    """The store cannot keep it now; the reason is for the client."""

    reason: str


class BackedUp(NamedTuple):
    """The copy is on the disk."""

    path: str
    size: int  # bytes


class Swept(NamedTuple):
    """The dead letter as it is now."""

    jobs: int
    size: int  # bytes of their workloads
    evicted: dict[bytes, int]  # how many had to leave it for newer ones, by function


class Spoiled(NamedTuple):
    """Stands for a job among those that were claimed: it was found damaged, and is in the dead letter now."""

    entry: Entry


@dataclass(slots=True)
class Backlog:
    """How many unclaimed jobs of one function there are: by priority, and of those that wait for their time."""

    ready: list[int] = field(default_factory=lambda: [0, 0, 0])
    waiting: int = 0

    @property
    def total(self) -> int:
        return sum(self.ready) + self.waiting

    def count(self, entry: Entry, by: int) -> None:
        """One more (1) or one less (-1) of this kind."""
        if entry.run_at:
            self.waiting += by
        else:
            self.ready[entry.priority] += by


class Store(Protocol):
    """One process's store. All of it is called from one thread."""

    def recover(self) -> dict[bytes, Backlog]:
        """What is there, by function; called once, first. Nothing is claimed yet. Raises StoreBroken."""
        ...

    def carry_out(self, batch: Sequence[Request]) -> list[Any]:
        """Carry out all of the batch, durably, and return an answer for each request, in order.

        A store that has no room answers Put and Revive with Refused and carries out the rest.

        Raises:
            StoreBroken: nothing more can be promised; the batch may or may not have been carried out.
        """
        ...

    def facts(self) -> dict[str, str | int]:
        """What an administrator wants to know: where it is, which library, how durable."""
        ...

    def close(self) -> None: ...

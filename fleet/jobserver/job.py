"""What the broker keeps: jobs, functions with their queues, and peers. Plain state, no decisions.

Every change of it is made in `broker`; this file only says what there is.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Final

from fleet.jobserver.native import i32, mypyc_attr
from fleet.jobserver.pending import Pending
from fleet.jobserver.refusal import Refusal
from fleet.jobserver.stores import Backlog
from fleet.jobserver.tally import Tally
from fleet.protocol import Data

HIGH: Final = 0
NORMAL: Final = 1
LOW: Final = 2
PRIORITIES: Final = (HIGH, NORMAL, LOW)

NONE_YET: Final[tuple[int, ...]] = (0, 0)
RELEASED_KEPT: Final = 64  # handles that a worker held once
MIN_GONE: Final = 64  # fewer entries than these are not worth tidying up


@mypyc_attr(acyclic=True)  # the broker takes a job apart when it ends: nobody has to look for it in cycles
class Job:
    """One piece of work, from its submit to its one final packet. It waits for its time, or is queued, or is held by
    one worker: always one of these, never two.

    There may be a million of them. Compiled, its numbers of 32 bits share a place, and `progress` is a pointer.
    """

    __slots__ = (
        "background",
        "function",
        "handle",
        "key",
        "listeners",
        "pending",
        "priority",
        "progress",
        "reducer",
        "retries",
        "since",
        "unique",
        "worker",
        "workload",
    )

    def __init__(self, handle: bytes, function: Function, unique: bytes, key: bytes, workload: Data) -> None:
        self.handle = handle
        self.function = function
        self.unique = unique
        self.key = key  # what coalesces with it in its function; empty: nothing does
        self.workload = workload
        self.reducer = b""  # the function for the parts of a map/reduce job; only its worker makes use of it
        self.priority: i32 = NORMAL
        self.background = False  # once true, the job no longer needs anybody who waits for it
        self.pending: Pending[bytes | Refusal] | None = None  # the handle, or why not, once the store has said so
        self.listeners: tuple[Peer, ...] = ()  # who gets its WORK_* packets, once for each submit that was attached
        self.worker: Peer | None = None  # who holds it
        self.progress = NONE_YET  # numerator and denominator as last reported
        self.retries: i32 = 0  # how often it went back to its queue
        self.since = 0  # ns, monotonic: when it came into its queue, or while it runs, when its worker got it

    def __repr__(self) -> str:
        state = "running" if self.worker else "queued"
        return f"<Job {self.handle.decode()} {self.function.name!r} {state}, {len(self.listeners)} listening>"


class Queue:
    """Jobs in the order of their arrival; one may also leave from the middle, when nobody waits for it any more.

    Such a job's entry stays, is skipped when it comes up, and all such entries go at once when they are the most.
    """

    __slots__ = ("_gone", "append", "entries")

    def __init__(self) -> None:
        self.entries: deque[Job] = deque()  # the first is never one that is gone: empty if nobody is here
        self._gone: set[Job] = set()
        self.append = self.entries.append

    def __len__(self) -> int:
        return len(self.entries) - len(self._gone)

    def __iter__(self) -> Iterator[Job]:
        return (job for job in self.entries if job not in self._gone)

    def head(self) -> Job | None:
        """The first job, which stays."""
        return self.entries[0] if self.entries else None

    def take(self) -> Job:
        """The first job, which leaves."""
        job = self.entries.popleft()
        if self._gone:
            self._tidy()
        return job

    def withdraw(self, job: Job) -> None:
        """It leaves, and never comes back."""
        self._gone.add(job)
        self._tidy()

    def remove(self, job: Job) -> None:
        """It leaves, and may come back. This takes time in proportion to the queue."""
        self.entries.remove(job)
        self._tidy()

    def _tidy(self) -> None:
        entries, gone = self.entries, self._gone
        while entries and entries[0] in gone:
            gone.remove(entries.popleft())
        if len(gone) > MIN_GONE + len(self):
            jobs = list(self)
            entries.clear()
            entries.extend(jobs)
            gone.clear()


class Function:
    """A function's queues, one for each priority, and the workers that can do it."""

    __slots__ = (
        "backlog",
        "max_jobs",
        "name",
        "queued",
        "queues",
        "running",
        "sleepers",
        "tally",
        "turn",
        "uniques",
        "waiting",
        "woken",
        "workers",
    )

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.queues = tuple(Queue() for _ in PRIORITIES)
        self.queued = 0  # in all queues
        self.running = 0
        self.waiting = 0  # for their time to come, or for the store
        self.backlog: Backlog | None = None  # what only the store has
        self.max_jobs = [0 for _ in PRIORITIES]  # no new job of the priority at so many jobs in all; 0: no limit
        self.workers: dict[Peer, int] = {}  # to the time a job of it may take there, ns; 0 means no limit
        # The longest asleep first. A worker that rose stays until it comes up: one with a thousand functions would
        # otherwise leave, and join, a thousand lists for each job.
        self.sleepers: OrderedDict[Peer, None] = OrderedDict()
        self.woken = 0  # how many were sent a NOOP for it and have not come yet
        self.turn = 0  # when a job of it was last handed out; the lowest goes first
        self.uniques: dict[bytes, Job] = {}  # live jobs by coalescing key
        self.tally = Tally()

    @property
    def jobs(self) -> int:
        backlog = self.backlog
        return self.queued + self.running + self.waiting + (backlog.total if backlog else 0)

    def oldest_ns(self, now: int) -> int | None:
        """How long the job that could run and has waited longest waits already; None: there is no such job."""
        heads = [job.since for queue in self.queues if (job := queue.head())]
        return max(0, now - min(heads)) if heads else None

    def __repr__(self) -> str:
        return f"<Function {self.name!r} {self.queued} queued, {self.running} running, {len(self.workers)} workers>"


@mypyc_attr(allow_interpreted_subclasses=True)
class Peer:
    """What the broker knows of a connection. The session that speaks its protocol fills in the methods.

    A peer may be client and worker at once.
    """

    __slots__ = (
        "admin",
        "asleep",
        "client_id",
        "done",
        "functions",
        "holding",
        "label",
        "lingering",
        "lingers_since",
        "listening",
        "released",
        "unlisted",
        "woken_at",
        "woken_for",
    )

    def __init__(self) -> None:
        self.label = "-1 -"  # descriptor and address, for people
        self.admin = True  # it may change more than its own jobs
        self.client_id = b"-"
        self.functions: dict[Function, None] = {}  # what it can do, in the order it said so
        self.holding: dict[bytes, Job] = {}  # jobs it grabbed and has not finished
        self.released: deque[bytes] = deque(maxlen=RELEASED_KEPT)  # handles it held once: late results are swallowed
        self.listening: dict[Job, None] = {}  # foreground jobs it waits for
        self.asleep = False  # it sent PRE_SLEEP and waits for a NOOP
        self.unlisted: dict[Function, None] = {}  # of what it can do, where it does not stand among the sleepers
        self.woken_for: Function | None = None  # a NOOP was sent for this function and no GRAB has come yet
        self.woken_at = 0  # ns, monotonic
        self.done = False  # it has ended a job since it last grabbed in vain
        self.lingering = False  # it waits for the answer to a grab
        self.lingers_since = 0  # ns, monotonic

    def granted(self, job: Job | None) -> None:
        """The late answer to its grab."""
        raise NotImplementedError

    def wake(self) -> None:
        """There is work: tell the sleeping worker."""
        raise NotImplementedError

    def revoke(self, job: Job) -> None:
        """A job that it runs was cancelled, or goes to somebody else; not every worker can be told."""

    def progress(self, job: Job, numerator: bytes, denominator: bytes) -> None:
        """A job it waits for has got this far; both as the worker wrote them."""
        raise NotImplementedError

    def news(self, kind: int, job: Job, data: Data) -> None:
        """A WORK_DATA, WARNING, COMPLETE, FAIL or EXCEPTION packet (`kind`) of a job it waits for."""
        raise NotImplementedError

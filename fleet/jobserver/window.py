"""A queue of which the store has the most, and memory a window.

Rule 1: of each queue that the store keeps, only the head is in memory; what is behind it is counted in
`Function.backlog`, and claimed when the window gets short. Rule 2: nothing here does I/O: requests to the store gather
in `requests`, each with what is to be done with its answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from fleet.jobserver import stores
from fleet.jobserver.broker import Broker
from fleet.jobserver.job import PRIORITIES, Function, Job, Peer
from fleet.jobserver.pending import Pending
from fleet.jobserver.retries import Deaths
from fleet.jobserver.stores import Backlog, End, Entry, Result, Spoiled, Swept
from fleet.jobserver.terms import Terms
from fleet.protocol import Data
from fleet.settings import FunctionPolicy, ServerLimits

NS: Final = 1_000_000_000
LOOK_NS: Final = 10 * NS  # between two looks for jobs whose time comes, and for results that are kept no longer
JUMP_S: Final = 2.0  # a wall clock that is so far from where it should be was set
HORIZON_S: Final = 30  # jobs whose time comes so soon are in memory; more than one look ahead

Then = Callable[[Any, int], None]  # with the store's answer, and the time


class Kept:
    """A job in memory that the store has too."""

    __slots__ = ("claimed", "entry", "parts", "size")

    def __init__(self, entry: Entry, *, claimed: bool) -> None:
        self.entry = entry
        self.claimed = claimed
        self.parts: list[bytes] = []  # of the result, as they came
        self.size = 0  # bytes

    def add(self, data: Data, most: int) -> None:
        """A part of the result; beyond `most` bytes in all nothing is kept."""
        self.size += len(data)
        if self.size <= most:
            self.parts.append(bytes(data))


class WindowBroker(Broker):
    """A broker of which a store has the most.

    Args:
        policies: by function; "" is for all others.
        chance: from [0, 1), for the jitter of retries.
        is_ours: whether `new_handle` made this handle, now or before a restart.
        new_handle, limits, job_retries, worker_wakeup: as `Broker`.
    """

    __slots__ = (
        "_chance",
        "_claiming",
        "_deaths",
        "_due_left",
        "_ending",
        "_is_ours",
        "_kept",
        "_look_at",
        "_looking",
        "_mortal",
        "_outside",
        "_policies",
        "_wall_offset_s",
        "requests",
        "stored",
    )

    def __init__(
        self,
        new_handle: Callable[[], bytes],
        limits: ServerLimits | None = None,
        *,
        policies: Mapping[str, FunctionPolicy] | None = None,
        chance: Callable[[], float] = lambda: 0.5,
        is_ours: Callable[[bytes], bool] = lambda handle: False,
        job_retries: int = -1,
        worker_wakeup: int = 1,
    ) -> None:
        super().__init__(new_handle, limits, job_retries=job_retries, worker_wakeup=worker_wakeup)
        self.requests: list[tuple[stores.Request, Then]] = []  # this list always: the shell takes from it
        self.stored = 0  # jobs that only the store has
        self._policies = {name.encode(): policy for name, policy in (policies or {}).items()}
        self._chance = chance
        self._is_ours = is_ours
        self._kept: dict[Job, Kept] = {}
        self._outside: set[Job] = set()  # jobs in no queue, because the store was asked about them
        self._looking: dict[Job, Terms | None] = {}  # new jobs that a kept result may answer; None: in the foreground
        self._mortal: set[Job] = set()  # jobs in memory that expire, and some that have ended meanwhile
        self._claiming: set[tuple[Function, int]] = set()  # windows that are being filled
        self._ending: set[bytes] = set()  # handles of jobs that ended, which the store will hear of
        self._deaths = Deaths()
        self._due_left = 0  # of the last whose time had come, how many are not begun; 0 too if those were all there are
        self._wall_offset_s = 0.0
        self._look_at = 0  # ns
        self.due = 0

    # -- what the shell does ----------------------------------------------------------------------------------

    def recovered(self, backlogs: Mapping[bytes, Backlog], now: int, wall_s: float) -> None:
        """What the store had when it was opened, at `now`, which is `wall_s` seconds since 1970."""
        self._wall_offset_s = wall_s - now / NS
        for name, backlog in backlogs.items():
            function = self.functions.kept(name)
            function.backlog = backlog
            self.stored += backlog.total
            for priority in PRIORITIES:
                self._refill(function, priority)

    def tick(self, now: int, wall_s: float = 0.0) -> int | None:
        before_s, self._wall_offset_s = self._wall_offset_s, wall_s - now / NS
        if abs(self._wall_offset_s - before_s) > JUMP_S:
            self._follow_clock(round(self._wall_offset_s - before_s))
            self._look_at = now
        if now >= self._look_at:
            self._look_at = now + LOOK_NS
            self._look_around(now)
        super().tick(now, wall_s)
        self.due = min(self.due, self._look_at)
        return max(0, self.due - now)

    def _follow_clock(self, jump_s: int) -> None:
        """The wall clock was set: a retry is still due after its pause, unlike a job that is to begin at some hour."""
        for job, kept in self._kept.items():
            if kept.entry.failures and job in self._later:
                kept.entry = kept.entry._replace(run_at=max(1, kept.entry.run_at + jump_s))
                self._later.set(job, kept.entry.run_at)
                self._ask(stores.Amend(kept.entry), ignore)

    def _look_around(self, now: int) -> None:
        wall_s = self._wall_s(now)
        if self.stored:
            for function in self.functions.values():
                for priority in PRIORITIES:
                    self._refill(function, priority)
            self._look_for_due(self.limits.window, now)
            late = stores.Expire(wall_s, self._keep_until(None, wall_s), self.limits.window)
            self._ask(late, self._expired)
        self._sweep(now)

    def _look_for_due(self, most: int, now: int) -> None:
        def claimed(entries: list[Entry | Spoiled], now: int) -> None:
            self._due_left = self._due_left + most if len(entries) == most else 0
            self._claimed(entries, now)

        self._ask(stores.ClaimDue(self._wall_s(now) + HORIZON_S, most, self._room_for_due()), claimed)

    def _begun(self, kept: Kept, now: int) -> None:
        """A worker has it: when half of those are begun whose time had come, look for more."""
        if self._due_left and kept.entry.run_at:
            self._due_left -= 1
            if self._due_left == self.limits.window // 2:
                self._look_for_due(self.limits.window - self._due_left, now)

    def _sweep(self, now: int) -> None:
        limits = self.limits
        most = limits.results_bytes, limits.dead_jobs, limits.dead_bytes
        self._ask(stores.Sweep(self._wall_s(now), *most, limits.window), self._swept)

    def _swept(self, swept: Swept, now: int) -> None:
        """Count the dead jobs that had to go; there may be more of them."""
        self.dead_letter = swept
        for name, number in swept.evicted.items():
            self.functions.kept(name).tally.evicted += number
        if swept.evicted:
            self._sweep(now)

    # -- the window -------------------------------------------------------------------------------------------

    def _refill(self, function: Function, priority: int) -> None:
        """Fetch the head of a queue when its window gets short; where memory is, only when the window is empty."""
        backlog, place = function.backlog, (function, priority)
        if backlog is None or not backlog.ready[priority] or place in self._claiming:
            return
        here, room_bytes = len(function.queues[priority]), self._room_bytes()
        room = self.limits.window - here
        if room < self.limits.window // 2 or (here and room_bytes < self.limits.window_bytes // 2):
            return
        self._claiming.add(place)

        def claimed(entries: list[Entry | Spoiled], now: int) -> None:
            self._claiming.discard(place)
            self._claimed(entries, now)

        self._ask(stores.Claim(function.name, priority, room, room_bytes), claimed)

    def _room_bytes(self) -> int:
        """How much of a queue may come into memory; with nothing left it is one job."""
        return max(1, self.limits.window_bytes - self.queued_bytes)

    def _room_for_due(self) -> int:
        """The same for jobs whose time comes: more, lest a long queue of one function hold up all others'."""
        return max(1, self.limits.queued_bytes // 2 - self.queued_bytes)

    def _claimed(self, entries: list[Entry | Spoiled], now: int) -> None:
        for entry in entries:
            if isinstance(entry, Spoiled):
                self._count(entry.entry, -1)
                self.functions.kept(entry.entry.function).tally.ended(End.DEAD)
            elif entry.handle not in self._ending:
                self._materialized(entry, now)

    def _materialized(self, entry: Entry, now: int) -> Job:
        """The job of an entry that is claimed now, in memory and in its place."""
        job = self.jobs.get(entry.handle)
        if job is not None:
            if job in self._outside and not job.pending:
                self._claim_in_place(job, now)
            return job
        function = self.functions.kept(entry.function)
        self._count(entry, -1)
        key = b"" if entry.key in function.uniques else entry.key
        job = Job(entry.handle, function, entry.unique, key, entry.workload)
        job.priority, job.reducer, job.background = entry.priority, entry.reducer, True
        job.retries = entry.failures + entry.deaths
        self._remember(job)
        self._kept[job] = Kept(entry, claimed=True)
        if entry.expires:
            self._mortal.add(job)
        wall_s = self._wall_s(now)
        self._line_up(job, entry.run_at if entry.run_at > wall_s else 0, now)
        job.since = now - NS * max(0, wall_s - max(entry.submitted, entry.run_at))  # it could have run since then
        return job

    def _leave_to_store(self, job: Job) -> None:
        del self._kept[job]
        self._withdraw(job)
        self._forget(job)

    def _claim_in_place(self, job: Job, now: int) -> None:
        kept = self._kept[job]
        kept.claimed = True
        self._count(kept.entry, -1)
        self._put_inside(job, kept.entry.run_at, now)

    def _count(self, entry: Entry, by: int) -> None:
        function = self.functions.kept(entry.function)
        if function.backlog is None:
            function.backlog = Backlog()
        function.backlog.count(entry, by)
        self.stored += by

    def _put_outside(self, job: Job) -> None:
        if job not in self._outside:
            self._outside.add(job)
            job.function.waiting += 1

    def _put_inside(self, job: Job, run_at: int, now: int) -> None:
        self._outside.discard(job)
        job.function.waiting -= 1
        self._line_up(job, run_at, now)

    def _withdraw(self, job: Job, *, for_good: bool = True) -> None:
        if job in self._outside:
            self._outside.discard(job)
            job.function.waiting -= 1
        else:
            super()._withdraw(job, for_good=for_good)
            self._refill(job.function, job.priority)

    def _cancel_stored(self, handle: bytes, now: int) -> Pending[bool]:
        pending: Pending[bool] = Pending()
        wall_s = self._wall_s(now)

        def cancelled(entry: Entry | None, now: int) -> None:
            if entry:
                self._ended_in_store(entry, End.CANCELLED)
                pending.settle(True)
            else:  # it was claimed meanwhile, or there is none
                pending.settle(handle in self.jobs and self.cancel(handle, now) is True)

        self._ask(stores.Cancel(handle, wall_s, self._keep_until(None, wall_s)), cancelled)
        return pending

    def _expired(self, entries: list[Entry], now: int) -> None:
        for entry in entries:
            if job := self.jobs.get(entry.handle):  # it has just been put, and waits to be fetched
                del self._kept[job]
                self._count(entry, -1)
                self._fail(job, End.EXPIRED, now)
            elif entry.handle not in self._ending:  # else it was cancelled meanwhile
                self._ended_in_store(entry, End.EXPIRED)

    def _ended_in_store(self, entry: Entry, end: End) -> None:
        """A job ended that only the store had."""
        self._count(entry, -1)
        self.functions.kept(entry.function).tally.ended(end)

    def resume(self, peer: Peer, handle: bytes, now: int) -> bool | Pending[bool]:
        job = self.jobs.get(handle)
        if job in self._outside:
            return False  # it was never given out
        if job or not self.stored:
            return super().resume(peer, handle, now)
        pending: Pending[bool] = Pending()

        def fetched(entry: Entry | None, now: int) -> None:
            if entry:
                self._materialized(entry, now)
            pending.settle(peer in self.peers and bool(Broker.resume(self, peer, handle, now)))

        self._ask_for_entry(stores.Fetch(handle), fetched)
        return pending

    # -- looking ----------------------------------------------------------------------------------------------

    def find(self, handle: bytes) -> Job | Pending[Job | None] | None:
        if handle in self.jobs or not self.stored:
            return super().find(handle)
        return self._look(stores.Look(handle))

    def find_unique(self, unique: bytes) -> Job | Pending[Job | None] | None:
        found = super().find_unique(unique)
        return found if found or not (self.stored and unique) else self._look(stores.LookKey(unique))

    def _look(self, request: stores.Look | stores.LookKey) -> Pending[Job | None]:
        pending: Pending[Job | None] = Pending()
        self._ask(request, lambda found, now: pending.settle(self._likeness(found)))
        return pending

    def _likeness(self, found: Entry | Result | None) -> Job | None:
        """A job to be looked at, that is in no queue."""
        if not isinstance(found, Entry):
            return None
        return Job(found.handle, self.functions.kept(found.function), found.unique, b"", b"")

    # -- small ------------------------------------------------------------------------------------------------

    def _ask(self, request: stores.Request, then: Then) -> None:
        self.requests.append((request, then))

    def _ask_for_entry(self, request: stores.Fetch | stores.Probe, then: Callable[[Entry | None, int], None]) -> None:
        """Ask for a live job, and take one that ended since for none."""
        self._ask(request, lambda entry, now: then(None if entry and entry.handle in self._ending else entry, now))

    def _tell_end(self, finish: stores.Finish) -> None:
        handle = finish.result.handle
        self._ending.add(handle)
        self._ask(finish, lambda answer, now: self._ending.discard(handle))

    def _policy(self, function: Function | None) -> FunctionPolicy:
        found = self._policies.get(function.name) if function else None
        return found or self._policies.get(b"") or _DEFAULT

    def _keep_until(self, function: Function | None, wall_s: int) -> int:
        """How long it is kept how a job of the function ended; 0: not at all."""
        keep_s = self._policy(function).keep_s
        return wall_s + keep_s if keep_s else 0

    def _wall_s(self, now: int) -> int:
        return int(now / NS + self._wall_offset_s)


_DEFAULT: Final = FunctionPolicy()


def ignore(answer: Any, now: int) -> None:
    pass

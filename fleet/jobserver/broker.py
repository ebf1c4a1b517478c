"""The queue: which job goes to which worker, and who hears of it.

Rule 1: every change of a job's state is made in this file, and a transition is complete when its method returns.
Rule 2: no clock, socket, file or log here. Time comes in as `now` (nanoseconds, monotonic), handles from
`new_handle`; what other peers must hear goes to them through `Peer`'s methods.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fleet.jobserver.agenda import Agenda
from fleet.jobserver.fields import coalescing_key, uint32
from fleet.jobserver.job import NONE_YET, NORMAL, Function, Job, Peer
from fleet.jobserver.pending import Pending
from fleet.jobserver.refusal import Refusal
from fleet.jobserver.schedule import Schedule
from fleet.jobserver.stores import End, Swept
from fleet.jobserver.tally import MS
from fleet.jobserver.workforce import NEVER, Workforce
from fleet.protocol import Data
from fleet.protocol.packets import WORK_COMPLETE, WORK_EXCEPTION, WORK_FAIL
from fleet.settings import ServerLimits

CANCELLED: Final = End.CANCELLED
COMPLETED: Final = End.COMPLETED  # an enumeration's member takes ten times as long to look up
ENDS: Final = {WORK_COMPLETE: COMPLETED, WORK_FAIL: End.FAILED, WORK_EXCEPTION: End.FAILED}
WALL_NS: Final = 1_000_000_000  # how often the wall clock is looked at while jobs wait for it: it may jump


class Broker(Workforce):
    """All jobs, functions and peers of one job server.

    Args:
        new_handle: makes a job handle, unique for ever, of at most 63 bytes.
        limits, job_retries, worker_wakeup: see `ServerSettings`.
    """

    __slots__ = (
        "_deadlines",
        "_job_retries",
        "_later",
        "_most_function_bytes",
        "_most_jobs",
        "_most_queued_bytes",
        "_most_unique_bytes",
        "_new_handle",
        "_schedules",
        "_unplanned",
        "dead_letter",
        "jobs",
        "queued_bytes",
    )

    def __init__(
        self,
        new_handle: Callable[[], bytes],
        limits: ServerLimits | None = None,
        *,
        job_retries: int = -1,
        worker_wakeup: int = 1,
    ) -> None:
        limits = limits or ServerLimits()
        super().__init__(limits, worker_wakeup)
        self.jobs: dict[bytes, Job] = {}  # live jobs by handle
        self.queued_bytes = 0  # workloads of all live jobs
        self.dead_letter: Swept | None = None  # of the store, as it was lately; None: there is no store
        self._new_handle = new_handle
        self._job_retries = job_retries
        self._most_jobs = limits.jobs
        self._most_queued_bytes = limits.queued_bytes
        self._most_unique_bytes = limits.unique_bytes
        self._most_function_bytes = limits.function_bytes
        self._deadlines = Agenda()  # running jobs by when their worker's time is over; ns, monotonic
        self._later = Agenda()  # jobs by when they may begin; seconds since 1970
        self._schedules: dict[Job, Schedule] = {}  # of jobs that come again
        self._unplanned: set[Job] = set()  # of those, which do not know when, because only `tick` knows the wall clock

    def __repr__(self) -> str:
        return f"<Broker {len(self.jobs)} jobs, {len(self.functions)} functions, {len(self.peers)} peers>"

    # -- peers ------------------------------------------------------------------------------------------------

    def leave(self, peer: Peer, now: int) -> None:
        """The connection is gone: its jobs go back to their queues, and what only it waited for is dropped."""
        self.peers.pop(peer, None)
        self._lingering.pop(peer, None)
        self.reset_abilities(peer, now)
        for job in list(peer.holding.values()):
            self._orphaned(job, now)
        for job in list(peer.listening):
            job.listeners = tuple(listener for listener in job.listeners if listener is not peer)
            self._drop_if_unwanted(job)
        peer.listening.clear()

    # -- workers ----------------------------------------------------------------------------------------------

    def grab(self, peer: Peer, now: int) -> Job | None:
        """The next job for this worker, which now holds it; None if there is none for it."""
        peer.asleep = False
        woken_for = peer.woken_for
        if woken_for:
            woken_for.woken -= 1
            peer.woken_for = None
            del self._woken[peer]
        job = self._take(peer, now)
        if woken_for and (job is None or job.function is not woken_for):
            self._call(woken_for)  # it was to do another job than it took: that one still needs somebody
        return job

    def _take(self, peer: Peer, now: int) -> Job | None:
        if not self._may_hold_more(peer):
            return None
        function, priority = self._next_function(peer)
        if function is None:
            return None
        queue = function.queues[priority]
        job = queue.take()
        if not queue.entries:
            del self._ready[priority][function]
        self._turn += 1
        function.turn = self._turn
        function.queued -= 1
        self._assign(job, peer, now)
        return job

    def _assign(self, job: Job, peer: Peer, now: int) -> None:
        function = job.function
        function.running += 1
        function.tally.waits[((now - job.since) // MS).bit_length()] += 1
        job.since = now
        job.worker = peer
        peer.holding[job.handle] = job
        if timeout_ns := function.workers.get(peer):
            self._deadlines.set(job, now + timeout_ns)
            self.due = min(self.due, now + timeout_ns)

    def resume(self, peer: Peer, handle: bytes, now: int) -> bool | Pending[bool]:
        """A worker has lost its connection and gone on with a job: it is that worker's again, if nobody else has it.

        False: it is not, or there is no such job any more.
        """
        job = self.jobs.get(handle)
        if job is None:
            return False
        if job.worker is None and not job.pending and self._may_hold_more(peer):
            self._withdraw(job, for_good=False)
            self._assign(job, peer, now)
        return job.worker is peer

    # -- clients ----------------------------------------------------------------------------------------------

    def submit(
        self,
        peer: Peer,
        name: bytes,
        unique: bytes,
        workload: Data,
        now: int,
        *,
        priority: int = NORMAL,
        background: bool = False,
        reducer: bytes = b"",
        epoch_s: int = 0,
        schedule: Schedule | None = None,
    ) -> Job:
        """Queue a job, or attach to the live one of the same function and unique. An empty unique never attaches.

        If the job is `pending`, the peer is told no more than what that settles to.

        The unique ``-`` stands for the workload itself: equal workloads attach.

        Args:
            background: nobody waits for it; it runs to its end whoever leaves.
            reducer: see `Job`.
            epoch_s: not before so many seconds since 1970.
            schedule: at its next time, and when it has ended, again. For background jobs; they attach to none but such.

        Raises:
            Refusal: a name is too long, a queue is full, or too many wait for the job.
        """
        function, key = self._place(name, unique, workload, reducer, schedule)
        job = function.uniques.get(key) if key else None
        if job is None:
            job = self._create(function, unique, key, workload, priority, reducer)
            if schedule:
                self._plan(job, schedule, now)
            else:
                self._line_up(job, epoch_s, now)
        if background:
            job.background = True  # from now on it runs to its end, whoever leaves
        else:
            self._listen(job, peer)
        return job

    def _place(
        self, name: bytes, unique: bytes, workload: Data, reducer: bytes, schedule: Schedule | None
    ) -> tuple[Function, bytes]:
        """The function, and what the job coalesces by there; raises as `submit`."""
        if len(unique) > self._most_unique_bytes:
            raise Refusal(b"ARGUMENT_TOO_LARGE", b"Unique value too large")
        if len(reducer) > self._most_function_bytes:
            raise Refusal(b"ARGUMENT_TOO_LARGE", b"Reducer name too large")
        return self.functions.named(name), coalescing_key(unique, workload, scheduled=schedule is not None)

    def _listen(self, job: Job, peer: Peer) -> None:
        if job.listeners and len(job.listeners) >= self.limits.listeners:
            raise Refusal(b"QUEUE_ERROR", b"Too many wait for this job already")
        job.listeners += (peer,)
        peer.listening[job] = None

    def _create(
        self, function: Function, unique: bytes, key: bytes, workload: Data, priority: int, reducer: bytes
    ) -> Job:
        size = len(workload)
        most = function.max_jobs[priority]
        if len(self.jobs) >= self._most_jobs or (most and function.jobs >= most):
            raise Refusal(b"QUEUE_ERROR", b"Job queue is full")
        if self.queued_bytes + size > self._most_queued_bytes:
            raise Refusal(b"QUEUE_ERROR", b"Job queue is full")
        job = Job(self._new_handle(), function, unique, key, workload)
        job.priority = priority
        job.reducer = reducer
        self._remember(job)
        function.tally.submitted += 1
        return job

    def _remember(self, job: Job) -> None:
        self.jobs[job.handle] = job
        self.queued_bytes += len(job.workload)
        if job.key:
            job.function.uniques[job.key] = job

    def find(self, handle: bytes) -> Job | Pending[Job | None] | None:
        """The live job of this handle."""
        return self.jobs.get(handle)

    def find_unique(self, unique: bytes) -> Job | Pending[Job | None] | None:
        """A live job with this unique, in any function."""
        if unique:
            for function in self.functions.values():
                if job := function.uniques.get(unique):
                    return job
        return None

    def cancel(self, handle: bytes, now: int) -> bool | Pending[bool]:
        """End a job as failed; what a worker still says of it is swallowed. False: there is no such job."""
        job = self.jobs.get(handle)
        if job is None:
            return False
        if job.worker:
            job.worker.revoke(job)
        self._fail(job, End.CANCELLED, now)
        return True

    # -- results ----------------------------------------------------------------------------------------------

    def work(self, peer: Peer, kind: int, handle: bytes, data: Data, now: int) -> bool:
        """WORK_DATA, WARNING, COMPLETE, FAIL or EXCEPTION from a worker, passed on to those who wait.

        The last three end the job. False: the job is not, and never was, this worker's.
        """
        job = peer.holding.get(handle)
        if job is None:
            return handle in peer.released
        if kind in ENDS:
            peer.done = True
            self._end(job, ENDS[kind], now)
        self._tell(job, kind, data)
        return True

    def progress(self, peer: Peer, handle: bytes, numerator: bytes, denominator: bytes) -> bool:
        """WORK_STATUS from a worker. False: the job is not, and never was, this worker's."""
        job = peer.holding.get(handle)
        if job is None:
            return handle in peer.released
        job.progress = uint32(numerator), uint32(denominator)
        for listener in job.listeners:
            listener.progress(job, numerator, denominator)
        return True

    def _tell(self, job: Job, kind: int, data: Data) -> None:
        for listener in job.listeners:
            listener.news(kind, job, data)

    # -- a job's ways -----------------------------------------------------------------------------------------

    def _line_up(self, job: Job, epoch_s: int, now: int) -> None:
        """Into its queue, or on the agenda if it is for later."""
        if epoch_s > 0:
            job.function.waiting += 1
            self._later.set(job, epoch_s)
            self.due = now  # it may have come already: `tick` knows the wall clock
        else:
            self._enqueue(job, now)

    def _enqueue(self, job: Job, now: int) -> None:
        function = job.function
        job.since = now
        function.queues[job.priority].append(job)
        function.queued += 1
        self._ready[job.priority][function] = None
        self._call(function)

    def _release(self, job: Job) -> None:
        """Take a running job away from its worker."""
        peer = job.worker
        assert peer is not None
        job.worker = None
        job.function.running -= 1
        if self._deadlines.entries:
            self._deadlines.drop(job)
        del peer.holding[job.handle]
        peer.released.append(job.handle)
        if peer.asleep:
            self._relieved(peer)

    def _orphaned(self, job: Job, now: int) -> None:
        """The worker that ran it is gone."""
        self._put_back(job, now)

    def _overdue(self, job: Job, now: int) -> None:
        """The time that its worker has for it is over."""
        self._put_back(job, now)

    def _put_back(self, job: Job, now: int) -> None:
        """A running job that lost its worker goes to the tail of its queue, if it is wanted and may try again."""
        job.retries += 1
        if 0 <= self._job_retries <= job.retries:
            self._give_up(job, now)
            return
        self._release(job)
        job.progress = NONE_YET
        if job.background or job.listeners:
            job.function.tally.retried += 1
            self._enqueue(job, now)
        else:
            self._drop(job)

    def _drop_if_unwanted(self, job: Job) -> None:
        """A job that only needed a listener, and has none left, is dropped; a running one goes on."""
        if job.worker is None and not job.listeners and not job.background:
            self._withdraw(job)
            self._drop(job)

    def _drop(self, job: Job) -> None:
        job.function.tally.cancelled += 1
        self._forget(job)

    def _end(self, job: Job, end: End, now: int) -> None:
        tally = job.function.tally
        schedule = self._schedules.pop(job, None) if self._schedules else None
        workload = job.workload
        if job.worker:
            tally.runs[((now - job.since) // MS).bit_length()] += 1
            self._release(job)
        else:
            self._withdraw(job)
        self._forget(job)
        if end is COMPLETED:
            tally.completed += 1
        else:
            tally.ended(end)
        if schedule and end is not CANCELLED:
            self._come_again(job, workload, schedule, now)
        for listener in job.listeners:
            listener.listening.pop(job, None)

    def _come_again(self, ended: Job, workload: Data, schedule: Schedule, now: int) -> None:
        """The next job of a schedule takes the place of the one that has ended, under its handle."""
        job = Job(ended.handle, ended.function, ended.unique, ended.key, workload)
        job.priority, job.background = ended.priority, True
        self._remember(job)
        job.function.tally.submitted += 1
        self._plan(job, schedule, now)

    def _plan(self, job: Job, schedule: Schedule, now: int) -> None:
        self._schedules[job] = schedule
        self._unplanned.add(job)
        self._line_up(job, 1, now)

    def _give_up(self, job: Job, now: int) -> None:
        """It lost its worker too often."""
        self._fail(job, End.FAILED, now)

    def _fail(self, job: Job, end: End, now: int) -> None:
        self._end(job, end, now)
        self._tell(job, WORK_FAIL, b"")

    def _withdraw(self, job: Job, *, for_good: bool = True) -> None:
        """Take a job that nobody holds out of its queue, or off the agenda; unless `for_good`, it may come back."""
        function = job.function
        if job in self._later:
            self._unplanned.discard(job)
            self._later.drop(job)
            function.waiting -= 1
            return
        queue = function.queues[job.priority]
        if for_good:
            queue.withdraw(job)
        else:
            queue.remove(job)
        function.queued -= 1
        if not queue:
            del self._ready[job.priority][function]

    def _forget(self, job: Job) -> None:
        del self.jobs[job.handle]
        self.queued_bytes -= len(job.workload)
        job.workload = b""
        if job.key:
            del job.function.uniques[job.key]

    # -- time -------------------------------------------------------------------------------------------------

    def tick(self, now: int, wall_s: float = 0.0) -> int | None:
        """Do what is due at `now`, which is `wall_s` seconds since 1970; return nanoseconds until the next deadline.

        None: there is none.
        """
        self.wake(now)
        while self._lingering and (peer := next(iter(self._lingering))).lingers_since + self._linger_ns <= now:
            self.settle(peer, now)
        while self._woken and (peer := next(iter(self._woken))).woken_at + self._wake_ns <= now:
            self._came(peer)  # it did not
        for job in self._deadlines.due(now):
            if job.worker:
                job.worker.revoke(job)
            self._overdue(job, now)
        for job in self._later.due(int(wall_s)):
            if job in self._unplanned:
                self._unplanned.discard(job)
                self._later.set(job, self._schedules[job].after(int(wall_s)))
                continue
            job.function.waiting -= 1
            self._enqueue(job, now)
        self.wake(now)
        self.due = self._next_due(now)
        return max(0, self.due - now) if self.due < NEVER else None

    def _next_due(self, now: int) -> int:
        due = now + WALL_NS if self._later else NEVER
        if self._woken:
            due = min(due, next(iter(self._woken)).woken_at + self._wake_ns)
        if self._lingering:
            due = min(due, next(iter(self._lingering)).lingers_since + self._linger_ns)
        if (deadline := self._deadlines.next()) is not None:
            due = min(due, deadline)
        return due

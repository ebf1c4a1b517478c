"""The queue with a store behind it: a background job that was acknowledged outlives the server.

Rule 1: a background submit is `pending` until the store has said that it keeps the job; only then is its handle told,
and only then may a worker have it. Rule 2: whatever ends a kept job is told to the store before anything else is done
about it. Rule 3: foreground jobs never touch the store, unless they share their unique with a job that it may have;
where they pass in great numbers (`_take`, `work`), the broker's own method is called by its class: `super()` over three
classes takes longer than what is decided here.
"""

from __future__ import annotations

from typing import Any

from fleet.jobserver import stores
from fleet.jobserver.asked import AskedBroker
from fleet.jobserver.broker import Broker
from fleet.jobserver.fields import SCHEDULED
from fleet.jobserver.functions import RESERVED
from fleet.jobserver.job import NONE_YET, NORMAL, Function, Job, Peer
from fleet.jobserver.pending import Pending
from fleet.jobserver.question import Question, read_order, senseless
from fleet.jobserver.refusal import Refusal
from fleet.jobserver.retries import after_death, after_failure, again, with_error
from fleet.jobserver.schedule import Schedule
from fleet.jobserver.stores import End, Entry, Exists, Refused, Result
from fleet.jobserver.terms import AT_ONCE, Terms
from fleet.jobserver.window import HORIZON_S, Kept, ignore
from fleet.protocol import Data
from fleet.protocol.kept import SUBMIT
from fleet.protocol.packets import WORK_COMPLETE, WORK_DATA, WORK_EXCEPTION, WORK_FAIL


class DurableBroker(AskedBroker):
    """A broker with a store. The arguments are those of `WindowBroker`."""

    __slots__ = ()

    # -- submits ----------------------------------------------------------------------------------------------

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
        terms: Terms = AT_ONCE,
    ) -> Job:
        if name in RESERVED:
            return self._answer(peer, name, unique, workload, background, now)
        function, key = self._place(name, unique, workload, reducer, schedule)
        if not background and not key:  # nothing that is kept can answer it
            alone = self._create(function, unique, key, workload, priority, reducer)
            self._line_up(alone, 0, now)
            self._listen(alone, peer)
            return alone
        terms = self._terms(terms, epoch_s, schedule, now)
        if background and self.stored >= self.limits.stored_jobs:
            raise Refusal(b"QUEUE_ERROR", b"Job queue is full")
        job = function.uniques.get(key) if key else None
        is_new = job is None
        if job is None:
            job = self._create(function, unique, key, workload, priority, reducer)
            self._look_in_cache(job, terms, now)
        if not background:
            self._listen(job, peer)
        if job in self._looking:
            self._looking[job] = self._looking[job] or (terms if background else None)
        elif background and job not in self._kept:
            self._keep(job, terms, now, has_place=not is_new and job not in self._outside)
        elif is_new and key and function.backlog:
            self._look_in_store(job)
        elif is_new:
            self._line_up(job, epoch_s, now)
        return job

    def _terms(self, terms: Terms, epoch_s: int, schedule: Schedule | None, now: int) -> Terms:
        if schedule:
            return terms._replace(run_at=schedule.after(self._wall_s(now)), schedule=schedule.text)
        return terms._replace(run_at=epoch_s) if epoch_s else terms

    def _keep(self, job: Job, terms: Terms, now: int, *, has_place: bool = False) -> None:
        """Have the store keep a background job; one that has its place already was in the foreground until now."""
        entry = Entry(
            handle=job.handle,
            function=job.function.name,
            workload=job.workload,
            unique=job.unique,
            key=job.key,
            priority=job.priority,
            reducer=job.reducer,
            submitted=self._wall_s(now),
            run_at=terms.run_at,
            expires=terms.expires,
            max_attempts=terms.attempts,
            schedule=terms.schedule,
        )
        if not has_place:
            self._put_outside(job)
        if not job.listeners:
            job.background = True
        kept = self._kept[job] = Kept(entry, claimed=has_place or self._has_room(job.function, entry, now))
        job.pending = job.pending or Pending()
        if entry.expires:
            self._mortal.add(job)
        if not kept.claimed:
            self._count(entry, 1)
        self._put(job, kept)

    def _put(self, job: Job, kept: Kept) -> None:
        put = stores.Put(kept.entry, kept.claimed)
        self._ask(put, lambda answer, now: self._put_answered(job, kept, answer, now))

    def _has_room(self, function: Function, entry: Entry, now: int) -> bool:
        """Whether a new job can stay in memory: there is room in the window, and nobody before it."""
        if entry.run_at:
            is_soon = entry.run_at <= self._wall_s(now) + HORIZON_S
            return is_soon and len(self._later) < self.limits.window and self._room_for_due() > 1
        backlog = function.backlog
        if backlog and backlog.ready[entry.priority]:
            return False
        here = len(function.queues[entry.priority]) + function.waiting  # the job itself is one of the waiting
        return here <= 1 or (here <= self.limits.window and self._room_bytes() > 1)

    def _put_answered(self, job: Job, kept: Kept, answer: Any, now: int) -> None:
        if job.handle not in self.jobs:  # it ended meanwhile, and the store will hear of that
            _settle(job, job.handle)
            return
        if isinstance(answer, Exists):
            self._is_there(job, kept, answer.handle, now)
            return
        pending, job.pending = job.pending, None
        assert pending is not None
        if isinstance(answer, Refused):
            pending.settle(Refusal(b"QUEUE_ERROR", answer.reason.encode()))
            self._not_kept(job, kept, now)
        else:
            job.background = True
            pending.settle(job.handle)
            if job in self._outside:
                self._admit(job, kept, now)

    def _admit(self, job: Job, kept: Kept, now: int) -> None:
        """A new job that is kept goes to its queue, or is left to the store, unless somebody waits for it."""
        if kept.claimed:
            self._put_inside(job, kept.entry.run_at, now)
        elif job.listeners:
            self._ask(stores.Fetch(job.handle), lambda entry, now: self._fetched(job, now))
        else:
            self._leave_to_store(job)

    def _fetched(self, job: Job, now: int) -> None:
        if job in self._outside:  # else it was claimed with others of its queue
            self._claim_in_place(job, now)

    def _not_kept(self, job: Job, kept: Kept, now: int) -> None:
        """The store did not take it: it is a foreground job, if anybody waits for it, or nothing."""
        del self._kept[job]
        if not kept.claimed:
            self._count(kept.entry, -1)
        job.background = False
        if job in self._outside and job.listeners:
            self._put_inside(job, 0, now)
        elif job.worker is None and not job.listeners:
            self._discard(job)

    def _is_there(self, job: Job, kept: Kept, handle: bytes, now: int) -> None:
        """The store has a live job with this key: that is the one, and whoever waits for ours waits for it."""
        if not job.listeners or job not in self._outside:
            _settle(job, handle)
            self._not_kept(job, kept, now)
            return

        def fetched(entry: Entry | None, now: int) -> None:
            if job.handle not in self.jobs:  # it was cancelled meanwhile
                _settle(job, job.handle)
                self._take_up(entry, now)
            elif entry is None:  # the other one ended meanwhile
                self._put(job, kept)
            else:
                listeners = self._discard(job)
                _settle(job, handle)
                self._adopt(self._materialized(entry, now), listeners)

        self._ask_for_entry(stores.Fetch(handle), fetched)

    def _discard(self, job: Job) -> tuple[Peer, ...]:
        """Take back a job that never was; returns who waited for it."""
        kept = self._kept.pop(job, None)
        if kept and not kept.claimed:
            self._count(kept.entry, -1)
        listeners, job.listeners = job.listeners, ()
        for listener in listeners:
            listener.listening.pop(job, None)
        self._withdraw(job)
        self._forget(job)
        job.function.tally.submitted -= 1
        return listeners

    def _answer(self, peer: Peer, name: bytes, unique: bytes, workload: Data, background: bool, now: int) -> Job:
        if name == SUBMIT.encode() and not background:
            return self._submit_on_terms(peer, unique, workload, now)
        return super()._answer(peer, name, unique, workload, background, now)

    def _submit_on_terms(self, peer: Peer, unique: bytes, workload: Data, now: int) -> Job:
        """Submit the background job that the workload describes, and answer with its handle once it is kept."""
        order, payload = read_order(workload)
        question = Question(peer, SUBMIT.encode(), self._number(), order)
        function = question.text("function") or b""
        if function in RESERVED:
            raise senseless("function is one of yours")
        schedule, terms = question.terms(self._wall_s(now))
        how: dict[str, Any] = {"priority": question.priority(), "schedule": schedule, "terms": terms}
        job = self.submit(peer, function, unique, payload, now, background=True, **how)
        pending = job.pending
        if pending is None:  # it was there before; the answer must not come before JOB_CREATED all the same
            self._ask(stores.Look(job.handle), lambda _, now: question.answer(job.handle))
        else:
            pending.then(lambda found: question.refuse(found) if isinstance(found, Refusal) else question.answer(found))
        return question.job

    # -- foreground submits that a kept job may answer ----------------------------------------------------------

    def _look_in_cache(self, job: Job, terms: Terms, now: int) -> None:
        """See whether the store has a result with the key of this new job fresh enough to answer it, if one may."""
        cache_s = self._policy(job.function).cache_s if job.key and not terms.run_at else 0
        if not cache_s:
            return
        job.pending = Pending()
        self._put_outside(job)
        self._looking[job] = None
        since = self._wall_s(now) - cache_s

        def looked(result: Result | None, now: int) -> None:
            terms = self._looking.pop(job)
            if job.handle not in self.jobs:  # it was cancelled meanwhile
                _settle(job, job.handle)
            elif result:
                _settle(job, result.handle)
                self.tell_result(self._discard(job), result)
            elif terms:
                self._keep(job, terms, now)
            else:
                self._look_in_store(job)

        self._ask(stores.LookUnique(job.function.name, job.key, since), looked)

    def _look_in_store(self, job: Job) -> None:
        """See whether the store has a live job with the key of this new foreground job."""
        job.pending = job.pending or Pending()
        self._put_outside(job)

        def looked(entry: Entry | None, now: int) -> None:
            if job in self._kept:  # a background submit came meanwhile: its answer decides
                self._take_up(entry, now)
                return
            if entry and job.handle in self.jobs:
                listeners = self._discard(job)
                _settle(job, entry.handle)
                self._adopt(self._materialized(entry, now), listeners)
                return
            _settle(job, job.handle)
            self._take_up(entry, now)
            if job in self._outside:
                self._put_inside(job, 0, now)
                self._drop_if_unwanted(job)

        self._ask_for_entry(stores.Probe(job.function.name, job.key), looked)

    def _take_up(self, entry: Entry | None, now: int) -> None:
        """A job that was asked for, and so is claimed now, whatever it was asked for."""
        if entry:
            self._materialized(entry, now)

    def _drop_if_unwanted(self, job: Job) -> None:
        if job.pending is None:  # else the store's answer comes first
            super()._drop_if_unwanted(job)

    def _take(self, peer: Peer, now: int) -> Job | None:
        job = Broker._take(self, peer, now)
        while (self._kept or self.stored) and job is not None:
            self._refill(job.function, job.priority)
            kept = self._kept.get(job)
            if kept:
                self._begun(kept, now)
            if kept is None or not 0 < kept.entry.expires <= self._wall_s(now):
                break
            self._expire(job, kept, now)
            job = Broker._take(self, peer, now)
        return job

    def _look_around(self, now: int) -> None:
        """As the window's; and end the jobs in memory that nobody began in time."""
        super()._look_around(now)
        wall_s = self._wall_s(now)
        for job in list(self._mortal):
            kept = self._kept.get(job)
            if kept is None:
                self._mortal.discard(job)
            elif kept.claimed and job not in self._outside and not job.worker and kept.entry.expires <= wall_s:
                self._expire(job, kept, now)

    def _expire(self, job: Job, kept: Kept, now: int) -> None:
        self._close(job, kept, End.EXPIRED, b"", now)
        self._fail(job, End.EXPIRED, now)

    # -- how jobs end -----------------------------------------------------------------------------------------

    def work(self, peer: Peer, kind: int, handle: bytes, data: Data, now: int) -> bool:
        if not self._kept or (job := peer.holding.get(handle)) is None or (kept := self._kept.get(job)) is None:
            return Broker.work(self, peer, kind, handle, data, now)
        if kind == WORK_DATA:
            kept.add(data, self.limits.result_bytes)
        elif kind == WORK_COMPLETE:
            kept.add(data, self.limits.result_bytes)
            self._close(job, kept, End.COMPLETED, b"".join(kept.parts), now)
        elif kind in (WORK_FAIL, WORK_EXCEPTION):
            error = bytes(data).decode("utf-8", "replace")
            verdict = after_failure(kept.entry, error, self._policy(job.function), self._wall_s(now), self._chance())
            if isinstance(verdict, Entry):
                self._try_again(job, kept, verdict, now)
                return True
            kept.entry = with_error(kept.entry, error)._replace(failures=kept.entry.failures + 1)
            self._close(job, kept, verdict, bytes(data), now)
            self._end(job, verdict, now)
            self._tell(job, kind, data)
            return True
        return super().work(peer, kind, handle, data, now)

    def _try_again(self, job: Job, kept: Kept, entry: Entry, now: int) -> None:
        """A failed job waits for its next attempt; those who wait for its result wait on."""
        self._release(job)
        job.function.tally.retried += 1
        job.retries += 1
        job.progress = NONE_YET
        kept.entry, kept.parts, kept.size = entry, [], 0
        if job.listeners or len(self._later) < self.limits.window:
            self._ask(stores.Amend(entry), ignore)
            self._line_up(job, entry.run_at, now)
        else:
            self._ask(stores.Postpone(entry), ignore)
            self._count(entry, 1)
            del self._kept[job]
            self._forget(job)

    def leave(self, peer: Peer, now: int) -> None:
        was_worker = bool(peer.functions or peer.holding)
        handles = [job.handle for job in peer.holding.values() if job in self._kept]
        super().leave(peer, now)
        if was_worker:
            workers_left = sum(1 for other in self.peers if other.functions)
            for handle in self._deaths.died(handles, workers_left, now):
                self._forgive(handle)

    def _orphaned(self, job: Job, now: int) -> None:
        self._lost_worker(job, "died", now)

    def _overdue(self, job: Job, now: int) -> None:
        self._lost_worker(job, "ran out of time", now)

    def _lost_worker(self, job: Job, how: str, now: int) -> None:
        kept = self._kept.get(job)
        if kept is None:
            self._put_back(job, now)
            return
        verdict = after_death(kept.entry, self._policy(job.function), f"its worker {how}")
        if isinstance(verdict, Entry):
            kept.entry, kept.parts, kept.size = verdict, [], 0
            self._ask(stores.Amend(verdict), ignore)
            self._put_back(job, now)
        else:
            kept.entry = kept.entry._replace(deaths=kept.entry.deaths + 1)
            self._poison(job, kept, f"{kept.entry.deaths} workers {how} with it", now)

    def _forgive(self, handle: bytes) -> None:
        job = self.jobs.get(handle)
        kept = self._kept.get(job) if job else None
        if kept and kept.entry.deaths:
            kept.entry = kept.entry._replace(deaths=kept.entry.deaths - 1, errors=kept.entry.errors[:-1])
            self._ask(stores.Amend(kept.entry), ignore)

    def _give_up(self, job: Job, now: int) -> None:
        kept = self._kept.get(job)
        if kept:
            self._poison(job, kept, f"it lost its worker {job.retries} times", now)
        else:
            super()._give_up(job, now)

    def _poison(self, job: Job, kept: Kept, why: str, now: int) -> None:
        kept.entry = with_error(kept.entry, why)
        self._close(job, kept, End.DEAD, why.encode(), now)
        self._fail(job, End.DEAD, now)

    def cancel(self, handle: bytes, now: int) -> bool | Pending[bool]:
        job = self.jobs.get(handle)
        if job is None and self.stored:
            return self._cancel_stored(handle, now)
        if job and (kept := self._kept.get(job)):
            self._close(job, kept, End.CANCELLED, b"", now)
        return super().cancel(handle, now)

    def _close(self, job: Job, kept: Kept, end: End, data: bytes, now: int) -> None:
        """Tell the store that a job has ended; the queue's side of it is the caller's."""
        del self._kept[job]
        if not kept.claimed:
            self._count(kept.entry, -1)
        wall_s = self._wall_s(now)
        result = Result(job.handle, job.function.name, kept.entry.key.removeprefix(SCHEDULED), end, data, wall_s)
        too_large = end is End.COMPLETED and kept.size > self.limits.result_bytes
        keep_until = 0 if too_large else self._keep_until(job.function, wall_s)
        if kept.entry.schedule and end is not End.CANCELLED:
            self._come_later(job, stores.Again(result, keep_until, again(kept.entry, wall_s)))
        else:
            self._tell_end(stores.Finish(result, keep_until, kept.entry if end is End.DEAD else None))

    def _come_later(self, job: Job, request: stores.Again) -> None:
        """The next time of a schedule is left to the store, whatever became of this one."""
        self._count(request.entry, 1)
        job.function.tally.submitted += 1
        self._ask(request, ignore)


def _settle(job: Job, handle: bytes) -> None:
    """Tell whoever submitted it, unless they were told already."""
    pending, job.pending = job.pending, None
    if pending:
        pending.settle(handle)

"""The queue as a machine: whatever happens in whatever order, these stay true."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from fleet.jobserver.job import HIGH, LOW, NORMAL
from fleet.jobserver.refusal import Refusal
from fleet.protocol.packets import WORK_DATA, WORK_FAIL
from tests.jobserver.queue import (
    EACH_MINUTE,
    FINAL,
    MS,
    SECOND,
    Recorder,
    make_broker,
)

NAMES = st.sampled_from([b"f", b"g", b"h"])
UNIQUES = st.sampled_from([b"", b"", b"u", b"v", b"-"])


class BrokerMachine(RuleBasedStateMachine):
    """Clients and workers that do anything at any time, with a clock that only goes forward."""

    peers = Bundle("peers")

    def __init__(self) -> None:
        super().__init__()
        self.broker = make_broker(jobs=30, jobs_per_worker=3, job_retries=3)
        self.now = 0
        self.backgrounds: set[bytes] = set()
        self.retries: dict[bytes, int] = {}  # as last seen, by handle
        self.ended: set[bytes] = set()

    @rule(target=peers)
    def connect(self) -> Recorder:
        return Recorder(self.broker)

    @rule(peer=consumes(peers))
    def vanish(self, peer: Recorder) -> None:
        self.broker.leave(peer, self.now)

    @rule(peer=peers, name=NAMES, timeout_s=st.sampled_from([0, 0, 2]))
    def can_do(self, peer: Recorder, name: bytes, timeout_s: int) -> None:
        self.hear(peer)
        self.broker.can_do(peer, name, self.now, timeout_s * SECOND)

    @rule(peer=peers, name=NAMES)
    def cant_do(self, peer: Recorder, name: bytes) -> None:
        self.hear(peer)
        self.broker.cant_do(peer, name, self.now)

    @rule(peer=peers, name=NAMES, unique=UNIQUES, priority=st.sampled_from([HIGH, NORMAL, LOW]), bg=st.booleans())
    def submit(self, peer: Recorder, name: bytes, unique: bytes, priority: int, bg: bool) -> None:
        try:
            job = self.broker.submit(peer, name, unique, b"work", self.now, priority=priority, background=bg)
        except Refusal:
            return
        if bg:
            self.backgrounds.add(job.handle)

    @rule(peer=peers, name=NAMES, unique=UNIQUES, in_s=st.sampled_from([-5, 0, 1, 3]))
    def submit_for_later(self, peer: Recorder, name: bytes, unique: bytes, in_s: int) -> None:
        when = max(1, int(self.wall()) + in_s)
        try:
            job = self.broker.submit(peer, name, unique, b"work", self.now, background=True, epoch_s=when)
        except Refusal:
            return
        self.backgrounds.add(job.handle)

    @rule(peer=peers, name=NAMES, unique=UNIQUES)
    def submit_on_a_schedule(self, peer: Recorder, name: bytes, unique: bytes) -> None:
        try:
            self.broker.submit(peer, name, unique, b"work", self.now, background=True, schedule=EACH_MINUTE)
        except Refusal:
            return

    def wall(self) -> float:
        return self.now / SECOND

    @rule(peer=peers)
    def grab(self, peer: Recorder) -> None:
        self.hear(peer)
        could = any(f.queued for f in peer.functions) and len(peer.holding) < 3
        assert (self.broker.grab(peer, self.now) is not None) == could
        if not could:
            self.broker.linger(peer, self.now)

    def hear(self, peer: Recorder) -> None:
        """A packet of a worker comes: what it asked for before is answered first."""
        if peer.lingering:
            self.broker.settle(peer, self.now)

    @rule(peer=peers, data=st.data())
    def resume(self, peer: Recorder, data: st.DataObject) -> None:
        self.hear(peer)
        if self.broker.jobs:
            handle = data.draw(st.sampled_from(sorted(self.broker.jobs)))
            resumed = self.broker.resume(peer, handle, self.now)
            assert resumed == (handle in peer.holding)

    @rule(peer=peers)
    def sleep(self, peer: Recorder) -> None:
        self.hear(peer)
        self.broker.sleep(peer, self.now)

    @rule(peer=peers, kind=st.sampled_from([WORK_DATA, *FINAL]), data=st.data())
    def work(self, peer: Recorder, kind: int, data: st.DataObject) -> None:
        self.hear(peer)
        if peer.holding:
            handle = data.draw(st.sampled_from(sorted(peer.holding)))
            assert self.broker.work(peer, kind, handle, b"data", self.now)
            if kind in FINAL:
                self.ended.add(handle)

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        if self.broker.jobs:
            handle = data.draw(st.sampled_from(sorted(self.broker.jobs)))
            assert self.broker.cancel(handle, self.now)
            self.ended.add(handle)

    @rule(seconds=st.sampled_from([0.0005, 0.1, 0.6, 1.0, 2.5, 60.0]))
    def wait(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)
        due = self.broker.tick(self.now, self.wall())
        assert due is None or due > 0

    @invariant()
    def every_live_job_is_in_exactly_one_place(self) -> None:
        queued = [job for f in self.broker.functions.values() for queue in f.queues for job in queue]
        held = [job for peer in self.broker.peers for job in peer.holding.values()]
        waiting = [job for job in self.broker.jobs.values() if job in self.broker._later]
        assert sorted(job.handle for job in queued + held + waiting) == sorted(self.broker.jobs)
        assert all(job.worker is None for job in queued)
        assert all(job.worker is not None for job in held)
        for function in self.broker.functions.values():
            assert function.running == sum(job.function is function for job in held)
            assert function.queued == sum(job.function is function for job in queued)
            assert function.waiting == sum(job.function is function for job in waiting)
        assert self.broker.queued_bytes == sum(len(job.workload) for job in self.broker.jobs.values())

    @invariant()
    def nobody_lingers_for_long_or_beside_a_job_it_could_do(self) -> None:
        self.broker.wake(self.now)
        self.broker.tick(self.now, self.wall())
        for peer in (peer for peer in self.broker.peers if peer.lingering):
            assert self.now < peer.lingers_since + MS
            assert not any(function.queued for function in peer.functions)
        assert [peer.lingering for peer in self.broker.peers].count(True) == len(self.broker._lingering)

    @invariant()
    def nobody_sleeps_beside_a_job_that_no_one_was_woken_for(self) -> None:
        self.broker.wake(self.now)
        for function in self.broker.functions.values():
            assert function.woken == sum(peer.woken_for is function for peer in self.broker.peers)
            idle = [p for p in function.workers if p.asleep and len(p.holding) < 3]
            assert not idle or function.queued <= function.woken

    @invariant()
    def every_sleeper_is_listed_by_all_its_functions(self) -> None:
        for peer in self.broker.peers:
            assert set(peer.unlisted) <= set(peer.functions)
            assert all((peer in function.sleepers) != (function in peer.unlisted) for function in peer.functions)
            assert not (peer.asleep and peer.unlisted and len(peer.holding) < 3)

    @invariant()
    def a_wake_up_that_nobody_answers_lasts_a_second_at_most(self) -> None:
        self.broker.tick(self.now, self.wall())
        for peer in self.broker.peers:
            assert peer.woken_for is None or self.now < peer.woken_at + SECOND

    @invariant()
    def background_jobs_end_only_by_a_result_or_after_all_their_retries(self) -> None:
        self.retries |= {job.handle: job.retries for job in self.broker.jobs.values()}
        gone = self.backgrounds - self.ended - set(self.broker.jobs)
        assert all(self.retries[handle] >= 2 for handle in gone)

    @invariant()
    def every_job_is_counted_at_its_submit_and_at_its_end(self) -> None:
        tallies = [function.tally for function in self.broker.functions.values()]
        ended = sum(t.completed + t.failed + t.dead + t.expired + t.cancelled for t in tallies)
        assert sum(t.submitted for t in tallies) == ended + self.live()

    def live(self) -> int:
        return len(self.broker.jobs)

    @invariant()
    def listeners_and_their_jobs_know_each_other(self) -> None:
        for peer in self.broker.peers:
            assert all(peer in job.listeners and job.handle in self.broker.jobs for job in peer.listening)
        for job in self.broker.jobs.values():
            assert all(job in listener.listening for listener in job.listeners)

    @invariant()
    def queued_jobs_are_wanted(self) -> None:
        assert all(job.worker or job.background or job.listeners for job in self.broker.jobs.values())

    @invariant()
    def every_one_hears_of_an_end_once_for_each_submit(self) -> None:
        for peer in self.broker.peers:
            assert isinstance(peer, Recorder)
            for kind, handle, _ in (news for news in peer.heard if news[0] in FINAL):
                assert handle in self.ended or (kind == WORK_FAIL and self.retries[handle] >= 2)
                assert handle not in self.broker.jobs


TestBrokerMachine = BrokerMachine.TestCase
TestBrokerMachine.settings = settings(max_examples=60, stateful_step_count=60)

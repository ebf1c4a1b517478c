"""The queue with a store behind it as a machine: anything, in any order, with a store that takes its time."""

from __future__ import annotations

import json

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from fleet.jobserver.refusal import Refusal
from fleet.settings import ServerLimits
from tests.jobserver.broker.test_machine import UNIQUES, BrokerMachine
from tests.jobserver.house import Ack, House
from tests.jobserver.queue import Recorder


class DurableMachine(BrokerMachine):
    """As the broker's, with a store that takes its time."""

    def __init__(self) -> None:
        super().__init__()
        house = House(window=3, attempts=2)
        house.broker.limits = ServerLimits(window=3, window_bytes=4, jobs_per_worker=3)
        house.broker._job_retries = 3
        self.house = house
        self.broker = house.broker
        self.acks: list[Ack] = []

    @rule(count=st.integers(1, 3))
    def commit(self, count: int) -> None:
        self.house.now = self.now
        for _ in range(count):
            batch, self.house.broker.requests = self.house.broker.requests[:1], self.house.broker.requests[1:]
            answers = self.house.store.carry_out([request for request, _ in batch])
            for (_, then), answer in zip(batch, answers, strict=True):
                then(answer, self.now)

    @invariant()
    def every_live_job_is_in_exactly_one_place(self) -> None:
        broker = self.house.broker
        queued = [job for f in broker.functions.values() for queue in f.queues for job in queue]
        held = [job for peer in broker.peers for job in peer.holding.values()]
        later = [job for job in broker.jobs.values() if job in broker._later]
        outside = list(broker._outside)
        assert sorted(j.handle for j in queued + held + later + outside) == sorted(broker.jobs)
        for function in broker.functions.values():
            assert function.waiting == sum(job.function is function for job in later + outside)
            assert function.backlog is None or min(*function.backlog.ready, function.backlog.waiting) >= 0

    @invariant()
    def background_jobs_end_only_by_a_result_or_after_all_their_retries(self) -> None:
        """What the store has is compared at the end."""

    @invariant()
    def every_one_hears_of_an_end_once_for_each_submit(self) -> None:
        """Retries change when: see the tests above."""

    def live(self) -> int:
        twice = sum(not kept.claimed for kept in self.house.broker._kept.values())  # in memory, and counted as stored
        return super().live() + self.house.broker.stored - twice

    @invariant()
    def queued_jobs_are_wanted(self) -> None:
        jobs = self.broker.jobs.values()
        assert all(job.worker or job.background or job.listeners or job.pending for job in jobs)

    def teardown(self) -> None:
        self.house.now = self.now
        self.house.commit()
        broker, store = self.house.broker, self.house.store
        kept = set(store._jobs)
        in_memory = {job.handle for job in broker._kept}
        assert in_memory <= kept
        backlog = sum(f.backlog.total for f in broker.functions.values() if f.backlog)
        assert backlog == broker.stored == len(kept) - len(in_memory)
        unclaimed = len(store._waiting) + sum(map(len, store._ready.values()))
        assert unclaimed == backlog


TestDurableMachine = DurableMachine.TestCase


TestDurableMachine.settings = settings(max_examples=60, stateful_step_count=60)


class AskedMachine(DurableMachine):
    """As the durable broker's, with questions about its jobs, and jobs on terms of their own."""

    peers = BrokerMachine.peers

    def ask(self, peer: Recorder, name: bytes, unique: bytes, workload: bytes) -> None:
        try:
            self.broker.submit(peer, name, unique, workload, self.now)
        except Refusal:
            pass  # the queue is full

    def known(self) -> list[bytes]:
        store = self.house.store
        return sorted({*store._jobs, *store._dead, *store._results, b"H:none"})

    @rule(peer=peers, unique=UNIQUES, ttl=st.integers(0, 12), attempts=st.integers(0, 2))
    def submit_on_terms(self, peer: Recorder, unique: bytes, ttl: int, attempts: int) -> None:
        terms = {"function": "f", "ttl": ttl, "attempts": attempts, "at": int(self.wall()) + attempts}
        self.ask(peer, b"fleet.submit", unique, json.dumps(terms).encode() + b"\nwork")

    @rule(peer=peers, what=st.sampled_from(["jobs cancel", "dead retry", "dead purge"]), data=st.data())
    def change(self, peer: Recorder, what: str, data: st.DataObject) -> None:
        function, do = what.split()
        handle = data.draw(st.sampled_from(self.known())).decode()
        self.ask(peer, f"fleet.{function}".encode(), b"", json.dumps({"do": do, "handles": [handle]}).encode())

    @rule(peer=peers, data=st.data())
    def wait_for(self, peer: Recorder, data: st.DataObject) -> None:
        self.ask(peer, b"fleet.result", b"", data.draw(st.sampled_from(self.known())))

    @rule()
    def wait_until_it_looks_around(self) -> None:
        self.wait(11.0)

    @rule(peer=peers)
    def grab(self, peer: Recorder) -> None:
        """What is late is not handed out."""
        job = self.broker.grab(peer, self.now)
        kept = self.house.broker._kept.get(job) if job else None
        assert kept is None or not 0 < kept.entry.expires <= self.wall()


TestAskedMachine = AskedMachine.TestCase


TestAskedMachine.settings = settings(max_examples=60, stateful_step_count=60)

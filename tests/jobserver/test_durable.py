"""The queue with a store behind it, without a disk: what is acknowledged, when, and what becomes of it."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from fleet.jobserver import stores
from fleet.jobserver.durable import DurableBroker
from fleet.jobserver.job import Job, Peer
from fleet.jobserver.pending import Pending
from fleet.jobserver.refusal import Refusal
from fleet.jobserver.schedule import Schedule
from fleet.jobserver.stores import End, Entry, Refused, Result, Swept
from fleet.jobserver.stores.memory import MemoryStore
from fleet.protocol.packets import WORK_COMPLETE, WORK_DATA, WORK_EXCEPTION, WORK_FAIL
from fleet.settings import FunctionPolicy, ServerLimits
from tests.jobserver.test_broker import SECOND, BrokerMachine, Recorder, grabbed, peer


class House:
    """A broker, its store, and what was acknowledged."""

    def __init__(self, *, window: int = 1000, window_bytes: int = 1000, dead_jobs: int = 100, **policy: Any) -> None:
        numbers = itertools.count(1)
        self.store: Any = MemoryStore()
        self.broker = DurableBroker(
            lambda: b"H:test:%d" % next(numbers),
            ServerLimits(window=window, window_bytes=window_bytes, dead_jobs=dead_jobs),
            policies={"": FunctionPolicy(**{"backoff_most_s": 1.0, **policy})},
        )
        self.now = 0
        self.clock_s = 0.0  # how far the wall clock is ahead of `now`
        self.client: Recorder = peer(self.broker)

    def commit(self) -> None:
        """Have the store do all it was asked for."""
        while self.broker.requests:
            batch, self.broker.requests = self.broker.requests, []
            answers = self.store.carry_out([request for request, _ in batch])
            for (_, then), answer in zip(batch, answers, strict=True):
                then(answer, self.now)
        self.broker.wake(self.now)

    def submit(self, unique: bytes = b"", workload: bytes = b"w", name: bytes = b"f", **how: Any) -> Ack:
        how.setdefault("background", True)
        return Ack(self.broker.submit(how.pop("peer", self.client), name, unique, workload, self.now, **how))

    def worker(self, *names: bytes) -> Recorder:
        return peer(self.broker, *names or (b"f",))

    def finish(self, worker: Peer, job: Job, kind: int = WORK_COMPLETE, data: bytes = b"done") -> None:
        assert self.broker.work(worker, kind, job.handle, data, self.now)
        self.commit()

    def wait(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)
        self.broker.tick(self.now, self.now / SECOND + self.clock_s)
        self.commit()

    def look(self, handle: bytes) -> Any:
        return self.store.carry_out([stores.Look(handle)])[0]

    def dead(self) -> list[stores.Listed]:
        found: list[stores.Listed] = self.store.carry_out([stores.ListJobs(dead=True)])[0]
        return found

    def restart(self, wall_s: float = 0.0) -> House:
        """The same store with a new broker, as after a crash, at `wall_s` by the wall clock."""
        fresh = House(window=self.broker.limits.window)
        fresh.store = Reopened(self.store)
        fresh.broker.recovered(fresh.store.recover(), 0, wall_s)
        fresh.commit()
        return fresh


class Reopened:
    """A memory store as it would be found on disk: nothing in it is claimed."""

    def __init__(self, before: MemoryStore) -> None:
        self._store = MemoryStore()
        self._entries = [before._jobs[handle] for handle in before._jobs]

    def recover(self) -> dict[bytes, stores.Backlog]:
        backlogs: dict[bytes, stores.Backlog] = {}
        for entry in self._entries:
            self._store.carry_out([stores.Put(entry)])
            backlogs.setdefault(entry.function, stores.Backlog()).count(entry, 1)
        return backlogs

    def carry_out(self, batch: list[stores.Request]) -> list[Any]:
        return self._store.carry_out(batch)


class Ack:
    """What a client is told of its submit."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.told: bytes | Refusal | None = None
        if job.pending:
            job.pending.then(self._tell)
        else:
            self.told = job.handle

    def _tell(self, told: bytes | Refusal) -> None:
        self.told = told

    @property
    def is_told(self) -> bool:
        return self.told is not None

    @property
    def handle(self) -> bytes:
        assert isinstance(self.told, bytes)
        return self.told


@pytest.fixture
def house() -> House:
    return House()


# -- submits ----------------------------------------------------------------------------------------------------


def test_a_background_job_is_acknowledged_and_runs_only_once_it_is_kept(house: House) -> None:
    worker = house.worker()
    house.broker.sleep(worker, 0)
    ack = house.submit()
    assert not ack.is_told
    assert worker.noops == 0
    assert house.broker.grab(worker, 0) is None
    house.broker.sleep(worker, 0)
    house.commit()
    assert ack.handle == ack.job.handle
    assert worker.noops == 1
    assert grabbed(house.broker, worker) is ack.job


def test_a_foreground_job_never_meets_the_store(house: House) -> None:
    ack = house.submit(b"u", background=False)
    assert ack.told == ack.job.handle
    worker = house.worker()
    house.finish(worker, grabbed(house.broker, worker))
    assert all(isinstance(request, stores.Sweep) for request, _ in house.broker.requests)


def test_the_queue_has_all_its_attributes_in_slots(house: House) -> None:
    """Rule 3's other half: with more than thirty of them a dictionary makes every job cost more."""
    assert not hasattr(house.broker, "__dict__")


def test_a_job_that_the_store_has_no_room_for_is_refused(house: House) -> None:
    class Full(MemoryStore):
        def carry_out(self, batch: Any) -> list[Any]:
            return [
                Refused("the disk is full") if isinstance(r, stores.Put) else super(Full, self).carry_out([r])[0]
                for r in batch
            ]

    house.store = Full()
    ack = house.submit(b"u")
    waiting = house.submit(b"u", background=False)
    house.commit()
    assert isinstance(ack.told, Refusal)
    assert ack.told.args == (b"QUEUE_ERROR", b"the disk is full")
    assert isinstance(waiting.told, Refusal)
    alone = house.submit(b"v")
    house.commit()
    assert isinstance(alone.told, Refusal)
    assert not alone.job.listeners
    assert alone.job.handle not in house.broker.jobs


def test_equal_uniques_are_one_job_also_while_the_store_is_at_it(house: House) -> None:
    first, second = house.submit(b"u"), house.submit(b"u")
    assert second.told is None
    house.commit()
    assert first.told == second.told == house.submit(b"u").told


def test_f20_a_background_submit_makes_a_foreground_job_durable_before_it_is_acknowledged(house: House) -> None:
    waiting = peer(house.broker)
    house.submit(b"u", background=False, peer=waiting)
    worker = house.worker()
    job = grabbed(house.broker, worker)
    ack = house.submit(b"u")
    assert not ack.is_told
    house.broker.leave(waiting, 0)
    house.commit()
    assert ack.handle == job.handle
    assert isinstance(house.look(job.handle), Entry)
    house.finish(worker, job)
    assert house.look(job.handle).data == b"done"


def test_a_promoted_job_that_the_store_refuses_stays_in_the_foreground(house: House) -> None:
    house.submit(b"u", background=False)
    ack = house.submit(b"u")
    ((request, then),) = house.broker.requests
    assert isinstance(request, stores.Put)
    house.broker.requests.clear()
    then(Refused("no room"), 0)
    assert isinstance(ack.told, Refusal)
    worker = house.worker()
    house.finish(worker, grabbed(house.broker, worker))
    assert house.client.heard[-1][0] == WORK_COMPLETE


def test_a_job_that_is_cancelled_while_the_store_is_asked_about_it_twice_is_gone() -> None:
    house = House(window=1)
    for n in range(3):
        house.submit(b"u%d" % n)
    house.commit()
    waiting = house.submit(b"new", background=False)
    ack = house.submit(b"new")
    house.broker.cancel(ack.job.handle, house.now)
    house.commit()
    assert waiting.told == ack.told == ack.job.handle
    assert house.look(ack.handle).end is End.CANCELLED


# -- the window -------------------------------------------------------------------------------------------------


def test_of_a_long_queue_only_the_head_is_in_memory_and_its_order_is_kept() -> None:
    house = House(window=4)
    acks = [house.submit(workload=b"%d" % n) for n in range(50)]
    house.commit()
    assert all(ack.told for ack in acks)
    assert len(house.broker.jobs) == 4
    assert house.broker.functions[b"f"].jobs == 50
    worker = house.worker()
    done = []
    for _ in range(50):
        job = grabbed(house.broker, worker)
        done.append(int(bytes(job.workload)))
        house.finish(worker, job)
        assert len(house.broker.jobs) <= 5
    assert done == list(range(50))
    assert house.broker.functions[b"f"].jobs == house.broker.stored == 0


def test_a_submit_onto_a_job_that_only_the_store_has_finds_it() -> None:
    house = House(window=1)
    acks = [house.submit(b"u%d" % n) for n in range(5)]
    house.commit()
    again = house.submit(b"u4")
    house.commit()
    assert again.told == acks[4].told
    assert house.broker.stored == 4
    waiting = house.submit(b"u3", background=False)
    assert waiting.told is None
    house.commit()
    assert waiting.told == acks[3].told
    assert house.broker.stored == 3
    fresh = house.submit(b"new", background=False)
    house.commit()
    assert fresh.told == fresh.job.handle


def test_status_and_cancel_reach_what_only_the_store_has() -> None:
    house = House(window=1)
    acks = [house.submit(b"u%d" % n) for n in range(3)]
    house.commit()
    found: list[Job | None] = []
    for asked in (house.broker.find(acks[2].handle), house.broker.find(b"H:none"), house.broker.find_unique(b"u2")):
        asked.then(found.append)  # type: ignore[union-attr]
    cancelled: list[bool] = []
    for handle in (acks[2].handle, acks[2].handle):
        house.broker.cancel(handle, 0).then(cancelled.append)  # type: ignore[union-attr]
    house.commit()
    assert [job and job.handle for job in found] == [acks[2].handle, None, acks[2].handle]
    assert cancelled == [True, False]
    assert house.broker.stored == 1
    assert house.look(acks[2].handle).end is End.CANCELLED


def test_a_job_for_later_comes_on_time_from_memory_and_from_the_store(house: House) -> None:
    house.wait(1000)
    soon, late = house.submit(epoch_s=1010), house.submit(epoch_s=2000)
    house.commit()
    assert (house.broker.stored, house.broker.functions[b"f"].jobs) == (1, 2)
    worker = house.worker()
    house.wait(10)
    house.finish(worker, grabbed(house.broker, worker))
    house.wait(980)
    house.wait(10)
    assert grabbed(house.broker, worker).handle == late.handle
    assert isinstance(house.look(soon.handle), Result)


def test_after_a_restart_everything_that_was_acknowledged_is_there_once() -> None:
    house = House(window=3)
    acks = [house.submit(b"u%d" % n, workload=b"%d" % n) for n in range(10)]
    house.submit(b"foreground", background=False)
    house.commit()
    worker = house.worker()
    first, _ = grabbed(house.broker, worker), grabbed(house.broker, worker)
    house.finish(worker, first)
    again = house.restart()
    worker = again.worker()
    done = []
    while job := again.broker.grab(worker, 0):
        done.append(job.handle)
        again.finish(worker, job)
    assert done == [ack.handle for ack in acks[1:]]


# -- ends -------------------------------------------------------------------------------------------------------


def test_a_result_is_kept_with_its_parts(house: House) -> None:
    ack = house.submit(b"u")
    house.commit()
    worker = house.worker()
    job = grabbed(house.broker, worker)
    house.finish(worker, job, WORK_DATA, b"one ")
    house.finish(worker, job, WORK_COMPLETE, b"two")
    assert house.look(ack.handle) == Result(ack.handle, b"f", b"u", End.COMPLETED, b"one two", 0)
    house.wait(3601)
    assert house.look(ack.handle) is None


def test_a_failure_is_final_where_nobody_asked_for_retries(house: House) -> None:
    ack = house.submit()
    house.commit()
    worker = house.worker()
    house.finish(worker, grabbed(house.broker, worker), WORK_EXCEPTION, b"ValueError: no")
    assert (house.look(ack.handle).end, house.look(ack.handle).data) == (End.FAILED, b"ValueError: no")
    assert not house.dead()


def test_each_pause_is_twice_the_one_before_up_to_the_functions_most() -> None:
    house = House(attempts=9, backoff_s=10.0, backoff_most_s=40.0)
    house.broker._chance = lambda: 1.0
    ack, worker = house.submit(), house.worker()
    house.commit()
    for pause_s in (10, 20, 40, 40):
        house.finish(worker, grabbed(house.broker, worker), WORK_FAIL)
        assert house.look(ack.handle).run_at - house.now // SECOND == pause_s
        house.wait(pause_s)


def test_large_workloads_stay_with_the_store_but_for_the_next_of_each_queue() -> None:
    house = House(window_bytes=100)
    large, small = b"w" * 60, b"w"
    for _ in range(5):
        house.submit(workload=large)
    for name in (b"g", b"g", b"h"):
        house.submit(workload=small, name=name)
    house.commit()
    assert (house.broker.queued_bytes, house.broker.stored) == (62, 5)
    for name, count in ((b"f", 5), (b"g", 2), (b"h", 1)):
        worker = house.worker(name)
        for _ in range(count):
            house.finish(worker, grabbed(house.broker, worker))
            assert house.broker.queued_bytes < 2 * 60 + 10  # the one that runs, and the next
    assert not house.broker.jobs


def test_a_store_in_memory_takes_no_more_than_it_may_have() -> None:
    house = House()
    house.store = MemoryStore(most_bytes=10)
    first, second = house.submit(workload=b"w" * 8), house.submit(workload=b"w" * 8)
    house.commit()
    assert first.is_told
    assert isinstance(second.told, Refusal)
    assert (second.told.code, b"memory is full" in second.told.text) == (b"QUEUE_ERROR", True)
    worker = house.worker()
    house.finish(worker, grabbed(house.broker, worker))
    third = house.submit(workload=b"w" * 8)
    house.commit()
    assert third.handle == grabbed(house.broker, worker).handle


def test_the_oldest_dead_make_room_for_newer_ones_and_are_counted() -> None:
    house = House(window=2, dead_jobs=1, deaths=1)
    house.wait(0)
    assert house.broker.dead_letter == Swept(0, 0, {})
    acks = [house.submit() for _ in range(6)]  # more than one look takes away
    house.commit()
    for _ in acks:
        worker = house.worker()
        grabbed(house.broker, worker)
        house.broker.leave(worker, house.now)
        house.wait(3)
    house.wait(10)
    assert [listed.entry.handle for listed in house.dead()] == [acks[-1].handle]
    assert house.broker.dead_letter == Swept(1, 1, {})
    tally = house.broker.functions[b"f"].tally
    assert (tally.dead, tally.evicted) == (6, 5)
    assert house.look(acks[0].handle).end is End.DEAD


def test_a_failing_job_is_tried_again_after_a_pause_and_then_is_dead() -> None:
    house = House(attempts=3, hopeless=("BadImage: corrupt",))
    ack = house.submit(b"u")
    waiting = house.submit(b"u", background=False)
    house.commit()
    worker = house.worker()
    for attempt in range(3):
        assert house.client.heard == []
        house.finish(worker, grabbed(house.broker, worker), WORK_EXCEPTION, b"attempt %d" % attempt)
        assert house.broker.grab(worker, house.now) is None
        house.wait(1.5)
    assert waiting.told == ack.told
    assert [news[0] for news in house.client.heard] == [WORK_EXCEPTION]
    ((entry, *_),) = house.dead()
    assert entry.handle == ack.handle
    assert entry.errors == ("attempt 0", "attempt 1", "attempt 2")
    hopeless = house.submit()
    house.commit()
    house.finish(worker, grabbed(house.broker, worker), WORK_EXCEPTION, b"BadImage: corrupt: it ends early")
    assert house.look(hopeless.handle).end is End.FAILED


def test_f22_a_job_whose_worker_died_is_ready_at_once_and_f23_the_third_death_is_the_last(house: House) -> None:
    ack = house.submit()
    house.commit()
    others = [house.worker() for _ in range(9)]
    for deaths in range(1, 4):
        worker = house.worker()
        assert grabbed(house.broker, worker).handle == ack.handle
        house.broker.leave(worker, house.now)
        house.commit()
        if deaths < 3:
            assert house.look(ack.handle).deaths == deaths
        house.wait(3)
    assert house.look(ack.handle).end is End.DEAD
    ((entry, *_),) = house.dead()
    assert len(entry.errors) == 3
    assert house.broker.grab(others[0], house.now) is None


def test_f32_when_most_workers_die_at_once_no_job_is_blamed(house: House) -> None:
    acks = [house.submit() for _ in range(4)]
    house.commit()
    workers = [house.worker() for _ in range(4)]
    for worker in workers:
        grabbed(house.broker, worker)
    for worker in workers:
        house.broker.leave(worker, house.now)
    house.commit()
    assert [house.look(ack.handle).deaths for ack in acks] == [0, 0, 0, 0]


def test_a_poison_job_that_kills_worker_after_worker_is_blamed_even_if_there_are_few(house: House) -> None:
    ack = house.submit()
    house.commit()
    for _ in range(3):
        worker = house.worker()
        grabbed(house.broker, worker)
        house.broker.leave(worker, house.now)
        house.commit()
    assert house.look(ack.handle).end is End.DEAD


def test_a_job_that_runs_over_the_time_of_every_worker_is_poison_too(house: House) -> None:
    ack = house.submit()
    house.commit()
    worker = house.worker()
    house.broker.can_do(worker, b"f", house.now, 5 * SECOND)
    for _ in range(3):
        assert grabbed(house.broker, worker).handle == ack.handle
        house.wait(5)
    assert house.broker.grab(worker, house.now) is None
    ((entry, *_),) = house.dead()
    assert entry.errors == ("its worker ran out of time",) * 2 + ("3 workers ran out of time with it",)


def test_a_foreground_job_that_runs_over_its_time_is_done_again_as_often_as_it_takes(house: House) -> None:
    house.submit(background=False)
    worker = house.worker()
    house.broker.can_do(worker, b"f", house.now, 5 * SECOND)
    for _ in range(5):
        grabbed(house.broker, worker)
        house.now += 5 * SECOND  # grabbed at the time 0, whatever the clock says
        house.broker.tick(house.now, 0)
    assert house.client.heard == []


def test_a_cancelled_job_ends_once_for_everybody(house: House) -> None:
    ack = house.submit(b"u")
    house.submit(b"u", background=False)
    house.commit()
    worker = house.worker()
    job = grabbed(house.broker, worker)
    assert house.broker.cancel(ack.handle, 0)
    house.finish(worker, job)
    assert [news[0] for news in house.client.heard] == [WORK_FAIL]
    assert house.look(ack.handle).end is End.CANCELLED


@pytest.mark.parametrize("jump_s", [3600, -3600, -1_000_000], ids=["an hour on", "an hour back", "1970"])
def test_f15_a_clock_that_is_set_changes_no_retry_and_jobs_for_later_follow_it(jump_s: int) -> None:
    house = House(attempts=2)
    house.clock_s = 1_000_000
    house.wait(1)
    tried, later = house.submit(), house.submit(name=b"g", epoch_s=1_000_000 + 1800)
    house.commit()
    worker, other = house.worker(), house.worker(b"g")
    house.finish(worker, grabbed(house.broker, worker), WORK_FAIL, b"")
    house.clock_s += jump_s
    house.wait(0.1)
    assert house.broker.grab(worker, house.now) is None
    house.wait(2)
    assert grabbed(house.broker, worker).handle == tried.handle
    early = house.broker.grab(other, house.now)
    assert (early is not None) == (jump_s > 1800)
    house.clock_s = 1_000_000 + 1800
    house.wait(1)
    assert (early or grabbed(house.broker, other)).handle == later.handle


def test_a_job_that_is_cancelled_while_the_store_fetches_it_stays_cancelled() -> None:
    house = House(window=2)
    acks = [house.submit(epoch_s=1), house.submit(background=False), house.submit()]  # the last is beyond the window
    for ack in acks:  # each that leaves the window has the store asked for more
        assert house.broker.cancel(ack.job.handle, 0)
    house.commit()
    assert not house.broker.jobs
    assert house.broker.stored == 0
    assert house.look(acks[2].handle).end is End.CANCELLED


@pytest.mark.parametrize("policy", [{}, {"cache_s": 60}], ids=["no cache", "cache"])
def test_a_job_that_is_cancelled_while_the_store_is_asked_is_gone_and_everybody_told_once(
    policy: dict[str, int],
) -> None:
    house = House(window=1, **policy)
    for _ in range(3):
        house.submit()  # so that the store may have one with the same unique
    house.commit()
    acks = [house.submit(b"u", background=False), house.submit(b"u")]
    handle = acks[0].job.handle
    assert house.broker.cancel(handle, 0)
    house.commit()
    assert [ack.told for ack in acks] == [handle, handle]
    assert [news[0] for news in house.client.heard] == [WORK_FAIL]
    assert handle not in house.broker.jobs
    assert house.broker.functions[b"f"].jobs == 3


def test_what_only_the_store_has_is_not_counted_against_what_memory_may_have() -> None:
    house = House(window=1)
    house.broker.limits = ServerLimits(window=1, jobs=3, stored_jobs=20)
    for number in range(20):
        house.submit(b"%d" % number)
        house.commit()
    assert (len(house.broker.jobs), house.broker.stored) == (1, 19)


def test_a_fresh_result_answers_a_submit_with_its_unique() -> None:
    house = House(cache_s=60)
    ack = house.submit(b"u")
    house.commit()
    worker = house.worker()
    house.finish(worker, grabbed(house.broker, worker), WORK_COMPLETE, b"thumb")
    cached, background = house.submit(b"u", background=False), house.submit(b"u")
    house.commit()
    assert cached.told == background.told == ack.told
    assert house.client.heard == [(WORK_COMPLETE, ack.handle, b"thumb")]
    house.wait(61)
    stale = house.submit(b"u", background=False)
    house.commit()
    assert stale.told == stale.job.handle
    assert grabbed(house.broker, worker).handle == stale.handle


# -- jobs that come again -----------------------------------------------------------------------------------------

EACH_MINUTE = Schedule.read("* * * * *")


def scheduled(house: House) -> bytes:
    house.wait(1)
    ack = house.submit(b"u", schedule=EACH_MINUTE)
    house.commit()
    return ack.handle


@pytest.mark.parametrize("kind", [WORK_COMPLETE, WORK_FAIL])
def test_a_scheduled_job_comes_again_however_it_ended_and_keeps_its_result(house: House, kind: int) -> None:
    handle, worker = scheduled(house), house.worker()
    for minute in range(3):
        assert house.broker.grab(worker, house.now) is None
        house.wait(60)
        job = grabbed(house.broker, worker)
        assert (job.handle, bytes(job.workload)) == (handle, b"w")
        house.finish(worker, job, kind, b"%d" % minute)
        assert house.broker.stored == 1
        assert house.store._results[handle][0].data == (b"%d" % minute)


def test_a_schedule_outlives_the_server_and_catches_up_once(house: House) -> None:
    handle = scheduled(house)
    house = house.restart()
    worker = house.worker()
    house.wait(3600)
    job = grabbed(house.broker, worker)
    assert job.handle == handle
    house.finish(worker, job)
    house.wait(1)
    assert house.broker.grab(worker, house.now) is None
    house.wait(60)
    assert grabbed(house.broker, worker).handle == handle


def test_a_scheduled_job_that_kills_its_workers_comes_again_with_nothing_held_against_it(house: House) -> None:
    handle = scheduled(house)
    house.wait(60)
    for _ in range(3):
        worker = house.worker()
        assert grabbed(house.broker, worker).handle == handle
        house.wait(10)  # so that it is not taken for a host that died
        house.broker.leave(worker, house.now)
        house.commit()
    assert house.look(handle).deaths == 0
    assert house.dead() == []


@pytest.mark.parametrize("when", ["in the store", "running"])
def test_a_cancelled_schedule_comes_no_more(house: House, when: str) -> None:
    handle, worker = scheduled(house), house.worker()
    house.wait(60)
    job = grabbed(house.broker, worker)
    if when == "in the store":
        house.finish(worker, job)
    house.broker.cancel(handle, house.now)
    house.commit()
    assert house.look(handle).end is End.CANCELLED
    house.wait(300)
    assert house.broker.grab(worker, house.now) is None
    assert house.broker.stored == len(house.broker.jobs) == 0


def test_a_schedule_that_is_there_already_is_not_made_twice(house: House) -> None:
    handle = scheduled(house)
    for fresh in (house, house.restart()):
        again = fresh.submit(b"u", schedule=EACH_MINUTE)
        fresh.commit()
        assert again.told == handle


# -- workers that come back after a restart ---------------------------------------------------------------------


@pytest.mark.parametrize("window", [1, 1000], ids=["only in the store", "in memory"])
def test_a_result_from_before_the_restart_is_taken_and_the_job_not_done_again(window: int) -> None:
    house = House(window=window)
    acks = [house.submit(b"%d" % number) for number in range(3)]
    house.commit()
    house = house.restart()
    worker = house.worker()
    assert resumed(house, worker, acks[2].handle)
    house.finish(worker, house.broker.jobs[acks[2].handle])
    assert house.look(acks[2].handle).end is End.COMPLETED
    assert {house.broker.jobs[h].unique for h in house.broker.jobs} <= {b"0", b"1"}
    for _ in acks[:2]:
        house.finish(worker, grabbed(house.broker, worker))
    assert house.broker.stored == len(house.broker.jobs) == 0


def test_a_result_of_a_job_that_has_ended_is_not_wanted(house: House) -> None:
    ack, _ = house.submit(), house.submit()
    house.commit()
    worker = house.worker()
    house.finish(worker, grabbed(house.broker, worker))
    house = house.restart()
    assert not resumed(house, house.worker(), ack.handle)


def test_a_job_that_was_not_acknowledged_yet_was_never_given_out(house: House) -> None:
    ack = house.submit()
    assert house.broker.resume(house.worker(), ack.job.handle, 0) is False


def test_a_worker_that_leaves_while_the_store_looks_gets_nothing() -> None:
    house = House(window=1)
    acks = [house.submit() for _ in range(3)]
    house.commit()
    gone, told = house.worker(), list[bool]()
    found = house.broker.resume(gone, acks[2].handle, 0)
    assert isinstance(found, Pending)
    found.then(told.append)
    house.broker.leave(gone, 0)
    house.commit()
    assert told == [False]
    worker, left = house.worker(), set()
    for _ in acks:
        left.add(grabbed(house.broker, worker).handle)
        house.commit()
    assert left == {ack.handle for ack in acks}


def resumed(house: House, worker: Peer, handle: bytes) -> bool:
    """Whether a job becomes this worker's again."""
    told: list[bool] = []
    found = house.broker.resume(worker, handle, house.now)
    if isinstance(found, Pending):
        found.then(told.append)
        house.commit()
        return told[0]
    return found


# -- the machine ------------------------------------------------------------------------------------------------


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
TestDurableMachine.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)

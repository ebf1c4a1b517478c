"""What of a kept queue is in memory, what only the store has, and who comes back for it after a restart."""

from __future__ import annotations

import pytest

from fleet.jobserver.job import Job, Peer
from fleet.jobserver.pending import Pending
from fleet.jobserver.refusal import Refusal
from fleet.jobserver.stores import End, Result, Swept
from fleet.jobserver.stores.memory import MemoryStore
from fleet.settings import ServerLimits
from tests.jobserver.house import House
from tests.jobserver.queue import grabbed


@pytest.fixture
def house() -> House:
    return House()


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


def test_what_only_the_store_has_is_not_counted_against_what_memory_may_have() -> None:
    house = House(window=1)
    house.broker.limits = ServerLimits(window=1, jobs=3, stored_jobs=20)
    for number in range(20):
        house.submit(b"%d" % number)
        house.commit()
    assert (len(house.broker.jobs), house.broker.stored) == (1, 19)


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

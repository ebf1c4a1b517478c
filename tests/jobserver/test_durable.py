"""The queue with a store behind it: what is acknowledged, when, and how it ends."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.jobserver import stores
from fleet.jobserver.refusal import Refusal
from fleet.jobserver.stores import End, Entry, Refused, Result
from fleet.jobserver.stores.memory import MemoryStore
from fleet.protocol.packets import WORK_COMPLETE, WORK_DATA, WORK_FAIL
from fleet.settings import ServerLimits
from tests.jobserver.house import House
from tests.jobserver.queue import grabbed, peer


@pytest.fixture
def house() -> House:
    return House()


# -- submits ------------------------------------------------------------------------------------------------------


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


# -- ends ---------------------------------------------------------------------------------------------------------


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


def test_that_a_job_failed_is_kept_however_much_it_had_sent_before(house: House) -> None:
    house.broker.limits = ServerLimits(result_bytes=3)
    ends = {}
    for kind in (WORK_COMPLETE, WORK_FAIL):
        ack = house.submit()
        house.commit()
        worker = house.worker()
        job = grabbed(house.broker, worker)
        house.finish(worker, job, WORK_DATA, b"four")
        house.finish(worker, job, kind, b"")
        ends[kind] = house.look(ack.handle)
    assert ends[WORK_COMPLETE] is None  # its result is too large
    assert ends[WORK_FAIL].end is End.FAILED

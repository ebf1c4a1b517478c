"""Kept jobs on a schedule: they come again, whatever became of the last time."""

from __future__ import annotations

import pytest

from fleet.jobserver.schedule import Schedule
from fleet.jobserver.stores import End
from fleet.protocol.packets import WORK_COMPLETE, WORK_FAIL
from tests.jobserver.house import House
from tests.jobserver.queue import grabbed


@pytest.fixture
def house() -> House:
    return House()


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

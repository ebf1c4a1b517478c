"""Kept jobs that fail, or whose workers die: what is tried again, when, and who is blamed."""

from __future__ import annotations

import pytest

from fleet.jobserver.stores import End
from fleet.protocol.packets import WORK_EXCEPTION, WORK_FAIL
from tests.jobserver.house import House
from tests.jobserver.queue import SECOND, grabbed


@pytest.fixture
def house() -> House:
    return House()


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

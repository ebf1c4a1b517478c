"""What happens between a question to the store and its answer: others come, leave, cancel, or are too late."""

from __future__ import annotations

import pytest

from fleet.jobserver.stores import End, Entry
from fleet.jobserver.terms import Terms
from fleet.protocol.packets import WORK_FAIL
from tests.jobserver.house import Ack, House
from tests.jobserver.queue import Recorder, peer


@pytest.fixture
def house() -> House:
    """Of its four jobs, the last three are with the store only."""
    house = House(window=1)
    for n in range(4):
        house.submit(b"u%d" % n)
    house.commit()
    assert house.broker.stored == 3
    return house


def answer(house: House) -> None:
    """The store answers the first question that is open, and no other."""
    (request, then), *left = house.broker.requests
    house.broker.requests[:] = left
    then(house.store.carry_out([request])[0], house.now)


def foreground(house: House, unique: bytes) -> tuple[Recorder, Ack]:
    who = peer(house.broker)
    return who, house.submit(unique, background=False, peer=who)


def drained(house: House) -> set[bytes]:
    """The handles of all jobs that a worker is given until there are no more."""
    worker, handles = house.worker(), set()
    while job := house.broker.grab(worker, house.now):
        handles.add(job.handle)
        house.finish(worker, job)
    assert house.broker.stored == house.broker.functions[b"f"].jobs == 0
    return handles


def test_a_job_that_was_found_for_somebody_who_left_is_done_all_the_same(house: House) -> None:
    who, _ = foreground(house, b"u3")
    ack = house.submit(b"u3")
    house.broker.leave(who, house.now)
    house.commit()
    assert ack.handle == b"H:test:4"
    assert ack.handle in drained(house)


def test_a_job_that_was_found_for_one_that_was_cancelled_is_done_all_the_same(house: House) -> None:
    _, ack = foreground(house, b"u3")
    assert house.broker.cancel(ack.job.handle, house.now)
    house.commit()
    assert ack.handle == ack.job.handle
    assert b"H:test:4" in drained(house)


def test_who_leaves_while_the_job_of_this_unique_is_fetched_leaves_it_to_the_others(house: House) -> None:
    ack = house.submit(b"u3")
    who, _ = foreground(house, b"u3")
    answer(house)  # there is one
    house.broker.leave(who, house.now)
    late = house.submit(b"u3")
    assert not late.is_told
    house.commit()
    assert ack.handle == late.handle == b"H:test:4"
    assert len(drained(house)) == 4


def test_a_job_that_is_cancelled_while_another_of_its_unique_is_fetched_is_gone(house: House) -> None:
    ack = house.submit(b"u3")
    who, _ = foreground(house, b"u3")
    answer(house)
    assert house.broker.cancel(ack.job.handle, house.now)
    house.commit()
    assert ack.handle == ack.job.handle
    assert [kind for kind, *_ in who.heard] == [WORK_FAIL]
    assert b"H:test:4" in drained(house)


def test_a_job_is_kept_before_it_is_acknowledged_if_the_other_of_its_unique_has_ended_meanwhile(house: House) -> None:
    ack = house.submit(b"u3")
    who, _ = foreground(house, b"u3")
    house.broker.cancel(b"H:test:4", house.now)
    house.commit()
    assert ack.handle == ack.job.handle
    assert isinstance(house.look(ack.handle), Entry)
    house.broker.leave(who, house.now)
    assert ack.handle in drained(house)


def test_a_job_that_expires_while_it_is_fetched_is_told_of_and_counted_once(house: House) -> None:
    house.submit(b"new", terms=Terms(expires=5))
    who, _ = foreground(house, b"new")
    house.wait(11)  # the store took its time
    assert [kind for kind, *_ in who.heard] == [WORK_FAIL]
    assert house.broker.functions[b"f"].tally.expired == 1
    assert len(drained(house)) == 4


def test_a_job_that_is_cancelled_and_expires_is_counted_once(house: House) -> None:
    ack = house.submit(b"new", terms=Terms(expires=5))
    assert house.broker.cancel(ack.job.handle, house.now)
    requests, house.broker.requests[:] = [*house.broker.requests], []
    house.broker.tick(11 * 10**9, 11.0)
    house.broker.requests[:] = [requests[0], *house.broker.requests, *requests[1:]]  # it expires between the two
    house.commit()
    assert house.look(ack.handle).end is End.EXPIRED
    assert len(drained(house)) == 4


def test_jobs_whose_time_has_come_follow_one_another_however_many_there_are() -> None:
    """Only the first of them were in memory; the others do not wait for the next look at the store."""
    house = House(window=4)
    for _ in range(30):
        house.submit(terms=Terms(run_at=100))
    house.commit()
    house.wait(101)
    worker, done = house.worker(), 0
    while job := house.broker.grab(worker, house.now):
        house.finish(worker, job)
        assert len(house.broker.jobs) <= 8
        done += 1
    assert done == 30

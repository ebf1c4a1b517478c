"""Submits with more said about them: in an envelope, with terms of their own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fleet.jobserver.refusal import Refusal
from fleet.jobserver.stores import Refused
from fleet.protocol.packets import WORK_COMPLETE, WORK_EXCEPTION, WORK_FAIL
from tests.jobserver.asking import ask, ask_for, refused
from tests.jobserver.house import Ack, House
from tests.jobserver.queue import SECOND, Recorder, grabbed, peer


@pytest.fixture
def house() -> House:
    return House(attempts=2)


def order(house: House, unique: bytes = b"", payload: bytes = b"w", **request: Any) -> tuple[Ack, Recorder]:
    who = peer(house.broker)
    workload = json.dumps({"function": "f", **request}).encode() + b"\n" + payload
    return house.submit(unique, name=b"fleet.submit", workload=workload, peer=who, background=False), who


def ordered(house: House, unique: bytes = b"", payload: bytes = b"w", **request: Any) -> bytes:
    """The handle of the job."""
    ack, who = order(house, unique, payload, **request)
    assert not ack.is_told
    house.commit()
    ((kind, handle, data),) = who.heard
    assert (kind, handle) == (WORK_COMPLETE, ack.handle)
    return bytes(data)


def test_a_submit_in_an_envelope_is_a_background_job_and_answered_with_its_handle(house: House) -> None:
    handle = ordered(house, b"u", b"\n\0payload", priority="high")
    job = grabbed(house.broker, house.worker())
    assert (job.handle, bytes(job.workload), job.unique, job.priority) == (handle, b"\n\0payload", b"u", 0)
    assert ordered(house, b"u") == handle
    assert house.submit(b"u").told == handle


def test_a_jobs_own_attempts_count_instead_of_its_functions() -> None:
    house = House()
    handle = ordered(house, attempts=3)
    worker = house.worker()
    for _ in range(3):
        assert house.look(handle).max_attempts == 3
        house.finish(worker, grabbed(house.broker, worker), WORK_EXCEPTION, b"ValueError: no")
        house.wait(1.5)
    assert len(house.dead()) == 1


@pytest.mark.parametrize("window", [1, 1000], ids=["only in the store", "in memory"])
def test_a_job_that_nobody_begins_in_time_expires_and_frees_its_unique(window: int) -> None:
    house = House(window=window)
    house.wait(1000)
    for n in range(3):
        ordered(house, b"first%d" % n)
    handle = ordered(house, b"u", ttl=60)
    house.commit()
    _, waiting = ask_for(house, handle) if window > 1 else (None, None)
    house.wait(59)
    assert ask(house, "fleet.jobs", do="show", handle=handle.decode())["expires"] == 1060
    house.wait(10)
    assert ask(house, "fleet.jobs", do="show", handle=handle.decode())["state"] == "expired"
    if waiting:
        assert [news[0] for news in waiting.heard] == [WORK_FAIL]
    assert house.submit(b"u").told != handle
    house.commit()
    assert house.broker.functions[b"f"].tally.expired == 1
    assert house.broker.stored == (0 if window > 1 else 3)


def test_a_job_for_later_lives_for_so_long_from_then(house: House) -> None:
    house.wait(1000)
    handle = ordered(house, at=1100, ttl=60)
    assert (house.look(handle).run_at, house.look(handle).expires) == (1100, 1160)
    house.wait(120)
    house.wait(1)
    assert grabbed(house.broker, house.worker()).handle == handle


def test_a_job_on_a_schedule_has_attempts_of_its_own_each_time(house: House) -> None:
    handle = ordered(house, schedule="* * * * *", attempts=2, priority="low")
    worker = house.worker()
    for minute in (1, 2):
        house.wait(60 * minute - house.now / SECOND)
        for _ in range(2):
            house.finish(worker, grabbed(house.broker, worker), WORK_EXCEPTION, b"no")
            house.wait(1.5)
        assert (house.look(handle).failures, house.look(handle).run_at) == (0, 60 * minute + 60)


def test_a_job_that_runs_does_not_expire(house: House) -> None:
    handle = ordered(house, ttl=5)
    worker = house.worker()
    job = grabbed(house.broker, worker)
    house.wait(100)
    house.finish(worker, job)
    assert house.look(handle).data == b"done"


def test_a_submit_in_an_envelope_keeps_its_terms_while_a_kept_result_is_looked_for() -> None:
    house = House(cache_s=60)
    handle = ordered(house, b"u", ttl=50, attempts=7)
    assert (house.look(handle).expires, house.look(handle).max_attempts) == (50, 7)


@pytest.mark.parametrize(
    ("workload", "text"),
    [
        (b"", b"begins with a line of JSON"),
        (b'{"function": "f"}', b"begins with a line of JSON"),
        (b" " * 4096 + b'{"function": "f"}\n', b"begins with a line of JSON"),
        (b"x\n", b"JSON object"),
        (b'{"function": "f", "ttl": 1.5}\n', b"ttl is a whole number"),
        (b'{"function": "f", "priority": "urgent"}\n', b"priority is one of high, normal, low"),
        (b'{"function": "fleet.submit"}\n', b"function is one of yours"),
        (b'{"function": "f\\u0000g"}\n', b"A function name has no NUL in it"),
        (b'{"function": "f", "delay": 4611686018427387903}\n', b"delay is a whole number"),
        (b"{}\n", b"A function name has"),
        (b'{"function": "f", "schedule": "* * * 13 *"}\n', b"month is * or numbers from 1 to 12"),
        (b'{"function": "f", "at": 5, "delay": 5}\n', b"at and delay both"),
        (b'{"function": "f", "schedule": "* *"}\n', b"five fields"),
        (b'{"function": "f", "schedule": "* * * * *", "ttl": 5}\n', b"for a job that comes once"),
    ],
    ids=range(14),
)
def test_an_envelope_that_makes_no_sense_is_refused(house: House, workload: bytes, text: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        house.submit(name=b"fleet.submit", workload=workload, background=False)
    assert text in caught.value.text
    assert not house.broker.jobs


def test_an_envelope_for_which_there_is_no_room_is_refused(house: House) -> None:
    ack, _ = order(house)
    ((_, then),) = house.broker.requests
    house.broker.requests.clear()
    then(Refused("the disk is full"), 0)
    assert refused(ack) == b"QUEUE_ERROR"

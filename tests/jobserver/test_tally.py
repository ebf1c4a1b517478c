"""What is counted of a function's jobs, and how long they waited and ran."""

from __future__ import annotations

import json

from fleet.jobserver import text
from fleet.jobserver.broker import Broker
from fleet.jobserver.job import LOW
from fleet.jobserver.session import Session
from fleet.jobserver.tally import BOUNDS_S, COUNTERS, Tally
from fleet.jobserver.wire import Hub
from fleet.protocol.packets import WORK_COMPLETE, WORK_EXCEPTION, WORK_FAIL
from tests.jobserver.house import House
from tests.jobserver.queue import SECOND, grabbed, make_broker, peer


def counted(broker: Broker, name: bytes = b"f") -> dict[str, int]:
    """The counters that are not 0."""
    tally = broker.functions[name].tally
    return {counter: getattr(tally, counter) for counter in COUNTERS if getattr(tally, counter)}


def spans(buckets: list[int]) -> dict[float, int]:
    """How many spans were shorter than so many seconds, but not than half of it."""
    return {bound: count for bound, count in zip((*BOUNDS_S, 0.0), buckets, strict=True) if count}


def test_every_end_is_counted_as_what_it_is() -> None:
    broker = make_broker(job_retries=2)
    client, worker = peer(broker), peer(broker, b"f")
    for kind in (WORK_COMPLETE, WORK_COMPLETE, WORK_FAIL, WORK_EXCEPTION):
        broker.submit(client, b"f", b"", b"", 0)
        broker.work(worker, kind, grabbed(broker, worker).handle, b"", 0)
    job = broker.submit(client, b"f", b"u", b"", 0)
    broker.submit(client, b"f", b"u", b"", 0)  # one job, two submits
    broker.cancel(job.handle, 0)
    assert counted(broker) == {"submitted": 5, "completed": 2, "failed": 2, "cancelled": 1}


def test_a_job_that_lost_its_worker_is_retried_and_then_failed() -> None:
    broker = make_broker(job_retries=2)
    client = peer(broker)
    broker.submit(client, b"f", b"", b"", 0)
    for expected in ({"submitted": 1, "retried": 1}, {"submitted": 1, "retried": 1, "failed": 1}):
        worker = peer(broker, b"f")
        grabbed(broker, worker)
        broker.leave(worker, 0)
        assert counted(broker) == expected


def test_a_job_nobody_waits_for_any_more_counts_as_cancelled() -> None:
    broker = make_broker()
    client = peer(broker)
    broker.submit(client, b"f", b"", b"", 0)
    broker.leave(client, 0)
    assert counted(broker) == {"submitted": 1, "cancelled": 1}


def test_retries_and_the_dead_letter_are_counted() -> None:
    house = House(attempts=2)
    house.submit()
    house.commit()
    worker = house.worker()
    house.finish(worker, grabbed(house.broker, worker), WORK_FAIL)
    house.wait(2)
    house.finish(worker, grabbed(house.broker, worker), WORK_FAIL)
    assert counted(house.broker) == {"submitted": 1, "retried": 1, "dead": 1}


def test_a_submit_that_turns_out_to_be_an_older_job_is_none_of_its_own() -> None:
    house = House(window=1)
    for number in range(3):
        house.submit(b"%d" % number)
    house.commit()
    house.submit(b"2")  # only the store has it
    house.commit()
    assert counted(house.broker) == {"submitted": 3}


def test_a_stored_job_that_is_cancelled_is_counted() -> None:
    house = House(window=1)
    acks = [house.submit() for _ in range(4)]
    house.commit()
    assert acks[3].handle not in house.broker.jobs
    house.broker.cancel(acks[3].handle, 0)
    house.commit()
    assert counted(house.broker) == {"submitted": 4, "cancelled": 1}


def test_waits_and_runs_are_put_into_buckets() -> None:
    broker = make_broker()
    client, worker = peer(broker), peer(broker, b"f")
    broker.submit(client, b"f", b"", b"", 0)
    job = broker.grab(worker, SECOND // 2)
    assert job is not None
    broker.work(worker, WORK_COMPLETE, job.handle, b"", SECOND // 2 + 3_000_000)
    report = broker.functions[b"f"].tally.report()
    assert spans(report["waits"]) == {0.512: 1}
    assert spans(report["runs"]) == {0.004: 1}


def test_a_span_longer_than_all_bounds_is_counted_with_the_rest() -> None:
    tally = Tally()
    for ms in (0, 1, 2**19 - 1, 2**19, 2**40):
        tally.runs[ms.bit_length()] += 1
    assert spans(tally.report()["runs"]) == {0.001: 1, 0.002: 1, BOUNDS_S[-1]: 1, 0.0: 2}


def test_the_oldest_job_is_the_one_that_could_have_run_first() -> None:
    broker = make_broker()
    client, worker = peer(broker), peer(broker, b"f")
    broker.submit(client, b"f", b"", b"", 1 * SECOND, priority=LOW)
    broker.submit(client, b"f", b"", b"", 2 * SECOND)
    broker.submit(client, b"f", b"", b"", 0, background=True, epoch_s=99)  # it cannot run yet
    function = broker.functions[b"f"]
    assert function.oldest_ns(5 * SECOND) == 4 * SECOND
    grabbed(broker, worker)
    assert function.oldest_ns(5 * SECOND) == 4 * SECOND
    grabbed(broker, worker)
    assert function.oldest_ns(5 * SECOND) is None


def test_a_job_from_before_the_restart_has_waited_since_its_submit() -> None:
    house = House()
    house.wait(100)
    house.submit()
    house.commit()
    fresh = house.restart(wall_s=130)
    assert fresh.broker.functions[b"f"].oldest_ns(0) == 30 * SECOND


def test_the_counters_of_all_functions_as_text() -> None:
    broker = make_broker()
    asker = Session(Hub(broker))
    client = peer(broker)
    broker.submit(client, b"f", b"", b"", 0)
    broker.submit(client, "für\t".encode(), b"", b"", 0, background=True, epoch_s=99)
    answer = text.answer(asker, b"counters", 2 * SECOND)
    assert isinstance(answer, bytes)
    assert answer.startswith(b"OK {")
    assert answer.index(b"\n") == len(answer) - 1
    found = json.loads(answer.removeprefix(b"OK"))
    assert len(found["functions"]["f"]["waits"]) == len(found["bounds_s"]) + 1
    assert found["functions"]["f"]["oldest_s"] == 2.0
    assert found["functions"]["für\\x09"]["oldest_s"] is None

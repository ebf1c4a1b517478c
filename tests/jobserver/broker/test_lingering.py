"""A grab that is answered a moment later, with the next job."""

from __future__ import annotations

from fleet.jobserver.broker import Broker
from fleet.protocol.packets import WORK_COMPLETE
from tests.jobserver.queue import (
    MS,
    Recorder,
    grabbed,
    make_broker,
    peer,
    submit_and_wake,
)


def lingering(broker: Broker, *names: bytes) -> Recorder:
    """A worker that has ended a job and grabbed in vain."""
    worker = peer(broker, *names)
    broker.submit(peer(broker), names[0], b"", b"", 0)
    broker.work(worker, WORK_COMPLETE, grabbed(broker, worker).handle, b"", 0)
    assert broker.grab(worker, 0) is None
    assert broker.linger(worker, 0)
    return worker


def test_a_worker_that_has_ended_a_job_gets_the_next_one_without_going_to_sleep(broker: Broker) -> None:
    sleeper, worker = peer(broker, b"f"), lingering(broker, b"f", b"g")
    broker.sleep(sleeper, 0)
    job = broker.submit(peer(broker), b"f", b"", b"", 0)
    broker.wake(0)
    assert worker.grants == [job]
    assert job.worker is worker
    assert sleeper.noops == 0


def test_a_grab_lingers_for_a_millisecond_and_only_once_after_a_job(broker: Broker) -> None:
    worker = lingering(broker, b"f")
    broker.tick(MS - 1)
    assert worker.grants == []
    broker.tick(MS)
    assert worker.grants == [None]
    assert broker.grab(worker, MS) is None
    assert not broker.linger(worker, MS)


def test_a_grab_does_not_linger_where_that_is_switched_off() -> None:
    broker = make_broker(linger_s=0)
    worker = peer(broker, b"f")
    broker.submit(peer(broker), b"f", b"", b"", 0)
    broker.work(worker, WORK_COMPLETE, grabbed(broker, worker).handle, b"", 0)
    assert broker.grab(worker, 0) is None
    assert not broker.linger(worker, 0)


def test_a_job_that_who_lingers_cannot_do_wakes_somebody_else(broker: Broker) -> None:
    worker, other = lingering(broker, b"f"), peer(broker, b"g")
    broker.sleep(other, 0)
    submit_and_wake(broker, b"g")
    assert worker.grants == []
    assert other.noops == 1


def test_nobody_lingers_after_having_left(broker: Broker) -> None:
    worker = lingering(broker, b"f")
    broker.leave(worker, 0)
    submit_and_wake(broker)
    broker.tick(MS)
    assert worker.grants == []
    assert broker.functions[b"f"].queued == 1

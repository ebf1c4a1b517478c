"""Jobs for later."""

from __future__ import annotations

from fleet.jobserver.broker import Broker
from tests.jobserver.queue import (
    SECOND,
    grabbed,
    peer,
)


def test_a_job_for_later_is_nobodys_until_its_time_has_come(broker: Broker) -> None:
    worker = peer(broker, b"f")
    broker.sleep(worker, 0)
    later = broker.submit(peer(broker), b"f", b"", b"", 0, background=True, epoch_s=100)
    assert worker.noops == 0
    assert broker.tick(0, 99.9) == SECOND  # the wall clock may jump, so it is looked at again
    assert broker.grab(worker, 0) is None
    broker.sleep(worker, 0)
    assert broker.tick(SECOND, 100.0) == SECOND  # now for the worker that was woken
    assert worker.noops == 1
    assert broker.grab(worker, SECOND) is later
    assert broker.tick(SECOND, 100.0) is None


def test_a_job_for_the_past_runs_at_once(broker: Broker) -> None:
    broker.submit(peer(broker), b"f", b"", b"", 0, background=True, epoch_s=5)
    broker.tick(0, 100.0)
    assert broker.functions[b"f"].queued == 1


def test_jobs_for_later_keep_their_order_and_leave_when_cancelled(broker: Broker) -> None:
    client = peer(broker)
    jobs = [broker.submit(client, b"f", b"", b"", 0, background=True, epoch_s=when) for when in (7, 5, 5, 6)]
    assert broker.functions[b"f"].jobs == 4
    broker.cancel(jobs[3].handle, 0)
    broker.tick(0, 50.0)
    worker = peer(broker, b"f")
    assert [grabbed(broker, worker) for _ in range(3)] == [jobs[1], jobs[2], jobs[0]]
    assert broker.functions[b"f"].jobs == 3


def test_a_submit_onto_a_job_for_later_waits_with_it(broker: Broker) -> None:
    client = peer(broker)
    later = broker.submit(client, b"f", b"u", b"", 0, background=True, epoch_s=100)
    assert broker.submit(client, b"f", b"u", b"", 0) is later
    broker.leave(client, 0)
    assert later.handle in broker.jobs

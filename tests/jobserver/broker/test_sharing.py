"""Equal submits are one job, and everybody who waits hears of it; a job that nobody waits for is dropped."""

from __future__ import annotations

import pytest

from fleet.jobserver.broker import Broker
from fleet.protocol.packets import WORK_COMPLETE, WORK_DATA, WORK_FAIL
from tests.jobserver.queue import (
    grabbed,
    peer,
)


def test_equal_uniques_are_one_job_and_everyone_hears(broker: Broker) -> None:
    first, second = peer(broker), peer(broker)
    job = broker.submit(first, b"f", b"u", b"one", 0)
    assert broker.submit(second, b"f", b"u", b"two", 0) is job
    assert broker.submit(second, b"g", b"u", b"two", 0) is not job
    worker = peer(broker, b"f")
    grabbed(broker, worker)
    broker.work(worker, WORK_DATA, job.handle, b"some", 0)
    broker.work(worker, WORK_COMPLETE, job.handle, b"done", 0)
    assert first.heard == second.heard == [(WORK_DATA, job.handle, b"some"), (WORK_COMPLETE, job.handle, b"done")]


def test_a_connection_attached_twice_hears_twice(broker: Broker) -> None:
    client = peer(broker)
    job = broker.submit(client, b"f", b"u", b"", 0)
    broker.submit(client, b"f", b"u", b"", 0)
    worker = peer(broker, b"f")
    grabbed(broker, worker)
    broker.work(worker, WORK_COMPLETE, job.handle, b"done", 0)
    assert len(client.heard) == 2
    assert not client.listening


def test_the_unique_dash_coalesces_equal_workloads_but_no_empty_ones(broker: Broker) -> None:
    client = peer(broker)
    one = broker.submit(client, b"f", b"-", b"same", 0)
    assert broker.submit(client, b"f", b"-", memoryview(b"same"), 0) is one
    assert broker.submit(client, b"f", b"-", b"other", 0) is not one
    assert broker.submit(client, b"f", b"-", b"", 0) is not broker.submit(client, b"f", b"-", b"", 0)


def test_an_empty_unique_never_coalesces(broker: Broker) -> None:
    client = peer(broker)
    assert broker.submit(client, b"f", b"", b"x", 0) is not broker.submit(client, b"f", b"", b"x", 0)


def test_a_queued_job_nobody_waits_for_any_more_is_dropped(broker: Broker) -> None:
    client = peer(broker)
    broker.submit(client, b"f", b"u", b"x" * 100, 0)
    broker.leave(client, 0)
    assert broker.grab(peer(broker, b"f"), 0) is None
    assert (len(broker.jobs), broker.queued_bytes) == (0, 0)


@pytest.mark.parametrize("order", ["background first", "foreground first"])
def test_f19_f20_a_foreground_leaver_keeps_the_background_job(broker: Broker, order: str) -> None:
    waiting, other = peer(broker), peer(broker)
    for background in (True, False) if order == "background first" else (False, True):
        broker.submit(other if background else waiting, b"f", b"u", b"", 0, background=background)
    broker.leave(waiting, 0)
    assert grabbed(broker, peer(broker, b"f")).background


def test_a_submit_onto_an_abandoned_unique_gets_a_fresh_run(broker: Broker) -> None:
    gone, client = peer(broker), peer(broker)
    doomed = broker.submit(gone, b"f", b"u", b"", 0)
    broker.leave(gone, 0)
    job = broker.submit(client, b"f", b"u", b"", 0)
    assert job is not doomed
    assert grabbed(broker, peer(broker, b"f")) is job


def test_cancel_tells_the_waiting_once_and_swallows_the_late_result(broker: Broker) -> None:
    client, worker = peer(broker), peer(broker, b"f")
    job = broker.submit(client, b"f", b"", b"", 0)
    grabbed(broker, worker)
    assert broker.cancel(job.handle, 0)
    assert not broker.cancel(job.handle, 0)
    assert broker.work(worker, WORK_COMPLETE, job.handle, b"late", 0)
    assert client.heard == [(WORK_FAIL, job.handle, b"")]

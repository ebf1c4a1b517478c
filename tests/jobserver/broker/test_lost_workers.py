"""Workers that go, hang and misbehave: what becomes of their jobs."""

from __future__ import annotations

import pytest

from fleet.jobserver.broker import Broker
from fleet.protocol.packets import WORK_COMPLETE, WORK_EXCEPTION, WORK_FAIL
from tests.jobserver.queue import (
    SECOND,
    Recorder,
    grabbed,
    make_broker,
    peer,
)


def test_a_lost_workers_job_goes_to_another_with_its_progress_reset(broker: Broker) -> None:
    client, worker = peer(broker), peer(broker, b"f")
    job = broker.submit(client, b"f", b"", b"x", 0)
    grabbed(broker, worker)
    broker.progress(worker, job.handle, b"1", b"2")
    assert job.progress == (1, 2)
    broker.leave(worker, 0)
    assert (job.progress, job.retries) == ((0, 0), 1)
    assert grabbed(broker, peer(broker, b"f")) is job


def test_a_worker_that_lost_its_connection_goes_on_with_its_job_if_nobody_else_has_it(broker: Broker) -> None:
    client, before = peer(broker), peer(broker, b"f")
    job = broker.submit(client, b"f", b"", b"x", 0)
    grabbed(broker, before)
    broker.leave(before, 0)
    after = peer(broker, b"f")
    assert broker.resume(after, job.handle, 0)
    assert broker.grab(peer(broker, b"f"), 0) is None
    assert broker.work(after, WORK_COMPLETE, job.handle, b"done", 0)
    assert client.heard == [(WORK_COMPLETE, job.handle, b"done")]
    assert not broker.resume(after, job.handle, 0)  # it has ended


def test_a_resumed_job_whose_worker_is_lost_again_is_queued_again(broker: Broker) -> None:
    client, before = peer(broker), peer(broker, b"f")
    ahead, job = (broker.submit(client, b"f", b"", b"x", 0) for _ in range(2))
    after = peer(broker, b"f")
    assert broker.resume(after, job.handle, 0)
    broker.leave(after, 0)
    assert grabbed(broker, before) is ahead
    assert grabbed(broker, before) is job


def test_a_job_that_somebody_else_has_already_is_not_resumed(broker: Broker) -> None:
    client, before, other = peer(broker), peer(broker, b"f"), peer(broker, b"f")
    job = broker.submit(client, b"f", b"", b"x", 0)
    grabbed(broker, before)
    broker.leave(before, 0)
    assert grabbed(broker, other) is job
    assert not broker.resume(peer(broker, b"f"), job.handle, 0)
    assert broker.resume(other, job.handle, 0)
    assert job.worker is other


def test_a_running_job_whose_client_left_ends_with_its_worker(broker: Broker) -> None:
    client, worker = peer(broker), peer(broker, b"f")
    broker.submit(client, b"f", b"", b"", 0)
    job = grabbed(broker, worker)
    broker.leave(client, 0)
    assert job.handle in broker.jobs
    broker.leave(worker, 0)
    assert not broker.jobs


def test_a_job_over_its_workers_timeout_goes_back_and_the_late_result_is_swallowed(broker: Broker) -> None:
    client, slow = peer(broker), Recorder(broker)
    broker.can_do(slow, b"f", 0, timeout_ns=2 * SECOND)
    job = broker.submit(client, b"f", b"", b"", 0)
    grabbed(broker, slow)
    assert broker.tick(0) == 2 * SECOND
    broker.tick(2 * SECOND)
    other = peer(broker, b"f")
    assert grabbed(broker, other) is job
    assert broker.work(slow, WORK_COMPLETE, job.handle, b"late", 0)
    broker.work(other, WORK_COMPLETE, job.handle, b"good", 0)
    assert client.heard == [(WORK_COMPLETE, job.handle, b"good")]


def test_unregistering_keeps_running_jobs_running(broker: Broker) -> None:
    client, worker = peer(broker), peer(broker, b"f")
    job = broker.submit(client, b"f", b"", b"", 0)
    grabbed(broker, worker)
    broker.reset_abilities(worker, 0)
    broker.work(worker, WORK_COMPLETE, job.handle, b"done", 0)
    assert client.heard == [(WORK_COMPLETE, job.handle, b"done")]


def test_w18_results_for_strangers_jobs_change_nothing(broker: Broker) -> None:
    client, worker, stranger = peer(broker), peer(broker, b"f"), peer(broker, b"f")
    job = broker.submit(client, b"f", b"", b"", 0)
    grabbed(broker, worker)
    assert not broker.work(stranger, WORK_COMPLETE, job.handle, b"forged", 0)
    assert not broker.work(worker, WORK_COMPLETE, b"H:none", b"", 0)
    assert client.heard == []
    assert broker.work(worker, WORK_EXCEPTION, job.handle, b"why", 0)
    assert broker.work(worker, WORK_FAIL, job.handle, b"", 0)  # Perl workers send both
    assert client.heard == [(WORK_EXCEPTION, job.handle, b"why")]


@pytest.mark.parametrize(("job_retries", "attempts"), [(0, 1), (1, 1), (2, 2), (5, 5)])
@pytest.mark.parametrize("background", [False, True])
def test_a_job_that_lost_all_its_workers_fails(job_retries: int, attempts: int, background: bool) -> None:
    broker = make_broker(job_retries=job_retries)
    client = peer(broker)
    job = broker.submit(client, b"f", b"u", b"", 0, background=background)
    for _ in range(attempts):
        worker = peer(broker, b"f")
        assert grabbed(broker, worker) is job
        broker.leave(worker, 0)
    assert not broker.jobs
    assert client.heard == ([] if background else [(WORK_FAIL, job.handle, b"")])
    assert not client.listening
    assert broker.submit(client, b"f", b"u", b"", 0) is not job


def test_a_timed_out_attempt_counts_as_a_lost_worker() -> None:
    broker = make_broker(job_retries=1)
    client, slow = peer(broker), Recorder(broker)
    broker.can_do(slow, b"f", 0, timeout_ns=SECOND)
    job = broker.submit(client, b"f", b"", b"", 0)
    grabbed(broker, slow)
    broker.tick(SECOND)
    assert client.heard == [(WORK_FAIL, job.handle, b"")]
    assert broker.work(slow, WORK_COMPLETE, job.handle, b"late", 0)
    assert client.heard == [(WORK_FAIL, job.handle, b"")]

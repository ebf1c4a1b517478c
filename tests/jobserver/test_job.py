"""What is kept of a job."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from types import FrameType

import pytest

from fleet.jobserver.broker import Broker
from fleet.jobserver.job import Job
from fleet.jobserver.schedule import Schedule
from fleet.protocol.packets import WORK_COMPLETE
from tests.jobserver.queue import Recorder, make_broker, peer

Course = Callable[[Broker, Recorder, Recorder], Job]


@pytest.fixture(autouse=True)
def no_search_for_cycles() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def completed(broker: Broker, client: Recorder, worker: Recorder) -> Job:
    job = broker.submit(client, b"f", b"u", b"w", 0)
    assert broker.grab(worker, 0) is job
    broker.work(worker, WORK_COMPLETE, job.handle, b"", 0)
    return job


def cancelled_in_its_queue(broker: Broker, client: Recorder, worker: Recorder) -> Job:
    job = broker.submit(client, b"f", b"u", b"w", 0)
    broker.cancel(job.handle, 0)
    return job


def cancelled_while_it_ran(broker: Broker, client: Recorder, worker: Recorder) -> Job:
    job = broker.submit(client, b"f", b"u", b"w", 0)
    broker.grab(worker, 0)
    broker.cancel(job.handle, 0)
    return job


def cancelled_before_its_time(broker: Broker, client: Recorder, worker: Recorder) -> Job:
    job = broker.submit(client, b"f", b"u", b"w", 0, background=True, epoch_s=1000)
    broker.cancel(job.handle, 0)
    broker.tick(0, 1001.0)  # until then its place on the agenda is kept
    return job


def cancelled_though_it_would_come_again(broker: Broker, client: Recorder, worker: Recorder) -> Job:
    job = broker.submit(client, b"f", b"u", b"w", 0, background=True, schedule=Schedule(["*"] * 5))
    broker.cancel(job.handle, 0)
    broker.tick(0, 0.0)
    return job


def dropped_with_its_client(broker: Broker, client: Recorder, worker: Recorder) -> Job:
    job = broker.submit(client, b"f", b"u", b"w", 0)
    broker.leave(client, 0)
    return job


def given_up_after_its_workers_left(broker: Broker, client: Recorder, worker: Recorder) -> Job:
    job = broker.submit(client, b"f", b"u", b"w", 0)
    broker.grab(worker, 0)
    broker.leave(worker, 0)
    return job


COURSES = (
    completed,
    cancelled_in_its_queue,
    cancelled_while_it_ran,
    cancelled_before_its_time,
    cancelled_though_it_would_come_again,
    dropped_with_its_client,
    given_up_after_its_workers_left,
)


@pytest.mark.parametrize("course", COURSES, ids=lambda course: course.__name__)
def test_whoever_holds_a_job_that_has_ended_is_the_only_one(course: Course) -> None:
    """Compiled, no job is looked for in cycles: one that stood in one would stay for ever."""
    broker = make_broker(job_retries=1)
    client, worker = peer(broker), peer(broker, b"f")
    job = course(broker, client, worker)
    assert job.handle not in broker.jobs
    client.heard.clear()
    assert not [holder for holder in gc.get_referrers(job) if not isinstance(holder, FrameType)]

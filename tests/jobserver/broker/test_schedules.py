"""Jobs that come again."""

from __future__ import annotations

import pytest

from fleet.jobserver.broker import Broker
from fleet.protocol.packets import WORK_COMPLETE, WORK_FAIL
from tests.jobserver.queue import (
    EACH_MINUTE,
    MINUTE,
    grabbed,
    peer,
)


def at_minute(broker: Broker, minute: int) -> int:
    """Let so many minutes be over."""
    broker.tick(minute * MINUTE, 1_800_000_000 + minute * 60.0)
    return minute * MINUTE


def test_a_scheduled_job_comes_at_its_time_and_again_after_it_has_ended(broker: Broker) -> None:
    client, worker = peer(broker), peer(broker, b"f")
    handle = broker.submit(client, b"f", b"u", b"w", 0, background=True, schedule=EACH_MINUTE).handle
    at_minute(broker, 0)
    assert broker.grab(worker, 0) is None
    for minute, kind in ((1, WORK_COMPLETE), (2, WORK_FAIL), (3, WORK_COMPLETE)):
        now = at_minute(broker, minute)
        job = broker.grab(worker, now)
        assert job is not None
        assert (job.handle, job.unique, job.workload) == (handle, b"u", b"w")
        broker.work(worker, kind, handle, b"", now)
        at_minute(broker, minute)
        assert broker.grab(worker, now) is None  # not twice in one minute
    assert broker.functions[b"f"].jobs == 1


def test_a_scheduled_job_that_takes_longer_leaves_out_what_it_missed(broker: Broker) -> None:
    client, worker = peer(broker), peer(broker, b"f")
    broker.submit(client, b"f", b"", b"w", 0, background=True, schedule=EACH_MINUTE)
    at_minute(broker, 0)
    now = at_minute(broker, 1)
    job = broker.grab(worker, now)
    assert job is not None
    now = at_minute(broker, 5)
    broker.work(worker, WORK_COMPLETE, job.handle, b"", now)
    at_minute(broker, 5)
    assert broker.grab(worker, now) is None
    assert broker.grab(worker, at_minute(broker, 6)) is not None
    assert broker.grab(worker, at_minute(broker, 6)) is None


@pytest.mark.parametrize("when", ["unplanned", "waiting", "queued", "running"])
def test_a_cancelled_schedule_is_over(broker: Broker, when: str) -> None:
    worker = peer(broker, b"f")
    handle = broker.submit(peer(broker), b"f", b"u", b"w", 0, background=True, schedule=EACH_MINUTE).handle
    if when != "unplanned":
        at_minute(broker, 0)
    if when in ("queued", "running"):
        at_minute(broker, 1)
    if when == "running":
        grabbed(broker, worker)
    assert broker.cancel(handle, MINUTE)
    at_minute(broker, 9)
    assert broker.grab(worker, 9 * MINUTE) is None
    assert not broker.jobs
    assert not broker._schedules
    assert not broker._unplanned
    assert broker.functions[b"f"].jobs == 0


def test_a_schedule_coalesces_with_its_like_and_with_no_other_job(broker: Broker) -> None:
    client = peer(broker)
    scheduled = broker.submit(client, b"f", b"u", b"w", 0, background=True, schedule=EACH_MINUTE)
    assert broker.submit(client, b"f", b"u", b"w", 0, background=True, schedule=EACH_MINUTE) is scheduled
    assert broker.submit(client, b"f", b"u", b"w", 0) is not scheduled
    at_minute(broker, 0)
    assert grabbed(broker, peer(broker, b"f")) is not scheduled

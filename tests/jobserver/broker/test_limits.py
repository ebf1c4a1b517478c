"""What the queue refuses, and what a worker may have at once."""

from __future__ import annotations

import pytest

from fleet.jobserver.broker import Broker
from fleet.jobserver.refusal import Refusal
from fleet.protocol.packets import WORK_COMPLETE
from tests.jobserver.queue import (
    SECOND,
    grabbed,
    make_broker,
    peer,
)


def test_a_full_queue_refuses_but_still_coalesces() -> None:
    broker = make_broker(jobs=2, queued_bytes=100)
    client = peer(broker)
    broker.submit(client, b"f", b"u", b"x" * 90, 0)
    with pytest.raises(Refusal, match="Job queue is full"):
        broker.submit(client, b"f", b"", b"x" * 11, 0)
    broker.submit(client, b"f", b"", b"x" * 10, 0)
    with pytest.raises(Refusal, match="Job queue is full"):
        broker.submit(client, b"f", b"", b"", 0)
    broker.submit(client, b"f", b"u", b"", 0)


@pytest.mark.parametrize(("function", "unique"), [(b"", b""), (b"f" * 513, b""), (b"f", b"u" * 65)])
def test_names_of_the_wrong_length_are_refused(broker: Broker, function: bytes, unique: bytes) -> None:
    with pytest.raises(Refusal):
        broker.submit(peer(broker), function, unique, b"", 0)
    broker.submit(peer(broker), b"f" * 512, b"u" * 64, b"", 0)


def test_unused_function_names_make_room_for_new_ones() -> None:
    broker = make_broker(functions=2)
    worker = peer(broker, b"f", b"g")
    with pytest.raises(Refusal, match="has 2 functions"):
        broker.can_do(worker, b"h", 0)
    broker.cant_do(worker, b"g", 0)
    broker.can_do(worker, b"h", 0)
    assert set(broker.functions) == {b"f", b"h"}


def test_a_worker_cannot_hoard_jobs() -> None:
    broker = make_broker(jobs_per_worker=2)
    client, worker = peer(broker), peer(broker, b"f")
    for _ in range(3):
        broker.submit(client, b"f", b"", b"", 0)
    held = [grabbed(broker, worker), grabbed(broker, worker)]
    assert broker.grab(worker, 0) is None
    broker.work(worker, WORK_COMPLETE, held[0].handle, b"", 0)
    assert broker.grab(worker, 0) is not None


@pytest.mark.parametrize("how", ["cancelled", "completed", "timed out"])
def test_a_worker_that_sleeps_with_all_it_may_have_is_woken_once_it_may_have_more(how: str) -> None:
    broker = make_broker(jobs_per_worker=1)
    client, worker = peer(broker), peer(broker, b"f")
    broker.can_do(worker, b"g", 0, SECOND)
    broker.submit(client, b"g", b"", b"", 0)
    held = grabbed(broker, worker)
    broker.submit(client, b"f", b"", b"", 0)
    broker.sleep(worker, 0)
    broker.wake(0)
    assert worker.noops == 0
    if how == "cancelled":
        broker.cancel(held.handle, 0)
    elif how == "completed":
        broker.work(worker, WORK_COMPLETE, held.handle, b"", 0)
    else:
        broker.tick(SECOND)
    broker.wake(0)
    assert worker.noops == 1
    assert grabbed(broker, worker).handle != held.handle


def test_workers_that_have_all_they_may_are_not_woken_in_turn_for_a_job_that_neither_can_take() -> None:
    broker = make_broker(jobs_per_worker=1)
    client, workers = peer(broker), [peer(broker, b"f"), peer(broker, b"f")]
    for worker in workers:
        broker.submit(client, b"f", b"", b"", 0)
        grabbed(broker, worker)
        broker.sleep(worker, 0)
    broker.submit(client, b"f", b"", b"", 0)
    broker.wake(0)
    assert [worker.noops for worker in workers] == [0, 0]
    broker.cancel(next(iter(workers[1].holding)), 0)
    broker.wake(0)
    assert [worker.noops for worker in workers] == [0, 1]

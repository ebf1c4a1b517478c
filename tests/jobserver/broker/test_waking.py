"""Who is woken for a job: one that can do it, and another if that one does not come."""

from __future__ import annotations

from fleet.jobserver.broker import Broker
from tests.jobserver.queue import (
    SECOND,
    grabbed,
    make_broker,
    peer,
    submit_and_wake,
)


def test_a_submit_wakes_one_sleeper_not_all(broker: Broker) -> None:
    workers = [peer(broker, b"f") for _ in range(5)]
    for worker in workers:
        broker.sleep(worker, 0)
    submit_and_wake(broker)
    assert [w.noops for w in workers] == [1, 0, 0, 0, 0]
    submit_and_wake(broker)
    assert [w.noops for w in workers] == [1, 1, 0, 0, 0]


def test_going_to_sleep_beside_a_job_is_answered_with_a_noop_at_once(broker: Broker) -> None:
    broker.submit(peer(broker), b"f", b"", b"", 0)
    worker = peer(broker, b"f")
    broker.sleep(worker, 0)
    assert worker.noops == 1
    assert not worker.asleep


def test_a_woken_worker_that_does_not_come_is_replaced(broker: Broker) -> None:
    stuck, other = peer(broker, b"f"), peer(broker, b"f")
    broker.sleep(stuck, 0)
    broker.sleep(other, 0)
    submit_and_wake(broker)
    assert (stuck.noops, other.noops) == (1, 0)
    assert broker.tick(0) == SECOND
    assert broker.tick(SECOND) is not None
    assert (stuck.noops, other.noops) == (1, 1)


def test_a_woken_worker_that_disconnects_is_replaced_at_once(broker: Broker) -> None:
    gone, other = peer(broker, b"f"), peer(broker, b"f")
    broker.sleep(gone, 0)
    broker.sleep(other, 0)
    submit_and_wake(broker)
    broker.leave(gone, 0)
    broker.wake(0)
    assert other.noops == 1


def test_a_worker_woken_for_one_function_that_takes_another_leaves_none_stranded(broker: Broker) -> None:
    both, only_f, only_g = peer(broker, b"f", b"g"), peer(broker, b"f"), peer(broker, b"g")
    for worker in (both, only_f, only_g):
        broker.sleep(worker, 0)
    submit_and_wake(broker, b"g")  # wakes `both`
    submit_and_wake(broker, b"f")  # wakes `only_f`
    broker.functions[b"g"].turn = 99  # so that `both` takes f's job
    assert grabbed(broker, both).function.name == b"f"
    broker.wake(0)
    assert only_g.noops == 1


def test_registering_while_asleep_wakes_for_a_waiting_job(broker: Broker) -> None:
    worker = peer(broker, b"g")
    broker.sleep(worker, 0)
    broker.submit(peer(broker), b"f", b"", b"", 0)
    broker.can_do(worker, b"f", 0)
    broker.wake(0)
    assert worker.noops == 1


def test_more_workers_than_jobs_are_woken_where_that_is_asked_for() -> None:
    broker = make_broker(worker_wakeup=2)
    workers = [peer(broker, b"f") for _ in range(5)]
    for worker in workers:
        broker.sleep(worker, 0)
    submit_and_wake(broker)
    assert [w.noops for w in workers] == [1, 1, 0, 0, 0]


def test_a_job_that_was_grabbed_before_anybody_was_woken_wakes_nobody(broker: Broker) -> None:
    sleeper, busy = peer(broker, b"f"), peer(broker, b"f")
    broker.sleep(sleeper, 0)
    broker.submit(peer(broker), b"f", b"", b"", 0)
    grabbed(broker, busy)
    broker.wake(0)
    assert sleeper.noops == 0

"""Which job a worker gets."""

from __future__ import annotations

from fleet.jobserver.broker import Broker
from fleet.jobserver.job import HIGH, LOW
from tests.jobserver.queue import (
    grabbed,
    peer,
)


def test_priority_goes_first_over_all_functions_then_functions_take_turns(broker: Broker) -> None:
    client = peer(broker)
    for n in range(3):
        broker.submit(client, b"f", b"", b"f%d" % n, 0)
        broker.submit(client, b"g", b"", b"g%d" % n, 0)
    broker.submit(client, b"f", b"", b"f-low", 0, priority=LOW)
    broker.submit(client, b"g", b"", b"g-high", 0, priority=HIGH)
    worker = peer(broker, b"f", b"g")
    got = [bytes(grabbed(broker, worker).workload) for _ in range(8)]
    assert got == [b"g-high", b"f0", b"g0", b"f1", b"g1", b"f2", b"g2", b"f-low"]


def test_a_worker_gets_only_what_it_registered_for(broker: Broker) -> None:
    broker.submit(peer(broker), b"f", b"", b"", 0)
    assert broker.grab(peer(broker, b"g"), 0) is None
    assert broker.grab(peer(broker), 0) is None


def test_registering_twice_is_as_registering_once(broker: Broker) -> None:
    worker = peer(broker, b"f", b"f")
    assert len(broker.functions[b"f"].workers) == 1
    broker.cant_do(worker, b"f", 0)
    broker.cant_do(worker, b"never heard of", 0)
    assert not broker.functions[b"f"].workers

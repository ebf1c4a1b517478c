"""Jobs that many wait for."""

from __future__ import annotations

import pytest

from fleet.jobserver.refusal import Refusal
from fleet.settings import ServerLimits
from tests.jobserver.house import House
from tests.jobserver.queue import make_broker, peer


def test_no_more_wait_for_one_job_than_a_result_can_be_told_to() -> None:
    """A submit is forty bytes, and each has the whole result sent to it."""
    broker = make_broker(listeners=3)
    clients = [peer(broker) for _ in range(3)]
    (job,) = {broker.submit(client, b"f", b"u", b"", 0) for client in clients}
    with pytest.raises(Refusal, match="Too many wait"):
        broker.submit(clients[0], b"f", b"u", b"", 0)
    assert broker.submit(clients[0], b"f", b"u", b"", 0, background=True) is job
    broker.leave(clients[1], 0)
    assert broker.submit(clients[0], b"f", b"u", b"", 0) is job
    assert len(job.listeners) == 3


def test_so_it_is_with_a_kept_job_and_its_result() -> None:
    house = House()
    house.broker.limits = ServerLimits(listeners=1)
    ack = house.submit(b"u")
    house.commit()
    house.submit(b"u", background=False)
    with pytest.raises(Refusal, match="Too many wait"):
        house.submit(b"u", background=False)
    with pytest.raises(Refusal, match="Too many wait"):
        house.submit(name=b"fleet.result", workload=ack.handle, background=False)

"""An HTTP connection beside others: it is dealt with in turns, and it is known when it still waits for something."""

from __future__ import annotations

import pytest

from fleet.jobserver.broker import Broker
from fleet.jobserver.gateways.http import EVENTS_AT_ONCE, Http
from fleet.jobserver.wire import Hub
from tests.jobserver.house import House
from tests.jobserver.queue import make_broker

HEAD = b"POST /f HTTP/1.1\r\nHost: localhost\r\n"
IN_CHUNKS = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
BACKGROUND = b"X-Gearman-Background: true\r\n"


@pytest.fixture
def broker() -> Broker:
    return make_broker()


def turns(wire: Http) -> int:
    """How often it has to be told to go on until it wants to hear more."""
    count = 0
    while wire.behind:
        assert wire.full
        assert wire.owed
        wire.feed(b"", 0)
        count += 1
    return count


def test_a_body_in_many_small_chunks_is_taken_up_by_turns_with_everybody_else(broker: Broker) -> None:
    wire, pieces = Http(Hub(broker)), 20 * EVENTS_AT_ONCE
    wire.feed(IN_CHUNKS + b"1\r\nx\r\n" * pieces, 0)
    assert turns(wire) == 20
    assert wire.midway
    wire.feed(b"0\r\n\r\n", 0)
    (job,) = broker.jobs.values()
    assert bytes(job.workload) == b"x" * pieces


def test_a_body_that_ends_with_its_turn_leaves_nothing_to_be_done(broker: Broker) -> None:
    wire = Http(Hub(broker))
    wire.feed(IN_CHUNKS + b"1\r\nx\r\n" * (EVENTS_AT_ONCE - 2) + b"0\r\n\r\n", 0)
    assert turns(wire) == 0
    assert broker.jobs


@pytest.mark.parametrize(
    "request_",
    [
        HEAD + BACKGROUND + b"\r\n",
        HEAD + BACKGROUND + b"Connection: close\r\n\r\n",
        HEAD + BACKGROUND + b"X-Gearman-Delay: 5\r\n\r\n",
        b"GET /jobs/H:none HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /jobs/H:none/result HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
    ids=["background", "the last request", "with terms", "status", "result"],
)
def test_w37_who_waits_for_the_store_is_owed_an_answer(request_: bytes) -> None:
    house = House(window=1)
    for _ in range(3):
        house.submit()
    house.commit()
    wire = Http(Hub(house.broker))
    wire.feed(request_, 0)
    assert wire.owed
    assert wire.outbox == []
    house.commit()
    assert wire.outbox
    assert not wire.owed


def test_half_a_request_is_owed_nothing(broker: Broker) -> None:
    wire = Http(Hub(broker))
    wire.feed(HEAD + b"Content-Length: 9\r\n\r\nhalf", 0)
    assert not wire.owed

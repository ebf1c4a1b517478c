"""What the tests of a connection begin with."""

from __future__ import annotations

import pytest

from fleet.jobserver.broker import Broker
from tests.jobserver.gateways.http.end import LIMIT, End
from tests.jobserver.queue import Recorder, make_broker, peer


@pytest.fixture
def broker() -> Broker:
    return make_broker(packet_bytes=LIMIT)


@pytest.fixture
def client(broker: Broker) -> End:
    return End(broker)


@pytest.fixture
def worker(broker: Broker) -> Recorder:
    return peer(broker, b"f")

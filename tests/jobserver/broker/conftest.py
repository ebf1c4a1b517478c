"""What the queue's tests begin with."""

from __future__ import annotations

import pytest

from fleet.jobserver.broker import Broker
from tests.jobserver.queue import make_broker


@pytest.fixture
def broker() -> Broker:
    return make_broker()

"""The store's place in the server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fleet.errors import FleetError
from fleet.jobserver import stores
from fleet.jobserver.durable import DurableBroker
from fleet.jobserver.keeper import Keeper
from fleet.jobserver.stores import StoreBroken
from fleet.jobserver.stores.memory import MemoryStore


def keeper(broken: list[FleetError], answered: list[str]) -> tuple[Keeper, DurableBroker]:
    broker = DurableBroker(lambda: b"H:1")
    return Keeper(broker, MemoryStore, lambda: answered.append("answered"), broken.append), broker


def test_an_answer_that_cannot_be_dealt_with_ends_the_server(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever waits for an answer behind it would wait for ever."""
    broken: list[FleetError] = []
    answered: list[str] = []

    def fail(answer: Any, now: int) -> None:
        raise KeyError("H:2")

    async def scene() -> None:
        kept, broker = keeper(broken, answered)
        await kept.start(0)
        answered.clear()
        broker.requests.append((stores.Look(b"H:1"), fail))
        await kept.close()

    asyncio.run(scene())
    (failure,) = broken
    assert isinstance(failure, StoreBroken)
    assert "KeyError" in str(failure)
    assert not answered
    assert "an answer of the store failed" in caplog.text


def test_what_is_asked_for_after_the_end_is_not_asked_of_a_closed_store() -> None:
    broken: list[FleetError] = []

    async def scene() -> None:
        kept, broker = keeper(broken, [])
        await kept.start(0)
        await kept.close()
        broker.requests.append((stores.Look(b"H:1"), lambda answer, now: None))
        kept.carry_out()
        assert broker.requests

    asyncio.run(scene())
    assert not broken

"""Questions to a queue with a store behind it, for tests."""

from __future__ import annotations

import json
from typing import Any

from fleet.jobserver.refusal import Refusal
from fleet.protocol.packets import WORK_COMPLETE, WORK_EXCEPTION
from tests.jobserver.house import Ack, House
from tests.jobserver.queue import Recorder, grabbed, peer


def refused(ack: Ack) -> bytes:
    assert isinstance(ack.told, Refusal)
    return ack.told.code


class Asked:
    """A question, and its answer once the store has committed."""

    def __init__(self, house: House, name: str, **request: Any) -> None:
        self.who = peer(house.broker)
        workload = json.dumps(request).encode()
        self.ack = house.submit(name=name.encode(), workload=workload, peer=self.who, background=False)

    @property
    def answer(self) -> Any:
        ((kind, handle, data),) = self.who.heard
        assert (kind, handle) == (WORK_COMPLETE, self.ack.handle)
        return json.loads(data)


def ask(house: House, name: str, **request: Any) -> Any:
    asked = Asked(house, name, **request)
    assert not asked.ack.is_told
    house.commit()
    return asked.answer


def states(house: House, name: str = "fleet.jobs", **filters: Any) -> list[str]:
    return [job["state"] for job in ask(house, name, do="list", **filters)["jobs"]]


def bury(house: House, *names: bytes) -> list[str]:
    """Have a job of each function die."""
    acks = [house.submit(name=name, unique=b"u%d" % n) for n, name in enumerate(names)]
    house.commit()
    worker = house.worker(*set(names))
    for _ in range(2):
        for _ in names:
            house.finish(worker, grabbed(house.broker, worker), WORK_EXCEPTION, b"ValueError: no")
        house.wait(2)
    house.broker.leave(worker, house.now)
    return [ack.handle.decode() for ack in acks]


def ask_for(house: House, handle: bytes) -> tuple[Ack, Recorder]:
    """What somebody is told who asks for a job's result."""
    who = peer(house.broker)
    return house.submit(name=b"fleet.result", workload=handle, peer=who, background=False), who

"""A queue without a store, and peers that write down what they were told."""

from __future__ import annotations

import itertools
from typing import Any

from fleet.jobserver.broker import Broker
from fleet.jobserver.job import Job, Peer
from fleet.jobserver.schedule import Schedule
from fleet.protocol import Data
from fleet.protocol.packets import WORK_COMPLETE, WORK_EXCEPTION, WORK_FAIL
from fleet.settings import ServerLimits

MS = 1_000_000
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
EACH_MINUTE = Schedule.read("* * * * *")
FINAL = (WORK_COMPLETE, WORK_FAIL, WORK_EXCEPTION)


class Recorder(Peer):
    """A peer that writes down what it was told."""

    def __init__(self, broker: Broker) -> None:
        super().__init__()
        self.noops = 0
        self.grants: list[Job | None] = []
        self.heard: list[tuple[Any, ...]] = []
        broker.join(self)

    def wake(self) -> None:
        self.noops += 1

    def granted(self, job: Job | None) -> None:
        self.grants.append(job)

    def progress(self, job: Job, numerator: bytes, denominator: bytes) -> None:
        self.heard.append(("status", job.handle, numerator, denominator))

    def news(self, kind: int, job: Job, data: Data) -> None:
        self.heard.append((kind, job.handle, bytes(data)))


def make_broker(*, job_retries: int = -1, worker_wakeup: int = 1, **limits: Any) -> Broker:
    numbers = itertools.count(1)
    return Broker(
        lambda: b"H:test:%d" % next(numbers),
        ServerLimits(**limits),
        job_retries=job_retries,
        worker_wakeup=worker_wakeup,
    )


def peer(broker: Broker, *functions: bytes) -> Recorder:
    made = Recorder(broker)
    for name in functions:
        broker.can_do(made, name, 0)
    return made


def grabbed(broker: Broker, worker: Peer) -> Job:
    job = broker.grab(worker, 0)
    assert job is not None
    return job


def submit_and_wake(broker: Broker, name: bytes = b"f") -> None:
    broker.submit(peer(broker), name, b"", b"", 0, background=True)
    broker.wake(0)

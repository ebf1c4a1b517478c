"""A queue with a store behind it, for tests: without a disk, and in the test's own time."""

from __future__ import annotations

import itertools
from typing import Any

from fleet.jobserver import stores
from fleet.jobserver.durable import DurableBroker
from fleet.jobserver.job import Job, Peer
from fleet.jobserver.refusal import Refusal
from fleet.jobserver.stores.memory import MemoryStore
from fleet.protocol.packets import WORK_COMPLETE
from fleet.settings import FunctionPolicy, ServerLimits
from tests.jobserver.queue import SECOND, Recorder, peer


class House:
    """A broker, its store, and what was acknowledged."""

    def __init__(self, *, window: int = 1000, window_bytes: int = 1000, dead_jobs: int = 100, **policy: Any) -> None:
        numbers = itertools.count(1)
        self.store: Any = MemoryStore()
        self.broker = DurableBroker(
            lambda: b"H:test:%d" % next(numbers),
            ServerLimits(window=window, window_bytes=window_bytes, dead_jobs=dead_jobs),
            policies={"": FunctionPolicy(**{"backoff_most_s": 1.0, **policy})},
        )
        self.now = 0
        self.clock_s = 0.0  # how far the wall clock is ahead of `now`
        self.client: Recorder = peer(self.broker)

    def commit(self) -> None:
        """Have the store do all it was asked for."""
        while self.broker.requests:
            batch, self.broker.requests = self.broker.requests, []
            answers = self.store.carry_out([request for request, _ in batch])
            for (_, then), answer in zip(batch, answers, strict=True):
                then(answer, self.now)
        self.broker.wake(self.now)

    def submit(self, unique: bytes = b"", workload: bytes = b"w", name: bytes = b"f", **how: Any) -> Ack:
        how.setdefault("background", True)
        return Ack(self.broker.submit(how.pop("peer", self.client), name, unique, workload, self.now, **how))

    def worker(self, *names: bytes) -> Recorder:
        return peer(self.broker, *names or (b"f",))

    def finish(self, worker: Peer, job: Job, kind: int = WORK_COMPLETE, data: bytes = b"done") -> None:
        assert self.broker.work(worker, kind, job.handle, data, self.now)
        self.commit()

    def wait(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)
        self.broker.tick(self.now, self.now / SECOND + self.clock_s)
        self.commit()

    def look(self, handle: bytes) -> Any:
        return self.store.carry_out([stores.Look(handle)])[0]

    def dead(self) -> list[stores.Listed]:
        found: list[stores.Listed] = self.store.carry_out([stores.ListJobs(dead=True)])[0]
        return found

    def restart(self, wall_s: float = 0.0) -> House:
        """The same store with a new broker, as after a crash, at `wall_s` by the wall clock."""
        fresh = House(window=self.broker.limits.window)
        fresh.store = Reopened(self.store)
        fresh.broker.recovered(fresh.store.recover(), 0, wall_s)
        fresh.commit()
        return fresh


class Reopened:
    """A memory store as it would be found on disk: nothing in it is claimed."""

    def __init__(self, before: MemoryStore) -> None:
        self._store = MemoryStore()
        self._entries = [before._jobs[handle] for handle in before._jobs]

    def recover(self) -> dict[bytes, stores.Backlog]:
        backlogs: dict[bytes, stores.Backlog] = {}
        for entry in self._entries:
            self._store.carry_out([stores.Put(entry)])
            backlogs.setdefault(entry.function, stores.Backlog()).count(entry, 1)
        return backlogs

    def carry_out(self, batch: list[stores.Request]) -> list[Any]:
        return self._store.carry_out(batch)


class Ack:
    """What a client is told of its submit."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.told: bytes | Refusal | None = None
        if job.pending:
            job.pending.then(self._tell)
        else:
            self.told = job.handle

    def _tell(self, told: bytes | Refusal) -> None:
        self.told = told

    @property
    def is_told(self) -> bool:
        return self.told is not None

    @property
    def handle(self) -> bytes:
        assert isinstance(self.told, bytes)
        return self.told

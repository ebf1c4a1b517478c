"""A job server that is started again after each fault, always on one port and one store."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from fleet.client import admin
from fleet.jobserver.stores import Entry, Put
from fleet.jobserver.stores.sqlite import SqliteStore
from fleet.settings import Address
from tests.conftest import listening
from tests.faults.actors import Actor
from tests.faults.history import History, Submit, now_ns
from tests.processes import FLEET, Program, until

PROGRAM = (*FLEET, "server", "--attempts", "3")


class Scene:
    """The server is started by `start`, and made to stop by `ended` or `settle`.

    Args:
        spawn: see tests/conftest.py.
        folder: where the store is.
        address: where it listens: a port that is held for the test.
        program: the server's, without where it listens and keeps its jobs.
    """

    def __init__(
        self, spawn: Callable[..., Program], folder: Path, address: Address, program: tuple[str, ...] = PROGRAM
    ) -> None:
        self._spawn = spawn
        self._program = program
        self.address = address
        self.history = History(folder / "store" / "jobs")

    def start(self, *failpoints: str, env: Mapping[str, str] | None = None) -> Address:
        """Start it with these failpoints; what it commits is written down."""
        self.history.server += 1
        armed = {"FLEET_FAILPOINT": ",".join([self.history.recording, *failpoints])}
        where = ("--port", str(self.address.port), "--store", f"sqlite:{self.history.store}")
        self._began = time.monotonic()
        self.server = self._spawn(*self._program, *where, env={**armed, **(env or {})})
        assert listening(self.server) == self.address
        return self.address

    def fill(self, jobs: int) -> None:
        """Have so many acknowledged jobs in the store, before the server is started."""
        store, now = SqliteStore(self.history.store), now_ns()
        uniques = [f"old-{number}" for number in range(jobs)]
        for at in range(0, jobs, 1000):
            store.carry_out([Put(entry(unique)) for unique in uniques[at : at + 1000]])
        store.close()
        self.history.submits += [Submit(unique, now, now_ns(), f"H:{unique}") for unique in uniques]

    def kill(self) -> None:
        self.server.send(signal.SIGKILL)
        assert self.ended() == -signal.SIGKILL

    def ended(self) -> int:
        return self.server.ended()

    def jobs(self) -> int:
        """How many are queued or run."""
        return sum(function.jobs for function in admin.status(self.address))

    def settle(self, *clients: Actor) -> None:
        """Wait until the clients are done and the queue is empty, and stop the server."""
        for client in clients:
            client.join(60)
            assert not client.is_alive(), "I4: a client is not done"
        until(lambda: self.jobs() == 0, "I5: all jobs are done", 60)
        self.history.recovered_s = time.monotonic() - self._began
        assert self.server.stop() == 0


def entry(unique: str) -> Entry:
    """A job as the actors' clients submit it."""
    key = unique.encode()
    return Entry(b"H:" + key, b"f", b"work of " + key, unique=key, key=key)

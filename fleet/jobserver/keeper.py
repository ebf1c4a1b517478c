"""The store's place in the server: its thread, and what is asked of it in between.

Rule 1: one batch is carried out at a time; what is asked for meanwhile goes into the next, so that one commit serves
all who came while the last one ran. Rule 2: a store that breaks ends the server: what it acknowledged is on disk, and
nothing more can be promised. So does an answer that cannot be dealt with: those behind it would never be told.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from fleet.errors import FleetError
from fleet.jobserver import failpoints
from fleet.jobserver.aside import Aside
from fleet.jobserver.durable import DurableBroker
from fleet.jobserver.log import log
from fleet.jobserver.stores import Request, Store, StoreBroken
from fleet.jobserver.window import Then

BATCH: Final = 1000  # requests in one transaction


class Keeper:
    """Carries out what `broker` asks of the store.

    Args:
        open_store: opens it, in the store's own thread.
        answered: called after each batch, once all answers were told.
        broken: called once, if the store breaks.
    """

    def __init__(
        self,
        broker: DurableBroker,
        open_store: Callable[[], Store],
        answered: Callable[[], None],
        broken: Callable[[FleetError], None],
    ) -> None:
        self._broker = broker
        self._open_store = open_store
        self._answered = answered
        self._broken = broken
        self._told_full = False  # that the dead letter is
        self._running: asyncio.Future[None] | None = None  # done when the batch that is with the store is
        self._closed = False

    async def start(self, now: int) -> None:
        """Open the store, see what is in it, and fill the windows. Raises StoreBroken or StoreInUse."""
        self._loop = asyncio.get_running_loop()
        self._thread = Aside("store")
        self._store = await self._thread.result(self._open_store)
        backlogs = await self._thread.result(self._store.recover)
        log.info("the store has %d jobs: %s", sum(b.total for b in backlogs.values()), self._store.facts())
        self._broker.recovered(backlogs, now, time.time())
        await self._finish()

    def carry_out(self) -> None:
        """Hand over what was asked for, unless a batch is with the store already."""
        requests = self._broker.requests
        if self._running or self._closed or not requests:
            return
        batch = requests[:BATCH]
        del requests[:BATCH]
        failpoints.reach("asked", [request for request, _ in batch])
        self._running = self._loop.create_future()
        self._thread.do(partial(self._carry_out, batch))

    def _carry_out(self, batch: list[tuple[Request, Then]]) -> None:
        """In the store's thread. It calls the loop itself: a future across threads takes longer than a small commit."""
        try:
            requests = [request for request, _ in batch]
            failpoints.reach("begun", requests)
            answers = self._store.carry_out(requests)
        except FleetError as error:
            self._loop.call_soon_threadsafe(self._failed, error)
        except Exception as error:
            log.exception("the store failed")
            broken = StoreBroken(f"the store failed: {type(error).__name__}: {error}")
            self._loop.call_soon_threadsafe(self._failed, broken)
        else:
            self._loop.call_soon_threadsafe(self._done, batch, answers)

    def _done(self, batch: list[tuple[Request, Then]], answers: list[Any]) -> None:
        self._ended()
        now = time.monotonic_ns()
        try:
            for (_, then), answer in zip(batch, answers, strict=True):
                then(answer, now)
        except Exception as error:
            log.exception("an answer of the store failed")
            self._broken(StoreBroken(f"an answer of the store failed: {type(error).__name__}: {error}"))
            return
        requests = [request for request, _ in batch]
        failpoints.reach("told", requests)
        self._answered()
        failpoints.reach("sent", requests)
        self._tell_if_full()

    def _tell_if_full(self) -> None:
        """Say once that dead jobs have to go: the counters say how many."""
        letter = self._broker.dead_letter
        if letter and letter.evicted and not self._told_full:
            self._told_full = True
            log.warning(
                "the dead letter is full with %d jobs of %d bytes: from now on its oldest go as new ones come; "
                "look at it with `fleet dead list`, then retry or purge them",
                letter.jobs,
                letter.size,
            )

    def _failed(self, error: FleetError) -> None:
        self._ended()
        self._broken(error)

    def _ended(self) -> None:
        running, self._running = self._running, None
        assert running
        running.set_result(None)

    async def close(self) -> None:
        """Carry out what was asked for last, and close the store; what is asked for later is not carried out.

        Whoever asks must have come to an end.
        """
        await self._finish()
        self._closed = True
        await self._thread.result(self._store.close)
        self._thread.end()

    async def _finish(self) -> None:
        """Carry out all that is asked for."""
        self.carry_out()
        while self._running:
            await asyncio.wait([self._running])
            self.carry_out()

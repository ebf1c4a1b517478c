"""A slot: one job at a time, from one of the job servers, in one runner.

Rule 1: the slot answers for its job: it has the deadline, and it tells the client what became of it. Rule 2: a job
whose connection is gone is killed, for its job server has given it to somebody else. Rule 3: a job whose runner dies
or runs short of memory has a second try, with twice the memory and what is left of its deadline.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

from fleet.protocol import Data
from fleet.settings import Address, PoolLimits
from fleet.workers import channel
from fleet.workers.arena import Arena
from fleet.workers.channel import LAST, Errand, Kind, Record
from fleet.workers.conversation import Assigned, Cancelled, Event, Told
from fleet.workers.death import Death, overdue
from fleet.workers.denials import Denials
from fleet.workers.functions import resource_failure
from fleet.workers.keeper import Keeper, Runners
from fleet.workers.link import Link
from fleet.workers.turns import Turns

TRIES: Final = 2  # of a job whose runner dies or runs short; the second with twice the memory


class Slot:
    """One of a pool's slots.

    Args:
        name: for the job server's `workers` table.
        functions: what it takes jobs of.
        on_change: called when it became connected, idle or closed.
    """

    def __init__(
        self,
        name: str,
        servers: Sequence[Address],
        functions: Sequence[str],
        runners: Runners,
        limits: PoolLimits,
        denials: Denials,
        on_change: Callable[[], None],
    ) -> None:
        self.name = name
        self.functions = functions
        self.arena = Arena()
        self.running: Running | None = None
        self.draining = False
        self._keeper = Keeper(runners, self.arena.reader, limits.result_bytes, self._heard, self._ended)
        self._limits = limits
        self._denials = denials
        self._on_change = on_change
        self._turns: Turns[Link] = Turns()
        self.links = [Link(self, address) for address in servers]

    @property
    def connected(self) -> bool:
        return any(link.up for link in self.links)

    def step(self) -> None:
        """Ask for a job, if there is nothing better to do."""
        if self.running and self.running.waiting and self._keeper.ready:
            self._try(self.running)
        if self.running or self.draining or not self._keeper.ready:
            return
        self._keeper.prepare(self._limits.memory_bytes)
        if link := self._turns.ask():
            link.conversation.grab()
            link.flush()
            link.expect_answer()

    def drain(self) -> None:
        """Take no more jobs; the connections are closed once the running job is done."""
        self.draining = True
        if self.running is None:
            self.close()

    def abandon(self) -> None:
        """Give the running job up: its job server gives it to somebody else."""
        self.draining = True
        if self.running:
            self.running.abandoned = True
            self._end_try(self.running)
        self.close()

    def close(self) -> None:
        for link in self.links:
            link.close()
        self._keeper.dismiss()
        self.arena.close()

    # -- what the links tell ----------------------------------------------------------------------------------

    def opened(self, link: Link) -> None:
        link.conversation.introduce(self.name, [(function, 0) for function in self.functions], pool=True)
        link.flush()
        self._turns.awake(link)
        self._on_change()
        self.step()

    def lost(self, link: Link) -> None:
        self._turns.asleep(link)
        if self.running and self.running.link is link:
            self._end_try(self.running)
        self._on_change()
        self.step()

    def happened(self, link: Link, event: Event) -> None:
        if isinstance(event, Assigned):
            self._turns.awake(link)
            self._start(link, event)
        elif isinstance(event, Cancelled):
            self._cancel(link, event.handle)
        elif event is Told.NOOP:
            if self._turns.asked is not link:
                self._turns.awake(link)
        elif event is Told.OTHER_GRAB:
            self._turns.awake(link)
        elif event is Told.NO_JOB:
            self._turns.asleep(link)
            link.conversation.sleep()
            link.flush()
        self.step()

    # -- a job ------------------------------------------------------------------------------------------------

    def _start(self, link: Link, assigned: Assigned) -> None:
        if self.running or self.draining or not self._keeper.ready:
            link.abort()  # an answer that came too late: the server may give the job to somebody else
            return
        function, workload = assigned.function.decode(), assigned.workload
        if why := self._denials.reason(function, workload, time.monotonic_ns()):
            text = resource_failure(f"this very job killed its process before, and is refused for a day: {why}")
            link.conversation.exception(assigned.handle, text)
            link.flush()
            self.arena.settle()
            return
        errand = Errand(function, *self.arena.place(workload))
        self.running = running = Running(link, assigned.handle, errand, workload)
        running.timer = asyncio.get_running_loop().call_later(self._limits.deadline_s, self._overdue, running)
        self._try(running)

    def _try(self, running: Running) -> None:
        running.waiting = False
        running.tries += 1
        self._keeper.send(running.errand, self._limits.memory_bytes * running.tries)

    def _cancel(self, link: Link, handle: bytes) -> None:
        """Kill what nobody waits for any more, unless it is over already."""
        running = self.running
        if running and running.link is link and running.handle == handle:
            running.abandoned = True
            self._end_try(running)

    def _end_try(self, running: Running) -> None:
        if running.waiting:
            self._over(running)
        else:
            self._keeper.kill()

    def _overdue(self, running: Running) -> None:
        running.overdue = True
        self._end_try(running)

    def _heard(self, record: Record) -> None:
        """The runner sent a record: the client has it at once."""
        running = self.running
        assert running is not None
        if running.forgotten:
            return
        conversation, handle = running.link.conversation, running.handle
        if record.kind == Kind.DATA:
            conversation.data(handle, record.body)
        elif record.kind == Kind.STATUS:
            conversation.status(handle, *channel.progress(record.body))
        elif record.kind == Kind.RESULT:
            conversation.complete(handle, record.body)
        elif record.kind == Kind.ERROR:
            conversation.exception(handle, record.body.decode("utf-8", "replace"))
        elif record.kind == Kind.SHORT:
            running.short = record.body.decode("utf-8", "replace")
        running.passed_on = running.passed_on or record.kind == Kind.DATA
        running.answered = record.kind in LAST and record.kind != Kind.SHORT
        running.link.flush()

    def _ended(self, death: Death | None) -> None:
        """The runner is gone, or done with the job and there for the next."""
        running = self.running
        assert running is not None
        if death:
            running.death = overdue(self._limits.deadline_s) if running.overdue else death
        if not running.may_try_again or self.draining:
            self._over(running)
        elif self._keeper.ready:
            self._try(running)
        else:
            running.waiting = True  # until there is a zygote again

    def _over(self, running: Running) -> None:
        """There will be no other try."""
        self.running = None
        if running.timer:
            running.timer.cancel()
        if not running.answered and not running.forgotten:
            running.link.conversation.exception(running.handle, self._failure(running))
            running.link.flush()
        self.arena.settle()
        if self.draining:
            self.close()
        self._on_change()
        self.step()

    def _failure(self, running: Running) -> str:
        """What to tell the client of a job that never answered; one that killed its runner is remembered."""
        death = running.death
        if running.short is not None and not running.overdue:
            return running.short
        if death.by_job:
            self._denials.add(running.errand.function, running.workload, death.text, time.monotonic_ns())
        again = ", and so did a second one" if running.tries == TRIES and not running.overdue else ""
        return resource_failure(f"the process that ran the job died: {death.text}{again}")


class Running:
    """The job a slot is at."""

    def __init__(self, link: Link, handle: bytes, errand: Errand, workload: Data) -> None:
        self.link = link
        self.handle = handle
        self.errand = errand
        self.workload = workload
        self.tries = 0
        self.waiting = False  # for a runner to be had
        self.short: str | None = None  # what the last try said that ran short of memory
        self.death = Death("it never began", by_job=False)  # what ended the last try
        self.passed_on = False  # its client has parts of the result: a second try would send them twice
        self.answered = False  # its client has the result, or the reason why there is none
        self.overdue = False
        self.abandoned = False  # nothing more is said of it: another worker will do the job, or nobody wants it
        self.timer: asyncio.TimerHandle | None = None

    @property
    def forgotten(self) -> bool:
        """Whether its job server will hear no more of it."""
        return self.abandoned or not self.link.up

    @property
    def may_try_again(self) -> bool:
        gone = self.answered or self.forgotten or self.overdue or self.passed_on
        return not gone and self.tries < TRIES

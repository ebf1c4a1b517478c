"""A slot: one job at a time, from one of the job servers, in one runner.

Rule 1: the slot answers for its job: it has the deadline, and it tells the client what became of it. Rule 2: a job
whose connection is gone is *adrift* and goes on if its job server is one of ours, which hears of it when it is back,
before it is asked for another; with any other server it is killed, for that has given it to somebody else. Rule 3: a
job whose runner dies or runs short of memory has a second try, with twice the memory and what is left of its deadline.
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
from fleet.workers.channel import Errand, Kind, Record
from fleet.workers.conversation import Assigned, Cancelled, Event, Told
from fleet.workers.death import Death, overdue
from fleet.workers.denials import Denials
from fleet.workers.functions import resource_failure
from fleet.workers.keeper import Keeper, Runners
from fleet.workers.late import Answer, Late
from fleet.workers.link import Link
from fleet.workers.turns import Turns

HOLD_S: Final = 1.0  # for the other slots to tell a server that is back of their jobs, before it is asked for one
TRIES: Final = 2  # of a job whose runner dies or runs short; the second with twice the memory


class Slot:
    """One of a pool's slots.

    Args:
        name: for the job server's `workers` table.
        functions: what it takes jobs of.
        denials, late: the pool's.
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
        late: Late,
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
        self._late = late
        self._unsure: set[Link] = set()  # who is owed something, and has not said yet whether it is ours
        self._held: set[Link] = set()  # who is not asked before other slots have told it of their jobs
        self._unconfirmed: tuple[Link, Answer] | None = None  # sent, but the server has said nothing since
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
        for held in [link for link in self._held if not self._late.has_adrift(link.address)]:
            self._release(held)
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
            self._give_up(self.running)
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
        if self._is_adrift(link) or self._late.owes(link.address, time.monotonic_ns()):
            self._unsure.add(link)
            link.expect_answer()
        else:
            self._admit(link)
        self._on_change()
        self.step()

    def lost(self, link: Link) -> None:
        self._turns.asleep(link)
        self._unsure.discard(link)
        self._held.discard(link)
        if self.running and self.running.link is link:
            self._cut_off(self.running)
        if self._unconfirmed and self._unconfirmed[0] is link:
            self._late.keep(link.address, self._unconfirmed[1], time.monotonic_ns())
            self._unconfirmed = None
        self._on_change()
        self.step()

    def happened(self, link: Link, event: Event) -> None:
        if (isinstance(event, Assigned) or event is Told.NO_JOB) and self._unconfirmed and link is self._unconfirmed[0]:
            self._unconfirmed = None
        if isinstance(event, Assigned):
            self._turns.awake(link)
            self._start(link, event)
        elif isinstance(event, Cancelled):
            self._cancel(link, event.handle)
        elif event in (Told.OURS, Told.NOT_OURS):
            self._recognized(link)
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

    def _recognized(self, link: Link) -> None:
        """The job server says whether it is one of ours: only then it is told of jobs from an earlier connection."""
        if link not in self._unsure:
            return
        self._unsure.discard(link)
        link.answered()
        ours, running = link.conversation.ours, self.running
        if running and self._is_adrift(link):
            self._settle(running)
            if ours:
                link.conversation.resume(running.handle)
            else:
                self._give_up(running)
        for answer in self._late.take(link.address, time.monotonic_ns()):
            if ours:
                link.conversation.end(answer)
        link.flush()
        self._admit(link)
        self._on_change()

    def _admit(self, link: Link) -> None:
        """Have it asked for jobs, but not for one that another slot is still at."""
        if self._late.has_adrift(link.address):
            self._held.add(link)
            asyncio.get_running_loop().call_later(HOLD_S, self._hold_no_longer, link)
        else:
            self._turns.awake(link)

    def _hold_no_longer(self, link: Link) -> None:
        if link in self._held:
            self._release(link)
            self.step()

    def _release(self, link: Link) -> None:
        self._held.discard(link)
        self._turns.awake(link)

    def _is_adrift(self, link: Link) -> bool:
        return self.running is not None and self.running.link is link and self.running.adrift

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
            self._give_up(running)

    def _cut_off(self, running: Running) -> None:
        """The connection is gone that it came by. Parts that were passed on are gone, too, with the old server."""
        if running.answered or running.adrift:
            return
        if running.link.conversation.ours and not (running.passed_on or self.draining):
            running.adrift = True
            self._late.drifts(running.link.address)
        else:
            self._give_up(running)

    def _settle(self, running: Running) -> None:
        """It is adrift no more."""
        if running.adrift:
            running.adrift = False
            self._late.settled(running.link.address)

    def _give_up(self, running: Running) -> None:
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
        if running.abandoned:
            return
        if running.adrift and record.kind == Kind.DATA:
            self._give_up(running)  # there is nobody to pass it on to
            return
        conversation, handle = running.link.conversation, running.handle
        if record.kind == Kind.DATA:
            conversation.data(handle, record.body)
        elif record.kind == Kind.STATUS:
            if not running.adrift:
                conversation.status(handle, *channel.progress(record.body))
        elif record.kind == Kind.RESULT:
            self._answer(running, Answer(handle, record.body))
        elif record.kind == Kind.ERROR:
            self._answer(running, Answer(handle, b"", record.body.decode("utf-8", "replace")))
        elif record.kind == Kind.SHORT:
            running.short = record.body.decode("utf-8", "replace")
        running.passed_on = running.passed_on or record.kind == Kind.DATA
        running.link.flush()

    def _answer(self, running: Running, answer: Answer) -> None:
        """The end of the job, for its server: now, or when that is back."""
        running.answered = True
        link = running.link
        if running.adrift:
            self._late.keep(link.address, answer, time.monotonic_ns())
            return
        link.conversation.end(answer)
        link.flush()
        if link.conversation.ours and not running.passed_on:
            self._unconfirmed = link, answer

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
        if not running.answered and not running.abandoned:
            self._answer(running, Answer(running.handle, b"", self._failure(running)))
        self._settle(running)
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
        self.adrift = False  # its connection is gone, and it goes on
        self.abandoned = False  # nothing more is said of it: another worker will do the job, or nobody wants it
        self.timer: asyncio.TimerHandle | None = None

    @property
    def may_try_again(self) -> bool:
        gone = self.answered or self.abandoned or self.overdue or self.passed_on
        return not gone and self.tries < TRIES

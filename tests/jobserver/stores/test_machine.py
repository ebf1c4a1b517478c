"""The memory store and the SQLite store as one machine: they give the same answers, whatever is asked of them in
whatever order, and however often the process dies: between two batches, in the middle of one, or after its commit.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fleet.jobserver import failpoints, stores
from fleet.jobserver.stores import Backlog, End, Entry, Listed, Result, StoreBroken
from fleet.jobserver.stores.memory import MemoryStore
from fleet.jobserver.stores.sqlite import SqliteStore

EXAMPLES = 2 * int(os.environ.get("FLEET_FAULT_ROUNDS", "20"))
FUNCTIONS = st.sampled_from([b"f", b"g"])
KEYS = st.sampled_from([b"", b"", b"k", b"l"])
PRIORITIES = st.sampled_from([0, 1, 2])


class Model(MemoryStore):
    """What the file must hold: a memory store that outlives its process, but for its claims."""

    def die(self) -> dict[bytes, Backlog]:
        self._ready.clear()
        self._waiting.clear()
        backlogs: dict[bytes, Backlog] = {}
        for entry in self._jobs.values():
            self._line_up(entry)
            backlogs.setdefault(entry.function, Backlog()).count(entry, 1)
        return backlogs

    @property
    def live(self) -> list[Entry]:
        return list(self._jobs.values())

    @property
    def claimed(self) -> list[Entry]:
        return [entry for entry in self.live if not self._is_lined_up(entry)]

    @property
    def dead(self) -> list[bytes]:
        return list(self._dead)


def plain(answer: Any) -> Any:
    """Without workloads, which some answers have in one store only, and without places, which each store numbers."""
    if isinstance(answer, Entry):
        return answer._replace(workload=b"")
    if isinstance(answer, Listed):
        return answer._replace(entry=plain(answer.entry), place=0)
    return [plain(each) for each in answer] if isinstance(answer, list) else answer


class StoreMachine(RuleBasedStateMachine):
    """Both stores, asked the same."""

    def __init__(self) -> None:
        super().__init__()
        self.folders = [Path(tempfile.mkdtemp())]
        self.model = Model()
        self.store = SqliteStore(self.folders[-1] / "jobs", synchronous="OFF")
        self.numbers = itertools.count(1)
        self.now = 100

    @initialize()
    def begin(self) -> None:
        assert self.store.recover() == {}

    def teardown(self) -> None:
        failpoints.arm("")
        self.store.close()
        for folder in self.folders:
            shutil.rmtree(folder)

    # -- requests ---------------------------------------------------------------------------------------------

    def ask(self, *batch: stores.Request, whole: bool = False) -> list[Any]:
        """What both answer."""
        ours, theirs = self.store.carry_out(batch), self.model.carry_out(batch)
        assert (ours == theirs) if whole else (plain(ours) == plain(theirs))
        return theirs

    def new(self, function: bytes, key: bytes, priority: int, run_at: int) -> Entry:
        number = next(self.numbers)
        how: dict[str, Any] = {"key": key, "unique": key, "priority": priority, "run_at": run_at}
        how |= {"expires": self.now + 30 if number % 3 == 0 else 0, "schedule": "* * * * *" if run_at else ""}
        return Entry(b"H:%d" % number, function, b"work %d" % number, **how)

    def ending(self, entry: Entry, end: End) -> stores.Finish:
        self.now += 1
        result = Result(entry.handle, entry.function, entry.key, end, b"result of " + entry.handle, self.now)
        buried = entry._replace(errors=(*entry.errors, "why")) if end is End.DEAD else None
        return stores.Finish(result, self.now + 50, buried)

    @rule(function=FUNCTIONS, key=KEYS, priority=PRIORITIES, waits=st.booleans(), claim=st.booleans())
    def put(self, function: bytes, key: bytes, priority: int, waits: bool, claim: bool) -> None:
        entry = self.new(function, key, priority, self.now + next(self.numbers) if waits else 0)
        self.ask(stores.Put(entry, claim))

    @rule(function=FUNCTIONS, priority=PRIORITIES, limit=st.integers(1, 3), size=st.integers(1, 20))
    def claim(self, function: bytes, priority: int, limit: int, size: int) -> None:
        self.ask(stores.Claim(function, priority, limit, size), whole=True)

    @rule(ahead=st.integers(0, 60), size=st.sampled_from([1, 10, 1000]))
    def claim_due(self, ahead: int, size: int) -> None:
        self.ask(stores.ClaimDue(self.now + ahead, 100, size), whole=True)

    @rule(function=FUNCTIONS, key=KEYS.filter(bool))
    def probe(self, function: bytes, key: bytes) -> None:
        self.ask(stores.Probe(function, key), whole=True)
        self.ask(stores.LookUnique(function, key, self.now - 20))

    @precondition(lambda self: self.model.live)
    @rule(data=st.data())
    def fetch(self, data: st.DataObject) -> None:
        entry = data.draw(st.sampled_from(self.model.live))
        self.ask(stores.Fetch(entry.handle), whole=True)

    @precondition(lambda self: self.model.live)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        entry = data.draw(st.sampled_from(self.model.live))
        self.ask(stores.Cancel(entry.handle, self.now, self.now + 50))

    @precondition(lambda self: self.model.claimed)
    @rule(data=st.data(), end=st.sampled_from(list(End)))
    def finish(self, data: st.DataObject, end: End) -> None:
        finish = self.ending(data.draw(st.sampled_from(self.model.claimed)), end)
        assert self.ask(finish, finish) == [True, False]

    @precondition(lambda self: self.model.claimed)
    @rule(data=st.data(), postpone=st.booleans())
    def try_again(self, data: st.DataObject, postpone: bool) -> None:
        entry = data.draw(st.sampled_from(self.model.claimed))
        later = entry._replace(failures=entry.failures + 1, errors=("no",), run_at=self.now + next(self.numbers))
        if postpone:
            self.ask(stores.Postpone(later))
        else:
            self.ask(stores.Amend(entry._replace(deaths=entry.deaths + 1)))

    @precondition(lambda self: self.model.claimed)
    @rule(data=st.data())
    def come_again(self, data: st.DataObject) -> None:
        entry = data.draw(st.sampled_from(self.model.claimed))
        ended = self.ending(entry, End.COMPLETED)
        later = entry._replace(run_at=self.now + next(self.numbers), failures=0)
        self.ask(stores.Again(ended.result, ended.keep_until, later))

    @rule(ahead=st.integers(0, 40))
    def expire(self, ahead: int) -> None:
        request = stores.Expire(self.now + ahead, self.now + 50, 100)
        ours, theirs = self.store.carry_out([request])[0], self.model.carry_out([request])[0]
        by_handle = attrgetter("handle")  # each store has an order of its own
        assert plain(sorted(ours, key=by_handle)) == plain(sorted(theirs, key=by_handle))

    @rule(purge=st.booleans(), data=st.data())
    def revive_or_purge(self, purge: bool, data: st.DataObject) -> None:
        handles = data.draw(st.lists(st.sampled_from(self.model.dead))) if self.model.dead else ()
        self.ask((stores.Purge if purge else stores.Revive)(tuple(handles)))

    @rule(jobs=st.integers(0, 3), size=st.integers(0, 30), limit=st.integers(1, 2))
    def sweep(self, jobs: int, size: int, limit: int) -> None:
        self.now += 20
        self.ask(stores.Sweep(self.now, 1 << 30, jobs, size, limit))

    # -- deaths -----------------------------------------------------------------------------------------------

    @rule()
    def die(self) -> None:
        """Between two batches."""
        self.folders.append(Path(tempfile.mkdtemp()))
        for name in ("jobs", "jobs-wal"):
            if (before := self.folders[-2] / name).exists():
                shutil.copy(before, self.folders[-1] / name)
        self.store.close()
        self.store = SqliteStore(self.folders[-1] / "jobs", synchronous="OFF")
        assert self.store.recover() == self.model.die()

    @rule(step=st.sampled_from(["written", "committed"]), function=FUNCTIONS, data=st.data())
    def die_in_a_batch(self, step: str, function: bytes, data: st.DataObject) -> None:
        """All of it is there afterwards, or nothing."""
        batch: list[stores.Request] = [stores.Put(self.new(function, b"", 1, 0)), stores.Claim(function, 1, 1)]
        if self.model.claimed:
            batch.append(self.ending(data.draw(st.sampled_from(self.model.claimed)), End.COMPLETED))
        failpoints.arm(f"{step}:1:error")
        with pytest.raises(StoreBroken, match="the failpoint's error"):
            self.store.carry_out(batch)
        failpoints.arm("")
        if step == "committed":
            self.model.carry_out(batch)
        self.die()

    # -- what must hold ---------------------------------------------------------------------------------------

    @invariant()
    def both_have_the_same(self) -> None:
        self.ask(stores.ListJobs(), stores.ListJobs(dead=True), stores.ListJobs(function=b"g"))
        self.ask(*(stores.Look(b"H:%d" % number) for number in range(1, 30)))


# Processes die here, not the power: nothing need wait for the disk.
TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(max_examples=EXAMPLES, stateful_step_count=30)

"""What clients, workers and the job server wrote down during a run, and the promises it is held to afterwards.

Rule: each writes only what it has seen itself, with the time since the machine started. The server's part comes from
its failpoints (`record=FILE`), as it was committed; what is left in the end is read from the store's file.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

CALL_S = 32.0  # the deadline of a client's call, and two seconds
RECOVERY_S = 60.0


def now_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


@dataclass(frozen=True)
class Submit:
    """A client's call, and how it ended."""

    unique: str
    began: int
    ended: int
    handle: str = ""  # empty: the answer did not come, and the job may or may not exist


@dataclass(frozen=True)
class Run:
    """A job at a worker, from its assignment until the worker was done or its server was gone."""

    unique: str
    handle: str
    server: int  # which process assigned it
    began: int
    ended: int


@dataclass
class History:
    """One run of clients, workers and a server that dies."""

    store: Path
    submits: list[Submit] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    server: int = 0  # which process: they are counted
    recovered_s: float = 0.0  # from the last fault until the queue was empty

    @property
    def records(self) -> Path:
        """Where the server writes its part: not where the faults are."""
        return self.store.parent.with_name("records")

    @property
    def recording(self) -> str:
        """The failpoint that has the server do so."""
        return f"committed:0:record={self.records}"

    def acknowledged(self) -> dict[str, str]:
        """Uniques by handle."""
        return {submit.handle: submit.unique for submit in self.submits if submit.handle}

    def committed(self, kind: str) -> dict[str, list[int]]:
        """When requests of this kind were committed, by handle."""
        found: dict[str, list[int]] = defaultdict(list)
        for line in self.records.read_text().splitlines():
            record = json.loads(line)
            if record["kind"] == kind:
                found[record["handle"]].append(record["at"])
        return found

    def left(self, table: str) -> Counter[str]:
        """Handles in a table of the store's file, when no server has it."""
        database = sqlite3.connect(f"file:{self.store}?mode=ro", uri=True)
        try:
            return Counter(handle.decode() for (handle,) in database.execute(f"SELECT handle FROM {table}"))
        finally:
            database.close()

    # -- the promises -----------------------------------------------------------------------------------------

    def check(self) -> None:
        """Nothing was lost, nothing was there twice, and everybody had an answer."""
        self._every_acknowledged_job_has_one_end()
        self._no_job_completes_twice()
        self._no_unique_runs_twice_at_once()
        self._every_call_ended_in_time()
        assert self.recovered_s <= RECOVERY_S, f"I5: the queue was empty only after {self.recovered_s:.0f} s"
        self._nothing_is_left_behind()
        self._everybody_heard_of_their_own()

    def _every_acknowledged_job_has_one_end(self) -> None:
        queued, ended = self.left("job"), self.left("result")
        places = {handle: queued[handle] + ended[handle] for handle in self.acknowledged()}
        lost = [handle for handle, count in places.items() if count == 0]
        assert not lost, f"I1: lost {len(lost)} of {len(places)}: {lost[:3]}"
        double = [handle for handle, count in places.items() if count > 1]
        assert not double, f"I1: queued and ended at once: {double[:3]}"

    def _no_job_completes_twice(self) -> None:
        twice = [handle for handle, times in self.committed("Finish").items() if len(times) > 1]
        assert not twice, f"I2: ended twice: {twice[:3]}"

    def _no_unique_runs_twice_at_once(self) -> None:
        by_unique: dict[tuple[int, str], list[Run]] = defaultdict(list)
        for run in self.runs:
            by_unique[run.server, run.unique].append(run)
        for (_, unique), runs in by_unique.items():
            for run, other in pairwise(sorted(runs, key=lambda run: run.began)):
                assert run.ended <= other.began, f"I3: two runs of {unique} at once"
        for unique, handles in self._handles().items():
            for first, second in pairwise(handles):
                assert first[1] <= second[0], f"I3: two live jobs of {unique} at once"

    def _handles(self) -> dict[str, list[tuple[int, int]]]:
        """By unique, when each of its jobs began and ceased to be there, in order."""
        put, finished = self.committed("Put"), self.committed("Finish")
        lives: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for handle, unique in {**self.acknowledged(), **{run.handle: run.unique for run in self.runs}}.items():
            if handle in put:  # else the server died before it could write that down
                lives[unique].append((put[handle][0], finished.get(handle, [2**63])[0]))
        return {unique: sorted(each) for unique, each in lives.items()}

    def _every_call_ended_in_time(self) -> None:
        slowest = max((submit.ended - submit.began for submit in self.submits), default=0) / 1e9
        assert slowest <= CALL_S, f"I4: a call took {slowest:.1f} s"

    def _nothing_is_left_behind(self) -> None:
        known = {self.store.name + suffix for suffix in ("", "-wal", "-shm", ".lock", ".reserve")}
        left = {path.name for path in self.store.parent.iterdir()} - known
        assert not left, f"I6: left behind: {left}"

    def _everybody_heard_of_their_own(self) -> None:
        uniques: dict[str, set[str]] = defaultdict(set)
        for submit in self.submits:
            if submit.handle:
                uniques[submit.handle].add(submit.unique)
        for run in self.runs:
            uniques[run.handle].add(run.unique)
        mixed = [handle for handle, names in uniques.items() if len(names) > 1]
        assert not mixed, f"I7: one handle for different jobs: {mixed[:3]}"

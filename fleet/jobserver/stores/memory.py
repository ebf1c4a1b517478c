"""A store that forgets everything when its process ends: for tests, and where only results, retries and the dead letter
are wanted.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from fleet.jobserver import stores
from fleet.jobserver.stores import Backlog, End, Entry, Exists, Listed, Refused, Request, Result, Stored, Swept
from fleet.settings import MIB

Queue = dict[bytes, None]  # handles, the oldest first


class MemoryStore:
    """Jobs, results and the dead letter in dictionaries. It takes no new job beyond `most_bytes` of workloads."""

    def __init__(self, most_bytes: int = 1024 * MIB) -> None:
        self.most_bytes = most_bytes
        self._bytes = 0  # of the living
        self._jobs: dict[bytes, Entry] = {}
        self._keys: dict[tuple[bytes, bytes], bytes] = {}  # handles of live jobs by function and key
        self._ready: dict[tuple[bytes, int], Queue] = {}  # unclaimed, by function and priority
        self._waiting: Queue = {}  # unclaimed, for their time to come
        self._dead: dict[bytes, tuple[Entry, int]] = {}  # with when they died
        self._dead_bytes = 0
        self._places: dict[bytes, int] = {}  # of the living and the dead, in the order in which they became so
        self._arrivals = itertools.count(1)
        self._results: dict[bytes, tuple[Result, int]] = {}  # with until when they are kept, the oldest first
        self._result_bytes = 0

    def recover(self) -> dict[bytes, Backlog]:
        return {}

    def carry_out(self, batch: Sequence[Request]) -> list[Any]:
        return [_HOW[type(request)](self, request) for request in batch]

    def facts(self) -> dict[str, str | int]:
        return {"store": "memory", "durable": "no"}

    def close(self) -> None:
        pass

    # -- live jobs --------------------------------------------------------------------------------------------

    def _put(self, request: stores.Put) -> Stored | Exists | Refused:
        entry = request.entry
        if entry.key and (holder := self._keys.get((entry.function, entry.key))):
            return Exists(holder)
        if self._bytes + len(entry.workload) > self.most_bytes:
            return _NO_ROOM
        self._keep(entry)
        if not request.claim:
            self._line_up(entry)
        return Stored()

    def _probe(self, request: stores.Probe) -> Entry | None:
        handle = self._keys.get((request.function, request.key))
        return None if handle is None else self._fetch(stores.Fetch(handle))

    def _fetch(self, request: stores.Fetch) -> Entry | None:
        entry = self._jobs.get(request.handle)
        if entry is not None:
            self._take(entry)
        return entry

    def _claim(self, request: stores.Claim) -> list[Entry]:
        queue = self._ready.get((request.function, request.priority), {})
        return self._taken((self._jobs[handle] for handle in queue), request)

    def _claim_due(self, request: stores.ClaimDue) -> list[Entry]:
        due = [entry for entry in self._unclaimed_waiting() if entry.run_at <= request.before]
        return self._taken(sorted(due, key=lambda entry: entry.run_at), request)

    def _taken(self, entries: Iterable[Entry], request: stores.Claim | stores.ClaimDue) -> list[Entry]:
        """The first of these, which are claimed now."""
        taken: list[Entry] = []
        size = 0
        for entry in itertools.islice(entries, request.limit):
            taken.append(entry)
            size += len(entry.workload)
            if size >= request.most_bytes:
                break
        for entry in taken:
            self._take(entry)
        return taken

    def _finish(self, request: stores.Finish) -> bool:
        result = request.result
        entry = self._forget(result.handle)
        if entry is None:
            return False
        if result.end is End.DEAD:
            self._dead[result.handle] = request.entry or entry, result.ended
            self._dead_bytes += len(entry.workload)
            self._places[result.handle] = next(self._arrivals)
        self._keep_result(result, request.keep_until)
        return True

    def _keep_result(self, result: Result, until: int) -> None:
        if until:
            before, _ = self._results.pop(result.handle, (None, 0))
            self._result_bytes += len(result.data) - (len(before.data) if before else 0)
            self._results[result.handle] = result, until

    def _again(self, request: stores.Again) -> None:
        self._keep_result(request.result, request.keep_until)
        self._postpone(stores.Postpone(request.entry))

    def _amend(self, request: stores.Amend) -> None:
        if request.entry.handle in self._jobs:
            self._jobs[request.entry.handle] = request.entry

    def _postpone(self, request: stores.Postpone) -> None:
        if request.entry.handle in self._jobs:
            self._jobs[request.entry.handle] = request.entry
            self._line_up(request.entry)

    def _cancel(self, request: stores.Cancel) -> Entry | None:
        entry = self._jobs.get(request.handle)
        return self._end(entry, End.CANCELLED, request) if entry and self._is_lined_up(entry) else None

    def _expire(self, request: stores.Expire) -> list[Entry]:
        late = (entry for entry in self._jobs.values() if 0 < entry.expires <= request.now and self._is_lined_up(entry))
        return [self._end(entry, End.EXPIRED, request) for entry in list(itertools.islice(late, request.limit))]

    def _end(self, entry: Entry, end: End, request: stores.Cancel | stores.Expire) -> Entry:
        result = Result(entry.handle, entry.function, entry.key, end, b"", request.now)
        self._finish(stores.Finish(result, request.keep_until))
        return entry

    # -- what has ended ---------------------------------------------------------------------------------------

    def _look(self, request: stores.Look) -> Entry | Result | None:
        return self._jobs.get(request.handle) or self._ended(request.handle)

    def _look_named(self, request: stores.LookNamed) -> Entry | Result | None:
        if handle := self._keys.get((request.function, request.key)):
            return self._jobs[handle]
        results = [result for result, _ in self._results.values()]
        ended = [*(stores.death(*dead) for dead in self._dead.values()), *results]
        named = (request.function, request.key)
        return next((result for result in reversed(ended) if (result.function, result.key) == named), None)

    def _ended(self, handle: bytes) -> Result | None:
        if found := self._results.get(handle):
            return found[0]
        return stores.death(*self._dead[handle]) if handle in self._dead else None

    def _look_key(self, request: stores.LookKey) -> Entry | None:
        return next((self._jobs[h] for (_, key), h in self._keys.items() if key == request.key), None)

    def _look_unique(self, request: stores.LookUnique) -> Result | None:
        for result, _ in reversed(self._results.values()):
            if (result.function, result.key, result.end) == (request.function, request.key, End.COMPLETED):
                return result if result.ended >= request.since else None
        return None

    def _list(self, request: stores.ListJobs) -> list[Listed]:
        rows = self._dead.values() if request.dead else ((entry, 0) for entry in self._jobs.values())
        fitting = (
            Listed(entry._replace(workload=b""), len(entry.workload), ended, self._places[entry.handle])
            for entry, ended in rows
            if request.handle in (None, entry.handle)
            and request.function in (None, entry.function)
            and (request.until is None or (ended or entry.submitted) <= request.until)
            and self._places[entry.handle] > request.after
        )
        return list(itertools.islice(fitting, request.limit))

    def _exhume(self, request: stores.Exhume) -> Entry | None:
        return self._dead[request.handle][0] if request.handle in self._dead else None

    def _revive(self, request: stores.Revive) -> list[Entry]:
        revived = []
        for entry in self._chosen(request.handles):
            if not (entry.key and (entry.function, entry.key) in self._keys):
                self._exhumed(entry)
                alive = entry._replace(failures=0, deaths=0, run_at=0, expires=0)
                self._keep(alive)
                self._line_up(alive)
                revived.append(alive)
        return revived

    def _purge(self, request: stores.Purge) -> int:
        chosen = self._chosen(request.handles)
        for entry in chosen:
            self._exhumed(entry)
        return len(chosen)

    def _exhumed(self, entry: Entry) -> None:
        """It is in the dead letter no more."""
        del self._dead[entry.handle], self._places[entry.handle]
        self._dead_bytes -= len(entry.workload)

    def _sweep(self, request: stores.Sweep) -> Swept:
        for handle, (result, until) in list(self._results.items()):
            if until <= request.now or self._result_bytes > request.result_bytes:
                del self._results[handle]
                self._result_bytes -= len(result.data)
        evicted: Counter[bytes] = Counter()
        while len(self._dead) > request.dead_jobs or self._dead_bytes > request.dead_bytes:
            if evicted.total() == request.limit:
                break
            oldest, _ = next(iter(self._dead.values()))
            self._exhumed(oldest)
            evicted[oldest.function] += 1
        return Swept(len(self._dead), self._dead_bytes, dict(evicted))

    def _back_up(self, request: stores.BackUp) -> Refused:
        return Refused("the store is in memory, and has no file to copy")

    # -- queues -----------------------------------------------------------------------------------------------

    def _keep(self, entry: Entry) -> None:
        self._jobs[entry.handle] = entry
        self._bytes += len(entry.workload)
        self._places[entry.handle] = next(self._arrivals)
        if entry.key:
            self._keys[entry.function, entry.key] = entry.handle

    def _forget(self, handle: bytes) -> Entry | None:
        entry = self._jobs.pop(handle, None)
        if entry is not None:
            self._take(entry)
            self._bytes -= len(entry.workload)
            del self._places[handle]
            if entry.key:
                del self._keys[entry.function, entry.key]
        return entry

    def _line_up(self, entry: Entry) -> None:
        self._line(entry)[entry.handle] = None

    def _take(self, entry: Entry) -> None:
        self._line(entry).pop(entry.handle, None)

    def _is_lined_up(self, entry: Entry) -> bool:
        return entry.handle in self._line(entry)

    def _line(self, entry: Entry) -> Queue:
        return self._waiting if entry.run_at else self._ready.setdefault((entry.function, entry.priority), {})

    def _unclaimed_waiting(self) -> Iterator[Entry]:
        return (self._jobs[handle] for handle in self._waiting)

    def _chosen(self, handles: tuple[bytes, ...]) -> list[Entry]:
        """The dead ones of these, each once."""
        return [self._dead[handle][0] for handle in dict.fromkeys(handles) if handle in self._dead]


_NO_ROOM: Final = Refused("the memory is full: no new background job is taken until there is room")


_HOW: Final[dict[type, Callable[..., Any]]] = {
    stores.Put: MemoryStore._put,
    stores.Probe: MemoryStore._probe,
    stores.Fetch: MemoryStore._fetch,
    stores.Claim: MemoryStore._claim,
    stores.ClaimDue: MemoryStore._claim_due,
    stores.Finish: MemoryStore._finish,
    stores.Again: MemoryStore._again,
    stores.Amend: MemoryStore._amend,
    stores.Postpone: MemoryStore._postpone,
    stores.Cancel: MemoryStore._cancel,
    stores.Expire: MemoryStore._expire,
    stores.Look: MemoryStore._look,
    stores.LookKey: MemoryStore._look_key,
    stores.LookNamed: MemoryStore._look_named,
    stores.LookUnique: MemoryStore._look_unique,
    stores.ListJobs: MemoryStore._list,
    stores.Exhume: MemoryStore._exhume,
    stores.Revive: MemoryStore._revive,
    stores.Purge: MemoryStore._purge,
    stores.Sweep: MemoryStore._sweep,
    stores.BackUp: MemoryStore._back_up,
}

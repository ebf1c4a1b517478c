"""The embedded store: one SQLite file, one connection, one thread.

Rule 1: what a batch asks for is one transaction, and it is on disk (WAL, synchronous=FULL) when `carry_out` returns.
Rule 2: claims are kept in memory only; claiming writes nothing. Rule 3: when writing or syncing fails, nothing is tried
again: what the system said it had written may be lost, and only a new start can tell. A full disk is no such failure.

One connection both writes and checkpoints, so the bug of SQLite 3.7.0 to 3.51.2 that may corrupt a file at a WAL reset
while another connection writes cannot happen here.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import groupby, islice
from pathlib import Path
from typing import Any, Final

from fleet.jobserver import failpoints, stores
from fleet.jobserver.log import log
from fleet.jobserver.stores import (
    BackedUp,
    Backlog,
    End,
    Entry,
    Exists,
    Listed,
    Refused,
    Request,
    Result,
    Spoiled,
    StoreBroken,
    Stored,
    Swept,
    rows,
    spare,
)
from fleet.jobserver.stores.backup import back_up
from fleet.jobserver.stores.claims import Claims, Queue
from fleet.jobserver.stores.letter import DeadLetter
from fleet.jobserver.stores.numbers import Numbers
from fleet.jobserver.stores.opening import locked, opened
from fleet.jobserver.stores.reserve import Reserve
from fleet.jobserver.stores.results import Results
from fleet.jobserver.stores.schema import COLUMNS, INSERT, ROW, SELECT

TOGETHER: Final = 16  # jobs put with one statement, which keeps a copy of what it was given
SMALL_BYTES: Final = 8 * 1024  # larger ones are put alone
INSERTS: Final = [INSERT.format("job") + f", {ROW}" * (number - 1) for number in range(TOGETHER + 1)]
TELL_FULL_S: Final = 60.0


class SqliteStore:
    """A store in the file `path`, which is made if it is not there, with its last directory.

    Raises:
        StoreInUse: another job server has it.
        StoreUnusable: it is no store, is damaged, was written by a newer version, or cannot be there.
        StoreBroken: the system failed.
    """

    def __init__(self, path: Path, synchronous: str = "FULL") -> None:
        self._path = path
        self._reserve = Reserve(path)
        self._broken: StoreBroken | None = None
        self._tell_full_at = 0.0  # seconds, monotonic
        self._claims = Claims()
        with contextlib.ExitStack() as unless_opened:
            self._lock = locked(path)
            unless_opened.callback(os.close, self._lock)
            self._db = opened(path, synchronous)
            unless_opened.callback(self._db.close)
            self._functions = Numbers(self._db)
            self._results = Results(self._db)
            self._dead = DeadLetter(self._db, self._functions, self._new_row)
            (last,) = self._one("SELECT coalesce(max(id), 0) FROM job") or (0,)
            self._last_row: int = last
            unless_opened.pop_all()
        self._how = self._ways()
        self._reserve.make()

    def facts(self) -> dict[str, str | int]:
        durable = "on this disk, after each commit"
        return {"store": f"sqlite:{self._path}", "library": f"SQLite {sqlite3.sqlite_version}", "durable": durable}

    def close(self) -> None:
        self._db.close()
        os.close(self._lock)

    def recover(self) -> dict[bytes, Backlog]:
        backlogs: dict[bytes, Backlog] = {}
        ready = "SELECT function, priority, count(*) FROM job WHERE run_at = 0 GROUP BY function, priority"
        for function, priority, count in self._db.execute(ready).fetchall():
            if function in self._functions.names and priority in rows.PRIORITIES:
                backlogs.setdefault(self._functions.names[function], Backlog()).ready[priority] = count
                self._claims.leave((function, priority), self._last_row)
            else:
                self._set_aside("run_at = 0 AND function IS ? AND priority IS ?", function, priority)
        waiting = "SELECT function, typeof(run_at), count(*) FROM job WHERE run_at > 0 GROUP BY 1, 2"
        for function, kind, count in self._db.execute(waiting).fetchall():
            if function in self._functions.names and kind == "integer":
                backlogs.setdefault(self._functions.names[function], Backlog()).waiting = count
            else:
                self._set_aside("run_at > 0 AND function IS ? AND typeof(run_at) = ?", function, kind)
        return backlogs

    def _set_aside(self, condition: str, *values: Any) -> None:
        """Damaged jobs, which are in no queue: nobody would ever come upon them."""
        self._db.execute("BEGIN IMMEDIATE")
        for row, *fields, _, _, workload in self._db.execute(f"{SELECT} WHERE {condition}", values).fetchall():
            self._spoil(row, rows.damaged(row, fields, self._functions.names, workload))
        self._db.execute("COMMIT")

    # -- transactions -----------------------------------------------------------------------------------------

    def carry_out(self, batch: Sequence[Request]) -> list[Any]:
        if self._broken:
            raise self._broken
        try:
            answers = self._committed(batch)
            return [answer() if isinstance(answer, partial) else answer for answer in answers]  # what is left to do
        except (sqlite3.Error, OSError, _Full) as error:
            self._broken = StoreBroken(
                f"the store {self._path} failed: {error}; look after its disk, then start the job server again"
            )
            raise self._broken from error

    def _committed(self, batch: Sequence[Request]) -> list[Any]:
        if self._reserve.make():
            try:
                return self._transaction(batch, takes=True)
            except _Full:
                self._reserve.give_up()
        self._tell_that_it_is_full()
        answers = self._transaction(batch, takes=False)
        self._make_room()
        return answers

    def _tell_that_it_is_full(self) -> None:
        """Now and then: the log may be on the same disk."""
        if time.monotonic() >= self._tell_full_at:
            self._tell_full_at = time.monotonic() + TELL_FULL_S
            log.warning("the disk of %s is full: no new background job is taken until there is room", self._path)

    def _transaction(self, batch: Sequence[Request], *, takes: bool) -> list[Any]:
        """Carry the batch out; unless it `takes` new jobs, those are refused."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            answers: list[Any] = []
            for kind, requests in groupby(batch, type):
                if kind in _TAKING and not takes:
                    answers += [_NO_ROOM for _ in requests]
                elif kind is stores.Put:
                    answers += self._put_all(requests)
                else:
                    answers += [self._how[kind](request) for request in requests]
            failpoints.reach("written", batch)
            self._db.execute("COMMIT")
            failpoints.reach("committed", batch)
        except sqlite3.OperationalError as error:
            self._claims.undo()
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            self._functions.read()
            if error.sqlite_errorname == "SQLITE_FULL":
                raise _Full(str(error)) from error
            raise
        self._claims.settle()
        return answers

    def _make_room(self) -> None:
        """Keep neither free pages nor a log while the disk is full; no harm if there is no room to make room."""
        try:
            spare.give_back(self._db, beyond=0)
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_FULL":
                raise

    def _back_up(self, request: stores.BackUp) -> partial[BackedUp | Refused]:
        return partial(back_up, self._db, self._path)

    def _sweep(self, request: stores.Sweep) -> partial[Swept]:
        self._results.sweep(request.now, request.result_bytes)
        return partial(self._swept, self._dead.evict(request))

    def _swept(self, swept: Swept) -> Swept:
        spare.give_back(self._db, spare.SPARE_BYTES)
        return swept

    def _ways(self) -> dict[type, Callable[[Any], Any]]:
        """How each kind of request is carried out, but Put: those go together."""
        return {
            stores.Probe: self._probe,
            stores.Fetch: self._fetch,
            stores.Claim: self._claim,
            stores.ClaimDue: self._claim_due,
            stores.Finish: self._finish,
            stores.Again: self._again,
            stores.Amend: self._amend,
            stores.Postpone: self._amend,
            stores.Cancel: self._cancel,
            stores.Expire: self._expire,
            stores.Look: self._look,
            stores.LookKey: self._look_key,
            stores.LookNamed: self._look_named,
            stores.LookUnique: self._look_unique,
            stores.ListJobs: self._list,
            stores.Exhume: self._dead.exhume,
            stores.Revive: self._revive,
            stores.Purge: self._dead.purge,
            stores.Sweep: self._sweep,
            stores.BackUp: self._back_up,
        }

    # -- live jobs --------------------------------------------------------------------------------------------

    def _put_all(self, requests: Iterator[Any]) -> list[Stored | Exists]:
        """Small ones together: each statement lets go of the interpreter, and has to wait for it afterwards."""
        answers: list[Stored | Exists] = []
        for small, alike in groupby(requests, lambda request: len(request.entry.workload) <= SMALL_BYTES):
            while some := list(islice(alike, TOGETHER if small else 1)):
                answers += self._put(some)
        return answers

    def _put(self, requests: list[stores.Put]) -> Sequence[Stored | Exists]:
        try:
            return self._insert(requests)
        except sqlite3.IntegrityError:  # one of them is there already, and none was put
            if len(requests) > 1:
                return [answer for request in requests for answer in self._put([request])]
            entry = requests[0].entry
            number = self._functions.of(entry.function)
            found = self._one("SELECT handle FROM job WHERE function = ? AND key = ?", number, entry.key)
            return [Exists(found[0]) if found else Stored()]  # its own handle: the answer to the same request was lost

    def _insert(self, requests: list[stores.Put]) -> list[Stored]:
        put = [(self._new_row(), self._functions.made(entry.function), entry, claim) for entry, claim in requests]
        values = [value for row, number, entry, _ in put for value in (row, *rows.whole(entry, number))]
        self._db.execute(INSERTS[len(requests)], values)
        for row, number, entry, claim in put:
            if claim:
                self._claims.claim(row)
            if not entry.run_at:
                (self._claims.follow if claim else self._claims.leave)((number, entry.priority), row)
        return [Stored() for _ in put]

    def _revive(self, request: stores.Revive) -> list[Entry]:
        revived = self._dead.revive(request)
        for entry in revived:
            self._claims.leave((self._functions.of(entry.function), entry.priority), self._last_row)
        return revived

    def _probe(self, request: stores.Probe) -> Entry | None:
        number = self._functions.of(request.function)
        return self._fetch_where("function = ? AND key = ?", number, request.key)

    def _fetch(self, request: stores.Fetch) -> Entry | None:
        return self._fetch_where("handle = ?", request.handle)

    def _fetch_where(self, condition: str, *values: Any) -> Entry | None:
        for entry in self._taken(self._db.execute(f"{SELECT} WHERE {condition}", values), 1, again=True):
            if isinstance(entry, Entry):
                return entry
        return None

    def _claim(self, request: stores.Claim) -> list[Entry | Spoiled]:
        number = self._functions.of(request.function)
        queue = number, request.priority
        condition = "function = ? AND priority = ? AND run_at = 0 AND id > ? ORDER BY id"
        found = self._db.execute(f"{SELECT} WHERE {condition}", (*queue, self._claims.passed(queue)))
        return list(self._taken(found, request.limit, request.most_bytes, queue=queue))

    def _claim_due(self, request: stores.ClaimDue) -> list[Entry | Spoiled]:
        found = self._db.execute(f"{SELECT} WHERE run_at > 0 AND run_at <= ? ORDER BY run_at, id", (request.before,))
        return list(self._taken(found, request.limit, request.most_bytes))

    def _taken(
        self,
        found: Iterable[tuple[Any, ...]],
        limit: int,
        most_bytes: int = stores.NO_LIMIT,
        *,
        again: bool = False,
        queue: Queue | None = None,
    ) -> Iterator[Entry | Spoiled]:
        """Claim these rows as `Claim` says; those that are claimed already count only if they may be had `again`."""
        spoiled: list[tuple[int, Entry]] = []
        taken = size = row = 0
        for row, *fields, _, checksum, workload in found:
            if row not in self._claims or again:
                taken += 1
                size += len(workload)
                if entry := rows.sound(fields, self._functions.names, checksum, workload):
                    self._claims.claim(row)
                    yield entry
                else:
                    spoiled.append((row, rows.damaged(row, fields, self._functions.names, workload)))
            if taken >= limit or size >= most_bytes:
                break
        if queue and row:
            self._claims.pass_by(queue, row)
        for row, entry in spoiled:
            self._spoil(row, entry)
            yield Spoiled(entry)

    def _spoil(self, row: int, entry: Entry) -> None:
        """A job that is not as it was put must not run: it goes to the dead letter."""
        self._db.execute("DELETE FROM job WHERE id = ?", (row,))
        self._dead.bury(entry, int(time.time()), sound=False)

    def _finish(self, request: stores.Finish) -> bool:
        result = request.result
        found = self._one("DELETE FROM job WHERE handle = ? RETURNING id", result.handle)
        if found is None:
            return False
        self._claims.release(found[0])
        if result.end is End.DEAD and request.entry:
            self._dead.bury(request.entry, result.ended)
        self._results.keep(result, request.keep_until)
        return True

    def _again(self, request: stores.Again) -> None:
        self._results.keep(request.result, request.keep_until)
        self._amend(stores.Postpone(request.entry))

    def _amend(self, request: stores.Amend | stores.Postpone) -> None:
        entry = request.entry
        change = "UPDATE job SET run_at = ?, failures = ?, deaths = ?, errors = ? WHERE handle = ? RETURNING id"
        values = entry.run_at, entry.failures, entry.deaths, rows.errors_text(entry.errors), entry.handle
        found = self._one(change, *values)
        if found and isinstance(request, stores.Postpone):
            self._claims.release(found[0])

    def _cancel(self, request: stores.Cancel) -> Entry | None:
        found = self._one(f"SELECT id, {COLUMNS} FROM job WHERE handle = ?", request.handle)
        if found is None or found[0] in self._claims:
            return None
        return self._end(found[1:], End.CANCELLED, request)

    def _expire(self, request: stores.Expire) -> list[Entry]:
        condition = "expires > 0 AND expires <= ? ORDER BY expires"
        found = self._db.execute(f"SELECT id, {COLUMNS} FROM job WHERE {condition}", (request.now,))
        unclaimed = (fields for row, *fields in found if row not in self._claims)
        return [self._end(fields, End.EXPIRED, request) for fields in list(islice(unclaimed, request.limit))]

    def _end(self, fields: Any, end: End, request: stores.Cancel | stores.Expire) -> Entry:
        """End a job that nobody has claimed."""
        entry = self._entry(fields)
        result = Result(entry.handle, entry.function, entry.key, end, b"", request.now)
        self._finish(stores.Finish(result, request.keep_until))
        return entry

    # -- looking ----------------------------------------------------------------------------------------------

    def _look(self, request: stores.Look) -> Entry | Result | None:
        found = self._one(f"SELECT {COLUMNS} FROM job WHERE handle = ?", request.handle)
        if found:
            return self._entry(found)
        return self._results.find("handle = ?", request.handle) or self._dead.find("handle = ?", request.handle)

    def _look_named(self, request: stores.LookNamed) -> Entry | Result | None:
        condition, number = "function = ? AND key = ?", self._functions.of(request.function)
        found = self._one(f"SELECT {COLUMNS} FROM job WHERE {condition}", number, request.key)
        if found:
            return self._entry(found)
        newest = f"{condition} AND key <> x'' ORDER BY ended DESC"
        result = self._results.find(newest, request.function, request.key)
        return result or self._dead.find(condition, number, request.key)

    def _look_key(self, request: stores.LookKey) -> Entry | None:
        for number in self._functions.names:
            if found := self._one(f"SELECT {COLUMNS} FROM job WHERE function = ? AND key = ?", number, request.key):
                return self._entry(found)
        return None

    def _look_unique(self, request: stores.LookUnique) -> Result | None:
        condition = "function = ? AND key = ? AND key <> x'' AND end = 'completed' AND ended >= ? ORDER BY ended DESC"
        return self._results.find(condition, request.function, request.key, request.since)

    def _list(self, request: stores.ListJobs) -> list[Listed]:
        table = "dead" if request.dead else "job"
        number = None if request.function is None else self._functions.of(request.function)
        wanted = {
            "id > ?": request.after,
            "handle = ?": request.handle,
            "function = ?": number,
            f"{'ended' if request.dead else 'submitted'} <= ?": request.until,
        }
        wanted = {condition: value for condition, value in wanted.items() if value is not None}
        columns, conditions = f"{COLUMNS}, ended, length(workload), id", " AND ".join(wanted)
        query = f"SELECT {columns} FROM {table} WHERE {conditions} ORDER BY id LIMIT ?"
        found = self._db.execute(query, (*wanted.values(), request.limit))
        return [Listed(self._entry(fields), size, ended, row) for *fields, ended, size, row in found]

    # -- rows -------------------------------------------------------------------------------------------------

    def _one(self, query: str, *values: Any) -> tuple[Any, ...] | None:
        found: tuple[Any, ...] | None = self._db.execute(query, values).fetchone()
        return found

    def _new_row(self) -> int:
        """One that this process never used before: claims may still mean an older one."""
        self._last_row += 1
        return self._last_row

    def _entry(self, fields: Any) -> Entry:
        return rows.legible(fields, self._functions.names)


class _Full(Exception):
    """The disk is full."""


_TAKING: Final = (stores.Put, stores.Revive)
_NO_ROOM: Final = Refused("the disk is full: no new background job is taken until there is room")

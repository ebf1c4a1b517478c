"""A job as a row of the embedded store, and back. Pure.

Rule: what comes back is as it was put, or None: each row has a checksum of all that never changes in a job.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from zlib import crc32

from fleet.jobserver.stores import Entry

NO_ERRORS: Final = "[]"
PRIORITIES: Final = (0, 1, 2)
DAMAGED: Final = "the disk has changed it"
OF_NO_FUNCTION: Final = b"damaged"  # the name of the function of a job that has lost its own
DAMAGE: Final = (AttributeError, KeyError, TypeError, ValueError)  # of reading what is not as it was written


def values(entry: Entry, function: int) -> tuple[Any, ...]:
    """Of the columns in their order; `function` is the number of its function."""
    return (
        *(entry.handle, function, entry.unique, entry.key or None, entry.priority, entry.reducer),
        *(entry.submitted, entry.run_at, entry.expires, entry.max_attempts, entry.failures, entry.deaths),
        *(errors_text(entry.errors), entry.schedule),
    )


def whole(entry: Entry, function: int, ended: int = 0) -> tuple[Any, ...]:
    """Of a row, but for its number."""
    return *values(entry, function), ended, checksum(entry), entry.workload


def errors_text(errors: tuple[str, ...]) -> str:
    return json.dumps(errors) if errors else NO_ERRORS


def entry_of(fields: Sequence[Any], names: Mapping[int, bytes], workload: bytes) -> Entry:
    """The job of a row whose functions have these names; raises what it likes if the row is damaged."""
    handle, function, unique, key, priority, reducer, *numbers, errors, schedule = fields
    submitted, run_at, expires, max_attempts, failures, deaths = map(int, numbers)
    return Entry(
        handle=handle,
        function=names[function],
        workload=workload,
        unique=unique,
        key=key or b"",
        priority=priority,
        reducer=reducer,
        submitted=submitted,
        run_at=run_at,
        expires=expires,
        max_attempts=max_attempts,
        failures=failures,
        deaths=deaths,
        errors=() if errors == NO_ERRORS else tuple(json.loads(errors)),
        schedule=schedule,
    )


def checksum(entry: Entry) -> int:
    """CRC-32 of what never changes in a job."""
    names = entry.handle, entry.function, entry.unique, entry.key, entry.reducer, entry.schedule.encode()
    return crc32(entry.workload, crc32(b"%d\0%b\0%b\0%b\0%b\0%b\0%b\0" % (entry.priority, *names)))


def older_checksum(entry: Entry) -> int:
    """Of rows that were written before there was more in it."""
    return crc32(entry.workload, crc32(entry.handle))


def sound(fields: Sequence[Any], names: Mapping[int, bytes], expected: int, workload: bytes) -> Entry | None:
    """The job of a row, if it is as it was put."""
    try:
        entry = entry_of(fields, names, workload)
        return entry if expected in (checksum(entry), older_checksum(entry)) else None
    except DAMAGE:
        return None


def legible(fields: Sequence[Any], names: Mapping[int, bytes]) -> Entry:
    """The job of a row, without its workload, to be looked at: if the row is damaged, what can still be said of it."""
    try:
        entry = entry_of(fields, names, b"")
        if b"".join((entry.handle, entry.unique, entry.key, entry.reducer)) and entry.priority in PRIORITIES:
            return entry._replace(schedule=str(entry.schedule))
    except DAMAGE:
        pass
    return damaged(0, fields, names, b"")


def damaged(row: int, fields: Sequence[Any], names: Mapping[int, bytes], workload: Any) -> Entry:
    """What of a damaged row can still be said of its job."""
    handle, priority, run_at = fields[0], fields[4], fields[7]
    return Entry(
        handle=handle if isinstance(handle, bytes) and handle else b"H:damaged:%d" % row,
        function=names.get(fields[1], OF_NO_FUNCTION),
        workload=workload if isinstance(workload, bytes) else b"",
        priority=priority if priority in PRIORITIES else 1,
        run_at=run_at if isinstance(run_at, int) else 0,
        errors=(DAMAGED,),
    )

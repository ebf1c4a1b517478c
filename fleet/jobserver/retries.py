"""What becomes of a background job that failed, or lost its worker, or comes again: values; nothing is done here."""

from __future__ import annotations

from collections import deque
from math import ceil
from typing import Final

from fleet.jobserver.schedule import Schedule
from fleet.jobserver.stores import End, Entry
from fleet.settings import FunctionPolicy

ERROR_BYTES: Final = 1000  # of each attempt's error, kept
ERRORS_KEPT: Final = 20
MASS_NS: Final = 2_000_000_000  # workers that die within so long may have died of one cause
MASS_WORKERS: Final = 2


def after_failure(entry: Entry, error: str, policy: FunctionPolicy, wall_s: int, chance: float) -> Entry | End:
    """The entry as it is to be tried again, with its `run_at`; or how it ends."""
    failures = entry.failures + 1
    attempts = entry.max_attempts or policy.attempts
    if attempts <= 1 or error.startswith(policy.hopeless):
        return End.FAILED
    if failures >= attempts:
        return End.DEAD
    run_at = wall_s + ceil(policy.backoff.delay_s(failures, chance))
    return with_error(entry, error)._replace(failures=failures, run_at=run_at)


def after_death(entry: Entry, policy: FunctionPolicy, error: str) -> Entry | End:
    """The entry as it goes back to its queue at once; or DEAD, if it is taken for poison."""
    deaths = entry.deaths + 1
    if deaths >= policy.deaths:
        return End.DEAD
    return with_error(entry, error)._replace(deaths=deaths)


def again(entry: Entry, wall_s: int) -> Entry:
    """A job that has ended, as it comes at its next time: with nothing held against it."""
    run_at = Schedule.read(entry.schedule).after(wall_s)
    return entry._replace(run_at=run_at, failures=0, deaths=0, errors=())


def with_error(entry: Entry, error: str) -> Entry:
    """The entry with one more line in its history; of a long one the newest are kept."""
    return entry._replace(errors=(*entry.errors, error[:ERROR_BYTES])[-ERRORS_KEPT:])


class Deaths:
    """Workers that died lately, and with which jobs: a host that goes down is not the fault of what ran there.

    Rule: when most workers die within two seconds, the jobs that died with only one of them are innocent.
    """

    def __init__(self) -> None:
        self._lately: deque[tuple[int, list[bytes]]] = deque()  # when, and the handles it held

    def died(self, handles: list[bytes], workers_left: int, now: int) -> list[bytes]:
        """Note that a worker died with these jobs; returns the handles whose death no longer counts."""
        while self._lately and now - self._lately[0][0] > MASS_NS:
            self._lately.popleft()
        self._lately.append((now, handles))
        if len(self._lately) < MASS_WORKERS or len(self._lately) <= workers_left:
            return []
        held = [handle for _, each in self._lately for handle in each]
        innocent = [handle for handle in held if held.count(handle) == 1]
        self._lately = deque((when, [h for h in each if h not in innocent]) for when, each in self._lately)
        return innocent

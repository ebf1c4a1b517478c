"""On what terms a background job is submitted: when, not after, how often. Pure: the clock is an argument."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, isfinite
from typing import TYPE_CHECKING, Final

from fleet.errors import UsageError
from fleet.protocol import packets

if TYPE_CHECKING:
    from datetime import datetime

FIELDS: Final = packets.SHAPES[packets.SUBMIT_JOB_SCHED].args[2:-1]
SUCH: Final = "write '0 3 * * *' for three each night, in UTC, or '*/15 * * * *' for each quarter of an hour"


@dataclass(frozen=True, slots=True)
class Terms:
    """Seconds, whole ones, because that is what travels; 0 or empty is not said."""

    at: int = 0  # since 1970: not before
    ttl: int = 0  # it may begin so long after it could have
    attempts: int = 0  # failures until it is given up
    schedule: str = ""  # it comes again and again: five fields as in cron's table, of which the server makes sense

    @classmethod
    def of(
        cls,
        now_s: float,
        at: datetime | float | None = None,
        delay: float | None = None,
        ttl: float | None = None,
        attempts: int | None = None,
        schedule: str | None = None,
    ) -> Terms:
        """What `Client.submit` was given. Raises UsageError if it makes no sense."""
        if at is not None and delay is not None:
            raise UsageError("at and delay both say when a job may begin; give one of them")
        if at is not None and not isinstance(at, int | float):
            at = at.timestamp()
        if delay is not None:
            at = now_s + _span("delay", delay)
        if ttl is not None and _span("ttl", ttl) == 0:
            raise UsageError("a ttl of 0 would let no job begin")
        if attempts is not None and attempts < 1:
            raise UsageError(f"attempts is {attempts}; a job is tried once at least")
        if schedule is not None and (at is not None or ttl is not None):
            raise UsageError("a schedule says when; at, delay and ttl are for a job that comes once")
        fields = "" if schedule is None else _fields(schedule)
        return cls(max(0, ceil(_finite("at", at or 0))), ceil(ttl or 0), attempts or 0, fields)

    @property
    def fits_a_packet(self) -> bool:
        """Gearman has packets for jobs that begin later, or come on a schedule, and for no more."""
        return not (self.ttl or self.attempts)


def _fields(schedule: str) -> str:
    fields = schedule.split()
    if len(fields) != len(FIELDS):
        count = "1 field" if len(fields) == 1 else f"{len(fields)} fields"
        raise UsageError(f"schedule {schedule!r} has {count}, and not the five {' '.join(FIELDS)}; {SUCH}")
    return " ".join(fields)


def _span(name: str, seconds: float) -> float:
    if not _finite(name, seconds) >= 0:
        raise UsageError(f"{name} is {seconds}; it is a number of seconds from now")
    return seconds


def _finite(name: str, seconds: float) -> float:
    if not isfinite(seconds):
        raise UsageError(f"{name} is {seconds}; it is a number of seconds")
    return seconds


AT_ONCE: Final = Terms()

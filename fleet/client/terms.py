"""On what terms a background job is submitted: not before, not after, how often. Pure: the clock is an argument."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, isfinite
from typing import TYPE_CHECKING

from fleet.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Terms:
    """Seconds, whole ones, because that is what travels; 0 is not said."""

    at: int = 0  # since 1970: not before
    ttl: int = 0  # it may begin so long after it could have
    attempts: int = 0  # failures until it is given up

    @classmethod
    def of(
        cls,
        now_s: float,
        at: datetime | float | None = None,
        delay: float | None = None,
        ttl: float | None = None,
        attempts: int | None = None,
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
        return cls(max(0, ceil(_finite("at", at or 0))), ceil(ttl or 0), attempts or 0)

    @property
    def fits_a_packet(self) -> bool:
        """Gearman has a packet for a job that begins later, and for no more."""
        return not (self.ttl or self.attempts)


def _span(name: str, seconds: float) -> float:
    if not _finite(name, seconds) >= 0:
        raise UsageError(f"{name} is {seconds}; it is a number of seconds from now")
    return seconds


def _finite(name: str, seconds: float) -> float:
    if not isfinite(seconds):
        raise UsageError(f"{name} is {seconds}; it is a number of seconds")
    return seconds

"""When a job comes again and again: five fields as in cron's table, in UTC. Pure: times are seconds since 1970.

A field is `*` or empty for any, or a list of numbers, ranges and steps: `5`, `1-5`, `*/15`, `0,30`. As in cron, a day
fits by its date or by its weekday where both are restricted. Weekdays are Gearman's, not cron's: 0 is Monday.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from fleet.jobserver.refusal import Refusal

FIELDS: Final = (("minute", 0, 59), ("hour", 0, 23), ("mday", 1, 31), ("month", 1, 12), ("wday", 0, 6))
FIELD_BYTES: Final = 200  # enough for sixty numbers
LOOK_DAYS: Final = 9 * 366  # 29 February may be eight years away, and nothing else is further
DAY_MINUTES: Final = 24 * 60
FIRST_DAY: Final = date(1970, 1, 1)

_PART: Final = re.compile(r"(?:\*|([0-9]{1,2})(?:-([0-9]{1,2}))?)(?:/([0-9]{1,2}))?")


class Schedule:
    """A schedule; its text is its fields with blanks between.

    Raises:
        Refusal: a field makes no sense, or there is no such day.
    """

    def __init__(self, fields: Sequence[str]) -> None:
        fields = [field.strip() or "*" for field in fields]
        self.text = " ".join(fields)
        found = [_numbers(field, *limits) for field, limits in zip(fields, FIELDS, strict=True)]
        self._minutes, self._hours = sorted(found[0]), sorted(found[1])
        self._mdays, self._months, self._wdays = found[2:]
        self._by_date, self._by_weekday = fields[2] != "*", fields[4] != "*"
        if not self._next(1):
            raise Refusal(b"INVALID_ARGUMENT", b"there is no such day in any year")

    @classmethod
    def read(cls, text: str) -> Schedule:
        """A schedule from its text. Raises Refusal."""
        fields = text.split()
        if len(fields) != len(FIELDS):
            names = " ".join(name for name, _, _ in FIELDS)
            raise Refusal(b"INVALID_ARGUMENT", f"a schedule has five fields, {names}, not {len(fields)}".encode())
        return cls(fields)

    def after(self, wall_s: int) -> int:
        """When the job comes next: the first minute that fits after this time."""
        return self._next(wall_s // 60 + 1) * 60

    def _next(self, minute: int) -> int:
        """The first minute since 1970 that fits, from this one on; 0: there is none."""
        first_day, of_day = divmod(minute, DAY_MINUTES)
        for day in range(first_day, first_day + LOOK_DAYS):
            if self._fits(FIRST_DAY + timedelta(day)):
                for hour in self._hours:
                    for minute in self._minutes:
                        if hour * 60 + minute >= of_day:
                            return day * DAY_MINUTES + hour * 60 + minute
            of_day = 0
        return 0

    def _fits(self, day: date) -> bool:
        enough = any if self._by_date and self._by_weekday else all
        fits = enough((day.day in self._mdays, day.weekday() in self._wdays))
        return fits and day.month in self._months


def _numbers(field: str, name: str, least: int, most: int) -> set[int]:
    """The numbers that a field stands for."""
    found: set[int] = set()
    for part in field.split(",") if len(field) <= FIELD_BYTES else [""]:
        match = _PART.fullmatch(part)
        if match is None:
            raise _senseless(name, least, most)
        from_, to, step = match.groups()
        first = int(from_ or least)
        last = int(to or (most if step or not from_ else first))
        if not (least <= first <= last <= most and int(step or 1)):
            raise _senseless(name, least, most)
        found.update(range(first, last + 1, int(step or 1)))
    return found


def _senseless(name: str, least: int, most: int) -> Refusal:
    such = f"numbers from {least} to {most}, such as {least}, {least}-{most} or */2"
    return Refusal(b"INVALID_ARGUMENT", f"{name} is * or {such}".encode())

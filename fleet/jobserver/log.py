"""The job server's log. What peers do is logged, so peers must not be able to fill it."""

from __future__ import annotations

import logging
from typing import Final

PER_SECOND: Final = 10  # lines of one kind

log: Final = logging.getLogger("fleet.server")


class Scarce(logging.Filter):
    """Lets so many lines of one kind through each second; the first of the next second says how many were left out."""

    def __init__(self, per_second: int = PER_SECOND) -> None:
        super().__init__()
        self._per_second = per_second
        self._seen: dict[str, tuple[int, int]] = {}  # by the line's template: the second, and lines in it

    def filter(self, record: logging.LogRecord) -> bool:
        kind, second = str(record.msg), int(record.created)
        last, count = self._seen.get(kind, (second, 0))
        if last != second:
            if count > self._per_second:
                record.msg = f"{record.msg} (and {count - self._per_second} such lines before)"
            count = 0
        self._seen[kind] = second, count + 1
        return count < self._per_second


log.addFilter(Scarce())

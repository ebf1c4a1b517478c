"""What runners write to their standard output and error: passed on, line by line, as far as a person can read.

Rule 1: it is read at once, so that no runner waits for a reader; what is too much is counted, told and lost. Rule 2:
a line never looks like one of the pool's own, nor commands a terminal: who took a decoder over may write what it likes.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import Final

from fleet.lines import Lines

BURST_BYTES: Final = 16 * 1024  # at once: a few tracebacks, and less than a pipe holds that nobody reads
BYTES_PER_S: Final = 1024  # in the long run: 84 MiB a day
READ_BYTES: Final = 64 * 1024
LAST_READS: Final = 16  # when all is over: what the pipe holds, though somebody may be writing still
PREFIX: Final = "runner: "


class Allowance:
    """So many bytes at once, and so many more in each second. Times are nanoseconds, monotonic."""

    def __init__(self, burst: int = BURST_BYTES, per_s: int = BYTES_PER_S, now: int = 0) -> None:
        self._burst = burst
        self._per_s = per_s
        self._left = float(burst)
        self._since = now

    def take(self, size: int, now: int) -> bool:
        """Whether so many bytes may pass; then they are gone."""
        self._left = min(self._burst, self._left + (now - self._since) * self._per_s / 1e9)
        self._since = now
        if size > self._left:
            return False
        self._left -= size
        return True


class Chatter:
    """One pipe for all runners of a pool: `writer` is theirs. `say` is called with each line that passes."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._lines = Lines()
        self._allowance = Allowance(now=time.monotonic_ns())
        self._lost = 0  # lines since one passed
        self._reader, self.writer = os.pipe()
        os.set_blocking(self._reader, False)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._reader, self._read)

    def _read(self) -> bool:
        """A piece of it, then others have their turn; False if there was none."""
        try:
            data = os.read(self._reader, READ_BYTES)
        except BlockingIOError:
            return False
        for line in self._lines.feed(data):
            self._pass_on(line)
        return True

    def _pass_on(self, line: str) -> None:
        if not self._allowance.take(len(line) + 1, time.monotonic_ns()):
            if not self._lost:
                self._say(f"{PREFIX}... writes more than is shown")
            self._lost += 1
            return
        if self._lost:
            self._say(f"{PREFIX}... ({self._lost} lines are lost)")
            self._lost = 0
        self._say(PREFIX + "".join(letter if letter.isprintable() or letter == "\t" else "?" for letter in line))

    def close(self) -> None:
        """Nobody writes any more; what was written is still passed on."""
        for _ in range(LAST_READS):
            if not self._read():
                break
        for line in self._lines.rest():
            self._pass_on(line)
        self._loop.remove_reader(self._reader)
        os.close(self._reader)
        os.close(self.writer)

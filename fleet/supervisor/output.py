"""Lines for people, written so that no terminal and no log collector can stop the supervisor.

Rule 1: a reader that does not read loses lines, and is told how many; a reader that is gone loses them all.
Rule 2: nothing is left in the stream's buffer: what nobody takes would turn the exit code into 120.
"""

from __future__ import annotations

import os
import select
from typing import TextIO


class Output:
    """One line at a time to `stream`, past its buffer. Lines are expected to fit a page of a pipe (4 KiB)."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lost = 0  # lines
        self._poll: select.poll | None = None
        try:
            fd = stream.fileno()
        except (OSError, ValueError):  # a stream in memory: never full
            return
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)

    def __repr__(self) -> str:
        return f"<Output: {self._lost} lines lost>"

    def line(self, text: str) -> None:
        if not self._has_room():
            self._lost += 1
            return
        if self._lost:
            text = f"({self._lost} lines were not read in time and are lost)\n{text}"
            self._lost = 0
        try:
            self._write(text + "\n")
        except (OSError, ValueError):  # nobody is there any more: that ends their reading, not our work
            pass

    def _write(self, text: str) -> None:
        if self._poll is None:
            self._stream.write(text)
        else:
            os.write(self._stream.fileno(), text.encode("utf-8", "backslashreplace"))

    def _has_room(self) -> bool:
        return self._poll is None or any(event & select.POLLOUT for _, event in self._poll.poll(0))

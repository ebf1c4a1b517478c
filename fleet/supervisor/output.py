"""Lines for people, written so that no terminal and no log collector can stop the supervisor.

Rule: a reader that does not read loses lines, and is told how many; a reader that is gone loses them all.
"""

from __future__ import annotations

import select
from typing import TextIO


class Output:
    """One line at a time to `stream`, flushed. Lines are expected to be shorter than a page of a pipe (4 KiB)."""

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
            self._stream.write(text + "\n")
            self._stream.flush()
        except (OSError, ValueError):  # nobody is there any more: that ends their reading, not our work
            pass

    def _has_room(self) -> bool:
        return self._poll is None or any(event & select.POLLOUT for _, event in self._poll.poll(0))

"""Lines from processes and for people, so that neither a flood of them nor a reader that stopped can stop us.

Rule 1: a line is never longer than a page of a pipe holds. Rule 2: a reader that does not read loses lines, and is
told how many; a reader that is gone loses them all. Rule 3: nothing is left in the
stream's buffer: what nobody takes would turn the exit code into 120.
"""

from __future__ import annotations

import os
import select
from typing import Final, TextIO

LINE_BYTES: Final = 1024  # longer lines come in pieces, each of which fits into a full pipe's page


class Lines:
    """From bytes, cut anywhere, to lines of at most LINE_BYTES; what is no UTF-8 is replaced."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> list[str]:
        *whole, self._held = (self._held + data).split(b"\n")
        lines = [piece for line in whole for piece in _pieces(line)]
        *full, self._held = _pieces(self._held)
        return [line.decode(errors="replace") for line in lines + full]

    def rest(self) -> list[str]:
        """The last line, if it had no end."""
        held, self._held = self._held, b""
        return [held.decode(errors="replace")] if held else []


def _pieces(line: bytes) -> list[bytes]:
    return [line[at : at + LINE_BYTES] for at in range(0, len(line), LINE_BYTES)] or [b""]


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

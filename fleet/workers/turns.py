"""Whose turn it is: which of several job servers a worker asks for its next job. Pure.

Rule: one question at a time. A worker that asked two servers might be given two jobs, and one would wait.
"""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """Servers that may have a job, in the order in which they are asked, and the one that was asked."""

    def __init__(self) -> None:
        self._awake: dict[T, None] = {}
        self.asked: T | None = None

    def awake(self, server: T) -> None:
        """It may have a job: it was just connected, sent a NOOP, or gave one last time."""
        if self.asked is server:
            self.asked = None
        self._awake[server] = None

    def asleep(self, server: T) -> None:
        """It has none, or is gone; it says when that changes."""
        self._awake.pop(server, None)
        if self.asked is server:
            self.asked = None

    def ask(self) -> T | None:
        """The server to ask now; None while an answer is due, or when there is none to ask."""
        if self.asked is not None or not self._awake:
            return None
        self.asked = next(iter(self._awake))
        del self._awake[self.asked]
        return self.asked

"""How long a peer may take to send a message. Pure: time is an argument, in nanoseconds.

A peer that begins a message and never ends it costs memory and a connection, and may be one of thousands. One rule
for headers, lines and bodies: whoever is within a message each time it is looked at, for `slow_s`, and has sent less
than `slow_bytes` in that time, is too slow. (10 s and 100 KiB by default: 10 KiB/s, as a modem had.)
"""

from __future__ import annotations

from typing import Protocol

from fleet.settings import ServerLimits


class Sender(Protocol):
    """What is known of a connection here."""

    received: int  # bytes, ever

    @property
    def midway(self) -> bool: ...


class Patience:
    """Connections that are within a message: since when, and how much each had sent by then."""

    def __init__(self, limits: ServerLimits) -> None:
        self._slow_ns = round(limits.slow_s * 1e9)
        self._slow_bytes = limits.slow_bytes
        self._since: dict[Sender, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self._since)

    def watch(self, sender: Sender, now: int) -> None:
        """It is within a message."""
        self._since.setdefault(sender, (now, sender.received))

    def forget(self, sender: Sender) -> None:
        self._since.pop(sender, None)

    def exhausted(self, now: int) -> list[Sender]:
        """Look at all; return those that are too slow, and forget these and all that are not within a message."""
        slow = []
        for sender, (since, received) in list(self._since.items()):
            if not sender.midway:
                del self._since[sender]
            elif now - since >= self._slow_ns:
                del self._since[sender]
                if sender.received - received < self._slow_bytes:
                    slow.append(sender)
                else:
                    self.watch(sender, now)
        return slow

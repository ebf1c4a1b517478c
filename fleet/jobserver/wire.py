"""A connection as the job server's shell sees it, whatever is spoken on it.

A protocol is a class below `Wire`: bytes in, calls of the broker, bytes out, and no I/O. The shell reads into `room`
or anywhere, tells what arrived by `filled` or `feed`, and writes what gathers in `outbox`. See `gateways`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from fleet.jobserver.broker import Broker
from fleet.jobserver.job import Peer
from fleet.jobserver.pending import Pending
from fleet.protocol import Data


@dataclass
class Hub:
    """What all connections of one job server share."""

    broker: Broker
    dirty: dict[Wire, None] = field(default_factory=dict)  # who has something to send; the shell empties it each turn
    exceptions: bool = False  # every Gearman client gets WORK_EXCEPTION packets
    receiving_bytes: int = 0  # of large packets that are on their way in
    pid: int = 0  # of the server's process
    verbose: str = "NOTICE"  # the name of the level at which it logs


T = TypeVar("T")


class Blank:
    """A place in an outbox for what is not known yet; nothing behind it leaves before it is filled."""

    __slots__ = ("data",)

    def __init__(self) -> None:
        self.data: list[Data] | None = None


class Wire(Peer):
    """One connection.

    Args:
        hub: the server's.
        label: its descriptor and address, for people.
        admin: whether it may change more than its own jobs.
    """

    __slots__ = ("_blanks", "broker", "closing", "guesses", "hub", "outbox")

    def __init__(self, hub: Hub, label: str = "-1 -", admin: bool = True) -> None:
        super().__init__()
        self.hub = hub
        self.broker = hub.broker
        self.label = label
        self.admin = admin
        self.outbox: list[Data | Blank] = []
        self._blanks = 0  # in the outbox
        self.closing = False  # nothing more is read; the shell closes once the outbox is sent
        self.guesses = 0  # at handles that do not exist; the shell slows down whoever makes many
        self.broker.join(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.label}: {len(self.functions)} functions, {len(self.holding)} jobs held>"

    @property
    def local(self) -> bool:
        """The peer is on this machine."""
        return is_local(self.label.partition(" ")[2])

    # -- what the shell calls; a protocol overrides feed, and the others if it has a use for them ---------------

    def feed(self, data: Data, now: int) -> None:
        """Bytes that were received anywhere; they are the shell's again afterwards."""
        raise NotImplementedError

    def room(self) -> memoryview | None:
        """Where the next bytes belong if they are part of something large; None: receive anywhere and `feed`."""
        return None

    def filled(self, count: int, now: int) -> None:
        """`count` bytes were received into `room`."""
        raise NotImplementedError

    def take(self) -> list[Data]:
        """What can be sent now, which is the shell's from then on."""
        outbox = self.outbox
        if not self._blanks:
            self.outbox = []
            return outbox  # type: ignore[return-value]  # there is no blank in it
        ready: list[Data] = []
        while outbox:
            item = outbox[0]
            if not isinstance(item, Blank):
                ready.append(item)
            elif item.data is not None:
                ready += item.data
                self._blanks -= 1
            else:
                break
            del outbox[0]
        return ready

    def later(self, pending: Pending[T], answer: Callable[[T], None]) -> None:
        """Have `answer` called when it is known; what it sends stands where this was called."""
        blank = Blank()
        self.outbox.append(blank)
        self._blanks += 1

        def fill(known: T) -> None:
            if self.closing and not self._blanks:
                return  # the connection is gone
            outbox, self.outbox = self.outbox, []
            answer(known)
            blank.data, self.outbox = self.outbox, outbox  # type: ignore[assignment]  # answers leave no blanks
            self.hub.dirty[self] = None

        pending.then(fill)

    def whenever(self, found: T | Pending[T], answer: Callable[[T], None]) -> None:
        """Have `answer` called at once if the answer is known, else as `later` does."""
        if isinstance(found, Pending):
            self.later(found, answer)
        else:
            answer(found)

    @property
    def midway(self) -> bool:
        """A message has begun and is not complete."""
        return False

    @property
    def owed(self) -> bool:
        """The peer still waits for something, though it may have stopped sending."""
        return bool(self.listening or self._blanks)

    @property
    def full(self) -> bool:
        """Enough has arrived: nothing more is read until some of it was dealt with."""
        return False

    @property
    def behind(self) -> bool:
        """It can go on with what has arrived already, once others had their turn: feed it nothing to have it do so."""
        return False

    @property
    def idle(self) -> bool:
        """The connection would be missed by nobody."""
        return not (self.functions or self.holding or self.listening or self._blanks)

    def probe(self) -> None:
        """The peer stopped sending: has it left, or does it wait? Only one that waits lets words without meaning pass.

        Not every protocol has such words.
        """

    def cut(self, code: bytes, text: bytes) -> None:
        """The shell ends the connection; the peer is told why, if its protocol has a way to say it."""
        self.closing = True
        self.hub.dirty[self] = None

    def lost(self, now: int) -> None:
        """The connection is gone."""
        self.closing = True
        self.outbox.clear()
        self._blanks = 0
        self.broker.leave(self, now)


def is_local(host: str) -> bool:
    """Whether an address is this machine's own loopback."""
    return host.removeprefix("::ffff:").startswith("127.") or host == "::1"

"""What a client knows of the jobs it submitted. Plain state: the conversation fills it in, a shell waits for it.

A *task* is the client's view of a job, as in libgearman and PHP; a *job* is what a worker gets.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from fleet.client.reasons import too_much
from fleet.client.terms import AT_ONCE
from fleet.errors import FleetError, TooMuchUnread
from fleet.protocol import Data
from fleet.settings import UNREAD_BYTES, Address

Priority = Literal["high", "normal", "low"]


class Status(NamedTuple):
    """What the job server says of a job: whether it has it, whether a worker runs it, and how far that got."""

    known: bool
    running: bool
    numerator: int
    denominator: int


COUNT_DIGITS: Final = 20  # of a number in a packet; Python itself refuses to read one of 5000
PART_BYTES: Final = 64  # that a part takes in memory beside what it holds, so that empty ones count, too


def count(text: bytes) -> int | None:
    """The number that a packet's argument says; None if it says none."""
    return int(text) if text.isdigit() and len(text) <= COUNT_DIGITS else None


class TaskState:
    """One submitted job, from the submit to its result or error.

    `accepted` once the server has it; `done` once there is a result or an error, or, for a background task, once
    the server has it, because no more is ever heard of that.
    """

    def __init__(
        self, function: bytes, workload: Sequence[Data], unique: bytes, priority: Priority, background: bool
    ) -> None:
        self.function = function
        self.workload = workload
        self.unique = unique
        self.priority = priority
        self.background = background
        self.handle: str | None = None
        self.server: Address | None = None  # where it was submitted last
        self.reducer = b""  # the function for its parts, which its worker is told
        self.terms = AT_ONCE  # of a background task, as far as a packet can say them
        self.only: Address | None = None  # the one server that is asked, if it must be that one
        self.tried: dict[Address, str] = {}  # servers that would not have it, and why, since it last had one
        self.resubmits = 0  # how often a server went away with it
        self.lost_at = 0.0  # when that began, seconds, monotonic; 0.0 while a server has it
        self.chunks: deque[bytes] = deque()  # WORK_DATA not yet streamed
        self.warnings: list[bytes] = []
        self.unread = 0  # bytes that both of them hold
        self.unread_most = UNREAD_BYTES
        self.progress = (0, 0)  # numerator and denominator of the last WORK_STATUS
        self.completed_with: bytes | None = None
        self.error: FleetError | None = None
        self.given_up = False  # nobody waits for it; what still arrives is dropped

    def __repr__(self) -> str:
        state = "failed" if self.error else "done" if self.done else "submitted" if self.accepted else "new"
        return f"<{type(self).__name__} {self.function.decode('utf-8', 'replace')} {self.handle or '-'} {state}>"

    @property
    def accepted(self) -> bool:
        """Whether a job server has it."""
        return self.handle is not None

    @property
    def done(self) -> bool:
        """Whether `result` would not wait; of a background task, whether it is accepted."""
        return self.error is not None or self.completed_with is not None or (self.background and self.accepted)

    def created(self, handle: bytes) -> None:
        self.handle = handle.decode("utf-8", "surrogateescape")
        self.lost_at = 0.0
        if self.background:
            self.workload = ()

    def data_arrived(self, data: bytes) -> None:
        if self.keeps(data):
            self.chunks.append(data)

    def warned(self, data: bytes) -> None:
        if self.keeps(data):
            self.warnings.append(data)

    def keeps(self, data: bytes) -> bool:
        """Whether there is somebody who will read it, and room for it until then; without room the task fails."""
        if self.given_up:
            return False
        self.unread += len(data) + PART_BYTES
        if self.unread > self.unread_most:
            self.failed(TooMuchUnread(too_much(self.unread_most)))
            self._forget_parts()
            self.given_up = True
        return not self.given_up

    def read(self) -> bytes:
        """The oldest WORK_DATA, which somebody has now."""
        data = self.chunks.popleft()
        self.unread -= len(data) + PART_BYTES
        return data

    def progressed(self, numerator: bytes, denominator: bytes) -> None:
        done, of = count(numerator), count(denominator)
        if done is not None and of is not None:
            self.progress = done, of

    def completed(self, data: bytes) -> None:
        self.workload = ()
        self.completed_with = b"" if self.given_up else data

    def failed(self, error: FleetError) -> None:
        self.workload = ()
        self.error = self.error or error

    def lost(self, now: float) -> None:
        """Its server went away; another worker will begin it anew."""
        self.resubmits += 1
        self.lost_at = self.lost_at or now
        self.handle = None
        self._forget_parts()
        self.progress = (0, 0)

    def _forget_parts(self) -> None:
        self.chunks.clear()
        self.warnings.clear()
        self.unread = 0


class StatusRequest:
    """One GET_STATUS and its answer."""

    def __init__(self, handle: bytes) -> None:
        self.handle = handle
        self.status: Status | None = None
        self.error: FleetError | None = None

    @property
    def done(self) -> bool:
        return self.status is not None or self.error is not None

    def answered(self, status: Status) -> None:
        self.status = status

    def failed(self, error: FleetError) -> None:
        self.error = error

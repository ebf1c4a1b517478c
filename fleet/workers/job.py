"""What a worker function gets.

A job that was cancelled ends when its function notices: `cancelled` says so, and what is sent for it then raises
JobCancelled, so that a function which tells of its progress need not ask.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fleet.errors import JobCancelled
from fleet.protocol import Data, payload
from fleet.workers.conversation import Assigned, Conversation


class Job:
    """One job, while a worker function runs it.

    Attributes:
        workload: the bytes it is to work on.
        function: the name it was asked for by.
        handle: the job server's name for the job.
        unique: what the client called it; may be empty.
        reducer: the function that the client named for the parts this job is split into; empty if none.
        in_parts: a part of the result was sent.
    """

    def __init__(
        self,
        assigned: Assigned,
        conversation: Conversation,
        flush: Callable[[], Any],
        is_over: Callable[[], bool] = lambda: False,
    ) -> None:
        self.workload = bytes(assigned.workload)
        self.function = assigned.function.decode("utf-8", "surrogateescape")
        self.handle = assigned.handle.decode("utf-8", "surrogateescape")
        self.unique = assigned.unique
        self.reducer = assigned.reducer.decode("utf-8", "surrogateescape")
        self._handle = assigned.handle
        self._conversation = conversation
        self._flush = flush
        self._is_over = is_over
        self.in_parts = False
        self._cancelled = False

    def __repr__(self) -> str:
        return f"<Job {self.handle} {self.function}, {len(self.workload)} bytes>"

    @property
    def cancelled(self) -> bool:
        """Whether nobody wants the result any more: a job server of ours said so, or one of another kind is gone.

        What the function returns or raises then goes nowhere. A server of ours that is gone has the result when it is
        back, unless parts were sent, which went with it. Asking costs a look at the connection.
        """
        self._cancelled = self._cancelled or self._is_over()
        return self._cancelled

    def send_data(self, data: Data | str) -> None:
        """Send a part of the result now; the client may stream it. Raises JobCancelled, as the other two do."""
        self._conversation.data(self._handle, payload(data, "data"))
        self.in_parts = True
        self._send()

    def send_warning(self, data: Data | str) -> None:
        """Tell the client that something is not quite right, and go on."""
        self._conversation.warning(self._handle, payload(data, "a warning"))
        self._send()

    def send_status(self, numerator: int, denominator: int) -> None:
        """Say how far the job got: `numerator` of `denominator`."""
        self._conversation.status(self._handle, numerator, denominator)
        self._send()

    def _send(self) -> None:
        self._flush()
        if self.cancelled:
            raise JobCancelled

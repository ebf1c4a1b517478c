"""Watching jobs: everything their workers send, from all of them, in the order in which it came.

>>> from fleet.client import Client
>>> from fleet.client.watched import submit, watch
>>> with Client("127.0.0.1:4730") as client:                                           # doctest: +SKIP
...     for task, event in watch([submit(client, "reverse", b"Hello World!")]):
...         print(event.kind, event.data)
complete b'!dlroW olleH'
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

from fleet.client.blocking import Client
from fleet.client.task import PART_BYTES, Priority
from fleet.client.waiting import Task, finished
from fleet.errors import FleetError, JobFailed, NoServer
from fleet.protocol import Data


class Event(NamedTuple):
    """Something a worker sent. The last one of a job is `complete` or `fail`."""

    kind: Literal["data", "warning", "status", "complete", "fail"]
    data: bytes = b""  # of a failure: the exception's text; may be empty
    progress: tuple[int, int] = (0, 0)  # of a status


class WatchedTask(Task):
    """A task that keeps what arrives as events instead of parts of a result."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.events: deque[Event] = deque()
        self.seen = False  # somebody was given an event

    def data_arrived(self, data: bytes) -> None:
        if self.keeps(data):
            self.events.append(Event("data", data))

    def warned(self, data: bytes) -> None:
        if self.keeps(data):
            self.events.append(Event("warning", data))

    def progressed(self, numerator: bytes, denominator: bytes) -> None:
        super().progressed(numerator, denominator)
        if self.keeps(b""):
            self.events.append(Event("status", progress=self.progress))

    def take(self) -> Event:
        """The oldest event, which somebody has now."""
        event = self.events.popleft()
        if event.kind in ("data", "warning", "status"):
            self.unread -= len(event.data) + PART_BYTES
        return event

    def completed(self, data: bytes) -> None:
        super().completed(data)
        self.events.append(Event("complete", data))

    def failed(self, error: FleetError) -> None:
        super().failed(error)
        if isinstance(error, JobFailed):
            self.events.append(Event("fail", str(error).encode() if error.explained else b""))

    def lost(self, now: float) -> None:
        """What nobody saw is forgotten; what somebody saw cannot be taken back, so the job is not begun anew."""
        super().lost(now)
        self.events.clear()
        if self.seen:
            self.failed(NoServer(f"the job server {self.server} went away in the middle of the job's output"))


def submit(
    client: Client,
    function: str,
    workload: Data = b"",
    *,
    unique: str | None = None,
    priority: Priority = "normal",
    background: bool = False,
    timeout: float | None = None,
) -> WatchedTask:
    """As `Client.submit`, for a task to watch."""
    return finished(client._submit(WatchedTask, function, (workload,), unique, priority, background, timeout))


def watch(tasks: Sequence[WatchedTask], timeout: float | None = None) -> Iterator[tuple[WatchedTask, Event]]:
    """Each task's events as they come, until all tasks have ended.

    Args:
        tasks: of one client.
        timeout: seconds without any event; None for the client's own.

    Raises:
        Deadline: nothing came in time.
        NoServer: the job server went away with a job.
    """
    left = list(tasks)
    while left:
        _wait_for_news(left, timeout)
        for task in left:
            while task.events:
                task.seen = True
                yield task, task.take()
            if task.error and not isinstance(task.error, JobFailed):
                raise task.error
        left = [task for task in left if not task.done or task.events]


def _wait_for_news(tasks: Sequence[WatchedTask], timeout: float | None) -> None:
    first, client = tasks[0], tasks[0]._client
    finished(client._wait_for(first, timeout, lambda: any(task.done or task.events for task in tasks)))

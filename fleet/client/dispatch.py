"""Which job server has which task: placing tasks, moving them when a server is lost, giving them up.

Rule 1: no clock and no chance of its own; `now` is in seconds, monotonic. Rule 2: links are opened and closed here,
and what they then send and receive is the shell's; the shell says `lost` when one breaks, and calls `due` when
`next_due_s` says so. Rule 3: a task fails at once if no server would ever have it, and waits for one if a server had
it already.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Generic, TypeVar

from fleet.client.link import Link, LinkLost
from fleet.client.reasons import nobody
from fleet.client.routing import ranked
from fleet.client.task import StatusRequest, TaskState
from fleet.errors import FleetError, NoServer
from fleet.settings import Address

CONNECT_S: Final = 3.0  # for one server to accept a connection
RETURN_S: Final = 10.0  # for a server to come back that went away with a task
MAX_RESUBMITS: Final = 3  # a task that was there each time a server died may well be why

L = TypeVar("L", bound=Link)


class Dispatch(Generic[L]):
    """The links to all of a client's servers, and the tasks that are at none of them."""

    def __init__(self, links: Mapping[Address, L], chance: Callable[[], float]) -> None:
        self.links = links
        self._chance = chance  # in [0, 1)
        self.homeless: dict[TaskState, None] = {}  # tasks whose server went away, and no other would have

    def place(self, task: TaskState, now: float) -> None:
        """Give the task to the first server in its order that will have it; without one it fails or waits on."""
        servers = [task.only] if task.only else ranked(self.links, task.unique)
        order = [a for a in servers if a not in task.tried]
        for address in sorted(order, key=lambda a: self.links[a].health.resting(now)):
            link = self.links[address]
            try:
                self._open(link, now)
            except LinkLost as lost:
                link.health.failed(now, self._chance(), str(lost))
                task.tried[address] = str(lost)
                continue
            task.server = address
            link.conversation.submit(task)
            return
        if task.lost_at:
            self.homeless[task] = None
        else:
            task.failed(NoServer(nobody(task.tried)))

    def ask_status(self, server: Address, request: StatusRequest, now: float) -> None:
        """Raises NoServer."""
        link = self.links[server]
        try:
            self._open(link, now)
        except LinkLost as lost:
            raise NoServer(f"no job server answered at {server}: {lost}") from lost
        link.conversation.ask_status(request)

    def _open(self, link: L, now: float) -> None:
        """Have it up, or on its way. Raises LinkLost."""
        if link.ended():  # while nobody waited, so nobody has seen it
            if link.conversation.idle:
                link.close()
            else:
                self.lost(link, "it closed the connection", now)
        if link.down:
            link.open(now + CONNECT_S)

    def lost(self, link: L, reason: str, now: float) -> None:
        """The link broke. Its tasks move to other servers, or wait for this one to come back."""
        conversation, was_up = link.conversation, not link.connecting
        link.close()
        link.health.failed(now, self._chance(), reason)
        for request in conversation.status_requests():
            request.failed(NoServer(f"the job server {link.address} went away: {reason}"))
        for task in conversation.tasks():
            task.tried[link.address] = reason
            if was_up:
                task.lost(now)
            if task.given_up or task.done:
                continue
            if task.resubmits > MAX_RESUBMITS:
                task.failed(NoServer(f"the job server went away {task.resubmits} times with this job; last: {reason}"))
            else:
                self.place(task, now)

    def next_due_s(self, now: float) -> float | None:
        """Seconds until `due` has something to do; None when it has not."""
        due = [link.connect_by - now for link in self.links.values() if link.connecting]
        if self.homeless:
            due += [link.health.retry_at - now for link in self.links.values()]
        return max(0.0, min(due)) if due else None

    def due(self, now: float) -> None:
        """Give up connecting where it took too long, and place those again that no server had."""
        for link in self.links.values():
            if link.connecting and now >= link.connect_by:
                self.lost(link, f"no connection in {CONNECT_S:g} s", now)
        for task in list(self.homeless):
            self._house(task, now)

    def _house(self, task: TaskState, now: float) -> None:
        if task.given_up or task.done:
            del self.homeless[task]
        elif now - task.lost_at > RETURN_S:
            del self.homeless[task]
            task.failed(NoServer(f"the job server was lost with the job and did not come back; {nobody(task.tried)}"))
        elif not all(link.health.resting(now) for link in self.links.values()):
            task.tried.clear()
            del self.homeless[task]
            self.place(task, now)

    def where_it_went(self, task: TaskState) -> str:
        """What is known of the servers, of a task whose own went away, and which no other has accepted since."""
        return nobody(task.tried or {a: link.health.reason for a, link in self.links.items() if link.health.failures})

    def close(self, error: FleetError) -> None:
        """Drop the connections; what has not ended fails, and job servers drop the foreground jobs of it."""
        up = [link.conversation for link in self.links.values() if not link.down]
        for task in [*(task for conversation in up for task in conversation.tasks()), *self.homeless]:
            task.failed(error)
        for request in [request for conversation in up for request in conversation.status_requests()]:
            request.failed(error)
        self.homeless.clear()
        for link in self.links.values():
            link.break_off()

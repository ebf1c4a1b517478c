"""What both clients have in common: all but how one waits.

Rule 1: a shell brings `_prepare`, `_alive`, `_change`, `_wait`, `_functions_at`, and the kinds of what it gives to
people; all else is here, in `calls` and in what these use, and is the same for both. Rule 2: the tasks' state changes
within `_change` and while somebody waits, and nowhere else.
"""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeVar

from fleet.client.dispatch import Dispatch
from fleet.client.reasons import LONGER, late
from fleet.client.task import Priority, StatusRequest
from fleet.client.terms import AT_ONCE, Terms
from fleet.client.waiting import OwnTask
from fleet.errors import Deadline, FleetError, UsageError
from fleet.protocol import Data
from fleet.settings import UNREAD_BYTES, Address, ServerLimits, Servers, parse_servers

if TYPE_CHECKING:
    from fleet.client.admin import FunctionStatus
    from fleet.client.images import Source

DIAGNOSIS_S: Final = 1.0  # beyond a deadline at most, to say why it passed

T = TypeVar("T", bound=OwnTask)
TaskKind = TypeVar("TaskKind", bound=OwnTask)
PictureKind = TypeVar("PictureKind", bound=OwnTask)
ThumbsKind = TypeVar("ThumbsKind")
JobKind = TypeVar("JobKind")


class Shell(ABC, Generic[TaskKind, PictureKind, ThumbsKind, JobKind]):
    """A client of one or several job servers; of what kind its tasks, picture tasks, thumbnails and kept jobs are."""

    ELSEWHERE: ClassVar[str]  # what is told to who waits for a task that is another's

    _dispatch: Dispatch[Any]
    _closed = False

    def __init__(
        self,
        servers: Servers = None,
        *,
        timeout: float = 60.0,
        unread_bytes: int = UNREAD_BYTES,
        limits: ServerLimits | None = None,
    ) -> None:
        self.servers = parse_servers(servers)
        self.timeout_s = timeout
        self.unread_bytes = unread_bytes
        self.limits = limits or ServerLimits()
        self._homes: dict[str, Address] = {}  # servers of kept jobs, by what their handles begin with
        self._prepare()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {','.join(map(str, self.servers))}>"

    # -- what a shell brings ----------------------------------------------------------------------------------

    @abstractmethod
    def _prepare(self) -> None:
        """Be ready to be used, at the end of the constructor, which both have in common."""

    @abstractmethod
    def _task_kind(self) -> type[TaskKind]: ...

    @abstractmethod
    def _picture_kind(self) -> type[PictureKind]: ...

    @abstractmethod
    def _thumbs_kind(self) -> Callable[[OwnTask, tuple[str, ...], float], ThumbsKind]: ...

    @abstractmethod
    def _job_kind(self) -> Callable[[AnyShell, str | None, str | None, str | None], JobKind]: ...

    @abstractmethod
    def _alive(self) -> object:
        """Where the client is now: equal objects as long as its connections are the same. Raises UsageError."""

    @abstractmethod
    def _change(self, do: Callable[[float], None]) -> None:
        """Have something done with what is dispatched, now (seconds, monotonic). Raises UsageError."""

    @abstractmethod
    async def _wait(self, done: Callable[[], bool], deadline: float) -> bool:
        """Until `done`; False if the deadline (seconds, monotonic) came first."""

    @abstractmethod
    async def _functions_at(self, server: Address, seconds: float) -> Sequence[FunctionStatus]:
        """What a server's `status` says. Raises FleetError, ValueError."""

    async def _loaded(self, source: Source) -> Source:
        """A picture's source, of which `images.read` makes bytes without waiting."""
        return source

    # -- submitting and asking --------------------------------------------------------------------------------

    async def _submit(
        self,
        kind: type[T],
        function: str,
        workload: Sequence[Data],
        unique: str | bytes | None = None,
        priority: Priority = "normal",
        background: bool = False,
        timeout: float | None = None,
        *,
        server: Address | None = None,
        terms: Terms = AT_ONCE,
        reducer: str = "",
    ) -> T:
        # With a unique of its own a task that is sent again, because its server's answer was lost, is not doubled.
        key = os.urandom(16).hex() if unique is None else unique
        task = kind(as_sent(function), workload, as_sent(key), priority, background)
        task.only, task.terms, task.reducer, task.unread_most = server, terms, as_sent(reducer), self.unread_bytes
        self._check(task)
        task._client, task._home = self, self._alive()
        self._change(lambda now: self._dispatch.place(task, now))
        try:
            await self._wait_for(task, timeout, lambda: task.accepted or task.done)
            if task.error and not task.accepted:
                raise task.error
        except BaseException:
            task.given_up = True  # nobody has it
            raise
        return task

    def _check(self, task: OwnTask) -> None:
        limits, size = self.limits, sum(map(len, task.workload))
        for name in filter(None, (task.function or b"\0", task.reducer)):
            if len(name) > limits.function_bytes or b"\0" in name:
                raise UsageError(f"a function name has 1 to {limits.function_bytes} bytes and no NUL")
        if len(task.unique) > limits.unique_bytes or b"\0" in task.unique:
            raise UsageError(
                f"a unique has at most {limits.unique_bytes} bytes and no NUL; send a digest of a longer one"
            )
        if size + len(task.function) + len(task.unique) + len(task.reducer) + 4 > limits.packet_bytes:
            raise UsageError(f"a workload of {size} bytes is too large; a packet holds {limits.packet_bytes} bytes")

    def _ask_status(self, server: Address, request: StatusRequest) -> None:
        """Raises NoServer, UsageError."""
        self._alive()
        self._change(lambda now: self._dispatch.ask_status(server, request, now))

    # -- waiting ----------------------------------------------------------------------------------------------

    def _deadline(self, timeout: float | None) -> float:
        return time.monotonic() + (self.timeout_s if timeout is None else timeout)

    async def _wait_for(self, task: OwnTask, timeout: float | None, done: Callable[[], bool]) -> None:
        """Raises Deadline, whose text says why as far as it can be known, and UsageError."""
        if done():
            return
        if task._home != self._alive():
            raise UsageError(self.ELSEWHERE)
        if not await self._wait(done, self._deadline(timeout)):
            waited_s = self.timeout_s if timeout is None else timeout
            who = f"{task.function.decode('utf-8', 'replace')} at {task.server or self.servers[0]}"
            what = f"no answer from {who} in {round(waited_s, 2):g} s"
            if task.lost_at:
                raise Deadline(f"{what}: its job server went away. {self._dispatch.where_it_went(task)}")
            raise Deadline(f"{what}; {await self._why_late(task, min(waited_s, DIAGNOSIS_S))}")

    async def _why_late(self, task: OwnTask, seconds: float) -> str:
        """What the job server says of it, over a connection of its own; there may be no worker at all."""
        if task.accepted and task.server and not task.only and seconds > 0:
            try:
                return late(task.function, await self._functions_at(task.server, seconds))
            except (FleetError, ValueError):
                pass  # it answers in its own way, or not at all
        return LONGER


def as_sent(name: str | bytes) -> bytes:
    """A function, a unique or a reducer. Raises UsageError for text that is none, as of a file's name."""
    try:
        return name.encode() if isinstance(name, str) else name
    except UnicodeEncodeError:
        raise UsageError(f"{name!r} cannot be sent: it is not UTF-8") from None


AnyShell = Shell[Any, Any, Any, Any]

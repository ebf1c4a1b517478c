"""What a client does with pictures, and with jobs that are kept. Parts of `Client`.

What they need of the pictures, or of kept jobs, is loaded when they are called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fleet.errors import ServerRefused, UsageError
from fleet.settings import Address, ServerLimits

if TYPE_CHECKING:
    from types import EllipsisType

    from fleet.client.blocking import Task
    from fleet.client.images import PictureTask, Size, Source, Thumbnails
    from fleet.client.kept import JobInfo, KeptJob
    from fleet.client.task import Priority
    from fleet.client.terms import Terms
    from fleet.protocol import Data


class PictureCalls:
    """The calls, for a client that can submit."""

    limits: ServerLimits
    timeout_s: float

    _submit: Callable[..., Any]  # of a kind of task, a function and the workload's parts; as `Client` has it

    def resize(
        self,
        source: Source,
        width: int | EllipsisType | None = ...,
        height: int | EllipsisType | None = ...,
        *,
        preset: str | None = None,
        facts: bool = True,
        function: str = "resize",
        timeout: float | None = None,
        **options: Any,
    ) -> PictureTask:
        """Submit a picture to be made smaller; its `result` is a `Picture`, which is bytes that know what they are.

        Args:
            source: a picture's bytes, the path of a file, or an open binary file, which is read to its end.
            width, height: pixels; None, or to give only the other, leaves that side free. 200x150 if neither is given.
            options: the others of `fleet.images.Spec`: fit, format, quality, gravity, blur, max_bytes, ...
            preset: a name from the pool's settings, which then has all the options but `accept`.
            facts: whether the picture is to have its `facts`; without, and without options, the workload is the
                picture's bytes and nothing else, which any worker of that name understands.
            function: which function of the pool does it.
            timeout: seconds for a server to accept it.

        Raises:
            UsageError: the options make no sense (`BadSpec`), or the file cannot be read.
            BadImage: the picture is too large to send.
            NoServer, QueueFull: as `submit`.
        """
        from fleet.client.images import PictureTask, packed, packed_for_preset

        most = self.limits.packet_bytes
        if preset:
            given = {side: px for side, px in (("width", width), ("height", height)) if px is not ...}
            workload = packed_for_preset(source, given | options, facts, most)  # which the pool refuses
            function = f"thumb.{preset}"
        else:
            workload = packed(source, {"width": width, "height": height, **options}, facts, most)
        task: PictureTask = self._submit(PictureTask, function, workload, None, "normal", False, timeout)
        return task

    def thumbnails(
        self, source: Source, sizes: Mapping[str, Size], *, function: str = "thumbnails", timeout: float | None = None
    ) -> Thumbnails:
        """Submit one picture to be made into several, of one upload and one decoding.

        Args:
            source: as `resize`.
            sizes: for each name a `Spec`, its options in a mapping, or the name of one of the pool's presets.
            function: which function of the pool does it.
            timeout: seconds for a server to accept it.

        Raises: as `resize`.
        """
        from fleet.client.blocking import Task
        from fleet.client.images import Thumbnails, packed_for_many

        workload = packed_for_many(source, sizes, self.limits.packet_bytes)
        task: Task = self._submit(Task, function, workload, None, "normal", False, timeout)
        return Thumbnails(task, tuple(sizes), self.timeout_s)


class KeptCalls:
    """The calls about background jobs that a job server with a store keeps."""

    servers: tuple[Address, ...]

    _submit: Callable[..., Any]  # as `PictureCalls` has it
    _homes: dict[str, Address]
    _deadline: Callable[[float | None], float]  # seconds, monotonic

    def _submit_on_terms(
        self,
        function: str,
        data: Data,
        unique: str | bytes | None,
        priority: Priority,
        terms: Terms,
        timeout: float | None,
    ) -> Task:
        from fleet.client.blocking import Task
        from fleet.client.kept import submit_on_terms

        try:
            if terms.fits_a_packet and priority == "normal":
                task: Task = self._submit(Task, function, (data,), unique, priority, True, timeout, terms=terms)
                return task
            said = {name: value for name, value in asdict(terms).items() if value}
            return submit_on_terms(self, {"function": function, "priority": priority, **said}, data, unique, timeout)
        except ServerRefused as refused:
            if terms.schedule and refused.code == "INVALID_ARGUMENT":
                raise UsageError(f"schedule {terms.schedule!r} makes no sense: {refused.reason}") from refused
            raise

    def job(self, handle: str | None = None, *, function: str | None = None, unique: str | None = None) -> KeptJob:
        """A job that was submitted before, by this process or another; named by its handle, or by the other two.

        Nothing is asked before its `result` or `status` is. Raises UsageError if it is not named.
        """
        from fleet.client.kept import KeptJob

        return KeptJob(self, handle, function, unique)

    def jobs(self, *, function: str | None = None, older: int = 0) -> Iterator[JobInfo]:
        """The background jobs that have not ended, of all servers.

        Args:
            function: only those of this function.
            older: only those that were submitted so many seconds ago.

        Raises:
            NoServer, Deadline, NoStore: one of the servers does not answer, or keeps nothing.
        """
        from fleet.client.kept import listed

        for server in self.servers:
            yield from listed(self, server, "jobs", function=function, older=older)

    def dead(self, *, function: str | None = None, older: int = 0) -> Iterator[JobInfo]:
        """The jobs in the dead letter; as `jobs`, but `older` is since they died."""
        from fleet.client.kept import listed

        for server in self.servers:
            yield from listed(self, server, "dead", function=function, older=older)

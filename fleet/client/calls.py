"""What a client does with pictures. A part of `Client`; what it needs of the pictures is loaded when it is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from fleet.settings import ServerLimits

if TYPE_CHECKING:
    from fleet.client.images import PictureTask, Size, Source, Thumbnails


class PictureCalls:
    """The calls, for a client that can submit."""

    limits: ServerLimits
    timeout_s: float

    _submit: Callable[..., Any]  # of a kind of task, a function and the workload's parts; as `Client` has it

    def resize(
        self,
        source: Source,
        width: int | None = 200,
        height: int | None = 150,
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
            width, height: pixels; None leaves that side free.
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
            workload = packed_for_preset(source, options, facts, most)
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

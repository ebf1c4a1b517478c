"""Pictures through the client: a source becomes a workload, a result becomes a `Picture`, a text an error.

The workload is the picture's bytes behind one line of options, or the bytes alone where there is nothing to say; see
`fleet.images.envelope`.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from typing import IO, Any, Final

from fleet.client import waiting
from fleet.errors import BadImage, BadSpec, JobFailed, UsageError
from fleet.images import Picture as Picture
from fleet.images import Spec, envelope
from fleet.protocol import Data, payload
from fleet.settings import MIB

HEAD_BYTES: Final = 1024  # of a packet, for the function and the unique

Source = bytes | bytearray | memoryview | str | os.PathLike[str] | IO[bytes]
Size = Spec | Mapping[str, Any] | str  # one of several: options, or the name of a preset


async def picture(task: waiting.OwnTask, timeout: float | None = None) -> Picture:
    """The finished picture.

    Raises:
        BadImage: the source cannot be processed; `reason` says of which kind the trouble is.
        JobFailed, Deadline, NoServer: as `Task.result`.
    """
    try:
        return opened(await waiting.result(task, timeout))[1]
    except JobFailed as failure:
        raise understood(failure) from None


class PictureTask(waiting.Task):
    """A picture that is being made. Its `result` is the finished one."""

    def result(self, timeout: float | None = None) -> Picture:
        """As `picture`."""
        return waiting.finished(picture(self, timeout))


class AsyncPictureTask(waiting.AsyncTask):
    """A picture that is being made, to await. Its `result` is the finished one."""

    async def result(self, timeout: float | None = None) -> Picture:
        """As `picture`."""
        return await picture(self, timeout)


class OwnThumbnails:
    """Several pictures that are being made of one, and those that are there."""

    def __init__(self, task: waiting.OwnTask, names: tuple[str, ...], timeout_s: float) -> None:
        self.task = task
        self.names = names
        self._timeout_s = timeout_s
        self._made: dict[str, Picture] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self._made)} of {len(self.names)}: {', '.join(self.names)}>"

    @property
    def progress(self) -> tuple[int, int]:
        """How many of how many are made."""
        return max(self.task.progress[0], len(self._made)), len(self.names)

    async def _one_more(self, timeout: float | None) -> None:
        """Wait for one more than there are."""
        before = len(self._made)
        try:
            while (part := await waiting.next_part(self.task, timeout)) is not None:
                name, made = opened(part)
                self._made.setdefault(name, made)  # a job that was sent again sends again what came before
                if len(self._made) > before:
                    return
        except JobFailed as failure:
            raise understood(failure) from None
        raise JobFailed(f"the worker made only {', '.join(self._made) or 'none'} of {', '.join(self.names)}")


async def each_thumbnail(
    thumbs: OwnThumbnails, timeout: float | None = None
) -> AsyncGenerator[tuple[str, Picture], None]:
    """Each as it comes; `timeout` (seconds) is for each wait. Raises as `PictureTask.result` does."""
    for told in range(len(thumbs.names)):
        if told == len(thumbs._made):
            await thumbs._one_more(timeout)
        yield list(thumbs._made.items())[told]


async def all_thumbnails(thumbs: OwnThumbnails, timeout: float | None = None) -> dict[str, Picture]:
    """All of them, by name, in the order in which they were made; `timeout` (seconds) is for the whole wait.

    Raises as `PictureTask.result` does; what had come by then can still be streamed.
    """
    deadline = time.monotonic() + (thumbs._timeout_s if timeout is None else timeout)
    while len(thumbs._made) < len(thumbs.names):
        await thumbs._one_more(max(0.0, deadline - time.monotonic()))
    return dict(thumbs._made)


class Thumbnails(OwnThumbnails):
    """Several pictures that are being made of one. Made by `Client.thumbnails`.

    To go through it gives each ``(name, Picture)`` as soon as it is there, largest first; `result` gives all of them
    by name. Each may be done once or often, in any order.

        for name, thumb in client.thumbnails("large.jpg", {"avatar": {"width": 64}, "card": Spec(320, 240)}):
            thumb.save(f"{name}.jpg")
    """

    stream = waiting.blocking_each(each_thumbnail)
    result = waiting.blocking(all_thumbnails)

    def __iter__(self) -> Iterator[tuple[str, Picture]]:
        return self.stream()


class AsyncThumbnails(OwnThumbnails):
    """As `Thumbnails`, to await, and to go through with ``async for``. Made by `AsyncClient.thumbnails`."""

    stream = each_thumbnail
    result = all_thumbnails

    def __aiter__(self) -> AsyncIterator[tuple[str, Picture]]:
        return self.stream()


def opened(result: bytes) -> tuple[str, Picture]:
    """A worker's result: a name, if it is one of several, and the picture."""
    try:
        return envelope.picture_of(result)
    except ValueError as error:
        raise JobFailed(f"the worker sent what is no picture: {error}") from error


def understood(failure: JobFailed) -> JobFailed | BadSpec:
    """The error that a worker's text stands for: ``BadImage: reason: sentence`` or ``BadSpec: sentence``."""
    kind, _, rest = str(failure).partition(": ")
    if kind == "BadSpec":
        return BadSpec(rest)
    reason, _, sentence = rest.partition(": ")
    if kind == "BadImage" and reason in BadImage.REASONS:
        return BadImage(reason, sentence)
    return failure


def packed(source: Source, options: Mapping[str, Any], facts: bool, most_bytes: int) -> tuple[Data, ...]:
    """The workload for `source` with these `Spec` options, in parts, so that the picture is not copied.

    Raises:
        BadSpec: the options make no sense.
        BadImage: ``too-large``; a packet holds `most_bytes`.
        UsageError: the file cannot be read.
    """
    return _behind(envelope.prefix(Spec.from_mapping(options).to_mapping(), facts), source, most_bytes)


def packed_for_preset(source: Source, options: Mapping[str, Any], facts: bool, most_bytes: int) -> tuple[Data, ...]:
    """As `packed`, for a function that is a preset: what is not given comes from the settings of the pool."""
    return _behind(envelope.prefix(options, facts), source, most_bytes)


def packed_for_many(source: Source, sizes: Mapping[str, Size], most_bytes: int) -> tuple[Data, ...]:
    """As `packed`, for several sizes by name."""
    if not 0 < len(sizes) <= envelope.MAX_SIZES:
        raise BadSpec(f"there are {len(sizes)} sizes; ask for 1 to {envelope.MAX_SIZES}")
    return _behind(envelope.prefix_many({name: _size(size) for name, size in sizes.items()}), source, most_bytes)


def _size(size: Size) -> dict[str, Any] | str:
    if isinstance(size, str):
        return size
    return (size if isinstance(size, Spec) else Spec.from_mapping(size)).to_mapping()


def _behind(line: bytes, source: Source, most_bytes: int) -> tuple[Data, ...]:
    data = read(source)
    if len(data) + len(line) > most_bytes - HEAD_BYTES:
        text = f"the picture has {len(data) / MIB:.1f} MiB; a packet holds {most_bytes / MIB:g} MiB. Send a smaller one"
        raise BadImage("too-large", text)
    return (line, data) if line else (data,)


def read(source: Source) -> Data:
    """All bytes of a source.

    Raises:
        UsageError: the file cannot be read, or this is none; the text says which and why.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return source
    if isinstance(source, io.TextIOBase) or (not isinstance(source, str | os.PathLike) and not hasattr(source, "read")):
        raise UsageError(f'a picture is bytes, a path, or a file opened with "rb"; this is {type(source).__name__}')
    try:
        if isinstance(source, str | os.PathLike):
            with open(source, "rb") as file:
                return file.read()
        return _bytes_of_file(source)
    except OSError as error:
        name = os.fspath(source) if isinstance(source, str | os.PathLike) else getattr(source, "name", "the file")
        raise UsageError(f"cannot read {name}: {(error.strerror or str(error)).lower()}") from error


def _bytes_of_file(file: IO[bytes]) -> Data:
    found: Any = file.read()
    if hasattr(found, "__await__"):
        found.close()  # it would warn that nobody awaited it
        raise UsageError(f"to read {type(file).__name__} has to be awaited; hand over the bytes: await file.read()")
    return payload(found, "a picture")

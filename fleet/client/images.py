"""Pictures through the client: a source becomes a workload, a result becomes a `Picture`, a text an error.

The workload is the picture's bytes behind one line of options, or the bytes alone where all options are the
defaults; see `fleet.images.envelope`.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from typing import IO, Any, Final

from fleet.client.blocking import Task
from fleet.errors import BadImage, BadSpec, JobFailed, UsageError
from fleet.images import Picture, Spec, envelope
from fleet.protocol import Data
from fleet.settings import MIB

HEAD_BYTES: Final = 1024  # of a packet, for the function and the unique

Source = bytes | bytearray | memoryview | str | os.PathLike[str] | IO[bytes]


class PictureTask(Task):
    """A picture that is being made. Its `result` is the finished one."""

    def result(self, timeout: float | None = None) -> Picture:
        """The finished picture.

        Raises:
            BadImage: the source cannot be processed; `reason` says of which kind the trouble is.
            JobFailed, Deadline, NoServer: as `Task.result`.
        """
        try:
            return Picture(super().result(timeout))
        except JobFailed as failure:
            raise understood(failure) from None


def understood(failure: JobFailed) -> JobFailed | BadSpec:
    """The error that a worker's text stands for: ``BadImage: reason: sentence`` or ``BadSpec: sentence``."""
    kind, _, rest = str(failure).partition(": ")
    if kind == "BadSpec":
        return BadSpec(rest)
    reason, _, sentence = rest.partition(": ")
    if kind == "BadImage" and reason in BadImage.REASONS:
        return BadImage(reason, sentence)
    return failure


def packed(source: Source, options: Mapping[str, Any], most_bytes: int) -> tuple[Data, ...]:
    """The workload for `source` with these `Spec` options, in parts, so that the picture is not copied.

    Raises:
        BadSpec: the options make no sense.
        BadImage: ``too-large``; a packet holds `most_bytes`.
        UsageError: the file cannot be read.
    """
    line = envelope.prefix(Spec.from_mapping(options))
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
        return source.read()
    except OSError as error:
        name = os.fspath(source) if isinstance(source, str | os.PathLike) else getattr(source, "name", "the file")
        raise UsageError(f"cannot read {name}: {(error.strerror or str(error)).lower()}") from error

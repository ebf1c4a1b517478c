"""What a runner and its pool say to each other: records, each a kind, a length, and so many bytes. Pure.

    to the runner   JOB       where in the shared memory its workload lies, and which function
    to the pool     DATA      a part of the result, for the client to have at once
                    STATUS    how far the job got: numerator, denominator
                    RESULT    the end: the rest of the result
                    ERROR     the end: why there is none, in one line
                    SHORT     the end: there is none for want of memory
                    STAYS     after the end: it is there for another errand

Rule: what comes from a runner was written by the picture, if the picture took it over. It is read into nothing but
these values, and no more than was allowed is ever held.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple

HEAD: Final = Struct(">BI")
_STATUS: Final = Struct(">QQ")
_PLACE: Final = Struct(">QQ")


class Kind(IntEnum):
    JOB = 1
    DATA = 2
    STATUS = 3
    RESULT = 4
    ERROR = 5
    SHORT = 6
    STAYS = 7


LAST: Final = frozenset({Kind.RESULT, Kind.ERROR, Kind.SHORT})


class Record(NamedTuple):
    kind: Kind
    body: bytes = b""


class Errand(NamedTuple):
    """What a runner is to do: `length` bytes at `offset` of its input are the workload."""

    function: str
    offset: int
    length: int


class Progress(NamedTuple):
    """A worker function may yield it: so much of so much is done."""

    numerator: int
    denominator: int


class BadRecord(ValueError):
    """The runner wrote what no runner of ours writes."""


def head(kind: Kind, length: int) -> bytes:
    """What stands before a record's body."""
    return HEAD.pack(kind, length)


def job(errand: Errand) -> bytes:
    body = _PLACE.pack(errand.offset, errand.length) + errand.function.encode()
    return head(Kind.JOB, len(body)) + body


def errand(body: bytes) -> Errand:
    return Errand(body[_PLACE.size :].decode(), *_PLACE.unpack_from(body))


def status(progress: Progress) -> bytes:
    return head(Kind.STATUS, _STATUS.size) + _STATUS.pack(*progress)


def progress(body: bytes) -> Progress:
    """Raises BadRecord."""
    if len(body) != _STATUS.size:
        raise BadRecord("a status of the wrong size")
    return Progress(*_STATUS.unpack(body))


class Records:
    """Bytes in, records out. `most_bytes` is what the bodies may have, all together."""

    def __init__(self, most_bytes: int) -> None:
        self._held = bytearray()
        self._left = most_bytes

    def feed(self, data: bytes) -> Iterator[Record]:
        """The records that are whole now.

        Raises:
            BadRecord: garbage, or more than is allowed; nothing that follows means anything.
        """
        self._held += data
        while len(self._held) >= HEAD.size:
            number, length = HEAD.unpack_from(self._held)
            if number not in Kind.__members__.values():
                raise BadRecord("garbage")
            if length > self._left:
                raise BadRecord("more than a result may have")
            end = HEAD.size + length
            if len(self._held) < end:
                return
            self._left -= length
            body = bytes(memoryview(self._held)[HEAD.size : end])
            del self._held[:end]
            yield Record(Kind(number), body)

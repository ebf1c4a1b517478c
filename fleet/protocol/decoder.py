"""From a stream of bytes, cut anywhere, to packets and text lines.

Rule 1: every way of cutting a stream gives the same packets. Rule 2: a body's declared size is checked when its
header is complete; memory is taken as bytes arrive, never for what was only announced. Rule 3: a large body is
received in place: `room` is where the next bytes belong, so that a picture is copied once, by the kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from fleet.errors import ProtocolError
from fleet.protocol.packets import ARITY, HEADER, HEADER_BYTES, REQ, RES, SHAPES, TEXT, Data, Packet, split_body

LARGE_BYTES: Final = 32 * 1024  # a body with more than this still to come is received in place
FIRST_ROOM_BYTES: Final = 1024 * 1024  # taken at once for a large body; four times that when it is full, and so on

unpack_header: Final = HEADER.unpack_from

# Small packets repeat their headers: to look up one that was found to be good takes less than to take it apart.
KNOWN_BYTES: Final = 4096  # of a body at most
KNOWN_HEADS: Final = 4096  # of each magic at most
known_heads: Final[dict[bytes, dict[bytes, tuple[int, int]]]] = {REQ: {}, RES: {}}  # to type and size of the body

# A type without arguments is always the same packet; a body on it is read and ignored, as gearmand does.
BARE: Final[dict[int, Packet]] = {kind: (kind, ()) for kind, arity in ARITY.items() if not arity}

Allocate = Callable[[int], bytearray | memoryview]


class Decoder:
    """Feed it what arrived and iterate over what is complete.

    `magic` is what the peer's packets begin with (`REQ` at a server, `RES` at a client or worker). `body_bytes`
    limits a packet's body. `line_bytes` limits a line of the text protocol; 0 means that there is no text.
    `allocate`, if given, is asked once for the whole room of a large body, in bytes.

    The iterators do their work as they are consumed: consume each to its end before the next call. They raise
    `ProtocolError` where the stream breaks, after the good packets before it; then the decoder is spent.
    """

    __slots__ = ("_allocate", "_body", "_body_bytes", "_held", "_known", "_line_bytes", "_magic")

    def __init__(self, magic: bytes, *, body_bytes: int, line_bytes: int = 0, allocate: Allocate | None = None) -> None:
        self._magic = magic
        self._body_bytes = body_bytes
        self._known = known_heads[magic] if body_bytes >= KNOWN_BYTES else {}
        self._line_bytes = line_bytes
        self._allocate = allocate
        self._held = b""  # an incomplete packet or line, from its first byte
        self._body: _LargeBody | None = None

    @property
    def midway(self) -> bool:
        """A packet or line has begun and is not complete."""
        return bool(self._held) or self._body is not None

    @property
    def textual(self) -> bool:
        """What has begun, or broke the stream, is a line of text."""
        return bool(self._held) and self._held[0] != 0

    def room(self) -> memoryview | None:
        """Where the next bytes belong if a large body is being received; None: receive anywhere and `feed`."""
        return self._body.room() if self._body is not None else None

    def filled(self, count: int) -> Iterator[Packet]:
        """`count` bytes were received into `room`."""
        body = self._body
        assert body is not None, "filled() without room()"
        body.filled += count
        if body.filled == body.size:
            self._body = None
            yield body.kind, split_body(body.kind, body.view())

    def feed(self, data: Data) -> Iterator[Packet]:
        """The packets and lines that `data` completes. `data` may be reused once the iterator is done."""
        if self._body is not None:
            took = self._body.take(memoryview(data))
            yield from self.filled(0)
            data = memoryview(data)[took:]
        held = bytes(data)
        if self._held:
            held, self._held = self._held + held, b""
        at, end = 0, len(held)
        known = self._known
        while at < end:
            if held[at]:
                line_end = self._line_end(held, at)
                if line_end < 0:
                    break
                yield TEXT, (held[at:line_end].removesuffix(b"\r"),)
                at = line_end + 1
                continue
            if end - at < HEADER_BYTES:
                break
            start = at + HEADER_BYTES
            head = held[at:start]
            kind, size = known.get(head) or self._taken_apart(head)
            if end - start < size:
                at += self._begin_large(kind, size, memoryview(held)[start:])
                break
            at = start + size
            yield BARE[kind] if kind in BARE else (kind, split_body(kind, held[start:at]))
        if at < end:
            self._held = held[at:]

    def _begin_large(self, kind: int, size: int, begun: memoryview) -> int:
        """Receive a body in place, if much of it is still to come; returns how many bytes of its packet that took."""
        if size - len(begun) <= LARGE_BYTES:
            return 0
        self._body = _LargeBody(kind, size, self._allocate)
        return HEADER_BYTES + self._body.take(begun)

    def _taken_apart(self, head: bytes) -> tuple[int, int]:
        """The type and the size of the body that a header says."""
        magic, kind, size = unpack_header(head)
        if magic != self._magic or kind not in SHAPES or size > self._body_bytes:
            raise self._refusal(magic, kind, size)
        if size <= KNOWN_BYTES <= self._body_bytes and len(self._known) < KNOWN_HEADS:
            self._known[head] = kind, size
        return kind, size

    def _refusal(self, magic: bytes, kind: int, size: int) -> ProtocolError:
        """What is wrong with a header."""
        if magic != self._magic:
            return ProtocolError(f"a packet began with {magic!r}; expected {self._magic!r}")
        if kind not in SHAPES:
            return ProtocolError(f"packet type {kind} does not exist")
        return ProtocolError(f"a packet of {size} bytes was announced; the limit is {self._body_bytes}")

    def _line_end(self, held: bytes, at: int) -> int:
        """Where the newline of the line at `at` is; -1 if it has not come yet."""
        if not self._line_bytes:
            raise ProtocolError(f"a packet began with {held[at : at + 4]!r}; expected {self._magic!r}")
        end = held.find(b"\n", at, at + self._line_bytes + 1)
        if end < 0 and len(held) - at > self._line_bytes:
            self._held = held[at : at + 1]
            raise ProtocolError(f"a text line is longer than {self._line_bytes} bytes")
        return end


class _LargeBody:
    """A body that is being received in place, into a buffer that grows with what has really arrived."""

    __slots__ = ("_buffer", "filled", "kind", "size")

    def __init__(self, kind: int, size: int, allocate: Allocate | None) -> None:
        self.kind = kind
        self.size = size
        self.filled = 0
        self._buffer = allocate(size) if allocate else bytearray(min(size, FIRST_ROOM_BYTES))

    def room(self) -> memoryview:
        if self.filled == len(self._buffer):
            # A new block and a copy, not a resize: fresh pages from the kernel cost more than the copy does.
            larger = bytearray(min(self.size, 4 * self.filled))
            larger[: self.filled] = self._buffer
            self._buffer = larger
        return memoryview(self._buffer)[self.filled : self.size]

    def take(self, data: memoryview) -> int:
        """Copy in as much of `data` as is part of this body, and say how much that was."""
        took = 0
        while took < len(data) and self.filled < self.size:
            room = self.room()
            count = min(len(room), len(data) - took)
            room[:count] = data[took : took + count]
            self.filled += count
            took += count
        return took

    def view(self) -> memoryview:
        return memoryview(self._buffer)[: self.size]

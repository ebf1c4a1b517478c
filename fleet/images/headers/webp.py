"""WebP: the first chunk, and the ANMF chunks if it moves."""

from __future__ import annotations

from collections.abc import Iterator
from struct import unpack_from

from fleet.errors import BadImage
from fleet.images.headers import MAX_STEPS, Buffer, Header, endless


def read(data: Buffer) -> Header:
    kind = bytes(data[12:16])
    if kind == b"VP8 ":
        if bytes(data[23:26]) != b"\x9d\x01\x2a":
            raise BadImage("corrupt", "the WebP's first frame is no key frame")
        width, height = unpack_from("<HH", data, 26)
        return Header("webp", width & 0x3FFF, height & 0x3FFF)
    if kind == b"VP8L":
        if data[20] != 0x2F:
            raise BadImage("corrupt", "the lossless WebP lacks its signature")
        bits = unpack_from("<I", data, 21)[0]
        return Header("webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
        if len(data) < 30:
            raise BadImage("corrupt", "the picture ends within its header; send the whole file")
        return Header("webp", width, height, _webp_frames(data) if data[20] & 2 else 1)
    raise BadImage("corrupt", "the WebP's first chunk is unknown")


def _webp_frames(data: Buffer) -> int:
    return max(1, sum(kind == b"ANMF" for kind, _, _ in _chunks(data)))


def chunk(data: Buffer, wanted: bytes) -> bytes:
    """What is in the first chunk of that kind; nothing if there is none, or it is not all there."""
    for kind, start, end in _chunks(data):
        if kind == wanted and end <= len(data):
            return bytes(data[start:end])
    return b""


def _chunks(data: Buffer) -> Iterator[tuple[bytes, int, int]]:
    """The kind of each chunk, and where what is in it begins and ends."""
    at = 12
    for _ in range(MAX_STEPS):
        if at + 8 > len(data):
            return
        kind, size = unpack_from("<4sI", data, at)
        yield kind, at + 8, at + 8 + size
        at += 8 + size + (size & 1)
    raise endless()

"""PNG: IHDR, and acTL if it moves."""

from __future__ import annotations

from struct import unpack_from

from fleet.errors import BadImage
from fleet.images.headers import MAX_STEPS, Buffer, Header, endless


def read(data: Buffer) -> Header:
    if bytes(data[12:16]) != b"IHDR":
        raise BadImage("corrupt", "the PNG does not begin with its header")
    width, height = unpack_from(">II", data, 16)
    if max(width, height) > 0x7FFFFFFF:
        raise BadImage("corrupt", f"the header says {width}x{height} pixels; there is no such PNG")
    at, frames = 33, 1
    for _ in range(MAX_STEPS):
        if at + 8 > len(data):
            break
        size, kind = unpack_from(">I4s", data, at)
        if kind == b"acTL":
            frames = max(1, unpack_from(">I", data, at + 8)[0])
        if kind == b"IHDR":
            raise BadImage("corrupt", "the PNG has a second header, which may contradict the first")
        if kind in (b"acTL", b"IDAT", b"IEND"):
            break
        at += size + 12
    else:
        raise endless()
    return Header("png", width, height, frames)

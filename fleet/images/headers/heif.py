"""AVIF and HEIC, which are one container: the largest image size among the item properties."""

from __future__ import annotations

from struct import unpack_from
from typing import Final

from fleet.errors import BadImage
from fleet.images.headers import MAX_STEPS, Buffer, Header, endless

_CONTAINERS: Final = {b"meta": 12, b"iprp": 8, b"ipco": 8, b"moov": 8, b"trak": 8, b"mdia": 8, b"minf": 8, b"stbl": 8}


# What a file's brands make of it. A film has others.
_BRANDS: Final = {"avif": (b"avif", b"avis"), "heic": (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")}


def format_of(data: Buffer) -> str | None:
    """``avif``, ``heic``, or None if it is neither."""
    if bytes(data[4:8]) != b"ftyp":
        return None
    end = min(int.from_bytes(data[:4], "big"), 1024)
    brands = [bytes(data[at : at + 4]) for at in (8, *range(16, end, 4))]
    return next((format for format, known in _BRANDS.items() if not set(known).isdisjoint(brands)), None)


def read(data: Buffer) -> Header:
    sizes, frames = [(0, 0)], 1
    todo = [(0, len(data))]
    for _ in range(MAX_STEPS):
        while todo and todo[-1][0] + 8 > todo[-1][1]:
            todo.pop()
        if not todo:
            break
        at, end = todo.pop()
        size, kind = unpack_from(">I4s", data, at)
        if size == 1:
            size = unpack_from(">Q", data, at + 8)[0]
        size = end - at if size == 0 else size
        if size < 8:
            raise BadImage("corrupt", "the file has a box of no size")
        todo.append((at + size, end))
        if kind in _CONTAINERS:
            todo.append((at + _CONTAINERS[kind], min(at + size, end)))
        elif kind == b"ispe":
            sizes.append(unpack_from(">II", data, at + 12))
        elif kind == b"stsz":
            frames = max(frames, unpack_from(">I", data, at + 16)[0])
    else:
        raise endless()
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    return Header(format_of(data) or "heic", width, height, frames)

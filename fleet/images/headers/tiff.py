"""TIFF: its chain of directories, each of which is a page."""

from __future__ import annotations

from struct import unpack_from
from typing import Final

from fleet.errors import BadImage
from fleet.images.headers import MAX_STEPS, Buffer, Header, endless

_WIDTH, _HEIGHT = 256, 257
_NUMBERS: Final = {1: "B", 3: "H", 4: "I"}  # how a number is stored, by its type


def read(data: Buffer) -> Header:
    """The size of the largest page, for any may be what a decoder takes memory for."""
    order = "<" if bytes(data[:2]) == b"II" else ">"
    at = unpack_from(order + "I", data, 4)[0]
    sizes, seen = [(0, 0)], set[int]()
    left_over = MAX_STEPS
    while at:
        if at in seen:
            raise BadImage("corrupt", "the TIFF's pages go round in a circle")
        seen.add(at)
        count = unpack_from(order + "H", data, at)[0]
        left_over -= count + 1
        if left_over < 0:
            raise endless()
        sizes.append(_size(data, order, at + 2, count))
        at = unpack_from(order + "I", data, at + 2 + 12 * count)[0]
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    return Header("tiff", width, height, max(1, len(seen)))


def _size(data: Buffer, order: str, at: int, count: int) -> tuple[int, int]:
    found = {_WIDTH: 0, _HEIGHT: 0}
    for entry in range(at, at + 12 * count, 12):
        tag, kind = unpack_from(order + "HH", data, entry)
        if tag in found and kind in _NUMBERS:
            found[tag] = unpack_from(order + _NUMBERS[kind], data, entry + 8)[0]
    return found[_WIDTH], found[_HEIGHT]

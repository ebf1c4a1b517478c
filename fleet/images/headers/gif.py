"""GIF: its blocks, of which each image is a frame."""

from __future__ import annotations

from struct import unpack_from
from typing import Final

from fleet.images.headers import Buffer, Header, endless

MAX_SUB_BLOCKS: Final = 200_000  # of up to 255 bytes each: more than the largest source allowed has


def read(data: Buffer) -> Header:
    width, height, flags = unpack_from("<HHB", data, 6)
    at = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    frames, left_over = 0, MAX_SUB_BLOCKS
    while at < len(data):
        block = data[at]
        if block == 0x2C and at + 10 <= len(data):
            frames += 1
            left, top, wide, high, flags = unpack_from("<HHHHB", data, at + 1)
            # A frame beyond the screen makes decoders grow it: count the picture as large as it would become.
            width, height = max(width, left + wide), max(height, top + high)
            at += 11 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
        elif block == 0x21:
            at += 2
        else:
            break
        at, left_over = _skip_sub_blocks(data, at, left_over)
    return Header("gif", width, height, max(1, frames))


def _skip_sub_blocks(data: Buffer, at: int, left_over: int) -> tuple[int, int]:
    """Where the chain of sub-blocks at `at` ends, and how many more there may be."""
    for count in range(1, left_over):
        if at >= len(data) or not data[at]:
            return at + 1, left_over - count
        at += data[at] + 1
    raise endless()

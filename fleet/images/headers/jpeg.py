"""JPEG: its markers, up to the frame header."""

from __future__ import annotations

from struct import unpack_from
from typing import Final

from fleet.errors import BadImage
from fleet.images.headers import MAX_STEPS, Buffer, Header, endless

_SOF: Final = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})  # start of frame, of any process
_OPENED: Final = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})  # of one frame and not lossless; with 8 bits
_BARE: Final = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length


def read(data: Buffer) -> Header:
    at = 2
    for _ in range(MAX_STEPS):
        if data[at] != 0xFF:  # decoders skip garbage between segments; no camera writes it
            raise BadImage("corrupt", "the JPEG's segments do not follow one another")
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        at += 2
        if marker in _SOF:
            bits, height, width = unpack_from(">BHH", data, at + 2)
            if marker not in _OPENED or bits != 8:
                kind = "a JPEG of a rare kind" if marker not in _OPENED else f"a JPEG of {bits} bits"
                raise BadImage("unsupported", f"this is {kind}, which is not opened here; save it as a usual JPEG")
            return Header("jpeg", width, height)
        if marker in (0xD9, 0xDA):
            break
        if marker not in _BARE:
            at += unpack_from(">H", data, at)[0]
    else:
        raise endless()
    raise BadImage("corrupt", "the JPEG has no frame header")

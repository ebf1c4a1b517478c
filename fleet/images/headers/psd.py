"""Photoshop's PSD: all is said in its first 26 bytes."""

from __future__ import annotations

from struct import unpack_from

from fleet.errors import BadImage
from fleet.images.headers import Buffer, Header


def read(data: Buffer) -> Header:
    version, channels, height, width, depth = unpack_from(">H6xHIIH", data, 4)
    if version != 1 or not 1 <= channels <= 56 or depth not in (1, 8, 16, 32):
        raise BadImage("corrupt", "the Photoshop file's header makes no sense")
    return Header("psd", width, height)

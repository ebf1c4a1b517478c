"""Colour profiles, byte by byte, so that no clock gets into them (a library's would say when it was made)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

D50: Final = (0.96420, 1.0, 0.82491)
TO_D50: Final = (1.04788, 0.02292, -0.05022, 0.02959, 0.99048, -0.01707, -0.00925, 0.01508, 0.75168)
CURVE: Final = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)  # of sRGB; Display P3 shares it

# The three primaries, as XYZ adapted to D50.
SRGB: Final = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
DISPLAY_P3: Final = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))


def profile(name: str, primaries: Sequence[Sequence[float]]) -> bytes:
    """An ICC 4.3 profile of a display with these primaries."""
    curve = b"para" + struct.pack(">IHH", 0, 3, 0) + fixed(CURVE)
    tags = {
        b"desc": text(name),
        b"cprt": text("No rights reserved"),
        b"wtpt": xyz(D50),
        b"chad": b"sf32" + bytes(4) + fixed(TO_D50),
        b"rXYZ": xyz(primaries[0]),
        b"gXYZ": xyz(primaries[1]),
        b"bXYZ": xyz(primaries[2]),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    table, body, start = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for kind, data in tags.items():
        table += struct.pack(">4sII", kind, start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    return header(start + len(body)) + table + body


def header(size_bytes: int) -> bytes:
    """The first 128 bytes."""
    made = (2012, 1, 1, 0, 0, 0)
    start = struct.pack(">I4sI4s4s4s6H4s", size_bytes, b"", 0x04300000, b"mntr", b"RGB ", b"XYZ ", *made, b"acsp")
    return (start + bytes(28) + fixed(D50)).ljust(128, b"\0")


def fixed(numbers: Sequence[float]) -> bytes:
    """s15Fixed16Number, one after another."""
    return b"".join(struct.pack(">i", round(n * 65536)) for n in numbers)


def xyz(numbers: Sequence[float]) -> bytes:
    return b"XYZ " + bytes(4) + fixed(numbers)


def text(words: str) -> bytes:
    """multiLocalizedUnicodeType with one record, in English."""
    data = words.encode("utf-16-be")
    return b"mluc" + struct.pack(">III2s2sII", 0, 1, 12, b"en", b"US", len(data), 28) + data

"""What a picture's header says, one file for each format. Pure Python; no decoder runs.

Rule 1: a reader raises `BadImage`, or StructError or IndexError where the data ends too early, and nothing else.
Rule 2: the work is bounded: what has more than `MAX_STEPS` boxes, chunks or segments is refused, and pixel data is
never read.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from fleet.errors import BadImage

Buffer = bytes | bytearray | memoryview

MAX_STEPS: Final = 20_000


class Header(NamedTuple):
    """What the header says: pixels as stored (EXIF orientation not applied), and at least so many frames."""

    format: str
    width: int
    height: int
    frames: int = 1


def endless() -> BadImage:
    """What a reader raises after `MAX_STEPS`."""
    return BadImage("too-large", f"the picture's header has more than {MAX_STEPS:,} parts; save it anew")

"""What a picture may be, checked from its header alone, before any decoder runs.

The numbers follow imgproxy and Pillow's security handbook: a decoder is the most dangerous code here, and what it
is not asked to do cannot hurt.
"""

from __future__ import annotations

from dataclasses import dataclass

from fleet.errors import BadImage
from fleet.images.geometry import Size
from fleet.images.sniff import OPENED, Header
from fleet.settings import MIB


@dataclass(frozen=True)
class Limits:
    """The limits of one rendering."""

    source_bytes: int = 32 * MIB  # an upload; a 50-megapixel JPEG has about 20
    pixels: int = 50_000_000  # of one frame, and of a result; as imgproxy's default: 200 MB decoded
    frames: int = 300  # most pictures are decoded for the first only, but ten thousand are no picture
    frames_pixels: int = 100_000_000  # of all frames together, where all are decoded
    side_px: int = 20_000  # of a source; longer than any camera's
    result_side_px: int = 8192  # of a result; WebP ends at 16,383, AVIF at 65,535
    formats: frozenset[str] = OPENED  # of sources; the others that some engine opens are dangerous or rare

    def __post_init__(self) -> None:
        object.__setattr__(self, "formats", frozenset(self.formats))  # from a settings file it comes as a list


def check(header: Header, size: int, limits: Limits, frames: int = 1) -> None:
    """Refuse what is over a limit. `size` is the source's, in bytes; so many `frames` would be decoded at most.

    Raises:
        BadImage: ``too-large``; the text says what is over which limit.
    """
    if size > limits.source_bytes:
        most = limits.source_bytes
        raise _too_large(f"{size:,} bytes", f"{most:,}" if most % MIB else f"{most // MIB} MiB")
    shape = f"{header.width}x{header.height} pixels"
    if max(header.width, header.height) > limits.side_px:
        raise _too_large(shape, f"{limits.side_px} on a side")
    if header.width * header.height > limits.pixels:
        raise _too_large(shape, f"{limits.pixels:,} in all")
    if header.frames > limits.frames:
        raise _too_large(f"{header.frames} frames or more", f"{limits.frames}")
    pixels = header.width * header.height * min(header.frames, frames)
    if pixels > limits.frames_pixels:
        raise _too_large(f"{pixels:,} pixels in {header.frames} frames", f"{limits.frames_pixels:,}")


def check_result(size: Size, limits: Limits) -> None:
    """Refuse to make what is over a limit: a free side, or a small source enlarged, may grow beyond any box.

    Raises:
        BadImage: ``too-large``; the text says what is over which limit.
    """
    over = None
    if max(size) > limits.result_side_px:
        over = f"{limits.result_side_px} on a side"
    elif size.width * size.height > limits.pixels:
        over = f"{limits.pixels:,} in all"
    if over:
        shape = f"{size.width}x{size.height} pixels"
        raise BadImage("too-large", f"the result would have {shape}; the limit is {over}. Ask for a smaller one")


def _too_large(what: str, limit: str) -> BadImage:
    return BadImage("too-large", f"the picture has {what}; the limit is {limit}. Send a smaller one")

"""Pictures made by hand, byte by byte or by Pillow, for the tests of the pictures."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

from PIL import Image

from fleet.errors import BadImage
from tests.conftest import SAMPLES

FORMATS = ("jpeg", "png", "gif", "webp", "avif")
# One small good file of each format.
GOOD = {
    "jpeg": "orientation-1.jpg",
    "png": "kitten-palette.png",
    "gif": "animated.gif",
    "webp": "animated.webp",
    "avif": "kitten.avif",
}
FILES = sorted(path.name for path in SAMPLES.iterdir() if path.suffix in (".jpg", ".png", ".gif", ".webp", ".avif"))
PNG = b"\x89PNG\r\n\x1a\n"


def brief(value: object) -> str:
    """A parameter's part of a test's name, where the value itself is too long for one."""
    if isinstance(value, int):
        return f"int{value.bit_length()}"
    return type(value).__name__ if not isinstance(value, str) else value[:20]


def verdict(make: Callable[[], object]) -> str:
    """``good``, or the reason of the refusal, which is one line. No other error is let through."""
    try:
        make()
    except BadImage as error:
        assert "\n" not in str(error)  # noqa: PT017
        return error.reason
    return "good"


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def profile_of(name: str) -> bytes:
    """The colour profile of a sample."""
    profile: bytes = Image.open(io.BytesIO(sample(name))).info["icc_profile"]
    return profile


def opened(data: bytes) -> Image.Image:
    """A picture, decoded."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def saved(image: Image.Image, format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def small(format: str, size: tuple[int, int] = (64, 48), colour: str = "#4080c0") -> bytes:
    """A good picture of one colour."""
    options = {"speed": 10} if format == "avif" else {}
    return saved(Image.new("RGB", size, colour), format, **options)


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, bits: int = 8, colour: int = 0, rows: bytes = b"", *extra: bytes) -> bytes:
    """A PNG with these chunks between its header and its pixels; `rows` are packed."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return PNG + chunk(b"IHDR", header) + b"".join(extra) + chunk(b"IDAT", rows) + chunk(b"IEND")


def bomb(width: int = 30_000, height: int = 29_000) -> bytes:
    """A whole PNG of single bits, all black, in a thousandth of the bytes that it unpacks to."""
    return png(width, height, 1, 0, zlib.compress(bytes((1 + (width + 7) // 8) * height), 9))


def exif(orientation: int, order: str = "<") -> bytes:
    """EXIF with one entry."""
    start = b"II*\0" if order == "<" else b"MM\0*"
    return start + struct.pack(order + "IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def jpeg_segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def with_segments(jpeg: bytes, *segments: bytes) -> bytes:
    """A JPEG with segments after its first marker."""
    return jpeg[:2] + b"".join(segments) + jpeg[2:]

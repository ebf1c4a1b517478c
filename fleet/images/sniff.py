"""What a picture is, from its first bytes: format, size, frames. Pure Python; no decoder runs.

Rule 1: nothing but `BadImage` is raised, whatever the bytes. Rule 2: what is not to be opened is not looked into: it
is unsupported, and told by name where that helps. The readers of the headers are in `fleet.images.headers`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cache
from importlib import import_module
from struct import error as StructError
from typing import Final

from fleet.errors import BadImage
from fleet.images.headers import Buffer, Header

__all__ = ["CONTENT_TYPES", "FORMATS", "OPENED", "Buffer", "Header", "format_of", "sniff"]

CONTENT_TYPES: Final = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "webp": "image/webp",
    "avif": "image/avif",
}
# How people call each format that some engine opens.
FORMATS: Final = {
    "jpeg": "JPEG",
    "png": "PNG",
    "webp": "WebP",
    "gif": "GIF",
    "avif": "AVIF",
    "heic": "HEIC",
    "tiff": "TIFF",
    "psd": "a Photoshop file",
    "svg": "SVG",
}
OPENED: Final = frozenset({"jpeg", "png", "webp", "gif", "avif", "heic"})  # unless the settings say otherwise

# Where each format's reader is: one that is not needed is not loaded.
_READERS: Final = {
    "jpeg": "jpeg",
    "png": "png",
    "webp": "webp",
    "gif": "gif",
    "avif": "heif",
    "heic": "heif",
    "tiff": "tiff",
    "psd": "psd",
    "svg": "svg",
}
_MAGIC: Final = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"8BPS", "psd"),
)


def sniff(data: Buffer, formats: Collection[str] = OPENED) -> Header:
    """Read a picture's header.

    Raises:
        BadImage: ``unsupported`` if this is no picture of one of the `formats`, ``corrupt`` if it begins like one and
            breaks off or contradicts itself.
    """
    format = format_of(data)
    if format is None and b"IHDR" in bytes(data[:24]):
        raise BadImage("corrupt", "the PNG's first bytes are damaged, as by a transfer as text; send the file as it is")
    if format is None or format not in formats:
        raise BadImage("unsupported", _what_else(bytes(data[:32]), format))
    try:
        header = _reader(format)(data)
    except (StructError, IndexError) as error:
        raise BadImage("corrupt", "the picture ends within its header; send the whole file") from error
    if header.width < 1 or header.height < 1:
        raise BadImage("corrupt", f"the header says {header.width}x{header.height} pixels; there is no such picture")
    return header


@cache
def _reader(format: str) -> Callable[[Buffer], Header]:
    read: Callable[[Buffer], Header] = import_module(f"fleet.images.headers.{_READERS[format]}").read
    return read


def load_readers() -> None:
    """Load them all, for a process that will not be able to."""
    for format in _READERS:
        _reader(format)


def format_of(data: Buffer) -> str | None:
    """Which format the first bytes are of; None if that is none of `FORMATS`."""
    start = bytes(data[:12])
    for magic, format in _MAGIC:
        if start.startswith(magic):
            return format
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "webp"
    return _rare_format_of(data)


def _rare_format_of(data: Buffer) -> str | None:
    from fleet.images.headers import heif, svg

    return "svg" if svg.is_svg(bytes(data[:1024])) else heif.format_of(data)


def _what_else(start: bytes, format: str | None) -> str:
    accepted = "send a JPEG, PNG, WebP, GIF or AVIF"
    if not start:
        return f"the file is empty; {accepted}"
    if format:
        return f"this is {FORMATS[format]}, which is not opened here; {accepted}"
    for magic, name in _OTHERS:
        if start.removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith(magic):
            return f"this is {name}, which is not opened here; {accepted}"
    if start[4:8] == b"ftyp":
        return f"this is a film, or a picture of a rare kind, which is not opened here; {accepted}"
    if all(byte >= 32 or byte in b"\t\n\r\f" for byte in start):
        return f"this is text, not a picture; {accepted}"
    return f"this is no picture of a known format; {accepted}"


_OTHERS: Final = (
    (b"<?xml", "XML, perhaps SVG"),
    (b"<!doctype", "a web page"),
    (b"<html", "a web page"),
    (b"%pdf", "PDF"),
    (b"%!ps", "PostScript"),
    (b"pk\3\4", "a ZIP archive"),
    (b"\x7felf", "a program"),
    (b"ii+\0", "BigTIFF"),
    (b"mm\0+", "BigTIFF"),
    (b"bm", "BMP"),
    (b"\0\0\1\0", "an icon"),
    (b"\0\0\0\x0cjp", "JPEG 2000"),
    (b"push graphic-context", "an ImageMagick drawing"),
)

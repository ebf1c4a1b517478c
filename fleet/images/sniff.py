"""What a picture is, from its first bytes: format, size, frames. Pure Python; no decoder runs.

Rule 1: nothing but `BadImage` is raised, whatever the bytes. Rule 2: the work is bounded: what has more than
`MAX_STEPS` boxes, chunks or segments is refused, and pixel data is never read. Rule 3: only what a decoder of ours
will be asked to open is known here; all else is unsupported, and told by name where that helps.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import error as StructError
from struct import unpack_from
from typing import Final, NamedTuple

from fleet.errors import BadImage

Buffer = bytes | bytearray | memoryview

MAX_STEPS: Final = 20_000
MAX_SUB_BLOCKS: Final = 200_000  # of a GIF, of up to 255 bytes each: more than the largest source allowed has
CONTENT_TYPES: Final = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "webp": "image/webp",
    "avif": "image/avif",
}


class Header(NamedTuple):
    """What the header says: pixels as stored (EXIF orientation not applied), and at least so many frames."""

    format: str
    width: int
    height: int
    frames: int = 1


def sniff(data: Buffer) -> Header:
    """Read a picture's header.

    Raises:
        BadImage: ``unsupported`` if this is no picture of a format that is opened here, ``corrupt`` if it begins
            like one and breaks off or contradicts itself.
    """
    start = bytes(data[:32])
    reader = _reader_for(start)
    if reader is None:
        raise BadImage("unsupported", _what_else(start))
    try:
        header = reader(data)
    except (StructError, IndexError) as error:
        raise BadImage("corrupt", "the picture ends within its header; send the whole file") from error
    if header.width < 1 or header.height < 1:
        raise BadImage("corrupt", f"the header says {header.width}x{header.height} pixels; there is no such picture")
    return header


def _reader_for(start: bytes) -> Callable[[Buffer], Header] | None:
    if start[4:8] == b"ftyp":
        return _avif if start[8:12] in (b"avif", b"avis", b"mif1", b"msf1") else None
    for magic, at, reader in _MAGIC:
        if start[at : at + len(magic)] == magic and (reader is not _webp or start[:4] == b"RIFF"):
            return reader
    return None


def _what_else(start: bytes) -> str:
    accepted = "send a JPEG, PNG, WebP, GIF or AVIF"
    if not start:
        return f"the file is empty; {accepted}"
    for magic, name in _OTHERS:
        if start.removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith(magic):
            return f"this is {name}, which is not opened here; {accepted}"
    if start[4:8] == b"ftyp":
        return f"this is HEIC or a film, which is not opened here; {accepted}"
    if all(byte >= 32 or byte in b"\t\n\r\f" for byte in start):
        return f"this is text, not a picture; {accepted}"
    return f"this is no picture of a known format; {accepted}"


_OTHERS: Final = (
    (b"<svg", "SVG"),
    (b"<?xml", "XML, perhaps SVG"),
    (b"<!doctype", "a web page"),
    (b"<html", "a web page"),
    (b"%pdf", "PDF"),
    (b"%!ps", "PostScript"),
    (b"pk\3\4", "a ZIP archive"),
    (b"\x7felf", "a program"),
    (b"8bps", "a Photoshop file"),
    (b"ii*\0", "TIFF"),
    (b"mm\0*", "TIFF"),
    (b"bm", "BMP"),
    (b"\0\0\1\0", "an icon"),
    (b"\0\0\0\x0cjp", "JPEG 2000"),
    (b"push graphic-context", "an ImageMagick drawing"),
)


def _endless() -> BadImage:
    return BadImage("too-large", f"the picture's header has more than {MAX_STEPS:,} parts; save it anew")


# -- JPEG: markers up to the frame header ---------------------------------------------------------------------------

_SOF: Final = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})  # start of frame, of any process
_BARE: Final = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length


def _jpeg(data: Buffer) -> Header:
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
            height, width = unpack_from(">HH", data, at + 3)
            return Header("jpeg", width, height)
        if marker in (0xD9, 0xDA):
            break
        if marker not in _BARE:
            at += unpack_from(">H", data, at)[0]
    else:
        raise _endless()
    raise BadImage("corrupt", "the JPEG has no frame header")


# -- PNG: IHDR, and acTL if it moves --------------------------------------------------------------------------------


def _png(data: Buffer) -> Header:
    if bytes(data[12:16]) != b"IHDR":
        raise BadImage("corrupt", "the PNG does not begin with its header")
    width, height = unpack_from(">II", data, 16)
    if max(width, height) > 0x7FFFFFFF:
        raise BadImage("corrupt", f"the header says {width}x{height} pixels; there is no such PNG")
    at, frames = 33, 1
    for _ in range(MAX_STEPS):
        if at + 8 > len(data):
            break
        size, kind = unpack_from(">I4s", data, at)
        if kind == b"acTL":
            frames = max(1, unpack_from(">I", data, at + 8)[0])
        if kind in (b"acTL", b"IDAT", b"IEND"):
            break
        at += size + 12
    else:
        raise _endless()
    return Header("png", width, height, frames)


# -- GIF: blocks, of which each image is a frame --------------------------------------------------------------------


def _gif(data: Buffer) -> Header:
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
    raise _endless()


# -- WebP: the first chunk, and ANMF chunks if it moves -------------------------------------------------------------


def _webp(data: Buffer) -> Header:
    kind = bytes(data[12:16])
    if kind == b"VP8 ":
        if bytes(data[23:26]) != b"\x9d\x01\x2a":
            raise BadImage("corrupt", "the WebP's first frame is no key frame")
        width, height = unpack_from("<HH", data, 26)
        return Header("webp", width & 0x3FFF, height & 0x3FFF)
    if kind == b"VP8L":
        if data[20] != 0x2F:
            raise BadImage("corrupt", "the lossless WebP lacks its signature")
        bits = unpack_from("<I", data, 21)[0]
        return Header("webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
        if len(data) < 30:
            raise BadImage("corrupt", "the picture ends within its header; send the whole file")
        return Header("webp", width, height, _webp_frames(data) if data[20] & 2 else 1)
    raise BadImage("corrupt", "the WebP's first chunk is unknown")


def _webp_frames(data: Buffer) -> int:
    at, frames = 30, 0
    for _ in range(MAX_STEPS):
        if at + 8 > len(data):
            break
        kind, size = unpack_from("<4sI", data, at)
        frames += kind == b"ANMF"
        at += 8 + size + (size & 1)
    else:
        raise _endless()
    return max(1, frames)


# -- AVIF: the largest image size among the item properties ---------------------------------------------------------

_CONTAINERS: Final = {b"meta": 12, b"iprp": 8, b"ipco": 8, b"moov": 8, b"trak": 8, b"mdia": 8, b"minf": 8, b"stbl": 8}


def _avif(data: Buffer) -> Header:
    brands_end = min(unpack_from(">I", data, 0)[0], 1024)
    brands = bytes(data[8:brands_end])
    if b"avif" not in brands and b"avis" not in brands:
        raise BadImage("unsupported", "this is HEIC, which is not opened here; send a JPEG, PNG, WebP, GIF or AVIF")
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
            raise BadImage("corrupt", "the AVIF has a box of no size")
        todo.append((at + size, end))
        if kind in _CONTAINERS:
            todo.append((at + _CONTAINERS[kind], min(at + size, end)))
        elif kind == b"ispe":
            sizes.append(unpack_from(">II", data, at + 12))
        elif kind == b"stsz":
            frames = max(frames, unpack_from(">I", data, at + 16)[0])
    else:
        raise _endless()
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    return Header("avif", width, height, frames)


_MAGIC: Final = (
    (b"\xff\xd8\xff", 0, _jpeg),
    (b"\x89PNG\r\n\x1a\n", 0, _png),
    (b"GIF87a", 0, _gif),
    (b"GIF89a", 0, _gif),
    (b"WEBP", 8, _webp),
)

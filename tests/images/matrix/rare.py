"""Rows of the matrix: AVIF and HEIC; and TIFF, Photoshop files and SVG where the settings open them."""

from __future__ import annotations

import struct
from typing import Final

from PIL import Image

from tests.images.builders import saved, small
from tests.images.engines.engines import psd
from tests.images.matrix.foreign import DRAWINGS
from tests.images.matrix.rows import Files, row

WIDTH, HEIGHT, BITS, COMPRESSION, COLOURS, STRIPS, SAMPLES, ROWS_PER_STRIP, STRIP_BYTES = (
    *(256, 257, 258, 259, 262, 273, 277, 278, 279),
)
TILE_WIDTH, TILE_HEIGHT, TILES, TILE_BYTES, SAMPLE_FORMAT, JPEG_TABLES = 322, 323, 324, 325, 339, 347
NONE, CCITT_4, LZW, JPEG, DEFLATE = 1, 4, 5, 7, 8


def sized(width: int, height: int) -> bytes:
    """A good AVIF whose container says that it has another size."""
    data = small("avif")
    at = data.index(b"ispe") + 8
    return data[:at] + struct.pack(">II", width, height) + data[at + 8 :]


@row("M36", "too-large", cpu_s=0.2, memory_mib=64)
def avif_of_any_size() -> Files:
    for width, height in ((17_000, 17_000), (2**31, 2**31), (2**32 - 1, 1)):
        yield f"{width}x{height}", sized(width, height)


@row("M36", "ok", memory_mib=512, cpu_s=5)
def avif_that_is_made_as_large_as_it_says() -> Files:
    yield "of one pixel", sized(1, 1)
    yield "of 49 megapixels", sized(7000, 7000)


@row("M36", "corrupt|unsupported")
def avif_that_lies() -> Files:
    good = small("avif")
    yield "of no size", sized(0, 0)
    yield "another codec", good.replace(b"av01", b"av0x")
    yield "a grid of nothing", good.replace(b"av01", b"grid", 1)
    yield "no primary item", good.replace(b"pitm", b"free")
    yield "no place of its pixels", good.replace(b"iloc", b"free")
    yield "no properties", good.replace(b"ipma", b"free")
    for percent in (10, 50, 90, 99):
        yield f"cut off at {percent} %", good[: len(good) * percent // 100]


@row("M36", "too-large", "frames", options={"width": 8, "animated": True, "format": "webp"}, memory_mib=64)
def avif_of_a_thousand_frames() -> Files:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "green", "blue")]
    data = saved(frames[0], "avif", save_all=True, append_images=frames[1:], speed=10)
    at = data.index(b"stsz") + 12
    yield "as it says", data[:at] + struct.pack(">I", 1000) + data[at + 4 :]


# -- TIFF -----------------------------------------------------------------------------------------------------------


def tiff(entries: dict[int, tuple[int, ...]], data: bytes = b"", next: int = 0) -> bytes:
    """A TIFF of one directory; `data` stands behind it, at `behind(entries)`."""
    directory, beside, at = b"", b"", behind(entries)
    for tag, values in sorted(entries.items()):
        packed = struct.pack(f"<{len(values)}I", *values)
        if len(values) > 1:
            packed, beside, at = struct.pack("<I", at), beside + packed, at + len(packed)
        directory += struct.pack("<HHI", tag, 4, len(values)) + packed
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + directory + struct.pack("<I", next) + beside + data


def behind(entries: dict[int, tuple[int, ...]]) -> int:
    return 8 + 2 + 12 * len(entries) + 4


PLAIN: Final[dict[int, tuple[int, ...]]] = {
    WIDTH: (8,),
    HEIGHT: (8,),
    BITS: (8,),
    COMPRESSION: (NONE,),
    COLOURS: (1,),
    SAMPLES: (1,),
    STRIPS: (200,),
    ROWS_PER_STRIP: (8,),
    STRIP_BYTES: (64,),
}


@row("M38", "corrupt|too-large|unsupported", formats=("tiff",))
def tiff_that_lies() -> Files:
    for name, more in {
        "no width": {WIDTH: (0,)},
        "of 3.6 gigapixels": {WIDTH: (60_000,), HEIGHT: (60_000,)},
        "longer than can be": {WIDTH: (2**32 - 1,), HEIGHT: (2**32 - 1,)},
        "its pixels past its end": {STRIPS: (2**31,)},
        "more pixels than it has": {STRIP_BYTES: (2**31,), HEIGHT: (5000,), ROWS_PER_STRIP: (5000,)},
        "a compression there is not": {COMPRESSION: (65_000,)},
        "bits there are not": {BITS: (77,)},
        "colours there are not": {COLOURS: (999,)},
        "packed garbage": {COMPRESSION: (DEFLATE,)},
        "garbage of LZW": {COMPRESSION: (LZW,)},
    }.items():
        yield name, tiff(PLAIN | more, b"\xa5" * 64)
    yield "88 bytes", tiff({WIDTH: (16_384,), HEIGHT: (3000,), BITS: (16,), SAMPLES: (64,), COMPRESSION: (LZW,)})
    yield "entries without end", b"II*\0\x08\0\0\0\xff\xff" + bytes(100)


@row("M39", "corrupt|too-large|unsupported", formats=("tiff",))
def tiff_in_its_odd_forms() -> Files:
    good = saved(Image.new("RGB", (8, 8)), "tiff")
    at = 8 + 2 + 12 * struct.unpack_from("<H", good, 8)[0]
    yield "pages in a circle", good[:at] + b"\x08\0\0\0" + good[at + 4 :]
    yield "BigTIFF", b"II+\0\x08\0\0\0\x10" + bytes(100)
    tiled = {tag: value for tag, value in PLAIN.items() if tag not in (STRIPS, ROWS_PER_STRIP, STRIP_BYTES)}
    for side in (0, 7, 30_000, 2**31):
        entries = tiled | {TILE_WIDTH: (side,), TILE_HEIGHT: (side,), TILES: (200,), TILE_BYTES: (64,)}
        yield f"tiles of {side}", tiff(entries | {COMPRESSION: (DEFLATE,)}, b"\xa5" * 64)
    yield "broken JPEG in it", tiff(PLAIN | {COMPRESSION: (JPEG,), STRIP_BYTES: (20,)}, small("jpeg")[:20] + bytes(80))
    floats: dict[int, tuple[int, ...]] = {SAMPLES: (64,), BITS: (32,) * 64, SAMPLE_FORMAT: (3,) * 64}
    yield "64 channels of floats", tiff(PLAIN | floats, bytes(64))
    yield (
        "a fax of 49 megapixels in 64 bytes",
        tiff(
            PLAIN | {WIDTH: (7000,), HEIGHT: (7000,), ROWS_PER_STRIP: (7000,), BITS: (1,), COMPRESSION: (CCITT_4,)},
            bytes(64),
        ),
    )


@row("M39", "too-large", formats=("tiff",), cpu_s=0.5, memory_mib=64)
def tiff_of_ten_thousand_pages() -> Files:
    page = struct.pack("<HHHIIHHII", 2, WIDTH, 4, 1, 8, HEIGHT, 4, 1, 8)
    pages = b"".join(page + struct.pack("<I", 8 + 30 * (number + 1)) for number in range(9999))
    yield "one after the other", b"II*\0\x08\0\0\0" + pages + page + bytes(4)


# -- Photoshop files and SVG ----------------------------------------------------------------------------------------


@row("M40", "corrupt|unsupported|ok", formats=("psd",), cpu_s=4, memory_mib=512)
def photoshop_that_lies() -> Files:
    good = psd(Image.new("RGB", (8, 8), "#4080c0"))
    yield "layers beyond it", good[:34] + struct.pack(">II", 2**31 - 1, 2**31 - 1) + good[38:]
    yield "five channels", psd(Image.new("RGB", (8, 8)), channels=5)
    yield "48 megapixels of nothing", good[:14] + struct.pack(">II", 6000, 8000) + good[22:]
    for percent in (30, 60, 90):
        yield f"cut off at {percent} %", good[: len(good) * percent // 100]


@row("M04", "unsupported", "no fonts here", formats=("svg",), memory_mib=64)
def svg_with_text_where_there_are_no_fonts() -> Files:
    """What came out would be boxes."""
    head = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:s="http://www.w3.org/2000/svg" width="9" height="9">'
    yield "plain", f"{head}<text>a</text></svg>".encode()
    yield "of a namespace", f"{head}<s:text x='1'>a</s:text></svg>".encode()


@row("M04", "ok|unsupported|corrupt", formats=("svg",), memory_mib=64)
def drawings_where_they_are_opened() -> Files:
    for name, text in DRAWINGS.items():
        yield name, text.encode()
    nested = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">' + "<g>" * 50_000 + "</g>" * 50_000 + "</svg>"
    )
    yield "groups in groups", nested.encode()

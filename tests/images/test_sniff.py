"""What a picture is, from its first bytes; and what is none."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.errors import BadImage
from fleet.images.headers import MAX_STEPS
from fleet.images.headers.gif import MAX_SUB_BLOCKS
from fleet.images.sniff import CONTENT_TYPES, Header, sniff
from tests.images.builders import (
    FILES,
    FORMATS,
    GOOD,
    PNG,
    bomb,
    chunk,
    jpeg_segment,
    opened,
    png,
    sample,
    small,
    verdict,
)

MAGIC = (b"\xff\xd8\xff", PNG, b"GIF87a", b"GIF89a", b"RIFF\0\1\0\0WEBPVP8 ", b"RIFF\0\1\0\0WEBPVP8X")
FTYP = b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf"


def box(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data) + 8) + kind + data


def refused(data: bytes | memoryview) -> BadImage:
    with pytest.raises(BadImage) as caught:
        sniff(data)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("name", FILES)
def test_the_header_agrees_with_the_decoder(name: str) -> None:
    data = sample(name)
    image = opened(data)
    format = "jpeg" if image.format == "MPO" else str(image.format).lower()
    assert sniff(data) == (format, *image.size, getattr(image, "n_frames", 1))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("size", [(1, 1), (1, 77), (301, 2)])
def test_odd_sizes_are_read_in_every_format(format: str, size: tuple[int, int]) -> None:
    assert sniff(small(format, size)) == Header(format, *size)


def test_any_buffer_will_do() -> None:
    data = small("png")
    assert sniff(bytearray(data)) == sniff(memoryview(data)) == sniff(data)


def test_every_format_has_a_content_type() -> None:
    assert set(CONTENT_TYPES) == set(FORMATS)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "empty"),
        (b"hello, world\n", "text"),
        ("Grüße aus Köln".encode(), "text"),
        (b"<!DOCTYPE html><html><body>404", "web page"),
        (b"\n  <html><body>404", "web page"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>', "SVG"),
        (b'\xef\xbb\xbf<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>', "XML"),
        (b"%PDF-1.7\n", "PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "PostScript"),
        (b"PK\3\4\x14\0\0\0", "ZIP"),
        (b"\x7fELF\2\1\1", "program"),
        (b"8BPS\0\1", "Photoshop"),
        (b"II*\0\x08\0\0\0", "TIFF"),
        (b"MM\0*\0\0\0\x08", "TIFF"),
        (b"BM\x36\0\0\0", "BMP"),
        (b"\0\0\1\0\1\0", "icon"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"push graphic-context\nviewbox 0 0 640 480\nfill 'url(x|ls)'", "ImageMagick"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "film"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "no picture"),
        (b"P6 999999 999999 255\n\0\1", "no picture"),
        (bytes(64), "no picture"),
    ],
)
def test_what_is_no_picture_is_named_with_what_to_send(data: bytes, word: str) -> None:
    error = refused(data)
    assert error.reason == "unsupported"
    assert word in str(error)
    assert "send a JPEG, PNG, WebP, GIF or AVIF" in str(error)


@pytest.mark.parametrize("data", [b"\xff", b"\x89PNG", b"GIF8", b"RIFF", b"RIFF1234WEB", b"\0\0\0\x1cftyp"])
def test_half_a_magic_number_is_no_picture(data: bytes) -> None:
    assert refused(data).reason == "unsupported"


@pytest.mark.parametrize("name", GOOD.values())
def test_a_header_cut_anywhere_is_refused_or_read(name: str) -> None:
    data = memoryview(sample(name))
    for end in [*range(1200), *range(1200, len(data), 997)]:
        assert verdict(lambda end=end: sniff(data[:end])) in ("good", "unsupported", "corrupt")  # type: ignore[misc]


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8\xff\xda\0\2",
        b"\xff\xd8\xff\xe0\0\4ab??",
        PNG + chunk(b"gAMA", bytes(13)),
        png(0, 1),
        png(1, 0),
        png(2**31, 1),
        png(2**32 - 1, 2**32 - 1),
        b"GIF89a" + bytes(40),
        b"RIFF\0\1\0\0WEBPJUNK" + bytes(40),
        b"RIFF\0\1\0\0WEBPVP8 " + bytes(40),
        b"RIFF\0\1\0\0WEBPVP8L" + bytes(40),
        b"RIFF\0\1\0\0WEBPVP8X" + bytes(12),
        FTYP,
        FTYP + bytes([0, 0, 0, 3]) + b"meta",
        FTYP + struct.pack(">I4sQ", 1, b"meta", 2) + bytes(40),
        FTYP + box(b"ispe", bytes(12)),
    ],
)
def test_a_header_that_contradicts_itself_is_corrupt(data: bytes) -> None:
    assert refused(data).reason == "corrupt"


def test_a_jpeg_may_have_fill_bytes_and_any_segments_before_its_frame() -> None:
    data = small("jpeg")
    many = b"".join(jpeg_segment(0xE0 + n % 16, bytes(65_000)) for n in range(255))
    assert sniff(data[:2] + b"\xff\xff\xff" + many + data[2:]) == Header("jpeg", 64, 48)


def test_a_gif_is_as_large_as_its_frames_reach() -> None:
    screen = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0, 0, 0)
    frame = b"\x2c" + struct.pack("<HHHHB", 10, 20, 60_000, 50_000, 0) + b"\2\2\x44\1\0;"
    assert sniff(screen + frame) == Header("gif", 60_010, 50_020)


def test_frames_are_counted_in_every_format_that_moves() -> None:
    assert [sniff(sample(name)).frames for name in ("animated.gif", "animated.webp")] == [12, 12]
    assert sniff(png(1, 1, 8, 0, b"", chunk(b"acTL", struct.pack(">II", 10_000, 0)))).frames == 10_000


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8" + b"\xff" * 8 * MAX_STEPS,
        b"\xff\xd8" + b"\xff\xe1\0\2" * 2 * MAX_STEPS,
        png(1, 1, 8, 0, b"", chunk(b"zTXt") * 5 * MAX_STEPS),
        b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0, 0, 0) + b"\x21\xfe" + b"\1x" * 2 * MAX_SUB_BLOCKS,
        b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0, 0, 0) + b"\x21\xfe\0" * 2 * MAX_SUB_BLOCKS,
        b"RIFF\0\1\0\0WEBPVP8X\x0a\0\0\0\2\0\0\0" + bytes(6) + b"JUNK\0\0\0\0" * 2 * MAX_STEPS,
        FTYP + box(b"free") * 2 * MAX_STEPS,
    ],
    ids=["fill bytes", "segments", "chunks", "sub-blocks", "extensions", "webp chunks", "boxes"],
)
def test_a_header_without_end_is_not_followed(data: bytes) -> None:
    assert refused(data).reason == "too-large"


def test_a_bomb_shows_its_size_in_its_header() -> None:
    assert sniff(bomb()) == Header("png", 30_000, 29_000)


@given(st.sampled_from([*MAGIC, FTYP]), st.binary(max_size=200))
def test_garbage_after_a_magic_number_raises_nothing_but_bad_image(magic: bytes, rest: bytes) -> None:
    assert verdict(lambda: sniff(magic + rest)) in ("good", "unsupported", "corrupt", "too-large")

"""Headers of HEIC, TIFF, Photoshop files and SVG, which are read only where the settings allow it."""

from __future__ import annotations

import struct

import pytest
from PIL import Image

from fleet.errors import BadImage
from fleet.images.headers import MAX_STEPS
from fleet.images.sniff import FORMATS, Header, format_of, sniff
from tests.images.builders import verdict
from tests.images.engines.engines import engine, heic, psd, tiff

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" '


def read(data: bytes) -> Header:
    return sniff(data, FORMATS)


# -- TIFF -----------------------------------------------------------------------------------------------------------


def directory(order: str, *entries: tuple[int, int, int], after: int = 0) -> bytes:
    fields = b"".join(
        struct.pack(order + "HHI", tag, kind, 1) + struct.pack(order + {3: "Hxx", 4: "I"}[kind], value)
        for tag, kind, value in entries
    )
    return struct.pack(order + "H", len(entries)) + fields + struct.pack(order + "I", after)


@pytest.mark.parametrize(("order", "magic"), [("<", b"II*\0"), (">", b"MM\0*")])
def test_a_tiff_of_either_order(order: str, magic: bytes) -> None:
    data = magic + struct.pack(order + "I", 8) + directory(order, (256, 3, 40), (257, 4, 30))
    assert read(data) == Header("tiff", 40, 30)


def test_of_several_pages_the_largest_counts() -> None:
    first = directory("<", (256, 3, 40), (257, 3, 30), after=38)
    data = b"II*\0" + struct.pack("<I", 8) + first + directory("<", (256, 4, 9000), (257, 4, 8000))
    assert read(data) == Header("tiff", 9000, 8000, 2)


def test_m39_pages_in_a_circle_are_corrupt() -> None:
    data = b"II*\0" + struct.pack("<I", 8) + directory("<", (256, 3, 40), (257, 3, 30), after=8)
    assert verdict(lambda: read(data)) == "corrupt"


def test_m39_pages_without_end_are_refused() -> None:
    data = b"II*\0" + struct.pack("<I", 8)
    for _ in range(MAX_STEPS + 1):
        data += directory("<", after=len(data) + 6)
    assert verdict(lambda: read(data)) == "too-large"


def test_m39_bigtiff_is_named() -> None:
    with pytest.raises(BadImage, match="BigTIFF"):
        read(b"II+\0\x08\0\0\0" + bytes(32))


def test_pillow_writes_what_is_read() -> None:
    assert read(tiff(Image.new("RGB", (41, 31)))) == Header("tiff", 41, 31)


# -- Photoshop files ------------------------------------------------------------------------------------------------


def test_a_photoshop_file() -> None:
    assert read(psd(Image.new("CMYK", (41, 31)))) == Header("psd", 41, 31)


def test_a_large_document_is_corrupt() -> None:
    data = bytearray(psd(Image.new("RGB", (4, 3))))
    data[5] = 2
    assert verdict(lambda: read(bytes(data))) == "corrupt"


# -- HEIC -----------------------------------------------------------------------------------------------------------


def test_heic_is_told_from_avif_by_its_brands() -> None:
    engine("heif")
    data = heic(Image.new("RGB", (42, 32)))
    assert read(data)[:1] == ("heic",)
    assert read(data).width >= 42
    assert format_of(b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif" + b"miaf") == "avif"
    assert format_of(b"\0\0\0\x1cftypmif1\0\0\0\0mif1heic" + b"miaf") == "heic"
    assert format_of(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom") is None


# -- SVG ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (HEAD + 'width="400" height="300"/>', (400, 300)),
        (HEAD + "width='4in' height='300px' viewBox='0 0 1 1'/>", (384, 300)),
        (HEAD + 'viewBox="0 0 24.4 24"><path/></svg>', (24, 24)),
        (HEAD + 'width="100%" height="100%" viewBox="-1 -1 64,32"/>', (64, 32)),
        ('<?xml version="1.0"?>\n<!-- drawn -->\n' + HEAD + 'width="40" height="30">', (40, 30)),
        ("\ufeff  " + HEAD + 'width="40" height="30">', (40, 30)),
    ],
)
def test_a_drawing_says_its_size(text: str, size: tuple[int, int]) -> None:
    assert read(text.encode()) == Header("svg", *size)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (HEAD + 'width="100%" height="100%"/>', "corrupt"),
        (HEAD + 'width="0" height="10"/>', "corrupt"),
        (HEAD, "corrupt"),
        ('<?xml version="1.0"?><rss/>', "unsupported"),
        ('<!DOCTYPE svg [<!ENTITY a "aaaa">]>' + HEAD + 'width="9" height="9">&a;</svg>', "unsupported"),
    ],
)
def test_m04_a_drawing_without_a_size_or_with_entities_is_refused(text: str, wanted: str) -> None:
    assert verdict(lambda: read(text.encode())) == wanted


@pytest.mark.parametrize("format", ["tiff", "psd", "svg", "heic"])
@pytest.mark.parametrize("length", range(4, 60, 3))
def test_a_header_that_breaks_off_is_refused_in_good_order(format: str, length: int) -> None:
    whole = {
        "tiff": tiff(Image.new("L", (4, 3))),
        "psd": psd(Image.new("L", (4, 3))),
        "svg": (HEAD + 'width="400" height="300"/>').encode(),
        "heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic\0\0\1\0meta" + bytes(40),
    }
    assert verdict(lambda: read(whole[format][:length])) in ("corrupt", "unsupported", "good")

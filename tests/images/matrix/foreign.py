"""Rows of the matrix: what is no picture, or none of a format that is opened unless the settings say so."""

from __future__ import annotations

import random
import struct
from typing import Final

from PIL import Image

from tests.images.builders import PNG, saved, small
from tests.images.judge import Verdict
from tests.images.matrix.rows import SEED, Files, row

MAGIC: Final = {
    "jpeg": b"\xff\xd8\xff\xe0\0\x10JFIF\0",
    "png": PNG + b"\0\0\0\x0dIHDR",
    "gif87": b"GIF87a\1\0\1\0\0",
    "gif89": b"GIF89a\1\0\1\0\0",
    "webp": b"RIFF\x1a\0\0\0WEBPVP8 ",
    "avif": b"\0\0\0\x1cftypavif",
    "heic": b"\0\0\0\x1cftypheic",
    "tiff": b"II*\0\x08\0\0\0\0\0\0",
    "psd": b"8BPS\0\1\0\0\0\0\0",
    "bmp": b"BM\0\0\0\0\0\0\0\0\0",
    "svg": b"<svg width=",
}
SVG: Final = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="9" height="9">'
DRAWINGS: Final = {
    "a script": SVG + "<script>alert(1)</script></svg>",
    "a reference outside": SVG + '<image xlink:href="file:///etc/passwd" width="9" height="9"/></svg>',
    "a reference to the web": SVG + '<image href="http://127.0.0.1:1/x.png" width="9" height="9"/></svg>',
    "an entity outside": f'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>{SVG}&x;</svg>',
    "a billion laughs": '<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a0 "ha">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    + f"]>{SVG}<text>&a9;</text></svg>",
}


@row("M01", "corrupt|unsupported", cpu_s=0.2, memory_mib=64)
def next_to_nothing() -> Files:
    yield "nothing", b""
    yield "one byte", b"\xff"
    for name, magic in MAGIC.items():
        yield f"a byte of {name}", magic[:1]
        yield f"11 bytes of {name}", magic[:11]
        yield f"the magic of {name}", magic


@row("M02", "unsupported", "send a JPEG, PNG, WebP, GIF or AVIF", cpu_s=0.2, memory_mib=64)
def no_pictures() -> Files:
    yield "text", b"Dear diary, today I was resized.\n"
    yield "HTML", b"<!DOCTYPE html><html><body>404</body></html>"
    yield "ZIP", b"PK\3\4\x14\0\0\0\x08\0" + bytes(100)
    yield "ELF", b"\x7fELF\2\1\1" + bytes(100)
    yield "PDF", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
    yield "JSON", b'["no picture"]'
    yield "a URL", b"http://127.0.0.1/picture.jpg"
    yield "a path", b"/etc/passwd"


@row("M03", "ok", check=lambda verdict: came_as_png(verdict))
def png_whatever_it_is_called() -> Files:
    yield "by its first bytes", small("png")


def came_as_png(verdict: Verdict) -> None:
    assert verdict.facts["source_format"] == "png"


@row("M04", "unsupported", cpu_s=0.2, memory_mib=64)
def drawings() -> Files:
    for name, text in DRAWINGS.items():
        yield name, text.encode()


@row("M05", "unsupported", cpu_s=0.2, memory_mib=64)
def drawings_that_run_programs() -> Files:
    yield "MVG", b"push graphic-context\nviewbox 0 0 64 48\nfill 'url(https://x/\"|ls \"-la)'\npop graphic-context\n"
    yield "MSL", b'<?xml version="1.0"?><image><read filename="/etc/passwd"/><write filename="/tmp/x"/></image>'
    yield "MVG behind blanks", b" \n push graphic-context\n"
    yield "VID", b"vid:msl:/tmp/x"


@row("M06", "unsupported", cpu_s=0.2, memory_mib=64)
def print_that_runs_programs() -> Files:
    page = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%id) (w) file closefile\nshowpage\n"
    yield "EPS", page
    yield (
        "EPS of a binary kind",
        b"\xc5\xd0\xd3\xc6" + struct.pack("<IIIIIIH", 30, len(page), 0, 0, 0, 0, 0xFFFF) + page,
    )
    yield "PS", b"%!PS\nshowpage\n"
    yield "EPS that never ends its header", b"%!PS-Adobe-3.0\n" + b"%%" * 500_000
    yield "EPS of blank lines", b"%!PS-Adobe-3.0\n" + b"\n" * 1_000_000
    yield "PDF", b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


@row("M37", "unsupported", cpu_s=0.2, memory_mib=64)
def films_and_rare_boxes() -> Files:
    for brand in (b"mp42", b"qt  ", b"crx ", b"jxl "):
        yield brand.decode(), b"\0\0\0\x18ftyp" + brand + bytes(4) + brand + b"isom" + bytes(100)


@row("M38", "unsupported", "TIFF", cpu_s=0.2, memory_mib=64)
def tiff_unless_the_settings_say_so() -> Files:
    yield "good", saved(Image.new("RGB", (8, 8)), "tiff")
    yield "of 88 bytes", b"II*\0\x08\0\0\0" + bytes(80)


@row("M40", "unsupported", "Photoshop", cpu_s=0.2, memory_mib=64)
def photoshop_unless_the_settings_say_so() -> Files:
    head = b"8BPS\0\1\0\0\0\0\0\0\0\5\0\0\0\1\0\0\0\1\0\x08\0\3"
    yield "five channels", head + bytes(100)
    yield "layers beyond it", head + bytes(8) + struct.pack(">II", 2**31, 2**31) + b"\x7f\xff" * 50


@row("M41", "unsupported", cpu_s=0.2, memory_mib=64)
def formats_of_other_days() -> Files:
    dice = random.Random(SEED)
    for name, start in {
        "SGI": b"\x01\xda\1\1\0\3",
        "PCX": b"\x0a\5\1\x08\0\0\0\0\xff\xff\xff\xff",
        "FLI": b"\xff\xff\xff\x7f\x11\xaf\xff\xff",
        "FLC": b"\xff\xff\xff\x7f\x12\xaf\xff\xff",
        "BLP": b"BLP2\1\0\0\0",
        "DDS": b"DDS \x7c\0\0\0",
        "FTEX": b"FTEX\1\0\1\0",
        "J2K": b"\xffO\xffQ\0/",
        "FITS": b"SIMPLE  =                    T",
        "DCX": b"\xb1\x68\xde\x3a",
        "IM": b"Image type: RGB",
        "Sun": b"\x59\xa6\x6a\x95",
        "SPIDER": struct.pack(">23f", *range(23)),
        "WMF": b"\xd7\xcd\xc6\x9a\0\0",
        "EMF": b"\1\0\0\0\x6c\0\0\0",
    }.items():
        yield name, start + dice.randbytes(2000)


@row("M42", "unsupported", cpu_s=0.2, memory_mib=64)
def small_things_that_swell() -> Files:
    yield "FITS, packed", b"SIMPLE  =                    T" + b"\x1f\x8b\x08" + bytes(200)
    yield "gzip", b"\x1f\x8b\x08" + bytes(200)
    yield "ICO", b"\0\0\1\0\1\0\0\0\0\0\1\0\x20\0" + struct.pack("<II", 2**31, 22) + bytes(176)
    yield "CUR", b"\0\0\2\0\1\0\0\0\0\0\1\0\x20\0" + struct.pack("<II", 2**31, 22) + bytes(176)
    yield "ICNS", b"icns" + struct.pack(">I", 2**31) + b"ic10" + struct.pack(">I", 2**31) + bytes(100)


@row("M43", "unsupported", "BMP", cpu_s=0.2, memory_mib=64)
def bmp_of_every_kind() -> Files:
    good = saved(Image.new("RGB", (8, 8)), "bmp")
    yield "good", good
    yield "of no bits", good[:28] + b"\0\0" + good[30:]
    yield "run lengths past its end", good[:28] + b"\x08\0\1\0\0\0" + good[34:] + b"\xff\xff" * 99
    yield "upside down", good[:22] + struct.pack("<i", -8) + good[26:]
    yield "of two gigapixels", good[:18] + struct.pack("<ii", 2**31 - 1, 2**31 - 1) + good[26:]


@row("M44", "unsupported", cpu_s=0.2, memory_mib=64)
def jpeg_2000() -> Files:
    size = struct.pack(">HIIIIIIIIH", 0, 2**31, 2**31, 0, 0, 1, 1, 0, 0, 16384)
    yield "a codestream of many tiles", b"\xff\x4f\xff\x51\xc0\x29" + size + bytes(200)
    yield "in a box", b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 \0\0\0\0jp2 " + bytes(100)


@row("M45", "unsupported", cpu_s=0.2, memory_mib=64)
def pictures_written_as_text() -> Files:
    yield "PNM", b"P6 999999 999999 255\n" + bytes(100)
    yield "PNM of text", b"P1\n# none\n8 8\n" + b"0 " * 64
    yield "XBM", b"#define x_width 8\n#define x_height 8\nstatic char x_bits[] = {" + b"0x00," * 200_000 + b"};"
    yield "XPM", b'/* XPM */\nstatic char *x[] = {"8 8 1 1", "a c #000000"};'
    yield "QOI", b"qoif" + struct.pack(">IIBB", 2**31, 2**31, 3, 0) + bytes(100)
    yield "PAM", b"P7\nWIDTH 999999\nHEIGHT 999999\nDEPTH 3\nMAXVAL 255\nENDHDR\n"
    yield "PFM", b"PF\n999999 999999\n-1.0\n"

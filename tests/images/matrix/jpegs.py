"""Rows of the matrix: JPEG."""

from __future__ import annotations

import random
import struct
from typing import Any, Final

from PIL import Image

from tests.images.builders import exif, jpeg_segment, opened, profile_of, sample, saved, small, with_segments
from tests.images.judge import Verdict
from tests.images.matrix.rows import SEED, Files, row

SECRET: Final = b"48.8584N-2.2945E"
TAIL: Final = b"/*<?php system($_GET[0]); ?><script>alert(1)</script>*/"
SOF0, SOF1, SOF2, SOF3, SOF5, SOF9, SOF10, SOF11 = 0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC9, 0xCA, 0xCB


def frame(width: int, height: int, kind: int = SOF0, bits: int = 8, channels: int = 1) -> bytes:
    each = b"".join(bytes([number, 0x11, 0]) for number in range(1, channels + 1))
    return jpeg_segment(kind, struct.pack(">BHHB", bits, height, width, channels) + each)


def headed(*segments: bytes, body: bytes = b"") -> bytes:
    scan = jpeg_segment(0xDA, b"\1\1\0\0\x3f\0")
    return b"\xff\xd8" + b"".join(segments) + scan + body + b"\xff\xd9"


def with_frame(kind: int, bits: int = 8) -> bytes:
    """A good JPEG whose frame header says that it is of another process."""
    good = small("jpeg")
    at = good.index(b"\xff\xc0")
    return good[: at + 1] + bytes([kind]) + good[at + 2 : at + 4] + bytes([bits]) + good[at + 5 :]


def of_scans(width: int, height: int, scans: int) -> bytes:
    """A progressive JPEG, all grey, of which each scan goes through all blocks and says next to nothing."""
    tables = jpeg_segment(0xDB, b"\0" + b"\1" * 64)
    for table in (b"\0", b"\x10"):  # of one code, which is the bit 0: no difference; a run of empty blocks
        tables += jpeg_segment(0xC4, table + b"\1" + bytes(15) + (b"\0" if table == b"\0" else b"\xe0"))
    blocks = (width + 7) // 8 * ((height + 7) // 8)
    first = jpeg_segment(0xDA, b"\1\1\0\0\0\0") + bytes(blocks // 8 + 1)
    run = "0" + "10" * 7  # of 16,384 + 10,922 blocks
    bits = run * (blocks // (16384 + 0b10101010101010) + 1)
    data = int(bits + "0" * (-len(bits) % 8), 2).to_bytes((len(bits) + 7) // 8, "big")
    later = jpeg_segment(0xDA, b"\1\1\0\1\x3f\0") + data
    return b"\xff\xd8" + tables + frame(width, height, SOF2) + first + later * scans + b"\xff\xd9"


@row("M23", "ok", cpu_s=5)
def a_few_scans() -> Files:
    yield "3 scans of 1 megapixel", of_scans(1000, 1000, 3)


@row("M23", "hung", deadline_s=1.0, memory_mib=256)
def scans_without_end() -> Files:
    yield "10,000 scans of 48 megapixels", of_scans(8000, 6000, 10_000)


@row("M24", "too-large", "65500x65500", cpu_s=0.1, memory_mib=64)
def a_header_of_four_gigapixels() -> Files:
    yield "1 kB", headed(frame(65_500, 65_500), body=bytes(1000))


@row("M25", "corrupt", "send the whole file")
def broken_off() -> Files:
    for name in ("kitten-cmyk.jpg", "kitten-progressive.jpg", "orientation-6.jpg"):
        data = sample(name)
        for percent in (10, 50, 99):
            yield f"{name} at {percent} %", data[: len(data) * percent // 100]


LENIENT: Final = {"width": 40, "format": "png", "lenient": True}


@row("M25", "ok", options=LENIENT, check=lambda verdict: is_said_to_be_a_part(verdict))
def broken_off_and_that_will_do() -> Files:
    for name in ("kitten-cmyk.jpg", "kitten-progressive.jpg", "kitten.png", "kitten.webp"):
        data = sample(name)
        yield name, data[: len(data) * 6 // 10]


def is_said_to_be_a_part(verdict: Verdict) -> None:
    assert verdict.facts["complete"] is False
    upper = (0, 0, 40, 14)  # what was sent, and so is as it was
    made, wanted = opened(verdict.data).convert("RGB"), opened(sample("kitten.png")).convert("RGB").resize((40, 30))
    off = [abs(a - b) for a, b in zip(made.crop(upper).tobytes(), wanted.crop(upper).tobytes(), strict=True)]
    assert sum(off) / len(off) < 12


@row("M25", "corrupt", "send the whole file", options=LENIENT)
def broken_off_before_the_first_pixel() -> Files:
    webp = sample("kitten.webp")
    yield "a header and no more", webp[:40]
    yield "within the first part", webp[: len(webp) // 10]


@row("M25", "corrupt", "nothing of it can be decoded", options=LENIENT)
def broken_off_where_nothing_is_decoded() -> Files:
    png = sample("kitten.png")
    yield "at the first pixel", png[: png.index(b"IDAT") + 4]


@row("M25", "corrupt", options=LENIENT)
def of_which_no_part_can_be_had() -> Files:
    for name in ("kitten.avif", "animated.webp"):
        data = sample(name)
        yield name, data[: len(data) * 9 // 10]


@row("M25", "ok", options=LENIENT, check=lambda verdict: is_whole(verdict))
def whole_where_a_part_would_do() -> Files:
    for name in ("kitten-progressive.jpg", "kitten.png", "kitten.webp", "kitten.avif"):
        yield name, sample(name)


def is_whole(verdict: Verdict) -> None:
    assert verdict.facts["complete"] is True


@row("M26", "ok", check=lambda verdict: like_the_kitten(verdict))
def of_four_colours() -> Files:
    yield "CMYK", sample("kitten-cmyk.jpg")


def like_the_kitten(verdict: Verdict) -> None:
    made, wanted = (opened(data).convert("RGB").resize((4, 3)) for data in (verdict.data, sample("kitten.png")))
    off = [abs(a - b) for a, b in zip(made.tobytes(), wanted.tobytes(), strict=True)]
    assert max(off) < 40


@row("M26", "ok", check=lambda verdict: is_grey(verdict, 191))
def of_luminance_and_black() -> Files:
    """YCCK: what Pillow wrote as CMYK, with Adobe's word that the first three are luminance and two of no colour."""
    image = Image.new("CMYK", (64, 48), (255 - 64, 127, 127, 0))
    data = saved(image, "jpeg", quality=95)
    at = data.index(b"Adobe") + 11
    yield "YCCK", data[:at] + b"\2" + data[at + 1 :]


def is_grey(verdict: Verdict, wanted: int) -> None:
    for low, high in opened(verdict.data).convert("RGB").getextrema():  # type: ignore[misc]
        assert wanted - 6 <= low <= high <= wanted + 6


@row("M26", "unsupported", "JPEG")
def of_a_rare_process() -> Files:
    yield "12 bits", with_frame(SOF1, 12)
    yield "16 bits", with_frame(SOF3, 16)
    yield "lossless", with_frame(SOF3)
    yield "hierarchical", with_frame(SOF5)
    yield "lossless, arithmetic coded", with_frame(SOF11)


@row("M26", "ok|corrupt|unsupported")
def arithmetic_coded() -> Files:
    yield "sequential", with_frame(SOF9)
    yield "progressive", with_frame(SOF10)


@row("M26", "ok")
def of_a_rare_profile() -> Files:
    colours = profile_of("kitten-p3.jpg")
    yield "a table in its place", with_segments(small("jpeg"), icc(colours[:16] + b"Lab " + colours[20:]))
    yield "parts in the wrong order", with_segments(small("jpeg"), icc(colours, 2, 1), icc(colours, 1, 9))


def icc(data: bytes, number: int = 1, of: int = 1) -> bytes:
    return jpeg_segment(0xE2, b"ICC_PROFILE\0" + bytes([number, of]) + data)


@row("M27", "ok", options={"width": 100, "height": 100, "format": "png"}, check=lambda verdict: is_upright(verdict))
def turned_and_said_so() -> Files:
    for number in range(1, 9):
        yield f"orientation {number}", sample(f"orientation-{number}.jpg")


def is_upright(verdict: Verdict) -> None:
    made = opened(verdict.data).convert("RGB")
    wanted = opened(sample("orientation-1.jpg")).convert("RGB").resize(made.size)
    off = [abs(a - b) for a, b in zip(made.tobytes(), wanted.tobytes(), strict=True)]
    assert sum(off) / len(off) < 8


@row("M27", "ok", check=lambda verdict: lies(verdict))
def turned_as_nothing_is() -> Files:
    for number in (0, 9, 255, 65_535):
        yield f"orientation {number}", said(exif(number))


def said(data: bytes) -> bytes:
    return with_segments(small("jpeg"), jpeg_segment(0xE1, b"Exif\0\0" + data))


def lies(verdict: Verdict) -> None:
    assert (verdict.facts["width"], verdict.facts["height"]) == (32, 24)


@row("M28", "ok", options={"width": 32, "format": "jpeg"}, check=lambda verdict: holds_only_pixels(verdict))
def telling_where() -> Files:
    said = Image.Exif()
    said[0x010E] = SECRET.decode()
    said[0x8825] = {1: "N", 2: (48.0, 51.0, 30.0), 3: "E", 4: (2.0, 17.0, 40.0)}
    options: dict[str, Any] = {"exif": said.tobytes(), "comment": SECRET, "icc_profile": profile_of("kitten-p3.jpg")}
    data = saved(Image.new("RGB", (64, 48), "#4080c0"), "jpeg", **options, xmp=b"<x:xmpmeta>" + SECRET)
    iptc = jpeg_segment(0xED, b"Photoshop 3.0\08BIM\4\4\0\0\0\0\0\x10" + SECRET)
    thumbnail = jpeg_segment(0xE0, b"JFXX\0\x10" + small("jpeg", (16, 12)))
    yield "everything", with_segments(data, iptc, thumbnail, jpeg_segment(0xEF, SECRET))


def holds_only_pixels(verdict: Verdict) -> None:
    data = verdict.data
    assert SECRET not in data
    assert TAIL not in data
    kinds, at = set(), 2
    while data[at + 1] != 0xDA:
        kinds.add(data[at + 1])
        at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    assert kinds <= {0xE0, 0xDB, 0xC0, 0xC2, 0xC4, 0xDD}  # JFIF's own, and what decoding takes


@row("M29", "ok")
def exif_that_is_ignored() -> Files:
    start = b"II*\0\x08\0\0\0"
    turned = struct.pack("<HHII", 0x0112, 3, 1, 1)
    yield "a directory that is its own next", said(start + b"\1\0" + turned + b"\x08\0\0\0")
    yield "65,535 entries", said(start + b"\xff\xff" + turned * 5000)
    yield "a directory past the end", said(b"II*\0\xff\xff\xff\x7f")
    yield "an offset past the end", said(start + b"\1\0" + struct.pack("<HHII", 0x010E, 2, 2**31, 2**31) + bytes(4))
    yield "a resolution that is no number", said(start + b"\1\0" + struct.pack("<HHII", 0x011A, 5, 1, 2**31) + bytes(4))
    yield "a resolution over nothing", said(start + b"\1\0" + struct.pack("<HHII", 0x011A, 5, 1, 26) + bytes(12))
    yield "coordinates of another kind", said(start + b"\1\0" + struct.pack("<HHII", 0x8825, 2, 1, 26) + bytes(12))
    yield "a kind there is not", said(start + b"\1\0" + struct.pack("<HHII", 0x0112, 99, 1, 6) + bytes(4))
    yield "cut off", said(exif(6)[:17])
    yield "neither order", said(b"XX*\0" + bytes(20))
    yield "empty", said(b"")
    notes = jpeg_segment(
        0xE1, b"Exif\0\0" + start + b"\1\0" + struct.pack("<HHII", 0x927C, 7, 60_000, 26) + bytes(60_004)
    )
    yield "a maker's notes again and again", with_segments(small("jpeg"), notes * 50)


@row("M30", "ok", options={"width": 32, "format": "jpeg"}, check=lambda verdict: holds_only_pixels(verdict))
def a_program_too() -> Files:
    yield "PHP behind it", small("jpeg") + TAIL
    yield "ZIP behind it", small("jpeg") + b"PK\3\4" + TAIL + b"PK\5\6" + bytes(18)
    yield "in a comment", with_segments(small("jpeg"), jpeg_segment(0xFE, TAIL))
    yield "behind a GIF", small("gif") + b"PK\3\4" + TAIL
    yield "behind a PNG", small("png") + TAIL
    yield "behind a WebP", small("webp") + TAIL


@row("M31", "ok", memory_mib=96)
def full_of_segments() -> Files:
    full = b"".join(jpeg_segment(0xE0 + number % 16, bytes(65_000)) for number in range(255))
    yield "255 of 64 KiB", with_segments(small("jpeg"), full)


@row("M31", "too-large", memory_mib=64)
def full_of_fill_bytes() -> Files:
    yield "1 MB", b"\xff\xd8\xff" + b"\xff" * 1_000_000 + small("jpeg")[2:]


@row("M32", "ok", check=lambda verdict: is_the_first(verdict))
def two_pictures_in_one() -> Files:
    second = small("jpeg", (400, 300), "#ff0000")
    for first in (small("jpeg"), sample("orientation-1.jpg")):
        yield f"behind one of {len(first)} bytes", first + second
    yield "as MPO", saved(Image.new("RGB", (64, 48), "#4080c0"), "mpo", save_all=True, append_images=[opened(second)])


def is_the_first(verdict: Verdict) -> None:
    assert (verdict.facts["width"], verdict.facts["height"]) == (32, 24)
    assert verdict.facts["source_width"] != 400


@row("M47", "too-large", "the limit is 32 MiB", cpu_s=0.5, memory_mib=64)
def heavy() -> Files:
    yield "33 MiB", small("jpeg") + bytes(33 << 20)


@row("M22", "ok|corrupt|unsupported|too-large", together=100, cpu_s=20, memory_mib=128)
def garbage_behind_a_good_header() -> Files:
    """The shapes that fuzzing finds; `make fuzz` has ten thousand more."""
    good, dice = small("jpeg"), random.Random(SEED)
    scan = good.index(b"\xff\xda")
    for number in range(200):
        cut = dice.randrange(scan)
        yield f"tables {number}", good[:cut] + dice.randbytes(dice.randrange(40)) + good[cut + dice.randrange(40) :]
        yield f"pixels {number}", good[: scan + 14] + dice.randbytes(400) + b"\xff\xd9"

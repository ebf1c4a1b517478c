"""Rows of the matrix: PNG."""

from __future__ import annotations

import random
import struct
import zlib
from typing import Final

from fleet.images.spec import MOVING
from tests.images.builders import PNG, bomb, chunk, opened, png, profile_of, sample, small
from tests.images.judge import Verdict
from tests.images.matrix.rows import SEED, Files, row

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
CHANNELS: Final = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
BITS: Final = {GREY: (1, 2, 4, 8, 16), RGB: (8, 16), PALETTE: (1, 2, 4, 8), GREY_ALPHA: (8, 16), RGBA: (8, 16)}
ADAM7: Final = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
ROWS_8X8: Final = zlib.compress(bytes(72))  # of 8 bits of grey


def drawn(width: int, height: int, bits: int, colour: int, filter: int = 0, interlaced: bool = False) -> bytes:
    """A good PNG of any kind, of garbage."""
    dice = random.Random(SEED)
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    rows = b""
    for left, top, across, down in passes:
        wide, high = len(range(left, width, across)), len(range(top, height, down))
        if wide:
            size = (wide * bits * CHANNELS[colour] + 7) // 8
            rows += b"".join(bytes([filter]) + dice.randbytes(size) for _ in range(high))
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced)
    palette = chunk(b"PLTE", dice.randbytes(3 << bits)) if colour == PALETTE else b""
    return PNG + chunk(b"IHDR", header) + palette + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND")


def beside(*chunks: bytes, pixels: bytes = ROWS_8X8) -> bytes:
    """A small good PNG with these chunks in front of its pixels."""
    return png(8, 8, 8, GREY, pixels, *chunks)


@row("M08", "ok", check=lambda verdict: tells_nothing(verdict, b"tEXt", b"profile", b"root:"))
def names_a_file() -> Files:
    for name in (b"/etc/passwd", b"-", b"msl:/etc/passwd", b"https://example.com/"):
        yield name.decode(), beside(chunk(b"tEXt", b"profile\0" + name), chunk(b"tEXt", b"Software\0" + name))


def tells_nothing(verdict: Verdict, *words: bytes) -> None:
    assert [word for word in words if word in verdict.data] == []


@row("M09", "ok", together=50, cpu_s=5)
def good_of_every_kind() -> Files:
    for colour, depths in BITS.items():
        for bits in depths:
            for side in (1, 3, 8, 33):
                for interlaced in (False, True):
                    name = f"colour {colour}, {bits} bits, {side} px{', interlaced' * interlaced}"
                    yield name, drawn(side, side, bits, colour, interlaced=interlaced)
    for filter in range(5):
        yield f"filter {filter}", drawn(32, 32, 8, RGB, filter)
    for level in range(10):
        yield f"level {level}", beside(pixels=zlib.compress(bytes(72), level))
    yield "pixels byte by byte", split_up()
    for kind, data in {"gAMA": struct.pack(">I", 45455), "bKGD": b"\0\x80", "sRGB": b"\0", "hIST": b"\0\1"}.items():
        yield kind, beside(chunk(kind.encode(), data))
    for gamma in (0, 1, 2**31 - 1):
        yield f"gamma {gamma}", beside(chunk(b"gAMA", struct.pack(">I", gamma)))


def split_up() -> bytes:
    start = PNG + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, GREY, 0, 0, 0))
    return start + b"".join(chunk(b"IDAT", bytes([byte])) for byte in ROWS_8X8) + chunk(b"IEND")


@row("M10", "corrupt")
def corrupt_in_every_way() -> Files:
    good = beside()
    yield "the first byte without its eighth bit", b"\x09" + good[1:]
    yield "a Q in the signature", good[:1] + b"QNG" + good[4:]
    yield "lower case in the signature", good[:1] + b"png" + good[4:]
    yield "a blank in the signature", good[:6] + b" " + good[7:]
    yield "carriage returns added", good.replace(b"\n", b"\r\n")
    yield "carriage returns taken away", good.replace(b"\r\n", b"\n")
    yield "the header's checksum", good[:29] + bytes(4) + good[33:]
    yield "no pixels", good[:33] + chunk(b"IEND")
    yield "pixels that are no zlib", beside(pixels=b"garbage")
    yield "too few pixels", beside(pixels=zlib.compress(bytes(40)))
    yield "a palette that is not there", png(8, 8, 8, PALETTE, ROWS_8X8)
    for colour, bits in ((1, 8), (9, 8), (GREY, 0), (GREY, 3), (GREY, 99), (RGB, 1), (PALETTE, 16)):
        yield f"colour {colour}, {bits} bits", png(8, 8, bits, colour, ROWS_8X8)


@row("M11", "too-large", "30000x29000", cpu_s=0.1, memory_mib=64)
def a_bomb() -> Files:
    yield "870 million pixels in 105 kB", bomb()


@row("M12", "ok", memory_mib=128)
def just_under_50_megapixels() -> Files:
    yield "7071x7071", bomb(7071, 7071)


@row("M12", "too-large", cpu_s=0.1, memory_mib=64)
def just_over_50_megapixels() -> Files:
    yield "7072x7072", bomb(7072, 7072)


@row("M13", "too-large|corrupt", cpu_s=0.1, memory_mib=64)
def sides_there_are_not() -> Files:
    longest = 2**31 - 1
    for width, height in (
        (longest, longest),
        (0, 1),
        (1, 0),
        (0, 0),
        (1, 10**6),
        (10**6, 1),
        (2**31, 1),
        (2**32 - 1,) * 2,
    ):
        yield f"{width}x{height}", png(width, height, 8, GREY, ROWS_8X8)


@row("M14", "corrupt|too-large", memory_mib=128)
def text_without_end() -> Files:
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1 << 20), 9))
    for count in (100, 15_000, 100_000):
        yield f"{count} texts of 1 MiB", beside(text * count)[: 32 << 20]
    good = beside()
    yield "behind the pixels", good[:-12] + text * 100 + good[-12:]
    international = chunk(b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(bytes(1 << 20), 9))
    yield "of the international kind", beside(international * 100)


@row("M15", "ok", memory_mib=64)
def profiles_that_are_dropped() -> Files:
    good = profile_of("kitten-p3.jpg")
    for name, data in {
        "64 MiB": bytes(64 << 20),
        "its header is garbage": random.Random(SEED).randbytes(len(good)),
        "of another colour space": good[:16] + b"CMYK" + good[20:],
        "of a printer": good[:12] + b"prtr" + good[16:],
        "cut off": good[:200],
        "empty": b"",
        "its tags lie": good[:128] + b"\xff" * 100 + good[228:],
        "a tag is as long as can be": good[:132] + good[132:140] + b"\xff\xff\xff\xff" + good[144:],
        "more tags than a profile has": good[:128] + struct.pack(">I", 2**31) + good[132:],
    }.items():
        yield name, beside(chunk(b"iCCP", b"x\0\0" + zlib.compress(data, 9)))
    yield "no zlib", beside(chunk(b"iCCP", b"x\0\0garbage"))


@row("M16", "corrupt", "send the whole file", together=50, cpu_s=5)
def broken_off() -> Files:
    data = sample("kitten-palette.png")
    for point in range(1, 50):
        yield f"{point}/50", data[: len(data) * point // 50]


@row("M16", "corrupt")
def contradicting_itself() -> Files:
    good = beside()
    yield "two headers", good[:33] + good[8:]
    yield "no header first", PNG + good[33:-12] + good[8:33] + good[-12:]


@row("M16", "corrupt|ok")
def wrong_in_its_checksums_alone() -> Files:
    """The pixels have two, zlib's and PNG's, and no decoder here looks at the second where the first is right."""
    good = beside()
    yield "the chunk's", good[:-16] + bytes(4) + good[-12:]
    yield "zlib's", beside(pixels=ROWS_8X8[:-4] + bytes(4))


def moving(frames: int, *more: bytes) -> bytes:
    return beside(chunk(b"acTL", struct.pack(">II", frames, 0)), *more)


def frame(number: int, width: int = 8, height: int = 8, left: int = 0) -> bytes:
    return chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, width, height, left, 0, 1, 10, 0, 0))


@row("M17", "ok|corrupt|too-large", options={"width": 8, "animated": True, "format": "webp"})
def moving_and_lying() -> Files:
    for frames in (0, 1, 2, 299, 300, 301, 10_000, 2**31 - 1, 2**32 - 1):
        yield f"{frames} frames", moving(frames, frame(0))
    yield "half a count", beside(chunk(b"acTL", b"\0\0"), frame(0))
    yield "the second frame first", moving(2, frame(1))
    yield "a frame of no size", moving(2, frame(0, 0, 0))
    yield "a frame beyond the picture", moving(2, frame(0, 8, 8, 2**31 - 1))
    yield "frames without a count", beside(frame(0))
    yield "frames without pixels", moving(3, frame(0))[:-12] + frame(1) + frame(2) + chunk(b"IEND")


def of_two_frames(first: bytes, plays: int = 0) -> bytes:
    """A good animated PNG, of which `first` is the first frame's control."""
    control = chunk(b"acTL", struct.pack(">II", 2, plays))
    second = chunk(b"fdAT", struct.pack(">I", 2) + ROWS_8X8)
    return beside(control, first)[:-12] + frame(1) + second + chunk(b"IEND")


def shown_for_very_long() -> Files:
    hours = chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 8, 8, 0, 0, 65_535, 1, 0, 0))
    yield "18 hours", of_two_frames(hours)
    yield "134 million times", of_two_frames(frame(0), 1 << 27)


for format in MOVING:
    row("M17", "ok", options={"width": 8, "animated": True, "format": format})(shown_for_very_long)


@row("M17", "too-large", "frames", cpu_s=0.1)
def ten_thousand_frames() -> Files:
    yield "as it says", moving(10_000, frame(0))


@row("M51", "too-large", "the result would have", options={"width": 8192, "height": 8192, "enlarge": True})
def to_be_enlarged_beyond_the_limit() -> Files:
    yield "one pixel", small("png", (1, 1))


@row("M57", "ok", check=lambda verdict: is_some_colour(verdict))
def every_mode() -> Files:
    for colour, depths in BITS.items():
        for bits in depths:
            pixels = zlib.compress((b"\0" + b"\x99" * ((9 * bits * CHANNELS[colour] + 7) // 8)) * 9)
            palette = [chunk(b"PLTE", b"\x40\x80\xc0" * (1 << bits))] if colour == PALETTE else []
            clear: dict[int, bytes] = {GREY: b"\0\0", RGB: bytes(6), PALETTE: b"\xff\x80"}
            yield f"colour {colour}, {bits} bits", png(9, 9, bits, colour, pixels, *palette)
            if colour in clear:
                made = png(9, 9, bits, colour, pixels, *palette, chunk(b"tRNS", clear[colour]))
                yield f"colour {colour}, {bits} bits, one transparent", made
    for name in ("kitten-16bit.png", "kitten-alpha.png", "kitten-palette.png", "kitten-cmyk.jpg", "kitten-grey.jpg"):
        yield name, sample(name)


def is_some_colour(verdict: Verdict) -> None:
    assert max(opened(verdict.data).convert("L").tobytes()) > 0x20


@row("M58", "ok", options={"width": 8, "animated": True})
def still_and_asked_to_move() -> Files:
    yield "png", small("png")
    yield "jpeg", small("jpeg")
    yield "webp", small("webp")


@row("M58", "ok", options={"width": 8, "animated": False}, check=lambda verdict: is_still(verdict))
def moving_and_asked_to_be_still() -> Files:
    yield "gif", sample("animated.gif")
    yield "webp", sample("animated.webp")


def is_still(verdict: Verdict) -> None:
    assert verdict.facts["frames"] == 1

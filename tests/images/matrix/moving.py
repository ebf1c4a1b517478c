"""Rows of the matrix: GIF and WebP, which may move."""

from __future__ import annotations

import random
import struct
from typing import Final

from PIL import Image, features

from tests.images.builders import sample, saved, small
from tests.images.judge import Verdict
from tests.images.matrix.rows import SEED, Files, row

PIXEL: Final = b"\2\2\x44\1\0"  # of LZW: clear, colour 0, end
PALETTE: Final = bytes(range(12))
MOVING: Final = {"width": 8, "animated": True, "format": "webp"}


def image(left: int, top: int, width: int, height: int, pixels: bytes = PIXEL) -> bytes:
    return b"," + struct.pack("<HHHHB", left, top, width, height, 0) + pixels


def gif(width: int, height: int, *blocks: bytes) -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x81, 0, 0) + PALETTE + b"".join(blocks) + b";"


def delay(hundredths: int) -> bytes:
    return b"!\xf9\4\0" + struct.pack("<H", hundredths) + b"\0\0"


@row("M18", "too-large", cpu_s=0.1, memory_mib=64)
def a_bomb_of_44_bytes() -> Files:
    for width, height in ((65_535, 65_535), (20_000, 20_000), (65_535, 1)):
        yield f"{width}x{height}", gif(width, height, image(0, 0, 1, 1))


@row("M18", "too-large", cpu_s=0.1, memory_mib=64)
def a_frame_beyond_the_screen() -> Files:
    yield "at its end", gif(1, 1, image(65_534, 65_534, 1, 1))
    yield "larger", gif(1, 1, image(0, 0, 65_535, 65_535))
    yield "the second", gif(1, 1, image(0, 0, 1, 1), image(0, 0, 65_535, 65_535))


@row("M19", "too-large", cpu_s=1, memory_mib=64)
def frames_without_end() -> Files:
    yield "100,000", gif(1, 1, image(0, 0, 1, 1) * 100_000)


@row("M19", "too-large", options=MOVING, cpu_s=0.5, memory_mib=64)
def a_large_screen_of_small_frames() -> Files:
    yield "20 frames of 49 megapixels", gif(7000, 7000, image(0, 0, 1, 1) * 20)
    yield "two frames of 65,535", gif(65_535, 65_535, image(0, 0, 1, 1) * 2)


@row("M20", "corrupt|ok", together=50, cpu_s=5)
def broken_pixels() -> Files:
    good = small("gif")
    start = good.index(b",") + 10
    for at in range(start, len(good) - 1):
        yield f"byte {at}", good[:at] + b"\xff" + good[at + 1 :]
    yield "no end", good[:-1]
    yield "no pixels", gif(8, 8, image(0, 0, 8, 8, b"\2\0"))
    yield "too few pixels", gif(8, 8, image(0, 0, 8, 8))
    yield "codes of no bits", gif(8, 8, image(0, 0, 8, 8, b"\0" + PIXEL[1:]))
    yield "codes of 200 bits", gif(8, 8, image(0, 0, 8, 8, b"\xc8" + PIXEL[1:]))
    yield "the second frame is garbage", gif(1, 1, image(0, 0, 1, 1), b"garbage")


@row("M20", "ok", options=MOVING)
def without_time() -> Files:
    for hundredths in (0, 1, 65_535):
        yield f"{hundredths}/100 s", gif(8, 8, *(delay(hundredths) + image(0, 0, 1, 1) for _ in range(3)))


@row("M21", "ok|corrupt|unsupported|too-large", together=100, cpu_s=20, memory_mib=128)
def garbage_behind_a_good_header() -> Files:
    dice = random.Random(SEED)
    for number in range(300):
        pixels = bytes([dice.randrange(12)]) + b"".join(
            bytes([size]) + dice.randbytes(size) for size in (dice.randrange(1, 256),)
        )
        blocks = [
            image(dice.randrange(40), dice.randrange(40), dice.randrange(40), dice.randrange(40), pixels + b"\0")
            for _ in range(dice.randrange(1, 4))
        ]
        yield str(number), gif(dice.randrange(40), dice.randrange(40), *blocks)


# -- WebP -----------------------------------------------------------------------------------------------------------


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"WEBP" + b"".join(
        kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) & 1) for kind, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def canvas(width: int, height: int, flags: int = 2) -> tuple[bytes, bytes]:
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"VP8X", bytes([flags, 0, 0, 0]) + sides


def chunks_of(data: bytes) -> dict[bytes, bytes]:
    """The chunks of a WebP, the last one of each kind."""
    found, at = {}, 12
    while at + 8 <= len(data):
        kind, size = struct.unpack_from("<4sI", data, at)
        found[kind] = data[at + 8 : at + 8 + size]
        at += 8 + size + (size & 1)
    return found


def one_frame(width: int = 8, height: int = 8) -> tuple[bytes, bytes]:
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    pixels = saved(Image.new("RGB", (width, height), "#4080c0"), "webp", lossless=True)[12:]
    return b"ANMF", bytes(6) + sides + (100).to_bytes(3, "little") + b"\0" + pixels


@row("M33", "ok")
def good_webp_of_every_kind() -> Files:
    image = Image.new("RGBA", (64, 48), "#4080c080")
    yield "lossy", small("webp")
    yield "lossless", saved(image.convert("RGB"), "webp", lossless=True)
    yield "lossy, transparent", saved(image, "webp")
    yield "lossless, transparent", saved(image, "webp", lossless=True)
    yield "moving", sample("animated.webp")
    yield "one pixel", small("webp", (1, 1))


@row("M33", "too-large", options=MOVING, cpu_s=0.5, memory_mib=64)
def ten_thousand_frames() -> Files:
    yield "10,000", riff(canvas(8, 8), (b"ANIM", bytes(6)), *[one_frame()] * 10_000)
    yield "30,000", riff(canvas(8, 8), (b"ANIM", bytes(6)), *[one_frame()] * 30_000)


@row("M33", "too-large", options=MOVING, cpu_s=0.5, memory_mib=64)
def a_canvas_of_any_size() -> Files:
    for width, height in ((16_384, 16_384), (16_777_216, 1), (1, 16_777_216), (16_777_216,) * 2):
        yield f"{width}x{height}", riff(canvas(width, height), (b"ANIM", bytes(6)), one_frame())
    frames = [one_frame()] * 3
    yield "high when its frames stand upon another", riff(canvas(7000, 7000), (b"ANIM", bytes(6)), *frames)


@row("M33", "ok|corrupt", options=MOVING)
def a_canvas_that_lies() -> Files:
    for width, height in ((1, 1), (9, 9), (4096, 1)):
        yield f"{width}x{height}", riff(canvas(width, height), (b"ANIM", bytes(6)), one_frame())
    yield "no frame", riff(canvas(8, 8), (b"ANIM", bytes(6)))
    yield "no picture", riff(canvas(8, 8, 0))


@row("M34", "corrupt|ok", together=100, cpu_s=20, memory_mib=128)
def bad_huffman_tables() -> Files:
    good = chunks_of(saved(Image.effect_mandelbrot((64, 48), (-2, -1, 1, 1), 60).convert("RGB"), "webp", lossless=True))
    data, dice = good[b"VP8L"], random.Random(SEED)
    for number in range(400):
        bad = bytearray(data)
        for _ in range(dice.choice((1, 3, 20))):
            bad[dice.randrange(5, min(len(bad), dice.choice((30, len(bad)))))] = dice.randrange(256)
        yield f"changed {number}", riff((b"VP8L", bytes(bad)))
    for number in range(100):
        yield f"random {number}", riff((b"VP8L", data[:5] + dice.randbytes(300)))


@row("M34", "ok", check=lambda verdict: is_mended_since())
def of_a_library_that_checks_them() -> Files:
    yield "good", small("webp")


def is_mended_since() -> None:
    version = features.version("webp")
    assert version
    assert tuple(map(int, version.split(".")[:3])) >= (1, 3, 2)


@row("M35", "ok", check=lambda verdict: came_as_webp(verdict))
def webp_that_looks_like_svg() -> Files:
    svg = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"></svg>'
    good = chunks_of(small("webp"))
    yield "in its metadata", riff(canvas(64, 48, 4), (b"VP8 ", good[b"VP8 "]), (b"XMP ", svg))
    yield "behind it", small("webp") + svg


def came_as_webp(verdict: Verdict) -> None:
    assert verdict.facts["source_format"] == "webp"

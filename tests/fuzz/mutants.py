"""Pictures with something broken: mutants of our own good ones, as many as wanted, always the same.

Rule: the mutant of a number depends on its format and that number alone: one that does harm can be made again.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from itertools import count, islice
from typing import Any, Final

from PIL import Image

from tests.images.builders import PNG, exif, profile_of, saved
from tests.images.judge import Source

SEED: Final = 20_091_013
FORMATS: Final = ("jpeg", "png", "gif", "webp", "avif")
TELLING: Final = (
    b"\0",
    b"\1",
    b"\x7f",
    b"\x80",
    b"\xff",
    b"\xff" * 2,
    b"\x7f\xff",
    b"\0\0\0\0",
    b"\xff" * 4,
    b"\x7f" + b"\xff" * 3,
)
RATIOS: Final = (0.0001, 0.001, 0.01, 0.1)  # of the bits that are turned
PLACES: Final = (24, 80, 400)  # at the beginning, where most of the structure is; or anywhere

# What is asked for: so that every step after decoding meets them, too, and every engine that opens the format.
WANTED: Final[tuple[dict[str, Any], ...]] = (
    {"width": 32, "height": 24, "format": "png"},
    {"width": 16, "height": 16, "fit": "cover", "gravity": "smart", "format": "webp"},
    {"width": 24, "animated": True, "format": "webp"},
    {"trim": 10, "keep_copyright": True, "format": "jpeg"},
    {"width": 20, "linear": True, "rotate": 10, "format": "png"},
    {"width": 24, "lenient": True, "format": "jpeg"},
)
ENGINES: Final = {"jpeg": ("vips",), "png": ("vips",), "webp": ("vips",), "gif": ("vips",), "avif": ()}


def mutants(format: str, many: int, first: int = 0) -> Iterator[Source]:
    """So many of them, from that number on."""
    return (mutant(format, number) for number in islice(count(first), many))


def mutant(format: str, number: int) -> Source:
    dice = random.Random(f"{SEED} {format} {number}")
    data = bytearray(dice.choice(good(format)))
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        dice.choice(CHANGES)(data, dice)
    if format == "png" and dice.random() < 0.7:
        data = checked_anew(data)
    options = dice.choice(WANTED)
    engine = dice.choice((None, None, *ENGINES[format]))
    return Source(bytes(data), {**options, **({"engine": engine} if engine else {})})


# -- Good ones ------------------------------------------------------------------------------------------------------


@cache
def good(format: str) -> tuple[bytes, ...]:
    """Small ones of every kind that the format has."""
    colours = Image.effect_mandelbrot((48, 36), (-2, -1, 1, 1), 60).convert("RGB")
    colours = Image.merge(
        "RGB", (colours.getchannel(0), colours.getchannel(1).rotate(90), colours.getchannel(2).rotate(180))
    )
    return tuple(_GOOD[format](colours))


def _jpegs(colours: Image.Image) -> Iterator[bytes]:
    profile = profile_of("kitten-p3.jpg")
    yield saved(colours, "jpeg")
    yield saved(colours, "jpeg", progressive=True)
    yield saved(colours, "jpeg", subsampling=0, quality=100, optimize=True, restart_marker_rows=1)
    yield saved(colours.convert("CMYK"), "jpeg")
    yield saved(colours.convert("L"), "jpeg", exif=b"Exif\0\0" + exif(6), icc_profile=profile, comment=b"a comment")


def _pngs(colours: Image.Image) -> Iterator[bytes]:
    frames = [colours, colours.rotate(90), colours.rotate(180)]
    alpha = colours.copy()
    alpha.putalpha(colours.getchannel(0))
    yield saved(colours, "png")
    yield saved(alpha, "png", icc_profile=profile_of("kitten-p3.jpg"), exif=exif(6))
    yield saved(colours.quantize(16), "png", transparency=0)
    yield saved(colours.convert("1"), "png")
    yield saved(colours.convert("I;16") if colours.mode == "I;16" else colours.convert("L").convert("I;16"), "png")
    yield saved(frames[0], "png", save_all=True, append_images=frames[1:], duration=50)


def _gifs(colours: Image.Image) -> Iterator[bytes]:
    frames = [colours.rotate(90 * turn).quantize(16 << turn) for turn in range(4)]
    yield saved(frames[0], "gif")
    yield saved(frames[0], "gif", save_all=True, append_images=frames[1:], duration=50, disposal=2)
    yield saved(frames[0], "gif", save_all=True, append_images=frames[1:], transparency=0, interlace=1)


def _webps(colours: Image.Image) -> Iterator[bytes]:
    alpha = colours.copy()
    alpha.putalpha(colours.getchannel(0))
    yield saved(colours, "webp")
    yield saved(colours, "webp", lossless=True)
    yield saved(alpha, "webp", exif=exif(6), icc_profile=profile_of("kitten-p3.jpg"))
    yield saved(alpha, "webp", save_all=True, append_images=[colours, alpha.rotate(90)], duration=50)


def _avifs(colours: Image.Image) -> Iterator[bytes]:
    alpha = colours.copy()
    alpha.putalpha(colours.getchannel(0))
    yield saved(colours, "avif", speed=10, max_threads=1)
    yield saved(alpha, "avif", speed=10, max_threads=1, exif=exif(6))
    yield saved(colours, "avif", speed=10, max_threads=1, save_all=True, append_images=[colours.rotate(90)])


_GOOD: Final[dict[str, Callable[[Image.Image], Iterator[bytes]]]] = {
    "jpeg": _jpegs,
    "png": _pngs,
    "gif": _gifs,
    "webp": _webps,
    "avif": _avifs,
}


# -- Changes --------------------------------------------------------------------------------------------------------


def _place(data: bytearray, dice: random.Random) -> int:
    return dice.randrange(min(len(data), dice.choice((*PLACES, len(data), len(data))))) if data else 0


def _turn_bits(data: bytearray, dice: random.Random) -> None:
    for _ in range(max(1, int(8 * len(data) * dice.choice(RATIOS)))):
        if data:
            data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)


def _turn_a_bit(data: bytearray, dice: random.Random) -> None:
    if data:
        data[_place(data, dice)] ^= 1 << dice.randrange(8)


def _tell_something(data: bytearray, dice: random.Random) -> None:
    at, said = _place(data, dice), dice.choice(TELLING)
    data[at : at + len(said)] = said


def _random(data: bytearray, dice: random.Random) -> None:
    at, size = _place(data, dice), dice.randrange(1, 60)
    data[at : at + size] = dice.randbytes(size)


def _insert(data: bytearray, dice: random.Random) -> None:
    at = _place(data, dice)
    data[at:at] = dice.randbytes(dice.randrange(1, 60))


def _leave_out(data: bytearray, dice: random.Random) -> None:
    at = _place(data, dice)
    del data[at : at + dice.randrange(1, 60)]


def _repeat(data: bytearray, dice: random.Random) -> None:
    at, to = _place(data, dice), _place(data, dice)
    data[to:to] = data[at : at + dice.randrange(1, 200)] * dice.choice((1, 2, 50))


def _cut_off(data: bytearray, dice: random.Random) -> None:
    del data[_place(data, dice) :]


CHANGES: Final = (
    *(_turn_bits, _turn_a_bit, _turn_a_bit, _tell_something, _tell_something),
    *(_random, _insert, _leave_out, _repeat, _cut_off),
)


def checked_anew(data: bytearray) -> bytearray:
    """A PNG with its chunks' checksums made right, so that the decoder does not stop at them."""
    fixed, at = bytearray(data), len(PNG)
    while at + 12 <= len(data):
        end = at + 8 + struct.unpack_from(">I", data, at)[0]
        if end + 4 > len(data):
            break
        fixed[end : end + 4] = zlib.crc32(data[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return fixed

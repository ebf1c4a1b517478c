"""Pictures with something broken: mutants of our own good ones, as many as wanted, always the same.

Rule: the mutant of a number depends on its format and that number alone: one that does harm can be made again.
"""

from __future__ import annotations

import random
import re
import struct
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import cache
from itertools import count, islice
from typing import Any, Final

from PIL import Image

from tests.images.builders import PNG, exif, profile_of, saved
from tests.images.engines.engines import heic, psd, tiff
from tests.images.judge import Source

SEED: Final = 20_091_013
USUAL: Final = ("jpeg", "png", "gif", "webp", "avif")
RARE: Final = ("tiff", "heic", "psd", "svg")  # those that are opened where the settings say so, or an extra is there
FORMATS: Final = (*USUAL, *RARE)
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
NUMBERS: Final = (b"0", b"-1", b"0.5", b"7", b"99", b"99999", b"1e9", b"1e-9", b"1e400", b"NaN", b"50%")
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
ENGINES: Final = {"jpeg": ("vips",), "png": ("vips",), "webp": ("vips",), "gif": ("vips",)}  # beside the usual one


def mutants(format: str, many: int, first: int = 0) -> Iterator[Source]:
    """So many of them, from that number on."""
    return (mutant(format, number) for number in islice(count(first), many))


def mutant(format: str, number: int) -> Source:
    dice = random.Random(f"{SEED} {format} {number}")
    data = bytearray(dice.choice(good(format)))
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        dice.choice(CHANGES_OF_TEXT if format == "svg" else CHANGES)(data, dice)
    if format == "png" and dice.random() < 0.7:
        data = checked_anew(data)
    options = dice.choice(WANTED)
    engine = dice.choice((None, None, *ENGINES.get(format, ())))
    return Source(bytes(data), {**options, **({"engine": engine} if engine else {})}, frozenset({format}))


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


def _tiffs(colours: Image.Image) -> Iterator[bytes]:
    grey = colours.convert("L")
    for compression in (None, "tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"):
        yield tiff(colours, compression=compression)
    yield tiff(colours.convert("CMYK"), icc_profile=profile_of("kitten-p3.jpg"))
    yield tiff(grey.convert("1"), compression="group4")
    yield tiff(grey.convert("I;16"), compression="tiff_lzw")
    yield tiff(colours.quantize(16), save_all=True, append_images=[grey])


def _heics(colours: Image.Image) -> Iterator[bytes]:
    alpha = colours.copy()
    alpha.putalpha(colours.getchannel(0))
    yield heic(colours, quality=50)
    yield heic(alpha, quality=50, exif=exif(6))
    yield heic(colours.resize((160, 120)), quality=30, icc_profile=profile_of("kitten-p3.jpg"))


def _psds(colours: Image.Image) -> Iterator[bytes]:
    alpha = colours.copy()
    alpha.putalpha(colours.getchannel(0))
    for image in (colours, alpha, colours.convert("L"), colours.convert("CMYK")):
        yield psd(image)
        yield psd(image, packed=True)


def _svgs(colours: Image.Image) -> Iterator[bytes]:
    inside = b64encode(saved(colours, "png"))
    for drawn in DRAWN:
        yield b'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" ' + drawn + b"</svg>"
    yield b'<svg xmlns="http://www.w3.org/2000/svg" width="48" height="36"><image width="48" height="36" ' + (
        b'href="data:image/png;base64,' + inside + b'"/></svg>'
    )


DRAWN: Final = (
    b'width="48" height="36"><rect width="30" height="20" fill="#305f6a"/><circle cx="20" cy="9" r="7"/>'
    b'<path d="M1 1 L40 30 Q20 9 3 30 A9 5 30 0 1 4 4 Z" stroke="red" stroke-dasharray="3 2" fill="none"/>',
    b'viewBox="0 0 64 48"><defs><linearGradient id="g"><stop offset="0" stop-color="red"/><stop offset="1"/>'
    b'</linearGradient><pattern id="p" width="8" height="8" patternUnits="userSpaceOnUse"><rect width="4" height="4"/>'
    b'</pattern><clipPath id="c"><circle cx="20" cy="20" r="18"/></clipPath></defs><g clip-path="url(#c)">'
    b'<rect width="64" height="48" fill="url(#g)"/><rect x="5" width="50" height="30" fill="url(#p)"/></g>',
    b'width="2cm" height="1cm"><filter id="f"><feGaussianBlur stdDeviation="2"/><feTurbulence baseFrequency=".1"/>'
    b'<feConvolveMatrix order="3" kernelMatrix="1 0 0 0 1 0 0 0 1"/></filter><symbol id="s"><rect width="9"/>'
    b'</symbol><use xlink:href="#s" x="9" filter="url(#f)"/><mask id="m"><use href="#s"/></mask><g mask="url(#m)">'
    b'<use href="#s" transform="rotate(30) scale(3)"/></g>',
    b'width="64" height="48"><style>.a{fill:red;opacity:.5} text{font-size:9px}</style><rect class="a" width="9" '
    b'height="9"/><text x="3" y="20">fleet <tspan dx="2">&#169;</tspan></text><script>alert(1)</script>',
)

_GOOD: Final[dict[str, Callable[[Image.Image], Iterator[bytes]]]] = {
    "jpeg": _jpegs,
    "png": _pngs,
    "gif": _gifs,
    "webp": _webps,
    "avif": _avifs,
    "tiff": _tiffs,
    "heic": _heics,
    "psd": _psds,
    "svg": _svgs,
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


def _tell_another_number(data: bytearray, dice: random.Random) -> None:
    if found := list(re.finditer(rb"[0-9.]+", data)):
        data[slice(*dice.choice(found).span())] = dice.choice(NUMBERS)


CHANGES: Final = (
    *(_turn_bits, _turn_a_bit, _turn_a_bit, _tell_something, _tell_something),
    *(_random, _insert, _leave_out, _repeat, _cut_off),
)
CHANGES_OF_TEXT: Final = (*CHANGES, *(_tell_another_number,) * 2 * len(CHANGES))


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

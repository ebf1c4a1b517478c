"""Colour profiles of cameras, scanners and presses, made by hand: every engine gives what arithmetic gives."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import pytest
from PIL import Image

from fleet.images import Spec, render
from fleet.images.engines.router import ORDER
from tests.images.builders import opened, saved
from tests.images.engines.engines import EVERYTHING, engine

Colour = tuple[float, float, float]

D50 = (0.96420, 1.0, 0.82491)
ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))  # XYZ, by D50
ADOBE_GAMMA, DOT_GAIN_GAMMA = 563, 461  # in 256ths: 2.2, and about 1.8
SRGB_OF_XYZ = ((3.13386, -1.61687, -0.49061), (-0.97877, 1.91614, 0.03345), (0.07195, -0.22899, 1.40524))
# What each ink of a press without a name prints as, in L*a*b*: not what its name says.
PAPER, PRINTS = (
    (100.0, 0.0, 0.0),
    {0: (60.0, 40.0, 20.0), 1: (50.0, -30.0, 20.0), 2: (40.0, 10.0, -30.0), 3: (0.0,) * 3},
)


def profile(kind: bytes, space: bytes, between: bytes, tags: Mapping[bytes, bytes]) -> bytes:
    table, body, start = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, data in tags.items():
        table += struct.pack(">4sII", name, start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4xI4s4s4s", start + len(body), 0x02400000, kind, space, between) + bytes(12) + b"acsp"
    return (head + bytes(28) + struct.pack(">3i", *(round(n * 65536) for n in D50))).ljust(128, b"\0") + table + body


def xyz(numbers: Sequence[float]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(n * 65536) for n in numbers))


def gamma(of_256: int) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, of_256)


def adobe_rgb() -> bytes:
    primaries = {name: xyz(numbers) for name, numbers in zip((b"rXYZ", b"gXYZ", b"bXYZ"), ADOBE_RGB, strict=True)}
    curves = dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), gamma(ADOBE_GAMMA))
    return profile(b"mntr", b"RGB ", b"XYZ ", {b"wtpt": xyz(D50), **primaries, **curves})


def grey() -> bytes:
    return profile(b"mntr", b"GRAY", b"XYZ ", {b"wtpt": xyz(D50), b"kTRC": gamma(DOT_GAIN_GAMMA)})


def press() -> bytes:
    """Of four inks; more than one of them at a time is as dark as it gets."""
    same = bytes(range(256))
    corners = b""
    for number in range(16):
        inks = [ink for ink in range(4) if number >> (3 - ink) & 1]
        light, a, b = PAPER if not inks else PRINTS[inks[0]] if len(inks) == 1 else (0.0, 0.0, 0.0)
        corners += bytes((round(light * 2.55), round(a) + 128, round(b) + 128))
    identity = struct.pack(">9i", *(65536 * (n % 4 == 0) for n in range(9)))
    table = b"mft1\0\0\0\0\4\3\2\0" + identity + same * 4 + corners + same * 3
    return profile(b"prtr", b"CMYK", b"Lab ", {b"wtpt": xyz(D50), b"A2B0": table})


def srgb(light: Sequence[float]) -> Colour:
    """Of XYZ by D50, in 255ths."""
    linear = [sum(n * part for n, part in zip(row, light, strict=True)) for row in SRGB_OF_XYZ]
    curved = (12.92 * n if n <= 0.0031308 else 1.055 * n ** (1 / 2.4) - 0.055 for n in linear)
    red, green, blue = (255 * min(1.0, max(0.0, n)) for n in curved)
    return red, green, blue


def of_lab(light: float, a: float, b: float) -> Colour:
    y = (light + 16) / 116
    parts = (n**3 if n > 6 / 29 else 3 * (6 / 29) ** 2 * (n - 4 / 29) for n in (y + a / 500, y, y - b / 200))
    return srgb([n * white for n, white in zip(parts, D50, strict=True)])


def is_near(data: bytes, by: str, wanted: Colour, most: float) -> bool:
    made = opened(render(data, Spec(8, 8, format="png", engine=by), EVERYTHING)).convert("RGB")
    pixel = made.getpixel((4, 4))
    assert isinstance(pixel, tuple)
    return max(abs(one - other) for one, other in zip(pixel, wanted, strict=True)) <= most


BY_ENGINE = [(format, by) for format in ("jpeg", "png", "webp", "avif", "tiff") for by in ORDER[format]]
EXACT: dict[str, dict[str, object]] = {
    "jpeg": {"quality": 98, "subsampling": 0},
    "webp": {"lossless": True},
    "avif": {"quality": 100},
}


@pytest.mark.parametrize("colour", [(200, 80, 60), (90, 160, 70), (60, 90, 170), (128, 128, 128)], ids=str)
@pytest.mark.parametrize(("format", "by"), BY_ENGINE)
def test_adobe_rgb_comes_out_as_it_was_seen(format: str, by: str, colour: tuple[int, int, int]) -> None:
    engine(by)
    light = [(part / 255) ** (ADOBE_GAMMA / 256) for part in colour]
    wanted = srgb([sum(light[n] * ADOBE_RGB[n][axis] for n in range(3)) for axis in range(3)])
    data = saved(Image.new("RGB", (32, 32), colour), format, icc_profile=adobe_rgb(), **EXACT.get(format, {}))
    assert is_near(data, by, wanted, 6)  # a step in the dark is one of four, and some of these formats lose one
    assert colour[0] == colour[1] or not is_near(data, by, colour, 6)  # as it would be without its profile


@pytest.mark.parametrize("level", [20, 100, 200])
@pytest.mark.parametrize(("format", "by"), [("jpeg", "pillow"), ("jpeg", "vips"), ("png", "pillow"), ("png", "vips")])
def test_a_grey_profile_comes_out_as_bright_as_it_was_seen(format: str, by: str, level: int) -> None:
    engine(by)
    light = (level / 255) ** (DOT_GAIN_GAMMA / 256)
    data = saved(Image.new("L", (32, 32), level), format, icc_profile=grey(), **EXACT.get(format, {}))
    assert is_near(data, by, srgb([light * part for part in D50]), 2)


@pytest.mark.parametrize("ink", [None, 0, 1, 2, 3])
@pytest.mark.parametrize(("format", "by"), [("jpeg", "pillow"), ("jpeg", "vips"), ("tiff", "pillow")])
def test_a_presss_inks_come_out_as_they_print(format: str, by: str, ink: int | None) -> None:
    engine(by)
    inks = tuple(255 * (number == ink) for number in range(4))
    data = saved(Image.new("CMYK", (32, 32), inks), format, icc_profile=press(), **EXACT.get(format, {}))
    wanted = of_lab(*(PAPER if ink is None else PRINTS[ink]))
    assert is_near(data, by, wanted, 4)

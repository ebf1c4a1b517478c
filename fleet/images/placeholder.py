"""What a page shows before the picture is there: its ThumbHash, and its dominant colour.

ThumbHash is Evan Wallace's (https://evanw.github.io/thumbhash/): some 25 bytes that hold a picture's lowest
frequencies, its shape and its transparency. This writes the same bytes as his encoder does for the same pixels, by
two passes of one dimension each instead of one of two, in integers where nothing is transparent: a third of a
millisecond instead of fifty.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from math import cos, floor, pi
from operator import mul
from typing import Final, NamedTuple

from PIL import Image

LOOK_PX: Final = 24  # on the longer side: seven waves need no more
COLOUR_PX: Final = 16  # and a colour still less
COLOURS: Final = 8  # that the pixels are sorted into, to find the most frequent
OPAQUE: Final = 128

Rows = list[Sequence[float]]


def thumbhash(image: Image.Image) -> str:
    """In base64."""
    return b64encode(thumbhash_of(small(image))).decode()


def dominant_colour(image: Image.Image) -> str:
    """The most frequent colour of what is not transparent, as ``#rrggbb``."""
    look = small(image, COLOUR_PX)
    pixels = _pixels(look.convert("RGBA")) if look.mode in ("LA", "RGBA") else None
    if pixels is not None:
        seen = [bytes(pixel[:3]) for pixel in pixels if pixel[3] >= OPAQUE]
        if not seen:
            return "#000000"
        look = Image.frombytes("RGB", (len(seen), 1), b"".join(seen))
    few = look.convert("RGB").quantize(COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    counts = few.histogram()
    most = max(range(COLOURS), key=lambda index: counts[index])
    palette = few.getpalette() or [0] * 768
    return "#{:02x}{:02x}{:02x}".format(*palette[3 * most : 3 * most + 3])


def small(image: Image.Image, side: int = LOOK_PX) -> Image.Image:
    """As much of an image as is looked at; of that, all."""
    scale = min(1.0, side / max(image.size))
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(size, Image.Resampling.BOX) if size != image.size else image


def _pixels(image: Image.Image) -> list[bytes]:
    data, step = image.tobytes(), len(image.getbands())
    return [data[at : at + step] for at in range(0, len(data), step)]


# -- ThumbHash ------------------------------------------------------------------------------------------------------


class _Channel(NamedTuple):
    """Its mean, the strengths of its waves from 0 to 1, and the strength that 0 and 1 stand for."""

    mean: float
    waves: list[float]
    scale: float


def thumbhash_of(image: Image.Image) -> bytes:
    """Of an image of at most 100 pixels on a side, as it is."""
    wide, high = image.size
    planes, is_clear = _planes(image)
    limit = 5 if is_clear else 7  # less of light where there is transparency to tell of
    across, down = (max(1, _round(limit * side / max(wide, high))) for side in (wide, high))
    light = _channel(planes[0], 3 * 255, max(3, across), max(3, down))
    yellow, red = _channel(planes[1], 2 * 255, 3, 3), _channel(planes[2], 255, 3, 3)
    clear = [_channel(planes[3], 1, 5, 5)] if is_clear else []
    landscape = wide > high
    start = _round(63 * light.mean) | _round(31.5 + 31.5 * yellow.mean) << 6 | _round(31.5 + 31.5 * red.mean) << 12
    start |= _round(31 * light.scale) << 18 | is_clear << 23
    shape = (down if landscape else across) | _round(63 * yellow.scale) << 3 | _round(63 * red.scale) << 9
    shape |= landscape << 15
    head = start.to_bytes(3, "little") + shape.to_bytes(2, "little")
    head += bytes(_round(15 * channel.mean) | _round(15 * channel.scale) << 4 for channel in clear)
    return head + _nibbles([wave for channel in (light, yellow, red, *clear) for wave in channel.waves])


def _nibbles(values: list[float]) -> bytes:
    nibbles = [_round(15 * value) for value in values] + [0] * (len(values) % 2)
    return bytes(low | high << 4 for low, high in zip(nibbles[::2], nibbles[1::2], strict=True))


def _planes(image: Image.Image) -> tuple[list[Rows], bool]:
    """Light, yellow against blue, red against green, and opacity; the first three times 765, 510 and 255."""
    red: Sequence[float]
    green: Sequence[float]
    blue: Sequence[float]
    if image.mode in ("LA", "RGBA"):
        red, green, blue, opacity = _over_their_mean(_pixels(image.convert("RGBA")))
    else:
        red, green, blue = (band.tobytes() for band in image.convert("RGB").split())
        opacity = []
    pixels = list(zip(red, green, blue, strict=True))
    light = [r + g + b for r, g, b in pixels]
    yellow = [r + g - b - b for r, g, b in pixels]
    against = [r - g for r, g, _ in pixels]
    wide = image.width
    planes: tuple[Sequence[float], ...] = (light, yellow, against, opacity)
    rows = [[plane[at : at + wide] for at in range(0, len(plane), wide)] for plane in planes]
    return rows, sum(opacity) < len(opacity)


def _over_their_mean(pixels: list[bytes]) -> tuple[list[float], ...]:
    """Red, green, blue, and opacity from 0 to 1; what is transparent has the mean colour of what is not."""
    opacity = [pixel[3] / 255 for pixel in pixels]
    seen = sum(opacity)
    colours = []
    for band in range(3):
        mean = sum(pixel[band] * share for pixel, share in zip(pixels, opacity, strict=True))
        mean = mean / seen if seen else 0.0
        colours.append([mean * (1 - s) + s * pixel[band] for pixel, s in zip(pixels, opacity, strict=True)])
    return *colours, opacity


def _channel(rows: Rows, unit: int, across: int, down: int) -> _Channel:
    """The strengths of its waves, those of the upper left triangle; `unit` is what stands for 1."""
    wide, high = len(rows[0]), len(rows)
    columns = [[_dot(row, wave) for row in rows] for wave in (_wave(n, wide) for n in range(across))]
    strengths = []
    for y in range(down):
        wave = _wave(y, high)
        for x in range(across):
            if x * down < across * (down - y):
                strengths.append(_dot(columns[x], wave) / (wide * high * unit))
    mean, *waves = strengths
    scale = max(map(abs, waves), default=0.0)
    return _Channel(mean, [0.5 + 0.5 / scale * wave if scale else wave for wave in waves], scale)


@cache
def _wave(number: int, length: int) -> list[float]:
    return [cos(pi / length * number * (at + 0.5)) for at in range(length)]


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    return float(sum(map(mul, one, other)))


def _round(value: float) -> int:
    """Halves up, as JavaScript does."""
    return floor(value + 0.5)
